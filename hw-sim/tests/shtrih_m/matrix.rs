//! Which command goes in which mode, and what waits for the printer: the matrix of `shtrih-m` 2, every row of it.

use crate::bench::{Bench, close_with, config, error_of, hex, item, unhex};
use kassette_hw_sim::faults::{FaultKind, Trigger};
use kassette_hw_sim::models::shtrih_m::Config;
use kassette_hw_sim::switches::Printing;

const WRONG_MODE: u8 = 0x73;
const RECEIPT_OPEN: u8 = 0x4A;
const SHIFT_EXPIRED: u8 = 0x4E;
const CONFIRM_DATE: u8 = 0xC0;
const STILL_PRINTING: u8 = 0x50;
const MODES: [u8; 6] = [1, 2, 3, 4, 6, 8];

/// A row: request, modes in which it goes (of [`MODES`]), and whether it prints or makes a document.
struct Row {
    request: String,
    modes: &'static [u8],
    prints: bool,
}

const ANY: &[u8] = &MODES;

fn row(request: &str, modes: &'static [u8], prints: bool) -> Row {
    Row {
        request: request.to_owned(),
        modes,
        prints,
    }
}

/// The matrix in its own order. Where it and a capture differ the capture counts (40 in mode 4); FF39 and FF3C go in any
/// mode, as the reference asks of a simulator; FF08 cancels begun reports too, which stand in modes 2 and 4.
fn matrix() -> Vec<Row> {
    let p = "1E 00 00 00";
    let line = hex(&item("Tea", 1_000_000, 100, None, 8));
    let closing = hex(&close_with(&[(1, 10_000)], 0, 1));
    let sale = format!(
        "80 {p} E8 03 00 00 00 64 00 00 00 00 01 00 00 00 00 {}",
        "54 ".repeat(40).trim()
    );
    let close_85 = format!("85 {p} {}", "00 ".repeat(66).trim());
    let close_8e = format!("8E {p} {}", "00 ".repeat(126).trim());
    let discounted = format!("FF 0D {p} {}", "00 ".repeat(248).trim());
    let correction = format!("FF 4A {p} {}", "00 ".repeat(63).trim());
    let same = |codes: &[&str], rest: &str, modes: &'static [u8], prints: bool| -> Vec<Row> {
        let requests = codes.iter().map(|code| format!("{code} {p} {rest}"));
        requests.map(|request| row(request.trim(), modes, prints)).collect()
    };
    let mut rows = vec![
        row("FC", ANY, false),
        row("F7 01", ANY, false),
        row("6B 33", ANY, false),
        row("16", &[], false),
        row("03 00 00 00 00", &[1], false),
        row(&line, &[8], true),
        row(&closing, &[8], true),
        row(&sale, &[2, 4, 8], true),
        row(&close_85, &[8], true),
        row(&close_8e, &[8], true),
        row(&discounted, &[2], true),
        row(&correction, &[2, 4], true),
    ];
    rows.extend(same(&["10", "11", "13"], "", ANY, false));
    rows.extend(same(&["1A", "1B"], "C1", ANY, false));
    rows.extend(same(&["28"], "00", ANY, true));
    rows.extend(same(&["2F"], "02 01 54", ANY, true));
    rows.extend(same(&["17"], "02 54", ANY, true));
    rows.extend(same(&["14"], "00 06 64", ANY, false));
    rows.extend(same(&["15"], "00", ANY, false));
    rows.extend(same(&["1F"], "11 01 00 07", ANY, false));
    rows.extend(same(&["26", "2D"], "01", ANY, false));
    rows.extend(same(&["2E"], "01 01", ANY, false));
    rows.extend(same(&["1E"], "11 01 00 07 00", &[2, 3, 4, 6], false));
    rows.extend(same(&["21"], "0C 1E 00", &[4], false));
    rows.extend(same(&["22"], "16 0B 1A", &[4], false));
    rows.extend(same(&["23"], "16 0B 1A", &[6], false));
    rows.extend(same(&["24"], "", &[4], false));
    rows.extend(same(&["25"], "00", &[1, 2, 3, 4, 6], true));
    rows.extend(same(&["29"], "02 01", &[1, 2, 3, 4, 6], true));
    rows.extend(same(&["40"], "", &[2, 3, 4], true));
    rows.extend(same(&["41", "C6"], "", &[2, 3], true));
    rows.extend(same(&["50", "51"], "00 00 00 00 00", &[2, 3, 4], true));
    rows.extend(same(&["88"], "", &[8], true));
    rows.extend(same(&["89"], "", &[8], false));
    rows.extend(same(&["8D"], "00", &[2, 4], true));
    rows.extend(same(&["C0"], "01 00", &[2, 4, 8], true));
    rows.extend(same(&["C1"], "01 02", &[2, 4, 8], true));
    rows.extend(same(&["C3"], "01 00 02 00", &[2, 4, 8], true));
    rows.extend(same(&["C4", "C5"], "01 00 00", &[2, 4, 8], true));
    rows.extend(same(&["E0", "FF 0B", "FF 41"], "", &[4], true));
    rows.extend(same(&["FF 42", "FF 43"], "", &[2, 3], true));
    rows.extend(same(&["FF 37", "FF 38", "FF 3D", "FF 3E"], "", &[4], true));
    rows.extend(same(&["FF 05"], "02", &[4], true));
    let facts = "00 ".repeat(34);
    rows.extend(same(&["FF 06"], facts.trim(), &[4], true));
    rows.extend(same(&["FF 34"], &(facts + "04"), &[4], true));
    rows.extend(same(&["FF 35"], "", &[2, 4], true));
    rows.extend(same(&["FF 36"], "64 00 00 00 00 01", &[2, 4], true));
    rows.extend(same(&["FF 4D"], "3C 08 01 00 00", &[8], true));
    rows.extend(same(&["FF 0C"], "F0 03 01 00 78", ANY, false));
    rows.extend(same(
        &[
            "FF 01", "FF 02", "FF 03", "FF 04", "FF 08", "FF 09", "FF 39", "FF 3B", "FF 3F", "FF 40", "FF 63", "FF 30",
        ],
        "",
        ANY,
        false,
    ));
    rows.extend(same(&["FF 0A", "FF 3A", "FF 3C"], "01 00 00 00", ANY, false));
    rows.extend(same(&["FF 4C"], "01", ANY, false));
    rows
}

