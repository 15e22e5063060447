//! Service commands: 03, 16, 24, FE F2, FE F4 (`shtrih-m` 2, 3.1).

use crate::bench::{Bench, START_MS, close, config, hex, item};
use kassette_hw_sim::faults::{FaultKind, Trigger};
use kassette_hw_sim::fiscal_storage::{CalendarDay, Phase};
use kassette_hw_sim::switches::ServiceEcho;

#[test]
fn reading_a_document_is_interrupted_by_03_and_by_nothing_else_in_between() {
    let mut bench = Bench::in_shift(config());
    assert_eq!(bench.error("03 00 00 00 00"), 0x73, "nothing is given out");
    bench.ask("FF 3A 1E 00 00 00 01 00 00 00");
    assert_eq!(bench.state().0, 1);
    assert_eq!(bench.error("8D 1E 00 00 00 00"), 0x73);
    assert_eq!(bench.error("03 01 00 00 00"), 0x4F);
    assert_eq!(bench.ask("03 00 00 00 00"), "03 00");
    assert_eq!(bench.state().0, 2);
    assert_eq!(bench.error("FF 3B 1E 00 00 00"), 0x08);
    bench.ask("FF 3A 1E 00 00 00 01 00 00 00");
    assert_eq!(bench.ask("03 1E 00 00 00"), "03 00", "the system administrator may too");
}

#[test]
fn a_register_whose_memory_is_well_refuses_the_technological_reset() {
    let mut bench = Bench::new(config());
    assert_eq!(bench.ask("16"), "16 73");
    bench.ask("E0 1E 00 00 00");
    assert_eq!(bench.ask("16"), "16 73");
}

#[test]
fn tables_get_their_first_values_back_and_keep_what_belongs_to_the_registration() {
    let mut bench = Bench::new(config());
    let serial = bench.command("1F", &[18, 1, 0, 1]);
    bench.ask("1E 1E 00 00 00 11 01 00 07 02");
    bench.ask("1E 1E 00 00 00 02 05 00 01 40 E2 01 00");
    assert_eq!(bench.error("24 01 00 00 00"), 0x4F);
    bench.ask("E0 1E 00 00 00");
    assert_eq!(bench.error("24 1E 00 00 00"), 0x73);
    bench.ask("41 1E 00 00 00");
    assert_eq!(bench.ask("24 1E 00 00 00"), "24 00");
    for restarted in [false, true] {
        if restarted {
            bench = bench.restart();
        }
        assert_eq!(bench.ask("1F 1E 00 00 00 11 01 00 07"), "1F 00 00");
        assert_eq!(bench.ask("13 05 00 00 00"), "13 00 05");
        assert_eq!(bench.command("1F", &[18, 1, 0, 1]), serial);
    }
}

#[test]
fn lifetime_totals_count_by_kind_and_go_on_over_another_fn() {
    let mut config = config();
    config.switches.service_echo = Some(ServiceEcho::TwoBytes);
    let mut bench = Bench::in_shift(config);
    assert_eq!(bench.ask("FE F2 00 00 00 00"), "FE F2 00");
    bench.receipt();
    bench.ask("8D 1E 00 00 00 01");
    let mut line = item("Tea", 1_000_000, 500, None, 8);
    line[6] = 3;
    bench.exchange(&line);
    assert_eq!(bench.exchange(&close(0, 500))[2], 0);
    let zeros = "00 00 00 00 00 00 00 00";
    let sums = format!("10 27 00 00 00 00 00 00 {zeros} F4 01 00 00 00 00 00 00 {zeros}");
    assert_eq!(bench.ask("FE F4 00 00 00 00"), format!("FE F4 00 {sums}"));
    bench.ask("41 1E 00 00 00");
    bench.fault(
        FaultKind::FnReplace {
            number: "9999078900009999".to_owned(),
            phase: Phase::Fiscal,
            documents_left: 100,
            expiry: CalendarDay::try_from("2028-01-31".to_owned()).unwrap(),
        },
        Trigger::Now,
    );
    bench.take();
    let mut bench = bench.restart();
    assert!(bench.now.unix_ms >= START_MS);
    assert_eq!(bench.ask("FE F4 00 00 00 00"), format!("FE F4 00 {sums}"));
    bench.ask("E0 1E 00 00 00");
    bench.receipt();
    assert_eq!(hex(&bench.exchange(&[0xFE, 0xF4, 0, 0, 0, 0])[3..6]), "20 4E 00");
}
