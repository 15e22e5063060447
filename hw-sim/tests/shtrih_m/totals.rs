//! Money and operation registers (1A, 1B).

use crate::bench::{Bench, close, close_with, config, item};

fn money(bench: &mut Bench, number: u8) -> u64 {
    let answer = bench.command("1A", &[number]);
    assert_eq!((answer.len(), &answer[..3]), (9, &[0x1A, 0, 30][..]));
    answer[3..].iter().rev().fold(0, |sum, b| sum << 8 | u64::from(*b))
}

fn count(bench: &mut Bench, number: u8) -> u16 {
    let answer = bench.command("1B", &[number]);
    assert_eq!((answer.len(), &answer[..3]), (5, &[0x1B, 0, 30][..]));
    u16::from_le_bytes([answer[3], answer[4]])
}

/// 8D of this kind, one item of 100.00, paid.
fn receipt(bench: &mut Bench, kind: u8, cash: u64, electronic: u64) {
    assert_eq!(bench.command("8D", &[kind]), [0x8D, 0, 30]);
    let mut line = item("Товар", 1_000_000, 10_000, None, 1);
    // FF46 numbers sale, sale return, buy, buy return.
    line[6] = [1, 3, 2, 4][usize::from(kind)];
    assert_eq!(bench.exchange(&line)[2], 0);
    assert_eq!(bench.exchange(&close(cash, electronic))[2], 0);
}

#[test]
fn the_answers_have_the_bytes_of_the_captured_ones() {
    let mut bench = Bench::in_shift(config());
    receipt(&mut bench, 0, 200, 9_800);
    assert_eq!(bench.ask("1A 1E 00 00 00 C1"), "1A 00 1E C8 00 00 00 00 00");
    assert_eq!(bench.ask("1B 01 00 00 00 94"), "1B 00 01 01 00");
}

#[test]
fn registers_count_the_four_kinds_apart_and_a_closing_resets_those_of_the_shift() {
    let mut bench = Bench::in_shift(config());
    bench.ask("50 1E 00 00 00 50 C3 00 00 00");
    for (kind, times) in [(0_u8, 4_u16), (1, 1), (2, 2), (3, 3)] {
        for _ in 0..times {
            receipt(&mut bench, kind, 1_000, 9_000);
        }
    }
    let sums: Vec<u64> = (0xC1..=0xC4).map(|n| money(&mut bench, n)).collect();
    assert_eq!(sums, [4_000, 1_000, 2_000, 3_000]);
    let counts: Vec<u16> = (144..=151).map(|n| count(&mut bench, n)).collect();
    assert_eq!(counts, [4, 1, 2, 3, 4, 1, 2, 3]);
    assert_eq!(count(&mut bench, 152), 12);
    // 500.00 put in, 40.00 and 30.00 in, 10.00 and 20.00 out.
    assert_eq!(money(&mut bench, 0xF1), 54_000);
    bench.ask("41 1E 00 00 00");
    assert_eq!((money(&mut bench, 0xC1), count(&mut bench, 144)), (0, 0));
    assert_eq!((count(&mut bench, 148), money(&mut bench, 0xF1)), (4, 54_000));
}

#[test]
fn drawer_money_is_counted_from_one_closing_to_the_next_and_over_a_restart() {
    let mut bench = Bench::in_shift(config());
    bench.ask("50 1E 00 00 00 10 27 00 00 00");
    bench.ask("50 1E 00 00 00 10 27 00 00 00");
    bench.ask("51 1E 00 00 00 E8 03 00 00 00");
    let mut bench = bench.restart();
    assert_eq!((money(&mut bench, 0xF2), money(&mut bench, 0xF3)), (20_000, 1_000));
    let counts: Vec<u16> = (153..=156).map(|n| count(&mut bench, n)).collect();
    assert_eq!(counts, [2, 1, 2, 1]);
    bench.ask("41 1E 00 00 00");
    assert_eq!((money(&mut bench, 0xF2), money(&mut bench, 0xF3)), (0, 0));
    let counts: Vec<u16> = (153..=156).map(|n| count(&mut bench, n)).collect();
    assert_eq!(counts, [0, 0, 2, 1]);
    assert_eq!(money(&mut bench, 0xF1), 19_000);
}

#[test]
fn a_register_that_is_not_kept_is_refused() {
    let mut bench = Bench::new(config());
    for request in [
        "1A 1E 00 00 00 F4",
        "1A 1E 00 00 00 F5",
        "1A 1E 00 00 00 FD",
        "1B 1E 00 00 00 9F",
        "1B 1E 00 00 00 A8",
        "1B 1E 00 00 00 B7",
    ] {
        assert_eq!(bench.error(request), 0x33, "{request}");
    }
    assert_eq!(bench.error("1A 1E 00 00 00"), 0x7E);
    assert_eq!(bench.error("1B 99 00 00 00 94"), 0x4F);
}

