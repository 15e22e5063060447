//! What F7 promises is what the register does, and what it does not promise it does not do (`shtrih-m` 3.1).

use crate::bench::{Bench, config, hex};
use kassette_hw_sim::models::shtrih_m::{Config, Ffd};

fn flags(bench: &mut Bench) -> u64 {
    let answer = bench.exchange(&[0xF7, 1]);
    u64::from_le_bytes(answer[2..10].try_into().unwrap())
}

/// Whether the register does what a bit is about.
type Does = fn(&mut Bench) -> bool;

/// Whether a bit is set, and whether the register behaves so.
fn promised(config: &Config, bit: u32, does: Does) -> (bool, bool) {
    let mut bench = Bench::in_shift(config.clone());
    (flags(&mut bench) >> bit & 1 == 1, does(&mut bench))
}

#[test]
fn every_capability_bit_says_what_the_register_does() {
    let bits: [(u32, Does); 12] = [
        // Non-fiscal documents.
        (22, |bench| bench.error("E2 1E 00 00 00") != 0x37),
        (34, |bench| bench.command("10", &[]).len() == 17),
        (36, |bench| bench.error("6B 33") == 0),
        // Scaled graphics, graphics of 512 dots.
        (41, |bench| bench.error("4F 1E 00 00 00 01 02 01 01") != 0x37),
        (42, |bench| bench.error("4D 1E 00 00 00 01 00 02 00 01 01 02") != 0x37),
        (43, |bench| bench.error("FF 01 1E 00 00 00") == 0),
        (44, |bench| {
            bench.ask("1E 1E 00 00 00 15 01 00 02 00");
            bench.receipt();
            bench.command("FF 30", &[])[3..5] != [0, 0]
        }),
        (48, |bench| bench.error("8D 1E 00 00 00 80") == 0),
        (49, |bench| bench.error("6B") == 0),
        (50, |bench| {
            bench.ask("1E 1E 00 00 00 11 01 00 24 01");
            bench.command("FF 43", &[]).len() == 18
        }),
        (51, |bench| bench.error("FF 65 1E 00 00 00") != 0x37),
        // Errors of four bytes.
        (54, |bench| hex(&bench.command("41", &[0])).len() > 5),
    ];
    let mut old = config();
    old.ffd = Ffd::V105;
    let mut longer = config();
    longer.switches.print_result = true;
    for config in [config(), old, longer] {
        for (bit, does) in bits {
            let (says, does) = promised(&config, bit, does);
            assert_eq!(says, does, "bit {bit}, {:?}", config.ffd);
        }
    }
}

#[test]
fn what_stands_behind_the_bits_agrees_with_the_tables_and_the_other_answers() {
    let mut bench = Bench::new(config());
    let tail = bench.exchange(&[0xF7, 1])[10..].to_vec();
    assert_eq!(tail.len(), 25);
    // A long serial number would make the answer to 11 longer.
    assert_eq!((tail[6], bench.command("11", &[]).len()), (0, 48));
    let names = [(tail[23], "FISCAL STORAGE"), (tail[24], "ПАРАМЕТРЫ ОФД")];
    for (table, name) in names {
        let structure = bench.command("2D", &[table]);
        let shown = kassette_wire::text::decode_cp1251(kassette_wire::text::until_nul(&structure[2..42]));
        assert_eq!(shown, name);
    }
    // Field of the tax accrual in table 1.
    let field = bench.command("2E", &[1, tail[16]]);
    assert_eq!(field[1], 0);
    assert_eq!(
        tail[11..15],
        bench.command("1F", &[2, 30, 0, 1])[2..],
        "password of the system administrator"
    );
}
