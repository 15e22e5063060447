//! The worked frames of the protocol reference, section 5.2.

use crate::bench::{Bench, config, hex, unhex};

/// Whole frames on the wire; the register's answer with its ACK in front.
fn wire(bench: &mut Bench, frame: &str) -> String {
    let mut out = bench.raw(&unhex(frame));
    out.extend(bench.wait());
    bench.raw(&[0x06]);
    assert_eq!(out.first(), Some(&0x06), "{frame}");
    hex(&out[1..])
}

#[test]
fn settings_and_identity_are_the_frames_of_the_reference() {
    let mut bench = Bench::new(config());
    assert_eq!(
        wire(&mut bench, "02 0A 1E 1E 00 00 00 11 01 00 07 02 1F"),
        "02 02 1E 00 1C"
    );
    assert_eq!(
        wire(&mut bench, "02 09 1F 1E 00 00 00 11 01 00 11 09"),
        "02 03 1F 00 04 18"
    );
    assert_eq!(
        wire(&mut bench, "02 01 FC FD"),
        "02 12 FC 00 00 00 01 0E 16 00 D0 C8 D2 C5 C9 CB 2D 30 31 D4 02"
    );
}

#[test]
fn a_receipt_is_sold_with_the_frames_of_the_reference_and_its_document_comes_back() {
    let mut bench = Bench::new(config());
    assert_eq!(wire(&mut bench, "02 05 E0 1E 00 00 00 FB"), "02 03 E0 00 1E FD");
    assert_eq!(wire(&mut bench, "02 06 8D 1E 00 00 00 00 95"), "02 03 8D 00 1E 90");
    let item = "02 25 FF 46 1E 00 00 00 01 40 42 0F 00 00 00 10 27 00 00 00 FF FF FF FF FF FF FF FF FF FF 01 01 04 01 \
                D2 EE E2 E0 F0 72";
    assert_eq!(wire(&mut bench, item), "02 03 FF 46 00 BA");
    assert_eq!(
        wire(&mut bench, "02 0B FF 4D 1E 00 00 00 3C 08 01 00 00 92"),
        "02 03 FF 4D 00 B1"
    );
    let email = "02 17 FF 0C 1E 00 00 00 F0 03 0D 00 61 40 65 78 61 6D 70 6C 65 2E 6F 72 67 19";
    assert_eq!(wire(&mut bench, email), "02 03 FF 0C 00 F0");
    let inn = "02 16 FF 0C 1E 00 00 00 B3 04 0C 00 35 30 30 31 30 30 37 33 32 32 35 39 4C";
    assert_eq!(wire(&mut bench, inn), "02 03 FF 0C 00 F0");
    let zeros = |n: usize| "00 ".repeat(n);
    let close = format!(
        "02 76 FF 45 1E 00 00 00 {}10 27 00 00 00 {}00 {}01 E4",
        zeros(5),
        zeros(70),
        zeros(30)
    );
    let answer = wire(&mut bench, &close);
    // Registration, shift and receipt: the third document of this FN. Sign and LRC are its own.
    assert!(
        answer.starts_with("02 10 FF 45 00 00 00 00 00 00 03 00 00 00 "),
        "{answer}"
    );
    let record = bench.records().pop().unwrap();
    assert_eq!((record.fd, record.kind), (3, 3));
    assert_eq!(unhex(&answer)[14..18], record.fp.to_le_bytes());
    let document = bench.read_document(3);
    assert_eq!(document, crate::bench::tags(&record.tlv));
}

#[test]
fn the_fn_status_stands_as_in_the_reference() {
    let mut bench = Bench::in_shift(config());
    assert_eq!(
        wire(&mut bench, "02 06 FF 01 1E 00 00 00 E6"),
        "02 21 FF 01 00 03 00 00 01 00 1A 0B 16 0C 1E 39 39 39 39 30 37 38 39 30 30 30 30 31 32 33 34 02 00 00 00 C8"
    );
}

#[test]
fn a_refusal_is_code_and_error_alone() {
    let mut bench = Bench::new(config());
    let zeros = "00 ".repeat(112);
    let close = unhex(&format!("FF 45 1E 00 00 00 {zeros}"));
    assert_eq!(hex(&bench.wire(&close)), "06 02 03 FF 45 73 CA");
}
