//! What the fields of the rarer commands mean: captured bytes, and bytes laid out by hand from the reference.
//!
//! Owns: the typed value each of them must equal, both ways.
//! Must never: take its bytes from the code under test.

use super::rows::unhex;
use kassette_wire::shtrih::{
    AcceptMark, Answer, AnswerFrame, BeginOfdAnswer, BindMark, CheckMark, CloseExtended, CloseLegacyDone, CommandCode,
    ConfirmNotification, Correction, CorrectionDone, CorrectionV2, DecodeError, DmyDate, EncodeError, FnRegistration,
    FnRegistrationExtended, FnRegistrationReport, FnReportDone, JournalState, LifetimeTotals, LoadGraphics512,
    MarkBound, MarkChecked, MoneyRegister, NotificationBlock, NotificationCrc, NotificationExchange, OfdBuffer,
    OperationDiscounted, OperationKind, OperationRegister, Password, PortSettings, PrintBarcode, PrintBarcode2d,
    ReadOfdBlock, ReadRegister, ReadRegistrationTag, ReceiptDiscount, Register, Request, Reregister, SetPort,
    TaxSystemBit, TicketParts, VatCode, WriteOfdBlock,
};
use kassette_wire::value::{FdNumber, FiscalSign, Kopecks, LocalTime};

const PASSWORD: Password = Password::SYSADMIN;

fn is_request(hex: &str, request: Request) {
    let bytes = unhex(hex);
    assert_eq!(Request::decode(&bytes), Ok(request.clone()), "{hex}");
    assert_eq!(request.encode().unwrap(), bytes, "{hex}");
}

/// `hex` is the whole payload: code, error 00, data.
fn is_answer(hex: &str, answer: Answer) {
    let bytes = unhex(hex);
    let frame = AnswerFrame::decode(&bytes).unwrap();
    assert_eq!(Answer::decode(frame.command, &frame.data), Ok(answer.clone()), "{hex}");
    assert_eq!(answer.into_frame(frame.command).unwrap().encode(), bytes, "{hex}");
}

fn rub(kopecks: u64) -> Kopecks {
    Kopecks::new(kopecks).unwrap()
}

fn noon() -> LocalTime {
    LocalTime::new(2026, 11, 22, 12, 30, 0).unwrap()
}

const NOON: &str = "1A 0B 16 0C 1E";

#[test]
fn captured_service_commands_have_their_meaning() {
    let (password, port, speed, timeout) = (PASSWORD, 0, 6, 0xA9);
    let set = SetPort {
        password,
        port,
        speed,
        timeout,
    };
    is_request("14 1E000000 00 06 A9", Request::SetPort(set));
    is_answer("15 00 06 A9", Answer::PortSettings(PortSettings { speed, timeout }));
    let (number, operator) = (0xC1, 30);
    is_request(
        "1A 1E000000 C1",
        Request::MoneyRegister(ReadRegister { password, number }),
    );
    let value = rub(200);
    is_answer(
        "1A 00 1E C8 00 00 00 00 00",
        Answer::MoneyRegister(MoneyRegister { operator, value }),
    );
    let (operator, value) = (1, 3);
    is_answer(
        "1B 00 01 03 00",
        Answer::OperationRegister(OperationRegister { operator, value }),
    );
    is_request("16", Request::TechnologicalReset);
    is_answer(
        "AD 00 0000000000 10 0A 19 0D 0E 2A010000 40E2010000 4C",
        Answer::JournalState(JournalState {
            last_total: Kopecks::ZERO,
            last_date: DmyDate {
                day: 16,
                month: 10,
                year: 25,
            },
            last_time: [13, 14],
            last_number: 298,
            journal_number: [0x40, 0xE2, 1, 0, 0],
            flags: 0x4C,
        }),
    );
}

#[test]
fn captured_printer_commands_have_their_meaning() {
    let password = Password(1);
    let text = b"123456789012".to_vec();
    is_request(
        "CB 01000000 01 02 02 01 02 313233343536373839303132",
        Request::PrintBarcode(PrintBarcode {
            password,
            height: 1,
            bar_width: 2,
            text_position: 2,
            text_font: 1,
            kind: 2,
            data: text,
        }),
    );
    is_request(
        "DE 01000000 03 0C00 00 00 00 02 00 00 01",
        Request::PrintBarcode2d(PrintBarcode2d {
            password,
            kind: 3,
            length: 12,
            block: 0,
            parameters: [0, 0, 2, 0, 0],
            alignment: 1,
        }),
    );
    is_request(
        "4E 01000000 28 0100 0100 01 FF",
        Request::LoadGraphics512(LoadGraphics512 {
            password,
            width: 40,
            first: 1,
            lines: 1,
            buffer: 1,
            dots: vec![0xFF],
        }),
    );
}

