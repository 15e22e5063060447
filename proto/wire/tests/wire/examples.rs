//! Worked examples of public documents, both ways, with what they mean.
//!
//! Owns: the typed values the golden bytes must be equal to.
//! Must never: take its bytes from the code under test.

use super::rows::{Carried, Direction, both_ways, golden, unhex, v1_payload};
use kassette_wire::ffd::{Document, DocumentCode, Fvln, Tag, Tlv, TlvList};
use kassette_wire::shtrih::{
    Answer, AnswerFrame, CloseReceipt, CloseReceiptDone, CommandCode, DecodeError, DocumentTlv, Echo, ErrorCode,
    FnDocumentKind, FnPhase, FnStatus, FnWarnings, Mode, OpenReceipt, OperationKind, OperationV2, Password,
    ReceiptKind, Request, ShiftOpened, Submode, TableCell, VatCode, WriteTable, fn_number, fn_number_bytes,
};
use kassette_wire::value::{FdNumber, FiscalSign, Kopecks, LocalTime, Quantity, ShiftNumber};

fn frames() -> Vec<(String, Direction, Vec<u8>)> {
    let text = golden("shtrih-v1-examples.txt");
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| {
        let parts: Vec<&str> = line.split(" | ").collect();
        let [origin, mark, hex] = parts[..] else {
            panic!("{line}")
        };
        (origin.to_owned(), Direction::of(mark), v1_payload(&unhex(hex)))
    })
    .collect()
}

/// The only golden payload of a direction that begins with these bytes and has this length.
fn payload(direction: Direction, begins: &str, length: usize) -> Vec<u8> {
    let begins = unhex(begins);
    let found: Vec<_> = frames()
        .into_iter()
        .filter(|(_, d, p)| *d == direction && p.starts_with(&begins) && p.len() == length)
        .collect();
    assert_eq!(found.len(), 1, "{begins:02X?} of {length} bytes");
    found[0].2.clone()
}

fn is_request(value: Request, begins: &str) {
    let bytes = value.encode().unwrap();
    assert_eq!(payload(Direction::ToRegister, begins, bytes.len()), bytes);
    assert_eq!(Request::decode(&bytes), Ok(value));
}

fn is_answer(value: Answer, command: CommandCode, begins: &str) {
    let bytes = value.clone().into_frame(command).unwrap().encode();
    assert_eq!(payload(Direction::ToHost, begins, bytes.len()), bytes);
    let frame = AnswerFrame::decode(&bytes).unwrap();
    assert_eq!(frame.error, ErrorCode::OK);
    assert_eq!(Answer::decode(frame.command, &frame.data), Ok(value));
}

fn rub(kopecks: u64) -> Kopecks {
    Kopecks::new(kopecks).unwrap()
}

fn minute(year: i32, month: u8, day: u8, hour: u8, minute: u8) -> LocalTime {
    LocalTime::new(year, month, day, hour, minute, 0).unwrap()
}

#[test]
fn every_worked_frame_decodes_and_encodes_back_to_the_same_bytes() {
    let frames = frames();
    assert_eq!(frames.len(), 40);
    for (origin, direction, payload) in frames {
        let carried = both_ways(direction, &payload).unwrap_or_else(|what| panic!("{origin}: {what}"));
        assert_ne!(carried, Carried::Raw, "{origin}");
    }
}

#[test]
fn the_commands_of_a_sale_have_the_documented_bytes() {
    let password = Password::SYSADMIN;
    let cell = TableCell::new(17, 1, 7);
    let value = vec![2];
    is_request(Request::WriteTable(WriteTable { password, cell, value }), "1E");
    is_request(Request::DeviceType, "FC");
    is_request(Request::FnStatus(password), "FF01");
    is_request(Request::OpenShift(password), "E0");
    is_request(Request::FnOpenShift(password), "FF0B");
    let kind = ReceiptKind::Sale;
    is_request(Request::OpenReceipt(OpenReceipt { password, kind }), "8D");
    is_request(
        Request::Operation(OperationV2 {
            password,
            kind: OperationKind::Sale,
            quantity: Quantity::ONE,
            price: rub(10_000),
            sum: None,
            tax: None,
            vat: VatCode::MAIN,
            department: 1,
            method: 4,
            subject: 1,
            name: unhex("D2 EE E2 E0 F0"),
        }),
        "FF46",
    );
    let mut payments = [Kopecks::ZERO; 16];
    payments[1] = rub(10_000);
    is_request(
        Request::CloseReceipt(CloseReceipt {
            password,
            payments,
            rounding: 0,
            taxes: [Kopecks::ZERO; 6],
            tax_system: 1,
            text: Vec::new(),
        }),
        "FF45",
    );
    is_request(Request::CancelReceipt(password), "88");
    is_request(Request::ZReport(password), "41");
    is_request(Request::OfdStatus(password), "FF39");
}