/// Receipt of this kind: 100.00 of department 1 at the main rate, 2 × 50.00 of department 3 without VAT, 30.00 of
/// department 16 at 0 %; paid 20.00 more than the rest in cash, 40.00 as type 2, 50.00 as type 4.
fn mixed(bench: &mut Bench, kind: u8, close_it: bool) {
    assert_eq!(bench.command("8D", &[kind])[1], 0);
    for (department, millionths, price, vat) in [
        (1_u8, 1_000_000, 10_000, 1_u8),
        (3, 1_000_000, 5_000, 8),
        (3, 1_000_000, 5_000, 8),
        (16, 3_000_000, 1_000, 4),
    ] {
        let mut line = item("Tea", millionths, price, None, vat);
        line[6] = [1, 3, 2, 4][usize::from(kind)];
        line[29] = department;
        assert_eq!(bench.exchange(&line)[2], 0);
    }
    if close_it {
        let closing = close_with(&[(0, 16_000), (1, 4_000), (3, 5_000)], 0, 1);
        assert_eq!(bench.exchange(&closing)[2], 0);
    }
}

#[test]
fn registers_of_the_shift_add_up_departments_payment_types_and_tax_groups_by_kind() {
    let mut bench = Bench::in_shift(config());
    bench.ask("50 1E 00 00 00 20 A1 07 00 00");
    for (kind, times) in [(0, 1), (1, 2), (2, 3), (3, 4)] {
        for _ in 0..times {
            mixed(&mut bench, kind, true);
        }
    }
    for (kind, times) in [(0_u8, 1_u64), (1, 2), (2, 3), (3, 4)] {
        for (number, one) in [
            (121, 10_000),
            (125, 0),
            (129, 10_000),
            (181, 3_000),
            (185, 0),
            (189, 0),
            // 160.00 given, 20.00 back.
            (0xC1, 14_000),
            (0xC5, 4_000),
            (0xC9, 0),
            (0xCD, 5_000),
            (0xD1, 10_000),
            (0xD5, 0),
            (0xD9, 3_000),
            (0xDD, 10_000),
            (0xE1, 1_667),
            (0xE9, 0),
            (0xED, 0),
        ] {
            assert_eq!(
                money(&mut bench, number + kind),
                one * times,
                "register {}",
                number + kind
            );
        }
        for (number, one) in [(72, 1), (76, 0), (80, 2), (132, 1), (136, 0)] {
            assert_eq!(u64::from(count(&mut bench, number + kind)), one * times);
        }
    }
    // The last receipt stays until the next; it was a buy return.
    assert_eq!((money(&mut bench, 3), money(&mut bench, 0)), (10_000, 0));
    assert_eq!((money(&mut bench, 75), money(&mut bench, 91)), (14_000, 10_000));
    assert_eq!((count(&mut bench, 11), count(&mut bench, 8)), (2, 0));
    assert_eq!(money(&mut bench, 120), money(&mut bench, 0xF1));
    bench.ask("41 1E 00 00 00");
    for number in [121, 129, 0xC5, 0xCD, 0xD1, 0xE1] {
        assert_eq!(money(&mut bench, number), 0, "register {number}");
    }
}

#[test]
fn registers_of_an_open_receipt_grow_with_it_and_a_cancelled_one_is_counted_as_such() {
    let mut bench = Bench::in_shift(config());
    bench.receipt();
    assert_eq!(money(&mut bench, 0), 10_000);
    mixed(&mut bench, 1, false);
    assert_eq!((money(&mut bench, 0), money(&mut bench, 1)), (0, 10_000));
    assert_eq!((money(&mut bench, 9), count(&mut bench, 9)), (10_000, 2));
    assert_eq!(money(&mut bench, 73), 0, "nothing is paid yet");
    bench.ask("88 1E 00 00 00");
    assert_eq!((money(&mut bench, 1), count(&mut bench, 9)), (0, 0));
    assert_eq!((money(&mut bench, 0xFA), money(&mut bench, 0xF9)), (23_000, 0));
    assert_eq!((count(&mut bench, 157), count(&mut bench, 180)), (1, 1));
    assert_eq!((money(&mut bench, 129 + 1), count(&mut bench, 145)), (0, 0));
    let mut bench = bench.restart();
    assert_eq!((count(&mut bench, 157), count(&mut bench, 166)), (1, 1));
    bench.ask("40 1E 00 00 00");
    bench.ask("41 1E 00 00 00");
    assert_eq!((money(&mut bench, 0xFA), count(&mut bench, 157)), (0, 0));
    assert_eq!((count(&mut bench, 180), count(&mut bench, 158)), (1, 1));
}

#[test]
fn after_a_restart_the_documents_of_the_shift_are_counted_again_as_far_as_they_tell() {
    let mut bench = Bench::in_shift(config());
    mixed(&mut bench, 0, true);
    let mut bench = bench.restart();
    assert_eq!(
        (money(&mut bench, 121), count(&mut bench, 72)),
        (23_000, 4),
        "no departments"
    );
    assert_eq!(
        (money(&mut bench, 0xC1), money(&mut bench, 0xC5)),
        (14_000, 9_000),
        "no types"
    );
    assert_eq!((money(&mut bench, 0xD1), money(&mut bench, 0xE1)), (10_000, 1_667));
    assert_eq!((money(&mut bench, 0), money(&mut bench, 72)), (0, 0), "no last receipt");
    mixed(&mut bench, 0, true);
    assert_eq!((money(&mut bench, 121), money(&mut bench, 129)), (33_000, 10_000));
}