#[test]
fn the_lifetime_totals_are_read_in_the_order_of_the_one_driver() {
    let hex = "FEF4 00 0100000000000000 0200000000000000 0300000000000000 0400000000000000";
    let (sales, sale_returns, buys, buy_returns) = (1, 2, 3, 4);
    is_answer(
        hex,
        Answer::LifetimeTotals(LifetimeTotals {
            sales,
            sale_returns,
            buys,
            buy_returns,
        }),
    );
    // The echo of one byte carries the same data.
    let frame = AnswerFrame::decode(&unhex(&hex.replacen("FEF4", "FE", 1))).unwrap();
    let read = Answer::decode(CommandCode::LIFETIME_TOTALS, &frame.data);
    assert!(matches!(read, Ok(Answer::LifetimeTotals(_))), "{read:?}");
}

#[test]
fn a_captured_correction_of_ffd_1_05_has_its_meaning() {
    let total = rub(2_615_000);
    let zero = Kopecks::ZERO;
    is_request(
        "FF4A 1E000000 00 02 D8E6270000 0000000000 D8E6270000 0000000000 0000000000 0000000000 \
         79A6060000 0000000000 0000000000 0000000000 0000000000 0000000000 01",
        Request::CorrectionV2(CorrectionV2 {
            password: PASSWORD,
            kind: 0,
            direction: 2,
            total,
            payments: [zero, total, zero, zero, zero],
            taxes: [rub(435_833), zero, zero, zero, zero, zero],
            tax_system: TaxSystemBit(1),
        }),
    );
    let (password, direction) = (PASSWORD, 1);
    is_request(
        "FF36 1E000000 D8E6270000 01",
        Request::Correction(Correction {
            password,
            total,
            direction,
        }),
    );
    for (time, tail) in [(None, ""), (Some(noon()), NOON)] {
        let (receipt, fd, fp) = (7, FdNumber(428), FiscalSign(0x1234_5678));
        let done = Answer::Correction(CorrectionDone { receipt, fd, fp, time });
        is_answer(&format!("FF4A 00 0700 AC010000 78563412 {tail}"), done.clone());
        is_answer(&format!("FF36 00 0700 AC010000 78563412 {tail}"), done);
    }
}

#[test]
fn rarer_receipt_commands_are_laid_out_as_the_reference_says() {
    let (password, discount, surcharge) = (PASSWORD, rub(1), rub(2));
    let (vat, text) = (VatCode::MAIN, vec![0xD2]);
    is_request(
        "FF4B 1E000000 0100000000 0200000000 01 D2",
        Request::ReceiptDiscount(ReceiptDiscount {
            password,
            discount,
            surcharge,
            vat,
            text: text.clone(),
        }),
    );
    is_request(
        "FF0D 1E000000 03 E803000000 1027000000 0100000000 0200000000 05 02 0102030405 D2",
        Request::OperationDiscounted(OperationDiscounted {
            password,
            kind: OperationKind::Buy,
            quantity_thousandths: 1_000,
            price: rub(10_000),
            discount,
            surcharge,
            department: 5,
            taxes: 2,
            barcode: [1, 2, 3, 4, 5],
            text: text.clone(),
        }),
    );
    let mut payments = [Kopecks::ZERO; 16];
    payments[15] = rub(0x10);
    let zeros = "0000000000".repeat(15);
    is_request(
        &format!("8E 1E000000 {zeros} 1000000000 9CFF 01020304 D2"),
        Request::CloseExtended(CloseExtended {
            password,
            payments,
            discount: 0xFF9C,
            taxes: [1, 2, 3, 4],
            text,
        }),
    );
    let (operator, change) = (30, rub(5));
    is_answer(
        "8E 00 1E 0500000000",
        Answer::CloseLegacy(CloseLegacyDone { operator, change }),
    );
}