#[test]
fn tags_sent_with_a_receipt_have_the_documented_bytes() {
    let password = Password::SYSADMIN;
    let tlv = |tlv: Tlv| DocumentTlv {
        password,
        tlv: tlv.encode().unwrap(),
    };
    is_request(Request::OperationTag(tlv(Tlv::byte(Tag::MEASURE, 0))), "FF4D");
    let contact = Tlv::text(Tag::BUYER_CONTACT, "a@example.org").unwrap();
    is_request(Request::DocumentTag(tlv(contact)), "FF0C");
    let inn = Tlv::text(Tag::CASHIER_INN, "500100732259").unwrap();
    is_request(Request::DocumentTag(tlv(inn)), "FF0C");
}

#[test]
fn the_answers_of_a_sale_have_the_documented_meaning() {
    let number = "9999078900001234".parse().unwrap();
    is_answer(
        Answer::FnStatus(FnStatus {
            phase: FnPhase::WORKING,
            document: FnDocumentKind::NONE,
            data_received: 0,
            shift_open: 1,
            warnings: FnWarnings(0),
            last_time: Some(minute(2026, 11, 22, 12, 30)),
            fn_number: fn_number_bytes(&number),
            last_fd: FdNumber(425),
        }),
        CommandCode::FN_STATUS,
        "FF0100 0300 0001 001A",
    );
    let fp = FiscalSign(0x1234_5678);
    let (shift, fd) = (ShiftNumber(12), FdNumber(426));
    let opened = Answer::ShiftOpened(ShiftOpened { shift, fd, fp });
    is_answer(opened, CommandCode::FN_OPEN_SHIFT, "FF0B");
    for time in [None, Some(minute(2026, 11, 22, 12, 34))] {
        let (change, fd, fp) = (Kopecks::ZERO, FdNumber(427), FiscalSign(0x9ABC_DEF0));
        let closed = Answer::CloseReceipt(CloseReceiptDone { change, fd, fp, time });
        is_answer(closed, CommandCode::CLOSE_RECEIPT, "FF4500");
    }
}

#[test]
fn the_state_of_an_open_document_is_read() {
    let bytes = payload(Direction::ToHost, "10001E920208", 16);
    let frame = AnswerFrame::decode(&bytes).unwrap();
    let Answer::ShortState(state) = Answer::decode(frame.command, &frame.data).unwrap() else {
        panic!("{frame:?}");
    };
    assert!(state.mode.is_document_open());
    assert_eq!((state.mode, state.submode), (Mode::new(8, 0), Submode::IDLE));
    assert_eq!((state.operations(), state.operator), (1, 30));
}

#[test]
fn a_refusal_and_a_bare_prefix_are_told_apart() {
    let refused = AnswerFrame::decode(&unhex("FF 45 73")).unwrap();
    assert_eq!(refused.error, ErrorCode::WRONG_MODE);
    assert_eq!(refused.echo(CommandCode::CLOSE_RECEIPT), Echo::Same);
    assert_eq!(refused.echo(CommandCode::OPERATION), Echo::Other);
    let old_model = AnswerFrame::decode(&unhex("FF 37")).unwrap();
    assert_eq!(old_model.error, ErrorCode::UNSUPPORTED);
    assert_eq!(old_model.echo(CommandCode::FN_STATUS), Echo::Prefix);
    assert_eq!(old_model.echo(CommandCode::BEGIN_CALCULATION_REPORT), Echo::Prefix);
    assert_eq!(old_model.echo(CommandCode::SHORT_STATE), Echo::Other);
    for (bytes, data) in [("FE F3 00", ""), ("FE 00", ""), ("FE 00 01", "01")] {
        let service = AnswerFrame::decode(&unhex(bytes)).unwrap();
        assert!(service.error.is_ok() && service.data == unhex(data), "{bytes}");
        assert_ne!(service.echo(CommandCode::REBOOT), Echo::Other, "{bytes}");
    }
}

