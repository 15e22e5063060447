//! Corrections of FFD 1.05: FF35, FF0C, FF4A (`shtrih-m` 3.6, `fn-ffd-ofd` C.8).

use crate::bench::{Bench, PASSWORD, config, document_tag, error_of, number, tags, unhex, value};
use kassette_hw_sim::models::shtrih_m::{Config, Ffd};

fn v105() -> Config {
    let mut config = config();
    config.ffd = Ffd::V105;
    config
}

/// FF4A: type, direction, total, the five payments, VAT of the main rate, general tax system.
fn correction(kind: u8, direction: u8, total: u64, payments: [u64; 5], vat: u64) -> Vec<u8> {
    let mut payload = [&unhex("FF 4A")[..], &PASSWORD, &[kind, direction]].concat();
    for sum in [&[total][..], &payments, &[vat, 0, 0, 0, 0, 0]].concat() {
        payload.extend_from_slice(&sum.to_le_bytes()[..5]);
    }
    payload.push(1);
    payload
}

/// Tag 1174: description, 22.11.2026, number of the order.
fn basis() -> Vec<u8> {
    let mut tlv = Vec::new();
    for (tag, bytes) in [
        (1177_u16, &b"error"[..]),
        (1178, &1_795_305_600_u32.to_le_bytes()),
        (1179, b"17-A"),
    ] {
        tlv.extend_from_slice(&tag.to_le_bytes());
        tlv.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
        tlv.extend_from_slice(bytes);
    }
    document_tag(1174, &tlv)
}

fn begun(config: Config) -> Bench {
    let mut bench = Bench::in_shift(config);
    assert_eq!(bench.ask("FF 35 1E 00 00 00"), "FF 35 00");
    assert_eq!(error_of(&bench.exchange(&basis())), 0);
    bench
}

#[test]
fn a_correction_stands_in_the_fn_with_its_sums_and_its_basis_and_answers_its_numbers() {
    let mut bench = begun(v105());
    let answer = bench.exchange(&correction(0, 1, 12_000, [2_000, 10_000, 0, 0, 0], 2_000));
    // Receipt 1 of the shift, document 3, sign.
    assert_eq!(
        (answer.len(), &answer[..9]),
        (13, &unhex("FF 4A 00 01 00 03 00 00 00")[..])
    );
    let record = bench.records().pop().unwrap();
    assert_eq!((record.kind, record.fp.to_le_bytes().as_slice()), (31, &answer[9..]));
    let document = tags(&record.tlv);
    for (tag, expected) in [
        (1054, 1),
        (1055, 1),
        (1020, 12_000),
        (1031, 2_000),
        (1081, 10_000),
        (1215, 0),
        (1102, 2_000),
        (1173, 0),
        (1038, 1),
        (1042, 1),
        (1209, 2),
    ] {
        assert_eq!(number(&document, tag), Some(expected), "tag {tag}");
    }
    assert_eq!(value(&document, 1059), None, "no items");
    assert_eq!(tags(&value(&document, 1174).unwrap()).len(), 3);
    // The mode is what it was, and the drawer has the cash.
    assert_eq!(bench.state(), (2, 0));
    assert_eq!(bench.ask("1A 1E 00 00 00 F1"), "1A 00 1E D0 07 00 00 00 00");
}

#[test]
fn a_correction_that_does_not_add_up_is_refused_and_stays_begun() {
    let mut bench = begun(v105());
    for (payload, code) in [
        (correction(0, 1, 0, [0; 5], 0), 0x8E),
        (correction(0, 1, 100, [0, 101, 0, 0, 0], 0), 0x4D),
        (correction(0, 1, 100, [0, 99, 0, 0, 0], 0), 0x45),
        (correction(0, 1, 100, [101, 0, 0, 0, 0], 0), 0x33),
        (correction(2, 1, 100, [0, 100, 0, 0, 0], 0), 0x33),
        (correction(0, 2, 100, [0, 100, 0, 0, 0], 0), 0x33),
        (correction(0, 5, 100, [0, 100, 0, 0, 0], 0), 0x33),
        (correction(0, 3, 100, [100, 0, 0, 0, 0], 0), 0x46),
    ] {
        assert_eq!(error_of(&bench.exchange(&payload)), code);
        assert_eq!(bench.command("FF 01", &[])[4], 0x14, "a correction is open in the FN");
        assert_eq!(bench.last_fd(), 2);
    }
    // Cancelled, it is gone; with the power too.
    assert_eq!(bench.ask("FF 08 1E 00 00 00"), "FF 08 00");
    assert_eq!(bench.command("FF 01", &[])[4], 0);
    assert_eq!(bench.ask("FF 35 1E 00 00 00"), "FF 35 00");
    let mut bench = bench.restart();
    assert_eq!(bench.command("FF 01", &[])[4], 0);
    assert_eq!(
        error_of(&bench.exchange(&correction(0, 1, 100, [0, 100, 0, 0, 0], 0))),
        0x02
    );
}

#[test]
fn a_correction_without_basis_or_with_a_second_type_is_refused() {
    let mut bench = Bench::in_shift(v105());
    let good = correction(1, 1, 100, [0, 100, 0, 0, 0], 0);
    assert_eq!(error_of(&bench.exchange(&good)), 0x02, "nothing was begun");
    bench.ask("FF 35 1E 00 00 00");
    assert_eq!(error_of(&bench.exchange(&good)), 0x33);
    assert_eq!(error_of(&bench.exchange(&document_tag(1173, &[1]))), 0x33);
    assert_eq!(error_of(&bench.exchange(&basis())), 0);
    assert_eq!(error_of(&bench.exchange(&good)), 0);
}

#[test]
fn a_correction_needs_an_open_shift_and_the_format_that_has_it() {
    let mut bench = Bench::new(v105());
    assert_eq!(bench.error("FF 35 1E 00 00 00"), 0x3D);
    bench.ask("E0 1E 00 00 00");
    assert_eq!(bench.error("FF 35 01 00 00 00"), 0x4F);
    bench.ask("FF 35 1E 00 00 00");
    assert_eq!(bench.error("FF 35 1E 00 00 00"), 0x02, "one document at a time");
    assert_eq!(bench.error("8D 1E 00 00 00 00"), 0x02);
    // FF36 forms documents of FFD 1.0.
    assert_eq!(bench.error("FF 36 1E 00 00 00 64 00 00 00 00 01"), 0x35);
    let mut bench = Bench::in_shift(config());
    assert_eq!(bench.error("FF 35 1E 00 00 00"), 0x35, "FFD 1.2 corrects with 8D");
}

#[test]
fn corrections_of_returns_are_a_switch_and_extended_answers_carry_the_time() {
    let mut config = v105();
    config.switches.correction_of_returns = true;
    let mut bench = begun(config);
    assert_eq!(bench.ask("1E 1E 00 00 00 11 01 00 24 01"), "1E 00");
    let answer = bench.exchange(&correction(0, 2, 100, [0, 100, 0, 0, 0], 0));
    assert_eq!(answer.len(), 18);
    assert_eq!(answer[13..], [26, 11, 22, 12, 30]);
    assert_eq!(number(&tags(&bench.records()[2].tlv), 1054), Some(2));
}