#[test]
fn registration_is_laid_out_as_the_reference_says() {
    let (inn, rnm) = (*b"7707083893  ", *b"0000000001061875    ");
    let ids = "37373037303833383933 2020 30303030303030303031303631383735 20202020";
    let (password, tax_systems, work_mode) = (PASSWORD, 0x21, 0x24);
    let register = Register {
        password,
        inn,
        rnm,
        tax_systems,
        work_mode,
    };
    is_request(&format!("FF06 1E000000 {ids} 21 24"), Request::Register(register));
    let again = Reregister {
        password,
        inn,
        rnm,
        tax_systems,
        work_mode,
        reason: 2,
    };
    is_request(&format!("FF34 1E000000 {ids} 21 24 02"), Request::Reregister(again));
    for (time, tail) in [(None, ""), (Some(noon()), NOON)] {
        let (fd, fp) = (FdNumber(1), FiscalSign(2));
        for code in ["FF06", "FF34", "FF3E"] {
            let done = Answer::FnReport(FnReportDone { fd, fp, time });
            is_answer(&format!("{code} 00 01000000 02000000 {tail}"), done);
        }
    }
    let (number, tag) = (0, 0xFFFF);
    let read = ReadRegistrationTag { password, number, tag };
    is_request("FF0E 1E000000 00 FFFF", Request::RegistrationReportTag(read.clone()));
    is_request("FF60 1E000000 00 FFFF", Request::RegistrationTag(read));
}

#[test]
fn a_registration_read_by_its_number_keeps_its_reason_in_each_format() {
    let extended = FnRegistrationExtended {
        mode: 0x10,
        ofd_inn: *b"7704358518  ",
        reasons: 0x0300_0000,
    };
    let head = format!("{NOON} {} {} 01 20", "31".repeat(12), "32".repeat(20));
    let ofd = "10 37373034333538353138 2020 00000003";
    let end = "01000000 02000000";
    let cases = [
        (None, None, "", None),
        (None, Some(4), "04", None),
        (None, Some(4), "04", Some(noon())),
        (Some(extended), None, ofd, None),
    ];
    for (extended, reason, between, time) in cases {
        let tail = if time.is_some() { NOON } else { "" };
        let registration = FnRegistration {
            registered: Some(noon()),
            inn: [b'1'; 12],
            rnm: [b'2'; 20],
            tax_systems: 1,
            work_mode: 0x20,
            extended,
            fd: FdNumber(1),
            fp: FiscalSign(2),
            time,
        };
        let report = Answer::RegistrationReport(FnRegistrationReport { registration, reason });
        is_answer(&format!("FF4C 00 {head} {between} {end} {tail}"), report);
    }
}

#[test]
fn a_reason_beside_the_fields_of_ffd_1_1_has_no_bytes() {
    let hex = format!("{NOON} {} 01 20 {} 01000000 02000000", "31".repeat(32), "10".repeat(17));
    let answer = Answer::decode(CommandCode::REGISTRATION_BY_NUMBER, &unhex(&hex));
    let Ok(Answer::RegistrationReport(mut report)) = answer else {
        panic!("{answer:?}");
    };
    report.reason = Some(1);
    let refused = Answer::RegistrationReport(report).encode();
    assert_eq!(refused, Err(EncodeError::Gap { field: "reason" }));
}