#[test]
fn a_short_fn_number_of_a_debug_unit_is_read_without_its_padding() {
    let field = *b"99990789312     ";
    assert_eq!(fn_number(&field).unwrap().as_str(), "99990789312");
    assert_eq!(fn_number_bytes(&fn_number(&field).unwrap()), field);
    assert!(fn_number(&[b' '; 16]).is_err());
}

fn tlv_example(origin: &str) -> Vec<u8> {
    let text = golden("tlv-examples.txt");
    let found: Vec<_> = text.lines().filter(|line| line.contains(origin)).collect();
    assert_eq!(found.len(), 1, "{origin}");
    unhex(found[0].split(" | ").nth(1).unwrap())
}

#[test]
fn the_worked_tlv_values_are_written_and_read() {
    let total = Tlv::money(Tag::RECEIPT_TOTAL, rub(100_000));
    assert_eq!(total.encode().unwrap(), tlv_example("1020 = 1000.00"));
    let decimals = Fvln {
        decimals: 3,
        mantissa: 1500,
    };
    let quantity = Tlv::fvln(Tag::QUANTITY, decimals).unwrap();
    assert_eq!(quantity.encode().unwrap(), tlv_example("1023 = 1.5"));
    assert_eq!(quantity.to_quantity().unwrap(), "1.5".parse().unwrap());
    let one = Tlv::quantity(Tag::QUANTITY, Quantity::ONE);
    assert_eq!(one.encode().unwrap(), tlv_example("C.1: 1023 = 1 |"));
}

#[test]
fn the_worked_item_is_written_and_read() {
    let item = TlvList::new()
        .with(Tlv::byte(Tag::PAYMENT_METHOD, 3))
        .with(Tlv::byte(Tag::ITEM_KIND, 10))
        .with(Tlv::text(Tag::ITEM_NAME, "Аванс").unwrap())
        .with(Tlv::money(Tag::ITEM_PRICE, rub(100_000)))
        .with(Tlv::quantity(Tag::QUANTITY, Quantity::ONE))
        .with(Tlv::byte(Tag::VAT_RATE, 3))
        .with(Tlv::money(Tag::ITEM_AMOUNT, rub(100_000)));
    let bytes = tlv_example("1059 {");
    assert_eq!(Tlv::list(Tag::ITEM, &item).unwrap().encode().unwrap(), bytes);
    let read = TlvList::decode(&bytes).unwrap().list(Tag::ITEM).unwrap().unwrap();
    assert_eq!(read, item);
    assert_eq!(read.text(Tag::ITEM_NAME).as_deref(), Some("Аванс"));
    assert_eq!(read.quantity(Tag::QUANTITY), Ok(Some(Quantity::ONE)));
}

#[test]
fn the_worked_ticket_is_read_and_written() {
    let bytes = tlv_example("ticket STLV");
    let ticket = Document::decode_stlv(&bytes).unwrap();
    assert_eq!(ticket.kind(), Some(DocumentCode::Ticket));
    assert_eq!(ticket.tags.text(Tag::OFD_INN).as_deref(), Some("7704358518"));
    assert_eq!(ticket.tags.text(Tag::FN_NUMBER).as_deref(), Some("9999078900012345"));
    assert_eq!(ticket.tags.u32(Tag::FD_NUMBER), Ok(Some(87)));
    let message = ticket.tags.list(Tag::OPERATOR_MESSAGE).unwrap().unwrap();
    assert_eq!(message.byte(Tag::OFD_RESPONSE), Ok(Some(0)));
    ticket.tags.check_tree().unwrap();
    assert_eq!(ticket.encode_stlv().unwrap(), bytes);
    assert!(Document::decode_stlv(&[&bytes[..], &bytes[..]].concat()).is_err());
}

#[test]
fn fields_that_newer_firmware_adds_are_noticed_and_can_be_passed_over() {
    let bytes = payload(Direction::ToHost, "FF0100 0300 0001 001A", 33);
    let frame = AnswerFrame::decode(&bytes).unwrap();
    let longer = [&frame.data[..], &[1, 2]].concat();
    let known = Answer::decode(frame.command, &frame.data).unwrap();
    assert_eq!(
        Answer::decode(frame.command, &longer),
        Err(DecodeError::Trailing { at: 30, extra: 2 })
    );
    assert_eq!(Answer::decode_known(frame.command, &longer), Ok((known, 2)));
}
