//! The older commands of receipts: FF0D, 8E, FF4B, and those of marking codes (`shtrih-m` 3.5, 3.10).

use crate::bench::{Bench, PASSWORD, close_with, config, error_of, item, number, tags, unhex, value};
use kassette_hw_sim::models::shtrih_m::Ffd;

/// FF0D: operation, 2 pieces at 100.00, discount, tax groups, name and name of the discount in 220 bytes.
fn discounted(operation: u8, discount: u64, groups: u8) -> Vec<u8> {
    let mut payload = [&unhex("FF 0D")[..], &PASSWORD, &[operation]].concat();
    for sum in [2_000_u64, 10_000, discount, 0] {
        payload.extend_from_slice(&sum.to_le_bytes()[..5]);
    }
    payload.extend_from_slice(&[1, groups, 0, 0, 0, 0, 0]);
    let mut text = b"Tea\0Sale\0".to_vec();
    text.resize(220, 0);
    payload.extend_from_slice(&text);
    assert_eq!(payload.len(), 254, "LEN of the vendor's text");
    payload
}

/// 8E: payments by type, discount in hundredths of a percent.
fn close_extended(payments: &[(usize, u64)], discount: u16) -> Vec<u8> {
    let mut sums = [0_u64; 16];
    for (place, sum) in payments {
        sums[*place] = *sum;
    }
    let mut payload = [&[0x8E][..], &PASSWORD].concat();
    for sum in sums {
        payload.extend_from_slice(&sum.to_le_bytes()[..5]);
    }
    payload.extend_from_slice(&discount.to_le_bytes());
    payload.extend_from_slice(&[0; 44]);
    assert_eq!(payload.len(), 131);
    payload
}

#[test]
fn ff0d_opens_a_receipt_and_8e_closes_it_with_every_kind_of_payment() {
    let mut bench = Bench::in_shift(config());
    assert_eq!(bench.exchange(&discounted(1, 0, 0x02)), unhex("FF 0D 00"));
    assert_eq!(bench.state().0, 0x08);
    let paid = [(0, 9_000), (2, 1_000), (12, 500), (13, 2_500), (14, 3_000), (15, 4_500)];
    // 200.00, of them 115.00 without cash; 90.00 in cash, 5.00 back.
    assert_eq!(
        bench.exchange(&close_extended(&paid, 0)),
        unhex("8E 00 1E F4 01 00 00 00")
    );
    let document = tags(&bench.records()[2].tlv);
    for (tag, expected) in [
        (1054, 1),
        (1020, 20_000),
        (1031, 8_500),
        (1081, 1_500),
        (1215, 2_500),
        (1216, 3_000),
        (1217, 4_500),
        (1103, 1_818),
    ] {
        assert_eq!(number(&document, tag), Some(expected), "tag {tag}");
    }
    let line = tags(&value(&document, 1059).unwrap());
    assert_eq!(value(&line, 1030).as_deref(), Some(&b"Tea"[..]));
    assert_eq!((number(&line, 1214), number(&line, 1212)), (Some(4), Some(1)));
}

#[test]
fn discounts_that_the_format_does_not_know_are_refused_and_open_nothing() {
    let mut bench = Bench::in_shift(config());
    for (payload, code) in [
        (discounted(1, 1, 0), 0x35),
        (discounted(1, 0, 3), 0x33),
        (discounted(1, 0, 0x10), 0x33),
        (discounted(5, 0, 1), 0x33),
    ] {
        assert_eq!(error_of(&bench.exchange(&payload)), code);
        assert_eq!(bench.state().0, 2);
    }
    bench.exchange(&discounted(1, 0, 0));
    assert_eq!(error_of(&bench.exchange(&close_extended(&[(0, 20_000)], 100))), 0x35);
    assert_eq!(bench.state().0, 8);
}

#[test]
fn a_second_ff0d_is_a_switch() {
    for taken in [false, true] {
        let mut config = config();
        config.switches.discounted_item_in_receipt = taken;
        let mut bench = Bench::in_shift(config);
        bench.exchange(&discounted(3, 0, 1));
        let second = error_of(&bench.exchange(&discounted(3, 0, 1)));
        assert_eq!(second, if taken { 0 } else { 0x4A });
        assert_eq!(bench.error("FF 0D 1E 00 00 00"), if taken { 0x7E } else { 0x4A });
    }
}

#[test]
fn ff4b_takes_the_kopecks_off_the_total_where_a_switch_gives_the_command() {
    let discount = |kopecks: u64| {
        let sums = [&kopecks.to_le_bytes()[..5], &[0; 5]].concat();
        [&unhex("FF 4B")[..], &PASSWORD, &sums, &[1], b"Round"].concat()
    };
    let mut config = config();
    config.switches.receipt_discount = true;
    let mut bench = Bench::in_shift(config);
    assert_eq!(error_of(&bench.exchange(&discount(50))), 0x73);
    bench.ask("8D 1E 00 00 00 00");
    assert_eq!(error_of(&bench.exchange(&item("Tea", 1_000_000, 10_050, None, 1))), 0);
    assert_eq!(error_of(&bench.exchange(&discount(51))), 0x33);
    assert_eq!(bench.exchange(&discount(50)), unhex("FF 4B 00"));
    assert_eq!(bench.ask("89 1E 00 00 00"), "89 00 1E 10 27 00 00 00");
    assert_eq!(error_of(&bench.exchange(&close_with(&[(1, 10_050)], 0, 1))), 0x4D);
    assert_eq!(error_of(&bench.exchange(&close_with(&[(1, 10_000)], 50, 1))), 0x33);
    assert_eq!(error_of(&bench.exchange(&close_with(&[(1, 10_000)], 0, 1))), 0);
    let document = tags(&bench.records()[2].tlv);
    assert_eq!(number(&document, 1020), Some(10_000));
    assert_eq!(number(&tags(&value(&document, 1059).unwrap()), 1043), Some(10_050));
}

#[test]
fn a_register_that_is_not_registered_for_marked_goods_says_so_and_an_older_format_has_no_codes() {
    let commands = ["61", "67", "68", "69", "70", "71", "72", "73"];
    let request = |code: &str| match code {
        "61" => "FF 61 1E 00 00 00 01 00 01 00 30".to_owned(),
        "67" => "FF 67 1E 00 00 00 01 30".to_owned(),
        "69" => "FF 69 1E 00 00 00 01".to_owned(),
        "73" => "FF 73 1E 00 00 00 01 00 00 00 00 00".to_owned(),
        code => format!("FF {code} 1E 00 00 00"),
    };
    let mut bench = Bench::in_shift(config());
    for code in commands {
        assert_eq!(bench.ask(&request(code)), format!("FF {code} A0"));
    }
    assert_eq!(bench.error("FF 61 01 00 00 00 01 00 01 00 30"), 0x4F);
    let mut old = config();
    old.ffd = Ffd::V105;
    let mut bench = Bench::in_shift(old);
    for code in commands {
        assert_eq!(bench.ask(&request(code)), format!("FF {code} 37"));
    }
}
