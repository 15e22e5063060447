//! Receipts: arithmetic, tags, modes (`shtrih-m` 2, 3.5; `fn-ffd-ofd` C).

use crate::bench::{
    Bench, close, close_with, config, document_tag, error_of, item, item_tag, number, tags, text, unhex, value,
};

#[test]
fn a_receipt_holds_every_tag_once_with_the_values_that_were_sent() {
    let mut bench = Bench::in_shift(config());
    bench.ask("8D 1E 00 00 00 00");
    assert_eq!(
        error_of(&bench.exchange(&item("//Чай «Ёлка» №5", 2_675_000, 6_396, None, 0x02))),
        0
    );
    assert_eq!(error_of(&bench.exchange(&item_tag(2108, &[11]))), 0);
    assert_eq!(error_of(&bench.exchange(&document_tag(1008, b"a@example.org"))), 0);
    assert_eq!(error_of(&bench.exchange(&document_tag(1192, b"KS00AAAAAAAAAAAX"))), 0);
    assert_eq!(error_of(&bench.exchange(&close(17_200, 0))), 0);
    let document = bench.read_document(3);
    for (tag, expected) in [
        (1040, 3),
        (1038, 1),
        (1042, 1),
        (1054, 1),
        (1055, 1),
        (1020, 17_109),
        (1031, 17_109),
        (1081, 0),
        (1215, 0),
        (1216, 0),
        (1217, 0),
        (1103, 1_555),
        (1209, 4),
    ] {
        assert_eq!(number(&document, tag), Some(expected), "tag {tag}");
    }
    assert_eq!(
        number(&document, 1012),
        Some(1_795_350_600),
        "local time of Moscow as if it were UTC, whole minutes"
    );
    for (tag, expected) in [
        (1018, "7704358518  "),
        (1037, "0000000001002569    "),
        (1041, "9999078900001234"),
        (1008, "a@example.org"),
        (1192, "KS00AAAAAAAAAAAX"),
        (1117, "noreply@example.org"),
        (1187, "https://shop.example.org"),
        (1021, "Системный администратор"),
    ] {
        assert_eq!(text(&document, tag).as_deref(), Some(expected), "tag {tag}");
    }
    for absent in [1102, 1104, 1105, 1106, 1107, 1115] {
        assert_eq!(value(&document, absent), None, "tag {absent}");
    }
    let line = tags(&value(&document, 1059).unwrap());
    assert_eq!(
        text(&line, 1030).as_deref(),
        Some("Чай ?Ёлка? №5"),
        "characters without a byte in CP866"
    );
    assert_eq!(value(&line, 1023), Some(vec![6, 0x38, 0xD1, 0x28]));
    for (tag, expected) in [
        (1079, 6_396),
        (1043, 17_109),
        (1199, 2),
        (1200, 1_555),
        (1214, 4),
        (1212, 1),
        (2108, 11),
    ] {
        assert_eq!(number(&line, tag), Some(expected), "item tag {tag}");
    }
    let sign = value(&document, 1077).unwrap();
    assert_eq!(sign[..2], [0x31, 0x04]);
    assert_eq!(sign[2..], bench.records()[2].fp.to_be_bytes());
}

#[test]
fn the_four_signs_have_other_numbers_in_8d_than_in_the_document() {
    for (kind, operation, sign) in [(0, 1, 1), (1, 3, 3), (2, 2, 2), (3, 4, 4)] {
        let mut bench = Bench::in_shift(config());
        bench.command("8D", &[kind]);
        assert_eq!(bench.state().0, kind << 4 | 8);
        let mut line = item("Товар", 1_000_000, 10_000, None, 0x08);
        line[6] = operation % 4 + 1;
        assert_eq!(
            error_of(&bench.exchange(&line)),
            0x49,
            "another direction than that of the receipt"
        );
        line[6] = operation;
        assert_eq!(error_of(&bench.exchange(&line)), 0);
        assert_eq!(error_of(&bench.exchange(&close(0, 10_000))), 0);
        assert_eq!(number(&bench.read_document(3), 1054), Some(sign));
    }
}

