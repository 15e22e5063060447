//! Properties of the codecs on bytes nobody wrote down.
//!
//! Owns: generators of values and of garbage.
//! Must never: hide the seed of a failure (proptest prints the smallest failing case).

use kassette_wire::ffd::{Fvln, Tag, Tlv, TlvList};
use kassette_wire::link::shtrih_v1::{Event, FrameScanner, encode_frame};
use kassette_wire::link::shtrih_v2 as v2;
use kassette_wire::shtrih::{
    Answer, AnswerFrame, CloseReceipt, CloseReceiptDone, CommandCode, DecodeError, ErrorCode, FnDocumentKind, FnPhase,
    FnStatus, FnWarnings, OperationKind, OperationV2, Password, Request, TableCell, VatCode, WriteTable,
};
use kassette_wire::text::{decode_cp866, encode_cp866};
use kassette_wire::value::{FdNumber, FiscalSign, Kopecks, LocalTime, Quantity};
use proptest::array::{uniform6, uniform16};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn sum() -> impl Strategy<Value = Kopecks> {
    (0..(1u64 << 40) - 1).prop_map(|v| Kopecks::new(v).unwrap())
}

fn quantity() -> impl Strategy<Value = Quantity> {
    (0..1u64 << 48).prop_map(|v| Quantity::from_millionths(v).unwrap())
}

fn minute() -> impl Strategy<Value = LocalTime> {
    (2000i32..=2255, 1u8..=12, 1u8..=28, 0u8..24, 0u8..60)
        .prop_map(|(year, month, day, hour, minute)| LocalTime::new(year, month, day, hour, minute, 0).unwrap())
}

fn operation() -> impl Strategy<Value = Request> {
    let kinds = proptest::sample::select(OperationKind::ALL);
    let money = (sum(), option::of(sum()), option::of(sum()), quantity());
    let bytes = any::<(u32, u8, u8, u8, u8)>();
    (kinds, money, bytes, vec(any::<u8>(), 0..=128)).prop_map(|(kind, money, bytes, name)| {
        let (price, sum, tax, quantity) = money;
        let (password, vat, department, method, subject) = bytes;
        Request::Operation(OperationV2 {
            password: Password(password),
            kind,
            quantity,
            price,
            sum,
            tax,
            vat: VatCode(vat),
            department,
            method,
            subject,
            name,
        })
    })
}

fn close() -> impl Strategy<Value = Request> {
    let money = (uniform16(sum()), uniform6(sum()));
    (any::<(u32, u8, u8)>(), money, vec(any::<u8>(), 0..=64)).prop_map(|(bytes, (payments, taxes), text)| {
        let (password, rounding, tax_system) = bytes;
        Request::CloseReceipt(CloseReceipt {
            password: Password(password),
            payments,
            rounding,
            taxes,
            tax_system,
            text,
        })
    })
}

fn write_table() -> impl Strategy<Value = Request> {
    let cell = any::<(u8, u16, u8)>().prop_map(|(table, row, field)| TableCell::new(table, row, field));
    (any::<u32>(), cell, vec(any::<u8>(), 0..=240)).prop_map(|(password, cell, value)| {
        let password = Password(password);
        Request::WriteTable(WriteTable { password, cell, value })
    })
}

fn fn_status() -> impl Strategy<Value = Answer> {
    let bytes = any::<(u8, u8, u8, u8, u8)>();
    (bytes, option::of(minute()), any::<[u8; 16]>(), any::<u32>()).prop_map(|(bytes, last_time, fn_number, fd)| {
        let (phase, document, data_received, shift_open, warnings) = bytes;
        Answer::FnStatus(FnStatus {
            phase: FnPhase(phase),
            document: FnDocumentKind(document),
            data_received,
            shift_open,
            warnings: FnWarnings(warnings),
            last_time,
            fn_number,
            last_fd: FdNumber(fd),
        })
    })
}

/// Payloads that begin with a code of the slice, so that garbage reaches every layout.
fn likely_payload() -> impl Strategy<Value = (CommandCode, Vec<u8>)> {
    (proptest::sample::select(CommandCode::ALL), vec(any::<u8>(), 0..140))
}

fn tlv() -> impl Strategy<Value = Tlv> {
    (any::<u16>(), vec(any::<u8>(), 0..40)).prop_map(|(tag, value)| Tlv::bytes(Tag(tag), value))
}