/// A register in this mode; the printer is idle.
fn in_mode(mode: u8, config: Config) -> Bench {
    let mut bench = if mode == 4 || mode == 6 {
        Bench::new(config)
    } else {
        Bench::in_shift(config)
    };
    match mode {
        1 => {
            bench.ask("FF 3A 1E 00 00 00 01 00 00 00");
        }
        3 => bench.pass_hours(24),
        6 => {
            bench.ask("22 1E 00 00 00 16 0B 1A");
        }
        8 => bench.one_item(),
        _ => {}
    }
    assert_eq!(bench.state().0 & 0x0F, mode);
    bench
}

/// What a command says in a mode in which it does not go.
fn refusal(row: &Row, mode: u8) -> u8 {
    let opens = matches!(row.request.split(' ').next(), Some("80" | "8D"));
    match mode {
        6 => CONFIRM_DATE,
        3 if opens || row.modes == [8] => SHIFT_EXPIRED,
        8 if row.prints => RECEIPT_OPEN,
        _ => WRONG_MODE,
    }
}

#[test]
fn every_command_goes_in_its_modes_and_says_in_every_other_why_not() {
    let refusals = [WRONG_MODE, RECEIPT_OPEN, SHIFT_EXPIRED, CONFIRM_DATE];
    let rows = matrix();
    assert!(rows.len() >= 75, "{} rows", rows.len());
    for row in &rows {
        for mode in MODES {
            let mut bench = in_mode(mode, config());
            let before = bench.last_fd();
            let error = error_of(&bench.exchange(&unhex(&row.request)));
            let request = &row.request[..row.request.len().min(17)];
            if row.modes.contains(&mode) {
                assert!(!refusals.contains(&error), "{request} in mode {mode}: {error:02X}");
            } else {
                assert_eq!(error, refusal(row, mode), "{request} in mode {mode}");
                assert_eq!((bench.state().0 & 0x0F, bench.last_fd()), (mode, before), "{request}");
            }
        }
    }
}

#[test]
fn while_a_receipt_prints_what_prints_waits_and_what_only_asks_is_answered() {
    let mut config = config();
    config.switches.printing = Some(Printing::Millis(2_000));
    for row in matrix() {
        let mut bench = Bench::in_shift(config.clone());
        bench.receipt();
        assert_eq!(bench.state(), (0x08, 5));
        let error = error_of(&bench.exchange(&unhex(&row.request)));
        let request = &row.request[..row.request.len().min(17)];
        if row.prints {
            assert_eq!(error, STILL_PRINTING, "{request}");
        } else {
            assert_ne!(error, STILL_PRINTING, "{request}");
        }
        bench.pass_ms(2_000);
        assert_ne!(bench.state().1, 5, "{request}");
    }
}

#[test]
fn without_paper_what_prints_is_refused_and_the_rest_goes_on() {
    for row in matrix() {
        let mut bench = Bench::in_shift(config());
        bench.fault(FaultKind::Paper { present: false }, Trigger::Now);
        let error = error_of(&bench.exchange(&unhex(&row.request)));
        let request = &row.request[..row.request.len().min(17)];
        // A receipt can be cancelled and a shift closed into the buffer without paper.
        let needs_none = matches!(row.request.split(' ').next(), Some("88" | "C6"));
        assert_eq!(error == 0x6B, row.prints && !needs_none, "{request}: {error:02X}");
    }
}