#[test]
fn a_closing_that_does_not_add_up_is_refused_and_the_receipt_stays_open() {
    let mut bench = Bench::in_shift(config());
    bench.one_item();
    for (payload, code) in [
        (close(0, 9_999), 0x45),
        (close(0, 10_001), 0x4D),
        (close_with(&[(1, 10_000)], 0, 0), 0x33),
        (close_with(&[(1, 10_000)], 0, 3), 0x33),
        (close_with(&[(1, 10_000)], 0, 2), 0x33),
        (close_with(&[(1, 9_999)], 1, 1), 0x33),
    ] {
        assert_eq!(error_of(&bench.exchange(&payload)), code);
        assert_eq!(bench.state().0, 0x08);
        assert_eq!(bench.last_fd(), 2);
    }
    let answer = bench.exchange(&close(10_500, 0));
    assert_eq!(answer[2..8], [0, 0xF4, 0x01, 0, 0, 0], "change 5.00");
    assert_eq!(number(&bench.read_document(3), 1031), Some(10_000));
}

#[test]
fn every_payment_has_its_tag() {
    let mut bench = Bench::in_shift(config());
    bench.one_item();
    let parts = [(0, 1_000), (1, 2_000), (12, 500), (13, 3_000), (14, 1_500), (15, 2_000)];
    assert_eq!(error_of(&bench.exchange(&close_with(&parts, 0, 1))), 0);
    let document = bench.read_document(3);
    for (tag, sum) in [
        (1031, 1_000),
        (1081, 2_500),
        (1215, 3_000),
        (1216, 1_500),
        (1217, 2_000),
        (1020, 10_000),
    ] {
        assert_eq!(number(&document, tag), Some(sum), "tag {tag}");
    }
}

#[test]
fn the_sum_of_an_item_may_be_off_by_one_kopeck_and_no_more() {
    let mut bench = Bench::in_shift(config());
    bench.ask("8D 1E 00 00 00 00");
    for sum in [9_999, 10_000, 10_001] {
        assert_eq!(
            error_of(&bench.exchange(&item("Товар", 1_000_000, 10_000, Some(sum), 8))),
            0
        );
    }
    assert_eq!(
        error_of(&bench.exchange(&item("Товар", 1_000_000, 10_000, Some(10_002), 8))),
        0x33
    );
    assert_eq!(bench.ask("89 1E 00 00 00"), "89 00 1E 30 75 00 00 00");
}

#[test]
fn an_empty_receipt_is_not_closed_and_a_cancelled_one_leaves_nothing() {
    let mut bench = Bench::in_shift(config());
    bench.ask("8D 1E 00 00 00 00");
    assert_eq!(error_of(&bench.exchange(&close(0, 0))), 0x8E);
    assert_eq!(bench.ask("88 1E 00 00 00"), "88 00 1E");
    assert_eq!(bench.state(), (2, 0));
    bench.one_item();
    assert_eq!(bench.ask("FF 08 1E 00 00 00"), "FF 08 00");
    assert_eq!(bench.state(), (2, 0));
    assert_eq!(bench.last_fd(), 2);
    assert_eq!(bench.error("88 1E 00 00 00"), 0x73);
}

#[test]
fn vat_goes_to_the_total_of_its_rate_and_new_rates_into_1115() {
    for (byte, rate, total, sum) in [
        (0x01, 1, Some(1102), 1_667),
        (0x02, 2, Some(1103), 909),
        (0x10, 3, Some(1106), 1_667),
        (0x20, 4, Some(1107), 909),
        (0x04, 5, Some(1104), 10_000),
        (0x08, 6, Some(1105), 10_000),
        (0x81, 7, None, 476),
        (0x82, 8, None, 654),
        (0x84, 9, None, 476),
    ] {
        let mut bench = Bench::in_shift(config());
        bench.ask("8D 1E 00 00 00 00");
        assert_eq!(
            error_of(&bench.exchange(&item("Товар", 1_000_000, 10_000, None, byte))),
            0,
            "VAT byte {byte:02X}"
        );
        assert_eq!(error_of(&bench.exchange(&close(0, 10_000))), 0);
        let document = bench.read_document(3);
        let line = tags(&value(&document, 1059).unwrap());
        assert_eq!(number(&line, 1199), Some(rate), "VAT byte {byte:02X}");
        match total {
            Some(tag) => assert_eq!(number(&document, tag), Some(sum), "VAT byte {byte:02X}"),
            None => {
                assert_eq!(number(&document, 1104), Some(0));
                let list = tags(&value(&document, 1115).unwrap());
                let one = tags(&value(&list, 1119).unwrap());
                assert_eq!((number(&one, 1199), number(&one, 1120)), (Some(rate), Some(sum)));
            }
        }
    }
}