#[test]
fn the_exchange_with_the_ofd_is_laid_out_as_the_reference_says() {
    let (password, offset) = (PASSWORD, 0x0140);
    is_answer(
        "FF30 00 0102 80",
        Answer::OfdBuffer(OfdBuffer {
            waiting: 0x0201,
            max_block: 128,
        }),
    );
    is_request(
        "FF31 1E000000 4001 80",
        Request::ReadOfdBlock(ReadOfdBlock {
            password,
            offset,
            count: 128,
        }),
    );
    is_answer("FF31 00 AABB", Answer::OfdBlock(vec![0xAA, 0xBB]));
    // Captured.
    is_request(
        "FF32 1E000000 7900",
        Request::BeginOfdAnswer(BeginOfdAnswer { password, size: 121 }),
    );
    is_answer("FF32 00 80", Answer::MaxBlock(128));
    let data = vec![0xAA, 0xBB];
    is_request(
        "FF33 1E000000 4001 02 AABB",
        Request::WriteOfdBlock(WriteOfdBlock { password, offset, data }),
    );
    for wrong in ["FF33 1E000000 4001 03 AABB", "FF33 1E000000 4001 01 AABB"] {
        assert!(Request::decode(&unhex(wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn a_ticket_is_read_by_its_parts_and_kept_when_it_has_others() {
    let read = |hex: &str| match Answer::decode(CommandCode::FN_TICKET, &unhex(hex)) {
        Ok(Answer::FnTicket(ticket)) => ticket,
        other => panic!("{other:?}"),
    };
    let ticket = read(&format!("{NOON} {} AB010000", "5A".repeat(18)));
    let (time, sign, fd) = (Some(noon()), vec![0x5A; 18], FdNumber(427));
    let parts = TicketParts { time, sign, fd };
    assert_eq!(ticket.parts(), Ok(parts.clone()));
    assert_eq!(parts.encode().unwrap(), ticket.body);
    let other = read("63 0D 01 00 00 00 00 00 00");
    assert!(matches!(other.parts(), Err(DecodeError::Time { .. })));
    assert_eq!(other.body.len(), 9);
}

#[test]
fn a_captured_check_of_a_marking_code_has_its_meaning() {
    let code = unhex("30313034363030363533313035393930323135324355 6E71 1D 3933476B3330");
    is_request(
        "FF61 1E000000 01 00 1F 00 3031303436303036353331303539393032313532 43556E71 1D 3933476B3330",
        Request::CheckMark(CheckMark {
            password: PASSWORD,
            planned_status: 1,
            mode: 0,
            code,
            tlv: Vec::new(),
        }),
    );
    let (local, reason, kind) = (0, 1, 5);
    let checked = MarkChecked {
        local,
        reason,
        kind,
        extra_length: 0,
        extra: Vec::new(),
    };
    assert_eq!(checked.server(), None);
    is_answer("FF61 00 00 01 05 00", Answer::MarkChecked(checked));
    let extra = unhex("20 05 0102");
    let online = MarkChecked {
        local: 3,
        reason: 0,
        kind,
        extra_length: 4,
        extra,
    };
    let server = online.server().unwrap();
    assert_eq!((server.answer, server.result, server.tlv), (0x20, 5, &[1, 2][..]));
    is_answer("FF61 00 03 00 05 04 20 05 0102", Answer::MarkChecked(online));
}

#[test]
fn binding_and_notifications_are_laid_out_as_the_reference_says() {
    let (password, decision) = (PASSWORD, 1);
    is_request(
        "FF69 1E000000 01",
        Request::AcceptMark(AcceptMark { password, decision }),
    );
    is_answer("FF69 00 0F", Answer::MarkResult(15));
    for (volumetric, tail) in [(None, ""), (Some(0xFF), "FF")] {
        let code = vec![0x30, 0x31];
        let hex = format!("FF67 1E000000 02 3031 {tail}");
        is_request(
            &hex,
            Request::BindMark(BindMark {
                password,
                code,
                volumetric,
            }),
        );
    }
    let bound = MarkBound {
        prefix_bytes: [0x44, 0x4D],
        kind: 5,
        check: None,
    };
    assert_eq!(bound.prefix(), 0x444D);
    is_answer("FF67 00 444D 05", Answer::MarkBound(bound));
    let time = Some(noon());
    let exchange = NotificationExchange {
        state: 1,
        queue: 2,
        current: 3,
        time,
        fill: 40,
    };
    is_answer(
        &format!("FF68 00 01 0200 03000000 {NOON} 28"),
        Answer::NotificationExchange(exchange),
    );
}

#[test]
fn a_block_of_a_notification_is_read_with_its_size_and_without() {
    for (sized, tail) in [(true, "0300 AABBCC"), (false, "AABBCC")] {
        let (number, size, offset, data) = (9, 0x0201, 0x80, vec![0xAA, 0xBB, 0xCC]);
        let block = NotificationBlock {
            number,
            size,
            offset,
            sized,
            data,
        };
        is_answer(
            &format!("FF72 00 09000000 0102 8000 {tail}"),
            Answer::NotificationBlock(block),
        );
    }
    for (crc, hex) in [
        (NotificationCrc::Two(0x0201), "0102"),
        (NotificationCrc::Four(0x0403_0201), "01020304"),
    ] {
        let (password, number) = (PASSWORD, 9);
        let confirm = Request::ConfirmNotification(ConfirmNotification { password, number, crc });
        is_request(&format!("FF73 1E000000 09000000 {hex}"), confirm);
    }
}
