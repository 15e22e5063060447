//! The FN behind the register: limits, queue, reading (`fn-ffd-ofd` A; `shtrih-m` 3.7).

use crate::bench::{Bench, FN, START_MS, config, error_of, hex, number, text, value};
use kassette_hw_sim::chance::Chance;
use kassette_hw_sim::faults::{FaultKind, Trigger};
use kassette_hw_sim::fiscal_storage::Phase;
use kassette_hw_sim::fiscal_storage::ledger::FileShelf;
use kassette_hw_sim::machine::Machine;
use kassette_hw_sim::models::shtrih_m::{Ffd, Register, StartError};
use kassette_hw_sim::moment::Moment;
use std::time::Duration;

#[test]
fn a_fresh_working_fn_begins_with_its_registration_report() {
    let mut bench = Bench::new(config());
    let report = bench.read_document(1);
    for (tag, expected) in [
        (1040, 1),
        (1062, 1),
        (1189, 4),
        (1190, 4),
        (1209, 4),
        (1290, 1 << 5),
        (1213, 365),
    ] {
        assert_eq!(number(&report, tag), Some(expected), "tag {tag}");
    }
    for (tag, expected) in [
        (1013, "0012345678901234"),
        (1037, "0000000001002569    "),
        (1018, "7704358518  "),
        (1017, "7704358518  "),
    ] {
        assert_eq!(text(&report, tag).as_deref(), Some(expected), "tag {tag}");
    }
    assert_eq!(value(&report, 1077).unwrap()[..2], [0x21, 0x04]);
    assert_eq!(bench.command("FF 09", &[]).len(), 67);
    let restarted = bench.restart();
    assert_eq!(restarted.records().len(), 1, "and only once");
}

#[test]
fn an_fn_that_is_not_in_fiscal_mode_makes_nothing() {
    for (phase, documents) in [
        (Phase::Setup, 0),
        (Phase::Ready, 0),
        (Phase::PostFiscal, 1),
        (Phase::Archive, 1),
    ] {
        let mut config = config();
        config.fn_unit.phase = phase;
        let mut bench = Bench::new(config);
        assert_eq!(bench.command("FF 01", &[])[3], phase as u8);
        assert_eq!(bench.last_fd(), documents);
        assert_eq!(bench.error("E0 1E 00 00 00"), 0x02);
        let mut bench = bench.restart();
        assert_eq!(bench.command("FF 01", &[])[3], phase as u8, "after a restart");
    }
}

#[test]
fn the_last_document_that_fits_is_made_and_the_next_is_refused() {
    let mut config = config();
    config.fn_unit.documents_left = 4;
    let mut bench = Bench::in_shift(config);
    assert_eq!(bench.receipt(), 3);
    assert_eq!(hex(&bench.command("FF 63", &[])[3..7]), "01 00 00 00");
    assert_eq!(bench.receipt(), 4);
    assert_eq!(bench.error("8D 1E 00 00 00 00"), 0x12);
    assert_eq!(bench.ask("41 1E 00 00 00"), "41 00 1E", "a shift can always be closed");
}

#[test]
fn warnings_come_before_the_keys_end() {
    for (days, flags) in [(364, 0), (335, 0x02), (362, 0x03)] {
        let mut config = config();
        config.fn_unit.documents_left = 1_000;
        let mut bench = Bench::new(config);
        bench.pass_hours(if days == 364 { 0 } else { days * 24 });
        assert_eq!(bench.command("FF 01", &[])[7], flags, "after {days} days");
    }
    let mut bench = Bench::new(config());
    bench.pass_hours(366 * 24);
    assert_eq!(bench.error("E0 1E 00 00 00"), 0x05);
}

#[test]
fn documents_wait_for_tickets_while_the_ofd_is_down_and_after_30_days_nothing_is_sold() {
    for (ffd, code) in [(Ffd::V12, 0x14), (Ffd::V105, 0x15)] {
        let mut config = config();
        config.ffd = ffd;
        let mut bench = Bench::new(config);
        bench.pass_ms(1_000);
        assert_eq!(
            hex(&bench.command("FF 39", &[])[3..]),
            "00 00 00 00 00 00 00 00 00 00 00 00 00"
        );
        bench.fault(FaultKind::OfdDown { down: true }, Trigger::Now);
        bench.ask("E0 1E 00 00 00");
        bench.receipt();
        assert_eq!(
            hex(&bench.command("FF 39", &[])[3..]),
            "02 00 02 00 02 00 00 00 1A 0B 16 0C 1E"
        );
        assert_eq!(hex(&bench.command("FF 3F", &[])), "FF 3F 00 02 00");
        assert_eq!(bench.command("FF 0A", &3_u32.to_le_bytes())[4], 0, "no ticket yet");
        bench.ask("41 1E 00 00 00");
        bench.pass_hours(49);
        assert_eq!(bench.command("FF 01", &[])[7], 0x08);
        let mut bench = bench.restart();
        assert_eq!(
            hex(&bench.command("FF 3F", &[])),
            "FF 3F 00 03 00",
            "the queue outlives the process"
        );
        bench.pass_hours(29 * 24);
        assert_eq!(bench.error("E0 1E 00 00 00"), code);
        bench.fault(FaultKind::OfdDown { down: false }, Trigger::Now);
        assert_eq!(bench.error("E0 1E 00 00 00"), 0);
        assert_eq!(bench.command("FF 0A", &3_u32.to_le_bytes())[4], 1);
    }
}

