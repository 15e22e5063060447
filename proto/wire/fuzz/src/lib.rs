//! What must hold for any bytes at every decoder of `kassette-wire`, one function for each fuzz target.
//!
//! Owns: the checks. `fuzz_targets/` runs them under libFuzzer, `tests/wire/corpus.rs` on the seeds as plain tests.
//! Must never: accept less than "no panic, and what decodes encodes back to the same bytes".

use kassette_wire::ffd::{Document, FnExport, Tlv, TlvList};
use kassette_wire::fiscal::{compute_rnm, verify_rnm};
use kassette_wire::link::{shtrih_v1, shtrih_v2};
use kassette_wire::shtrih::{Answer, AnswerFrame, CommandCode, Request, fn_number};
use kassette_wire::text::{decode_cp866, decode_cp1251, encode_cp866, encode_cp1251, until_nul};
use kassette_wire::value::{FnNumber, Inn, Rnm};

/// A check of any bytes; panics where one fails.
pub type Check = fn(&[u8]);

/// Every target by its name, which is also the name of its file and of its seeds.
pub const TARGETS: &[(&str, Check)] = &[
    ("shtrih_v1_scanner", shtrih_v1_scanner),
    ("shtrih_v2_scanner", shtrih_v2_scanner),
    ("shtrih_request", shtrih_request),
    ("shtrih_answer", shtrih_answer),
    ("tlv_list", tlv_list),
    ("document", document),
    ("fn_export", fn_export),
    ("text", text),
    ("ids", ids),
];

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Splits at a place the first byte names.
fn cut(data: &[u8]) -> (&[u8], &[u8]) {
    let at = data.first().map_or(0, |&byte| usize::from(byte) % (data.len() + 1));
    data.split_at(at)
}

/// v1: the same events for any split, and only frames that stand in the stream.
pub fn shtrih_v1_scanner(data: &[u8]) {
    use shtrih_v1::{Event, FrameScanner, encode_frame};
    let events = FrameScanner::new().push_all(data);
    let (head, tail) = cut(data);
    let mut scanner = FrameScanner::new();
    let split = [scanner.push_all(head), scanner.push_all(tail)].concat();
    assert_eq!(split, events);
    for event in events {
        if let Event::Frame(payload) = event {
            assert!(holds(data, &encode_frame(&payload).unwrap()));
        }
    }
}

/// v2: the same events for any split, only frames that stand in the stream, and none above the limit.
pub fn shtrih_v2_scanner(data: &[u8]) {
    use shtrih_v2::{Event, Frame, FrameScanner};
    const LIMIT: usize = 64;
    let events = FrameScanner::new().push_all(data);
    let (head, tail) = cut(data);
    let mut scanner = FrameScanner::new();
    let split = [scanner.push_all(head), scanner.push_all(tail)].concat();
    assert_eq!(split, events);
    for event in FrameScanner::with_max_data(LIMIT).push_all(data) {
        if let Event::Frame(Frame::Numbered { data, .. }) = event {
            assert!(data.len() <= LIMIT);
        }
    }
    for event in events {
        if let Event::Frame(frame) = event {
            assert!(holds(data, &frame.encode().unwrap()));
        }
    }
}

/// A request that decodes encodes back to the same bytes.
pub fn shtrih_request(data: &[u8]) {
    if let Ok(request) = Request::decode(data) {
        assert_eq!(request.encode().unwrap(), data);
        let (command, _) = CommandCode::split_request(data).unwrap();
        assert_eq!(request.command(), command);
        let _ = (format!("{request:?}"), command.name());
    }
}

/// An answer that decodes encodes back to the same bytes, and so do the parts that are read later.
pub fn shtrih_answer(data: &[u8]) {
    let Ok(frame) = AnswerFrame::decode(data) else {
        return;
    };
    assert_eq!(frame.encode(), data);
    let known = Answer::decode_known(frame.command, &frame.data);
    let Ok(answer) = Answer::decode(frame.command, &frame.data) else {
        return;
    };
    assert_eq!(known, Ok((answer.clone(), 0)));
    assert_eq!(answer.encode().unwrap(), frame.data);
    later_parts(&answer);
}