proptest! {
    #[test]
    fn requests_survive_encoding_and_decoding(request in prop_oneof![operation(), close(), write_table()]) {
        let bytes = request.encode().unwrap();
        prop_assert_eq!(Request::decode(&bytes), Ok(request));
    }

    #[test]
    fn answers_survive_encoding_and_decoding(
        status in fn_status(),
        change in sum(),
        (fd, fp) in any::<(u32, u32)>(),
        time in option::of(minute()),
    ) {
        let (fd, fp) = (FdNumber(fd), FiscalSign(fp));
        let closed = Answer::CloseReceipt(CloseReceiptDone { change, fd, fp, time });
        for (command, answer) in [(CommandCode::FN_STATUS, status), (CommandCode::CLOSE_RECEIPT, closed)] {
            prop_assert_eq!(Answer::decode(command, &answer.encode().unwrap()), Ok(answer));
        }
    }

    #[test]
    fn whatever_decodes_as_a_request_encodes_back_to_the_same_bytes((code, data) in likely_payload()) {
        let payload = [code.to_bytes(), data].concat();
        if let Ok(request) = Request::decode(&payload) {
            prop_assert_eq!(request.command(), code);
            prop_assert_eq!(request.encode().unwrap(), payload);
        }
    }

    #[test]
    fn whatever_decodes_as_an_answer_encodes_back_to_the_same_bytes((code, data) in likely_payload()) {
        if let Ok(answer) = Answer::decode(code, &data) {
            prop_assert!(!matches!(answer, Answer::Raw(_)), "{} has no typed answer", code);
            prop_assert_eq!(answer.encode().unwrap(), data);
        }
    }

    #[test]
    fn a_cut_or_lengthened_fixed_request_is_an_error_not_another_request(
        (length, extra) in (0usize..118, 1usize..4),
        close in close(),
    ) {
        let mut bytes = close.encode().unwrap();
        bytes.truncate(length);
        prop_assert!(Request::decode(&bytes).is_err() || length == 1);
        let mut status = Request::FnStatus(Password::SYSADMIN).encode().unwrap();
        status.resize(status.len() + extra, 0);
        prop_assert_eq!(Request::decode(&status), Err(DecodeError::Trailing { at: 4, extra }));
    }

    #[test]
    fn answer_frames_of_any_bytes_never_panic_and_keep_every_byte(payload in vec(any::<u8>(), 0..300)) {
        if let Ok(frame) = AnswerFrame::decode(&payload) {
            prop_assert_eq!(frame.encode(), payload);
        }
    }

    #[test]
    fn the_scanner_gives_the_same_events_for_any_split(
        bytes in vec(prop_oneof![Just(2u8), Just(3u8), Just(5u8), Just(6u8), Just(0x15u8), any::<u8>()], 0..600),
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = FrameScanner::new().push_all(&bytes);
        let (head, tail) = bytes.split_at(cut.index(bytes.len() + 1));
        let mut scanner = FrameScanner::new();
        let mut split = scanner.push_all(head);
        split.extend(scanner.push_all(tail));
        prop_assert_eq!(split, whole);
    }

    #[test]
    fn frames_between_control_bytes_come_out_whole(
        payloads in vec(vec(any::<u8>(), 1..=255), 1..5),
        noise in proptest::sample::select(vec![0x00u8, 0x05, 0x06, 0x15, 0xFF]),
    ) {
        let mut stream = Vec::new();
        for payload in &payloads {
            stream.push(noise);
            stream.extend(encode_frame(payload).unwrap());
        }
        let events = FrameScanner::new().push_all(&stream);
        let found: Vec<_> = events.iter().filter_map(|event| match event {
            Event::Frame(payload) => Some(payload.clone()),
            _ => None,
        }).collect();
        prop_assert_eq!(events.len(), payloads.len() * 2);
        prop_assert_eq!(found, payloads);
    }

    #[test]
    fn a_flipped_bit_in_a_frame_never_passes_as_that_frame(
        payload in vec(any::<u8>(), 1..40),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let mut frame = encode_frame(&payload).unwrap();
        let at = at.index(frame.len());
        frame[at] ^= 1 << bit;
        let events = FrameScanner::new().push_all(&frame);
        prop_assert!(!events.contains(&Event::Frame(payload)));
    }

    #[test]
    fn v2_frames_come_out_whole_whatever_they_carry_and_however_the_stream_is_cut(
        frames in vec((any::<u16>(), vec(prop_oneof![Just(0x8Fu8), Just(0x9F), Just(0x81), any::<u8>()], 0..300)), 1..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let frames: Vec<v2::Frame> = frames.into_iter().map(|(number, data)| v2::Frame::numbered(number, data)).collect();
        let stream: Vec<u8> = frames.iter().flat_map(|frame| frame.encode().unwrap()).collect();
        let (head, tail) = stream.split_at(cut.index(stream.len() + 1));
        let mut scanner = v2::FrameScanner::new();
        let events = [scanner.push_all(head), scanner.push_all(tail)].concat();
        prop_assert_eq!(events, frames.into_iter().map(v2::Event::Frame).collect::<Vec<_>>());
    }

    #[test]
    fn v2_garbage_never_panics_and_never_hides_the_frame_behind_it(
        garbage in vec(prop_oneof![Just(0x8Fu8), Just(0x9F), Just(0), Just(2), any::<u8>()], 0..300),
        number in any::<u16>(),
    ) {
        let frame = v2::Frame::numbered(number, vec![0xFC]);
        let mut scanner = v2::FrameScanner::with_max_data(100);
        scanner.push_all(&garbage);
        let last = scanner.push_all(&frame.encode().unwrap()).pop();
        prop_assert_eq!(last, Some(v2::Event::Frame(frame)));
    }

    #[test]
    fn tlv_lists_survive_encoding_and_decoding(items in vec(tlv(), 0..20)) {
        let list = TlvList { items };
        prop_assert_eq!(TlvList::decode(&list.encode().unwrap()), Ok(list));
    }

    #[test]
    fn tlv_decoding_of_garbage_never_panics_and_loses_nothing(bytes in vec(any::<u8>(), 0..400)) {
        if let Ok(list) = TlvList::decode(&bytes) {
            prop_assert_eq!(list.encode().unwrap(), bytes);
        }
    }

    #[test]
    fn typed_reading_of_any_value_never_panics(value in vec(any::<u8>(), 0..12), nested in vec(tlv(), 0..4)) {
        let nested = TlvList { items: nested };
        let list = TlvList::new()
            .with(Tlv::bytes(Tag::ITEM, value.clone()))
            .with(Tlv::list(Tag::VAT_AMOUNTS, &nested).unwrap())
            .with(Tlv::bytes(Tag::FISCAL_SIGN, value.clone()));
        prop_assert_eq!(list.byte(Tag::ITEM).is_ok(), value.len() == 1);
        prop_assert_eq!(list.u16(Tag::ITEM).is_ok(), value.len() == 2);
        prop_assert_eq!(list.time(Tag::ITEM).is_ok(), value.len() == 4);
        prop_assert_eq!(list.vln(Tag::ITEM).is_ok(), value.len() <= 8);
        prop_assert_eq!(list.fiscal_sign().is_ok(), value.len() == 6);
        prop_assert_eq!(list.list(Tag::VAT_AMOUNTS), Ok(Some(nested)));
        let _ = (list.money(Tag::ITEM), list.quantity(Tag::ITEM), list.text(Tag::ITEM), list.check_tree());
    }

    #[test]
    fn quantities_survive_their_tag(value in quantity()) {
        prop_assert_eq!(Tlv::quantity(Tag::QUANTITY, value).to_quantity(), Ok(value));
        prop_assert_eq!(Fvln::six_decimals(value).quantity(), Some(value));
    }

    #[test]
    fn sums_and_times_survive_their_tags(kopecks in 0..1u64 << 48, seconds in any::<u32>()) {
        let sum = Kopecks::new(kopecks).unwrap();
        prop_assert_eq!(Tlv::money(Tag::RECEIPT_TOTAL, sum).to_money(), Ok(sum));
        let time = LocalTime::from_unix_as_local(seconds).unwrap();
        prop_assert_eq!(Tlv::time(Tag::DOCUMENT_TIME, time).unwrap().to_time(), Ok(time));
    }

    #[test]
    fn cp866_text_survives_and_other_text_is_refused_at_its_first_character(text in "\\PC{0,40}") {
        match encode_cp866(&text) {
            Ok(bytes) => prop_assert_eq!(decode_cp866(&bytes), text),
            Err(error) => prop_assert_eq!(text.chars().nth(error.index), Some(error.char)),
        }
    }
}

#[test]
fn sums_that_do_not_fit_five_bytes_are_refused_not_cut() {
    let huge = Kopecks::new(1 << 40).unwrap();
    let done = |change| {
        let (fd, fp) = (FdNumber(1), FiscalSign(1));
        Answer::CloseReceipt(CloseReceiptDone {
            change,
            fd,
            fp,
            time: None,
        })
        .encode()
    };
    assert!(done(huge).is_err());
    assert!(done(Kopecks::new((1 << 40) - 1).unwrap()).is_ok());
}

#[test]
fn a_refusal_has_no_data() {
    let refusal = AnswerFrame::refusal(CommandCode::CLOSE_RECEIPT, ErrorCode::WRONG_MODE);
    assert_eq!(refusal.encode(), [0xFF, 0x45, 0x73]);
}