#[test]
fn doubtful_vat_bytes_are_refused_until_a_switch_names_their_meaning() {
    use kassette_hw_sim::switches::{Vat22, Vat7107};
    let rate_of = |byte: u8, vat_22, vat_7_107| {
        let mut config = config();
        config.switches.vat_22 = vat_22;
        config.switches.vat_7_107 = vat_7_107;
        let mut bench = Bench::in_shift(config);
        bench.ask("8D 1E 00 00 00 00");
        let error = error_of(&bench.exchange(&item("Товар", 1_000_000, 10_000, None, byte)));
        if error != 0 {
            return Err(error);
        }
        assert_eq!(error_of(&bench.exchange(&close(0, 10_000))), 0);
        let document = bench.read_document(3);
        Ok(number(&tags(&value(&document, 1059).unwrap()), 1199).unwrap())
    };
    for byte in [0x88, 0x90, 0xA0, 0xCB, 0xCC, 0x03, 0x00] {
        assert_eq!(rate_of(byte, None, None), Err(0x33), "VAT byte {byte:02X}");
    }
    assert_eq!(rate_of(0x88, None, Some(Vat7107::Byte88)), Ok(10));
    assert_eq!(rate_of(0x90, None, Some(Vat7107::Byte90)), Ok(10));
    assert_eq!(rate_of(0xCB, Some(Vat22::Rows11And12), None), Ok(11));
    assert_eq!(rate_of(0xCC, Some(Vat22::Rows11And12), None), Ok(12));
    assert_eq!(rate_of(0x90, Some(Vat22::Nano), None), Ok(11));
    assert_eq!(rate_of(0xA0, Some(Vat22::Nano), None), Ok(12));
    assert_eq!(rate_of(0x01, Some(Vat22::MainRow), None), Ok(11));
    assert_eq!(rate_of(0x10, Some(Vat22::MainRow), None), Ok(12));
}

#[test]
fn tags_that_do_not_belong_are_refused_with_the_code_of_the_fn() {
    let mut bench = Bench::in_shift(config());
    assert_eq!(
        error_of(&bench.exchange(&document_tag(1008, b"a@example.org"))),
        0x02,
        "no document is open"
    );
    bench.ask("8D 1E 00 00 00 00");
    assert_eq!(error_of(&bench.exchange(&item_tag(2108, &[0]))), 0x33, "no item yet");
    bench.exchange(&item("Товар", 1_000_000, 10_000, None, 8));
    for (payload, code) in [
        (document_tag(1192, &[b'x'; 17]), 0x33),
        (document_tag(1040, &[1, 0, 0, 0]), 0x33),
        (document_tag(2108, &[0]), 0x0B),
        (document_tag(1162, b"x"), 0x0B),
        (item_tag(1192, b"x"), 0x0B),
        (document_tag(1203, b"7766888321  "), 0x33),
        (document_tag(1084, &[0xFF; 8]), 0x33),
        (unhex("FF 0C 1E 00 00 00 F0 03 0D 00 61"), 0x33),
        (unhex("FF 0C 1E 00 00 00"), 0x33),
    ] {
        assert_eq!(error_of(&bench.exchange(&payload)), code, "{payload:02X?}");
    }
    assert_eq!(error_of(&bench.exchange(&document_tag(1192, b"first"))), 0);
    assert_eq!(error_of(&bench.exchange(&document_tag(1192, b"second"))), 0x0C);
    assert_eq!(error_of(&bench.exchange(&close(0, 10_000))), 0);
    assert_eq!(text(&bench.read_document(3), 1192).as_deref(), Some("first"));
}

