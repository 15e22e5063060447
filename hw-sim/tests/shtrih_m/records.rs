//! Tickets, the registration by number and tag, buffered reports (`shtrih-m` 3.4, 3.7).

use crate::bench::{Bench, config, error_of, hex, number, tags, text};
use kassette_hw_sim::models::shtrih_m::Ffd;

#[test]
fn a_ticket_comes_a_second_after_the_document_and_is_the_same_ever_after() {
    let mut bench = Bench::in_shift(config());
    let fd = bench.receipt();
    assert_eq!(bench.error("FF 3C 1E 00 00 00 03 00 00 00"), 0x08);
    bench.pass_ms(1_000);
    let ticket = bench.command("FF 3C", &fd.to_le_bytes());
    // Code, error, 22.11.2026 12:30, sign of 18 bytes, document.
    assert_eq!(ticket.len(), 3 + 5 + 18 + 4);
    assert_eq!(hex(&ticket[..8]), "FF 3C 00 1A 0B 16 0C 1E");
    assert_eq!(ticket[26..], fd.to_le_bytes());
    let other = bench.command("FF 3C", &2_u32.to_le_bytes());
    assert_ne!(ticket[8..26], other[8..26]);
    bench.pass_hours(1);
    assert_eq!(bench.command("FF 3C", &fd.to_le_bytes()), ticket);
    assert_eq!(bench.error("FF 3C 1E 00 00 00 63 00 00 00"), 0x08);
}

#[test]
fn a_ticket_has_the_time_of_the_ofd_and_not_of_a_wrong_register_clock() {
    let mut config = config();
    config.clock_skew_seconds = -7_200;
    let mut bench = Bench::new(config);
    bench.pass_ms(1_000);
    let ticket = bench.command("FF 3C", &1_u32.to_le_bytes());
    assert_eq!(hex(&ticket[..8]), "FF 3C 00 1A 0B 16 0C 1E");
}

#[test]
fn the_first_registration_is_read_by_its_number_and_there_is_no_other() {
    for (ffd, length) in [(Ffd::V12, 67), (Ffd::V105, 50)] {
        let mut config = config();
        config.ffd = ffd;
        let mut bench = Bench::new(config);
        let last = bench.command("FF 09", &[]);
        let first = bench.command("FF 4C", &[1]);
        assert_eq!((first.len(), &first[2..]), (length, &last[2..]));
        for missing in [0, 2] {
            assert_eq!(error_of(&bench.command("FF 4C", &[missing])), 0x08);
        }
    }
}

#[test]
fn tags_of_the_registration_are_read_one_by_one_and_all_together() {
    let mut bench = Bench::new(config());
    let inn = "FA 03 0C 00 37 37 30 34 33 35 38 35 31 38 20 20";
    assert_eq!(bench.ask("FF 0E 1E 00 00 00 01 FA 03"), format!("FF 0E 00 {inn}"));
    for report in ["00", "01"] {
        assert_eq!(
            bench.ask(&format!("FF 60 1E 00 00 00 {report} FA 03")),
            format!("FF 60 00 {inn}")
        );
    }
    // A tag that is not there, a report that is not there.
    assert_eq!(bench.error("FF 0E 1E 00 00 00 01 FC 03"), 0x08);
    assert_eq!(bench.error("FF 0E 1E 00 00 00 02 FA 03"), 0x08);
    assert_eq!(bench.error("FF 60 1E 00 00 00 02 FA 03"), 0x08);
    assert_eq!(bench.error("FF 60 1E 00 00 00 01 FF FF"), 0x08);
    assert_eq!(bench.ask("FF 0E 1E 00 00 00 01 FF FF"), "FF 0E 00");
    let mut all = Vec::new();
    loop {
        let part = bench.command("FF 3B", &[]);
        if part[2] == 0x08 {
            break;
        }
        assert_eq!(part[2], 0);
        all.extend_from_slice(&part[3..]);
    }
    assert_eq!(all, bench.records()[0].tlv);
    let all = tags(&all);
    assert_eq!(number(&all, 1209), Some(4));
    assert_eq!(text(&all, 1018).as_deref(), Some("7704358518  "));
}

#[test]
fn a_z_report_goes_to_the_buffer_without_paper_and_is_printed_once() {
    let mut bench = Bench::in_shift(config());
    bench.fault(
        kassette_hw_sim::faults::FaultKind::Paper { present: false },
        kassette_hw_sim::faults::Trigger::Now,
    );
    assert_eq!(bench.error("41 1E 00 00 00"), 0x6B);
    assert_eq!(bench.ask("C6 1E 00 00 00"), "C6 00 1E");
    assert_eq!((bench.records()[2].kind, bench.state()), (5, (4, 1)));
    assert_eq!(bench.error("C6 1E 00 00 00"), 0x73);
    assert_eq!(bench.error("C7 1E 00 00 00"), 0x6B);
    bench.fault(
        kassette_hw_sim::faults::FaultKind::Paper { present: true },
        kassette_hw_sim::faults::Trigger::Now,
    );
    // The buffer outlives the power.
    let mut bench = bench.restart();
    assert_eq!(bench.ask("C7 1E 00 00 00"), "C7 00 1E");
    assert_eq!(bench.error("C7 1E 00 00 00"), 0x34);
    assert_eq!(bench.records().len(), 3, "printing makes no document");
    assert_eq!(bench.error("C6 01 00 00 00"), 0x4F);
}

#[test]
fn syncing_the_shift_counters_changes_nothing_and_waits_for_an_open_receipt() {
    let mut bench = Bench::in_shift(config());
    let before = bench.ask("FF 40 1E 00 00 00");
    assert_eq!(bench.ask("FF 62 1E 00 00 00"), "FF 62 00");
    assert_eq!(bench.ask("FF 40 1E 00 00 00"), before);
    bench.ask("8D 1E 00 00 00 00");
    assert_eq!(bench.error("FF 62 1E 00 00 00"), 0x73);
}
