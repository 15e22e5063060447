//! Money and operation registers (1A, 1B).

use crate::bench::{Bench, close, config, item};

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
        "1A 1E 00 00 00 00",
        "1A 1E 00 00 00 C5",
        "1B 1E 00 00 00 9D",
        "1B 1E 00 00 00 00",
    ] {
        assert_eq!(bench.error(request), 0x33, "{request}");
    }
    assert_eq!(bench.error("1A 1E 00 00 00"), 0x7E);
    assert_eq!(bench.error("1B 99 00 00 00 94"), 0x4F);
}