#[test]
fn a_receipt_belongs_to_the_operator_who_opened_it() {
    let mut bench = Bench::in_shift(config());
    assert_eq!(bench.ask("8D 01 00 00 00 00"), "8D 00 01");
    assert_eq!(bench.error("88 1E 00 00 00"), 0x59);
    assert_eq!(error_of(&bench.exchange(&item("Товар", 1_000_000, 1, None, 8))), 0x59);
    assert_eq!(bench.ask("88 01 00 00 00"), "88 00 01");
}

#[test]
fn a_long_item_name_comes_back_in_parts_and_whole() {
    let mut bench = Bench::in_shift(config());
    bench.ask("8D 1E 00 00 00 00");
    let name = "Ы".repeat(128);
    bench.exchange(&item(&name, 1_000_000, 10_000, None, 8));
    assert_eq!(error_of(&bench.exchange(&item_tag(1191, &[b'a'; 64]))), 0);
    assert_eq!(error_of(&bench.exchange(&item_tag(1231, &[b'b'; 32]))), 0);
    bench.exchange(&close(0, 10_000));
    let line = tags(&value(&bench.read_document(3), 1059).unwrap());
    assert_eq!(text(&line, 1030), Some(name));
    assert_eq!(text(&line, 1231), Some("b".repeat(32)));
}

#[test]
fn the_older_commands_make_real_documents() {
    let mut bench = Bench::in_shift(config());
    let sale = |code: &str| {
        let mut payload = unhex(code);
        payload.extend_from_slice(&[1, 0, 0, 0]);
        payload.extend_from_slice(&unhex("D0 07 00 00 00 10 27 00 00 00 01 02 00 00 00"));
        payload.extend(kassette_wire::text::encode_cp1251("Хлеб").unwrap());
        payload.resize(payload.len() + 36, 0);
        payload
    };
    assert_eq!(bench.exchange(&sale("80")), unhex("80 00 01"));
    let mut close = unhex("85 01 00 00 00");
    close.extend_from_slice(&30_000_u64.to_le_bytes()[..5]);
    close.extend_from_slice(&[0; 15 + 2 + 4 + 40]);
    assert_eq!(bench.exchange(&close), unhex("85 00 01 10 27 00 00 00"));
    let document = bench.read_document(3);
    assert_eq!(
        (number(&document, 1054), number(&document, 1020)),
        (Some(1), Some(20_000))
    );
    assert_eq!(number(&document, 1103), Some(1_818));
    // A return pays out of the drawer: 200.00 are in it.
    assert_eq!(bench.exchange(&sale("82")), unhex("82 00 01"));
    close[5..10].copy_from_slice(&20_000_u64.to_le_bytes()[..5]);
    assert_eq!(error_of(&bench.exchange(&close)), 0);
    assert_eq!(bench.exchange(&sale("82")), unhex("82 00 01"));
    assert_eq!(error_of(&bench.exchange(&close)), 0x46, "the drawer is empty");
    bench.ask("88 01 00 00 00");
    assert_eq!(bench.ask("50 01 00 00 00 20 4E 00 00 00"), "50 00 00 01 00");
    bench.exchange(&sale("82"));
    assert_eq!(error_of(&bench.exchange(&close)), 0);
}

/// TLV of one tag.
fn tlv(tag: u16, value: &[u8]) -> Vec<u8> {
    [&tag.to_le_bytes()[..], &(value.len() as u16).to_le_bytes(), value].concat()
}