#[test]
fn a_document_is_found_by_its_number() {
    let mut bench = Bench::in_shift(config());
    let fd = bench.receipt();
    let fp = bench.records()[2].fp.to_le_bytes();
    let found = bench.command("FF 0A", &fd.to_le_bytes());
    assert_eq!(hex(&found[3..14]), "03 00 1A 0B 16 0C 1E 03 00 00 00");
    assert_eq!(found[14..18], fp);
    assert_eq!(hex(&found[18..]), "01 10 27 00 00 00");
    assert_eq!(hex(&bench.command("FF 0A", &2_u32.to_le_bytes())[18..]), "01 00");
    for missing in [0_u32, 4, u32::MAX] {
        assert_eq!(error_of(&bench.command("FF 0A", &missing.to_le_bytes())), 0x08);
        assert_eq!(error_of(&bench.command("FF 3A", &missing.to_le_bytes())), 0x08);
    }
}

#[test]
fn a_document_that_is_being_read_holds_mode_1_until_its_end() {
    let mut bench = Bench::in_shift(config());
    let fd = bench.receipt();
    bench.command("FF 3A", &fd.to_le_bytes());
    assert_eq!(bench.state().0, 1);
    assert_eq!(bench.error("8D 1E 00 00 00 00"), 0x73);
    assert_eq!(bench.last_fd(), fd, "states can be asked");
    bench.read_document(fd);
    assert_eq!(bench.state().0, 2);
    assert_eq!(error_of(&bench.command("FF 3B", &[])), 0x08);

    let mut config = config();
    config.switches.reading_keeps_mode = true;
    let mut bench = Bench::in_shift(config);
    bench.command("FF 3A", &1_u32.to_le_bytes());
    assert_eq!(bench.state().0, 2);
}

#[test]
fn full_documents_are_dropped_after_30_days_and_short_records_stay() {
    let mut bench = Bench::in_shift(config());
    bench.receipt();
    bench.ask("41 1E 00 00 00");
    bench.pass_hours(30 * 24 + 1);
    assert_eq!(error_of(&bench.command("FF 3A", &3_u32.to_le_bytes())), 0x08);
    assert_eq!(error_of(&bench.command("FF 0A", &3_u32.to_le_bytes())), 0);
    assert_eq!(
        error_of(&bench.command("FF 3A", &1_u32.to_le_bytes())),
        0,
        "the registration report stays"
    );
}

#[test]
fn the_calculation_state_is_reported_only_with_the_shift_closed() {
    let mut bench = Bench::new(config());
    assert_eq!(bench.error("FF 38 1E 00 00 00"), 0x02, "nothing was begun");
    assert_eq!(bench.ask("FF 37 1E 00 00 00"), "FF 37 00");
    let answer = bench.command("FF 38", &[]);
    let report = &bench.records()[1];
    assert_eq!((answer.len(), report.kind), (18, 21));
    // Document 2, its sign, two documents without ticket, the first of 22.11.2026.
    let unsent = [2, 0, 0, 0, 26, 11, 22];
    let expected = [&[0xFF, 0x38, 0, 2, 0, 0, 0][..], &report.fp.to_le_bytes(), &unsent].concat();
    assert_eq!(answer, expected);
    bench.ask("E0 1E 00 00 00");
    assert_eq!(bench.error("FF 37 1E 00 00 00"), 0x73);
}

#[test]
fn a_description_that_contradicts_the_fn_is_refused() {
    let bench = Bench::new(config());
    let shelf = bench.shelf.clone();
    let mut other = config();
    other.inn = "7707083893".to_owned();
    let start = |config| Register::new(config, Box::new(shelf.clone()), Chance::from_seed(1), bench.now);
    assert!(matches!(start(other), Err(StartError::Disagrees { .. })));
    let mut wrong = config();
    wrong.rnm = "1".to_owned();
    assert!(matches!(start(wrong), Err(StartError::Value { field: "rnm", .. })));
}

#[test]
fn a_register_on_files_goes_on_where_it_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let now = Moment {
        elapsed: Duration::ZERO,
        unix_ms: START_MS,
    };
    let start = || {
        let shelf = FileShelf::new(folder.path(), false);
        Register::new(config(), Box::new(shelf), Chance::from_seed(1), now).unwrap()
    };
    for shift in 1..=3_u16 {
        let mut register = start();
        for code in [0xE0, 0x41] {
            register.input(now, &crate::bench::frame(&[code, 30, 0, 0, 0]));
            register.poll(now);
            register.input(now, &[0x06]);
        }
        let seen = register.snapshot();
        assert_eq!(
            (seen.shift, seen.last_fd, seen.fn_number.as_str()),
            (shift, 1 + 2 * u32::from(shift), FN)
        );
    }
}