fn later_parts(answer: &Answer) {
    match answer {
        Answer::FnDocument(document) => {
            if let Ok(detail) = document.detail() {
                assert_eq!(detail.encode().unwrap(), document.body);
            }
        }
        Answer::FnTicket(ticket) => {
            if let Ok(parts) = ticket.parts() {
                assert_eq!(parts.encode().unwrap(), ticket.body);
            }
        }
        Answer::ModelParameters(model) => {
            let _ = (model.max_command_length(), model.fn_table(), model.ofd_table());
            let _ = (model.embedded_table(), model.ffd_place());
        }
        Answer::FullState(state) => {
            let _ = (state.serial(), state.date.at(state.time));
        }
        Answer::FnExpiry(expiry) => drop(expiry.date.midnight()),
        Answer::FnNumber(number) => drop(fn_number(number)),
        Answer::FnStatus(status) => drop(fn_number(&status.fn_number)),
        Answer::FieldStructure(field) => drop(field.range()),
        Answer::DeviceType(device) => drop(device.name_text()),
        Answer::MarkChecked(mark) => assert_eq!(mark.server().is_some(), mark.extra.len() > 1),
        _ => {}
    }
}

/// A TLV list that decodes encodes back to the same bytes; reading its values in any form never panics.
pub fn tlv_list(data: &[u8]) {
    let Ok(list) = TlvList::decode(data) else {
        return;
    };
    assert_eq!(list.encode().unwrap(), data);
    let _ = (list.check_tree(), list.fiscal_sign());
    list.items.iter().for_each(every_form);
}

fn every_form(tlv: &Tlv) {
    let _ = (tlv.to_byte(), tlv.to_u16(), tlv.to_u32(), tlv.to_vln(), tlv.to_money());
    let _ = (
        tlv.to_fvln(),
        tlv.to_quantity(),
        tlv.to_time(),
        tlv.to_text(),
        tlv.to_fiscal_sign(),
    );
    if let Ok(list) = tlv.to_list() {
        assert_eq!(list.encode().unwrap(), tlv.value);
    }
}

/// A document that decodes encodes back to the same bytes.
pub fn document(data: &[u8]) {
    if let Ok(document) = Document::decode_stlv(data) {
        assert_eq!(document.encode_stlv().unwrap(), data);
        let _ = (document.kind(), document.tags.check_tree());
    }
    let (head, tail) = cut(data);
    if let (Some([low, high]), Ok(whole)) = (head.first_chunk(), TlvList::decode(tail)) {
        let document = Document::from_parts(u16::from_le_bytes([*low, *high]), tail);
        assert_eq!(document.map(|document| document.tags), Ok(whole));
    }
}

/// An export encodes back to the same bytes, container by container; what is cut or broken is told and never passed over.
pub fn fn_export(data: &[u8]) {
    let Ok(export) = FnExport::open(data) else {
        return;
    };
    let mut written = export.header.encode();
    let _ = (export.checksum(), export.header.fn_text());
    for container in export {
        let Ok(container) = container else { return };
        written.extend(container.encode().unwrap());
        let _ = (container.kind(), container.document(), container.message_sign());
    }
    assert_eq!(written, data);
}

/// Bytes survive both encodings; text is written whole or refused at the first character that has no byte.
pub fn text(data: &[u8]) {
    assert_eq!(encode_cp866(&decode_cp866(data)).unwrap(), data);
    assert_eq!(encode_cp1251(&decode_cp1251(data)).unwrap(), data);
    assert!(data.starts_with(until_nul(data)));
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for (encoded, decode) in [
        (encode_cp866(text), decode_cp866 as fn(&[u8]) -> String),
        (encode_cp1251(text), decode_cp1251),
    ] {
        match encoded {
            Ok(bytes) => assert_eq!(decode(&bytes), text),
            Err(error) => assert_eq!(text.chars().nth(error.index), Some(error.char)),
        }
    }
}

/// INN, RNM and FN numbers are kept as they were written; a computed RNM verifies. Words are divided by spaces.
pub fn ids(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let words: Vec<&str> = text.split(' ').collect();
    let inns: Vec<Inn> = words.iter().filter_map(|word| word.parse().ok()).collect();
    for word in words {
        for kept in [
            word.parse::<Inn>().ok().map(|inn| inn.as_str().to_owned()),
            word.parse::<Rnm>().ok().map(|rnm| rnm.as_str().to_owned()),
            word.parse::<FnNumber>().ok().map(|number| number.as_str().to_owned()),
        ] {
            assert_eq!(kept.as_deref().unwrap_or(word), word);
        }
        for inn in &inns {
            let number = data
                .iter()
                .fold(0u64, |sum, &byte| sum.wrapping_mul(31) + u64::from(byte))
                % 10_000_000_000;
            if let Ok(rnm) = compute_rnm(number, inn, word) {
                assert_eq!(verify_rnm(&rnm, inn, word), Ok(()));
            }
            if let Ok(rnm) = word.parse::<Rnm>() {
                let _ = verify_rnm(&rnm, inn, "0000000001");
            }
        }
    }
}