#[test]
fn a_correction_needs_its_type_and_basis_and_has_its_own_kind() {
    let date = tlv(1178, &1_795_305_600_u32.to_le_bytes());
    let order = tlv(1179, b"17-1/22");
    for (correction, basis, code) in [
        (Some(0_u8), Some(date.clone()), 0),
        (Some(1), Some([date.clone(), order.clone()].concat()), 0),
        (Some(1), Some(date.clone()), 0xA4),
        (Some(0), None, 0xA4),
        (None, Some(date), 0xA4),
    ] {
        let mut bench = Bench::in_shift(config());
        assert_eq!(bench.ask("8D 1E 00 00 00 80"), "8D 00 1E");
        assert_eq!(bench.command("FF 01", &[])[4], 0x14, "a correction is open in the FN");
        if let Some(correction) = correction {
            assert_eq!(error_of(&bench.exchange(&document_tag(1173, &[correction]))), 0);
        }
        if let Some(basis) = basis {
            assert_eq!(error_of(&bench.exchange(&document_tag(1174, &basis))), 0);
        }
        bench.exchange(&item("Товар", 1_000_000, 10_000, None, 8));
        assert_eq!(error_of(&bench.exchange(&close(0, 10_000))), code);
        let kinds: Vec<u8> = bench.records().iter().map(|r| r.kind).collect();
        assert_eq!(kinds, if code == 0 { vec![1, 2, 31] } else { vec![1, 2] });
    }
    let mut bench = Bench::in_shift(config());
    bench.ask("8D 1E 00 00 00 00");
    assert_eq!(
        error_of(&bench.exchange(&document_tag(1173, &[0]))),
        0x0B,
        "an ordinary receipt has none"
    );
}

#[test]
fn a_receipt_of_the_older_format_has_its_own_tags_and_refuses_those_of_the_newer() {
    let mut config = config();
    config.ffd = kassette_hw_sim::models::shtrih_m::Ffd::V105;
    let mut bench = Bench::in_shift(config);
    bench.ask("8D 1E 00 00 00 00");
    bench.exchange(&item("Товар", 1_000_000, 10_000, None, 1));
    assert_eq!(error_of(&bench.exchange(&item_tag(2108, &[0]))), 0x33);
    assert_eq!(error_of(&bench.exchange(&item_tag(1197, &[0xE8, 0xE2]))), 0);
    assert_eq!(error_of(&bench.exchange(&close(0, 10_000))), 0);
    let document = bench.read_document(3);
    assert_eq!((number(&document, 1209), number(&document, 1108)), (Some(2), Some(1)));
    let line = tags(&value(&document, 1059).unwrap());
    assert_eq!((value(&line, 2108), text(&line, 1197).as_deref()), (None, Some("шт")));
    assert_eq!(bench.command("FF 09", &[]).len(), 50);
    assert_eq!(
        bench.error("8D 1E 00 00 00 80"),
        0x33,
        "corrections of that format go another way"
    );
}

#[test]
fn a_receipt_too_large_for_the_fn_is_refused_before_its_end() {
    let mut bench = Bench::in_shift(config());
    bench.ask("8D 1E 00 00 00 00");
    let mut lines = 0;
    let error = loop {
        let error = error_of(&bench.exchange(&item(&"Ы".repeat(128), 1_000_000, 100, None, 8)));
        if error != 0 {
            break error;
        }
        lines += 1;
        assert!(lines < 400);
    };
    assert_eq!(error, 0x10);
    assert_eq!(error_of(&bench.exchange(&close(0, lines * 100))), 0);
    let size = bench.records()[2].tlv.len();
    assert!((26 * 1024..30 * 1024).contains(&size), "{size} bytes");
}

#[test]
fn marked_goods_need_a_registration_for_them() {
    let mut bench = Bench::in_shift(config());
    bench.ask("8D 1E 00 00 00 00");
    let mut line = item("Вода", 1_000_000, 10_000, None, 8);
    line[35 - 4] = 33;
    assert_eq!(error_of(&bench.exchange(&line)), 0xA0);
    let mut config = config();
    config.registration.extended_mode = 0x10;
    let mut bench = Bench::in_shift(config);
    bench.ask("8D 1E 00 00 00 00");
    assert_eq!(error_of(&bench.exchange(&line)), 0);
}
