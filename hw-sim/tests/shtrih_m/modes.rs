//! Passwords, modes, shifts, clock, settings (`shtrih-m` 2, 3.2 to 3.4).

use crate::bench::{Bench, close, config, document_tag, error_of, hex, item, number, text, value};
use kassette_hw_sim::faults::{FaultKind, Trigger};
use kassette_hw_sim::models::shtrih_m::Timing;
use kassette_hw_sim::switches::Printing;

#[test]
fn a_password_outside_table_2_is_refused_and_ranks_are_kept() {
    let mut bench = Bench::new(config());
    assert_eq!(bench.error("10 1F 00 00 00"), 0x4F);
    assert_eq!(bench.error("FF 01 1F 00 00 00"), 0x4F);
    assert_eq!(bench.ask("13 05 00 00 00"), "13 00 05");
    assert_eq!(bench.error("FF 01 05 00 00 00"), 0x4F, "needs the system administrator");
    assert_eq!(bench.error("1F 1D 00 00 00 11 01 00 07"), 0x4F);
    bench.ask("E0 01 00 00 00");
    assert_eq!(bench.error("41 01 00 00 00"), 0x4F, "needs an administrator");
    assert_eq!(bench.ask("40 1D 00 00 00"), "40 00 00", "captured: nobody is named");
    // A new password counts from now on.
    assert_eq!(
        bench.ask("1E 1E 00 00 00 02 05 00 01 78 56 34 12"),
        "1E 33",
        "above the limit of the field"
    );
    assert_eq!(bench.ask("1E 1E 00 00 00 02 05 00 01 40 E2 01 00"), "1E 00");
    assert_eq!(bench.error("13 05 00 00 00"), 0x4F);
    assert_eq!(bench.ask("13 40 E2 01 00"), "13 00 05");
}

#[test]
fn unknown_commands_get_the_refusal_of_a_real_device() {
    let mut bench = Bench::new(config());
    for (request, answer) in [
        ("4D 01 00 00 00 01", "4D 37"),
        ("FF 07 1E 00 00 00 00", "FF 07 37"),
        ("FF 4B 1E 00 00 00", "FF 4B 37"),
        ("FE F3 00 00 00 00", "FE 37"),
        ("10 1E 00", "10 7E"),
        ("13 1E 00 00 00 00", "13 7E"),
        ("8D 1E 00 00 00 07", "8D 33"),
    ] {
        assert_eq!(bench.ask(request), answer);
    }
    let mut config = config();
    config.switches.service_echo = Some(kassette_hw_sim::switches::ServiceEcho::TwoBytes);
    assert_eq!(Bench::new(config).ask("FE F3 00 00 00 00"), "FE F3 00");
}

#[test]
fn the_text_of_an_error_is_russian_and_that_of_33_as_recorded() {
    let mut bench = Bench::new(config());
    let bad_parameters = "6B 00 CA CA D2 3A 20 CD E5 EA EE F0 F0 E5 EA F2 ED FB E5 20 EF E0 F0 E0 EC E5 F2 F0 FB 20 E2 20 \
                          EA EE EC E0 ED E4 E5";
    assert_eq!(bench.ask("6B 33"), bad_parameters);
    // Without a code it is that of the last command, and asking does not become the last command.
    assert_eq!(bench.error("8D 1E 00 00 00 07"), 0x33);
    assert_eq!(bench.ask("6B"), bad_parameters);
    assert_eq!(bench.ask("6B"), bad_parameters);
}

#[test]
fn commands_out_of_their_mode_are_refused() {
    let mut bench = Bench::new(config());
    let closing = hex(&close(0, 10_000));
    let line = hex(&item("Товар", 1_000_000, 10_000, None, 8));
    for (request, code) in [
        ("8D 1E 00 00 00 00", 0x3D),
        ("41 1E 00 00 00", 0x73),
        ("FF 43 1E 00 00 00", 0x73),
        ("88 1E 00 00 00", 0x73),
        ("89 1E 00 00 00", 0x73),
        (&closing, 0x73),
        (&line, 0x73),
        ("23 1E 00 00 00 16 0B 1A", 0x73),
    ] {
        assert_eq!(bench.error(request), code, "mode 4: {request}");
    }
    bench.ask("E0 1E 00 00 00");
    for (request, code) in [
        ("E0 1E 00 00 00", 0x73),
        ("FF 0B 1E 00 00 00", 0x73),
        ("21 1E 00 00 00 0C 00 00", 0x73),
        ("22 1E 00 00 00 16 0B 1A", 0x73),
        (&closing, 0x73),
    ] {
        assert_eq!(bench.error(request), code, "mode 2: {request}");
    }
    bench.one_item();
    for (request, code) in [
        ("8D 1E 00 00 00 00", 0x4A),
        ("41 1E 00 00 00", 0x4A),
        ("E0 1E 00 00 00", 0x4A),
        ("50 1E 00 00 00 01 00 00 00 00", 0x4A),
        ("1E 1E 00 00 00 11 01 00 07 02", 0x73),
    ] {
        assert_eq!(bench.error(request), code, "mode 8: {request}");
    }
    assert_eq!(bench.last_fd(), 2);
}

#[test]
fn shifts_are_numbered_on_and_receipts_in_each_from_one() {
    let mut bench = Bench::new(config());
    for shift in 1..=3_u64 {
        let opened = bench.command("FF 0B", &[]);
        assert_eq!(u64::from(opened[3]), shift);
        for receipt in 1..=2_u64 {
            let fd = bench.receipt();
            let document = bench.read_document(fd);
            assert_eq!(
                (number(&document, 1038), number(&document, 1042)),
                (Some(shift), Some(receipt))
            );
        }
        let closed = bench.command("FF 43", &[]);
        assert_eq!(u64::from(closed[3]), shift);
        let fd = bench.last_fd();
        let report = bench.read_document(fd);
        assert_eq!((number(&report, 1118), number(&report, 1111)), (Some(2), Some(4)));
        let totals = crate::bench::tags(&value(&report, 1157).unwrap());
        assert_eq!(number(&totals, 1134), Some(2 * shift));
    }
    let kinds: Vec<u8> = bench.records().iter().map(|r| r.kind).collect();
    assert_eq!(kinds, [1, 2, 3, 3, 5, 2, 3, 3, 5, 2, 3, 3, 5]);
    let fds: Vec<u32> = bench.records().iter().map(|r| r.fd).collect();
    assert_eq!(fds, (1..=13).collect::<Vec<_>>());
}

#[test]
fn tags_of_a_begun_report_stand_in_it() {
    let mut bench = Bench::new(config());
    assert_eq!(bench.ask("FF 41 1E 00 00 00"), "FF 41 00");
    assert_eq!(
        bench.command("FF 01", &[])[4],
        0x02,
        "the FN has a shift opening under way"
    );
    assert_eq!(error_of(&bench.exchange(&document_tag(1203, b"500100732259"))), 0);
    assert_eq!(error_of(&bench.exchange(&document_tag(1192, b"x"))), 0x0B);
    assert_eq!(bench.error("8D 1E 00 00 00 00"), 0x02);
    bench.ask("E0 1E 00 00 00");
    assert_eq!(text(&bench.read_document(2), 1203).as_deref(), Some("500100732259"));
    bench.ask("FF 42 1E 00 00 00");
    assert_eq!(bench.ask("FF 08 1E 00 00 00"), "FF 08 00");
    assert_eq!(bench.error("FF 08 1E 00 00 00"), 0x02);
    bench.ask("41 1E 00 00 00");
    assert_eq!(value(&bench.read_document(3), 1203), None);
}

#[test]
fn after_24_hours_only_the_closing_is_left() {
    let mut bench = Bench::in_shift(config());
    bench.pass_hours(23);
    bench.receipt();
    bench.one_item();
    bench.pass_hours(1);
    assert_eq!(bench.state().0, 8);
    assert_eq!(error_of(&bench.exchange(&close(0, 10_000))), 0x16, "the FN counts too");
    assert_eq!(bench.ask("88 1E 00 00 00"), "88 00 1E");
    assert_eq!(bench.state().0, 3);
    assert_eq!(bench.error("8D 1E 00 00 00 00"), 0x4E);
    assert_eq!(bench.ask("41 1E 00 00 00"), "41 00 1E");
    assert_eq!(bench.state().0, 4);
    bench.ask("E0 1E 00 00 00");
    bench.receipt();
}

#[test]
fn a_shift_can_be_made_to_expire_earlier() {
    let mut bench = Bench::new(config());
    assert_eq!(bench.ask("1E 1E 00 00 00 11 01 00 08 3C"), "1E 00");
    bench.ask("E0 1E 00 00 00");
    bench.pass_ms(23 * 3_600_000 - 1);
    assert_eq!(bench.state().0, 2);
    bench.pass_ms(1);
    assert_eq!(bench.state().0, 3);
}

#[test]
fn the_shift_opens_by_itself_only_when_told_to() {
    for (setting, after_8d, at_end) in [(1_u8, 1, vec![1, 2, 3]), (2, 2, vec![1, 2, 3])] {
        let mut bench = Bench::new(config());
        assert_eq!(error_of(&bench.command("1E", &[24, 1, 0, 13, setting])), 0);
        bench.one_item();
        assert_eq!(bench.last_fd(), after_8d);
        assert_eq!(error_of(&bench.exchange(&close(0, 10_000))), 0);
        let kinds: Vec<u8> = bench.records().iter().map(|r| r.kind).collect();
        assert_eq!(kinds, at_end);
    }
}

#[test]
fn the_clock_is_set_by_time_and_by_confirmed_date_and_by_nothing_else() {
    let mut config = config();
    config.clock_skew_seconds = 3 * 86_400 + 90;
    let mut bench = Bench::new(config);
    let shown = |bench: &mut Bench| bench.command("11", &[])[25..31].to_vec();
    assert_eq!(shown(&mut bench), [25, 11, 26, 12, 31, 30]);
    bench.pass_hours(1);
    assert_eq!(shown(&mut bench), [25, 11, 26, 13, 31, 30]);
    assert_eq!(bench.ask("22 1E 00 00 00 16 0B 1A"), "22 00");
    assert_eq!(bench.state().0, 6);
    assert_eq!(bench.error("E0 1E 00 00 00"), 0xC0);
    assert_eq!(bench.error("23 1E 00 00 00 17 0B 1A"), 0x7C);
    assert_eq!(bench.ask("23 1E 00 00 00 16 0B 1A"), "23 00");
    assert_eq!(bench.ask("21 1E 00 00 00 0D 1E 00"), "21 00");
    assert_eq!(shown(&mut bench), [22, 11, 26, 13, 30, 0]);
    assert_eq!(bench.error("22 1E 00 00 00 1F 02 1A"), 0x7D);
    let mut bench = bench.restart();
    assert_eq!(
        shown(&mut bench),
        [22, 11, 26, 13, 30, 0],
        "the clock is no matter of the process"
    );
    // The registration report stands in the future now: the FN refuses what is earlier.
    assert_eq!(bench.error("E0 1E 00 00 00"), 0x07);
}

#[test]
fn a_clock_that_jumps_inside_a_shift_is_seen_by_the_fn() {
    for (seconds, code) in [(300, 0), (420, 0x17), (-120, 0x07)] {
        let mut bench = Bench::in_shift(config());
        bench.receipt();
        bench.fault(FaultKind::ClockSkew { seconds }, Trigger::Now);
        assert_eq!(bench.error("8D 1E 00 00 00 00"), code, "{seconds} s");
    }
    // Closing and opening the shift sets the FN's timer to the clock.
    let mut bench = Bench::in_shift(config());
    bench.fault(FaultKind::ClockSkew { seconds: 600 }, Trigger::Now);
    assert_eq!(bench.error("8D 1E 00 00 00 00"), 0x17);
    bench.ask("41 1E 00 00 00");
    bench.ask("E0 1E 00 00 00");
    bench.receipt();
}

#[test]
fn tables_have_sizes_limits_and_fields_that_nobody_writes() {
    let mut bench = Bench::new(config());
    for (request, code) in [
        ("1E 1E 00 00 00 12 01 00 01 31", 0x7A),
        ("1E 1E 00 00 00 12 01 00 04 31", 0x7A),
        ("1E 1E 00 00 00 11 01 00 11 05", 0x33),
        ("1E 1E 00 00 00 11 01 00 07 04", 0x33),
        ("1E 1E 00 00 00 11 01 00 07 00 00", 0x7E),
        ("1E 1E 00 00 00 11 02 00 07 00", 0x33),
        ("1E 1E 00 00 00 11 01 00 25 00", 0x33),
        ("1F 1E 00 00 00 63 01 00 01", 0x5D),
        ("2D 1E 00 00 00 63", 0x5D),
        ("2E 1E 00 00 00 11 63", 0x33),
    ] {
        assert_eq!(bench.error(request), code, "{request}");
    }
    assert_eq!(bench.ask("1E 1E 00 00 00 06 01 00 01 D0 07"), "1E 00");
    bench.ask("E0 1E 00 00 00");
    assert_eq!(
        bench.error("1E 1E 00 00 00 06 01 00 01 D0 07"),
        0xC7,
        "rates stay while the shift is open"
    );
    let serial = bench.command("1F", &[18, 1, 0, 1]);
    assert_eq!(serial[2..18], *b"0012345678901234");
    assert_eq!(serial.len(), 2 + 21, "padded to the width of the field");
    let long = [&[4_u8, 14, 0, 1][..], &[b'x'; 64]].concat();
    assert_eq!(error_of(&bench.command("1E", &long)), 0);
    assert_eq!(error_of(&bench.command("1E", &[&long[..], b"x"].concat())), 0x7E);
}

#[test]
fn a_report_that_the_fn_refused_stays_begun_with_its_tags() {
    let mut bench = Bench::new(config());
    assert_eq!(bench.ask("FF 41 1E 00 00 00"), "FF 41 00");
    assert_eq!(error_of(&bench.exchange(&document_tag(1021, b"Ivanova"))), 0);
    bench.fault(FaultKind::ClockSkew { seconds: -600 }, Trigger::Now);
    assert_eq!(bench.error("E0 1E 00 00 00"), 0x07);
    assert_eq!(bench.command("FF 01", &[])[4..6], [0x02, 1]);
    bench.fault(FaultKind::ClockSkew { seconds: 600 }, Trigger::Now);
    bench.ask("E0 1E 00 00 00");
    let fd = bench.last_fd();
    assert_eq!(text(&bench.read_document(fd), 1021).as_deref(), Some("Ivanova"));
    assert_eq!(bench.command("FF 01", &[])[4], 0);
}

#[test]
fn a_line_is_no_document_that_skipping_counts() {
    let mut bench = Bench::in_shift(config());
    bench.ask("1E 1E 00 00 00 11 01 00 07 01");
    bench.ask("2F 1E 00 00 00 02 01 54");
    bench.ask("29 1E 00 00 00 02 01");
    assert_eq!(bench.ask("1F 1E 00 00 00 11 01 00 07"), "1F 00 01");
    bench.ask("40 1E 00 00 00");
    assert_eq!(bench.ask("1F 1E 00 00 00 11 01 00 07"), "1F 00 00");
}

#[test]
fn reports_of_a_shift_that_go_to_the_card_need_no_paper_and_receipts_do() {
    let mut bench = Bench::new(config());
    bench.fault(FaultKind::Paper { present: false }, Trigger::Now);
    assert_eq!(bench.error("E0 1E 00 00 00"), 0x6B);
    bench.ask("1E 1E 00 00 00 11 01 00 07 03");
    assert_eq!(bench.ask("E0 1E 00 00 00"), "E0 00 1E");
    assert_eq!(bench.error("8D 1E 00 00 00 00"), 0x6B);
    assert_eq!(bench.ask("41 1E 00 00 00"), "41 00 1E");
    bench.ask("1E 1E 00 00 00 11 01 00 07 02");
    bench.ask("E0 1E 00 00 00");
    bench.receipt();
}

#[test]
fn a_two_dimensional_barcode_that_cannot_be_is_refused_as_recorded() {
    let mut bench = Bench::new(config());
    for (parameters, answer) in [
        // Recorded: a QR code of dots of 2.
        ("03 0C 00 00 00 00 02 00 00 01", "DE 33"),
        ("03 0C 00 00 00 00 03 00 00 01", "DE 00 01"),
        ("03 00 00 00 00 00 03 00 00 01", "DE 33"),
        ("03 0C 00 00 29 00 03 00 00 01", "DE 33"),
        ("03 0C 00 00 00 00 03 00 04 01", "DE 33"),
        ("03 0C 00 00 00 00 03 00 00 03", "DE 33"),
        ("04 0C 00 00 00 00 03 00 00 01", "DE 33"),
        ("00 0C 00 00 00 00 02 00 00 01", "DE 00 01"),
        ("03 0C 00 00 00 00 03 00 00", "DE 7E"),
    ] {
        assert_eq!(
            bench.ask(&format!("DE 01 00 00 00 {parameters}")),
            answer,
            "{parameters}"
        );
    }
}

#[test]
fn skipping_one_document_resets_itself() {
    let mut bench = Bench::in_shift(config());
    bench.ask("1E 1E 00 00 00 11 01 00 07 01");
    bench.receipt();
    assert_eq!(bench.ask("1F 1E 00 00 00 11 01 00 07"), "1F 00 00");
}

#[test]
fn a_closed_receipt_shows_mode_8_with_submode_5_while_it_prints() {
    for printing in [Printing::Polls(2), Printing::Millis(500)] {
        let mut config = config();
        config.switches.printing = Some(printing);
        let mut bench = Bench::in_shift(config);
        bench.receipt();
        assert_eq!(bench.state(), (0x08, 5));
        assert_eq!(bench.error("8D 1E 00 00 00 00"), 0x50);
        assert_eq!(bench.last_fd(), 3, "the FN answers meanwhile");
        assert_eq!(bench.state(), (0x08, 5));
        bench.pass_ms(500);
        assert_eq!(bench.state(), (0x02, 0));
        bench.receipt();
    }
}

#[test]
fn realistic_time_is_that_of_the_captures() {
    let mut config = config();
    config.timing = Timing::Realistic;
    let mut bench = Bench::in_shift(config);
    bench.one_item();
    let before = bench.now.elapsed;
    assert_eq!(error_of(&bench.exchange(&close(0, 10_000))), 0);
    let took = (bench.now.elapsed - before).as_millis();
    assert!((366..=600).contains(&took), "FF45 took {took} ms");
    assert_eq!(bench.state(), (0x08, 5));
    let mut polls = 0;
    while bench.state() != (0x02, 0) {
        bench.pass_ms(100);
        polls += 1;
        assert!(polls < 30, "printing never ends");
    }
}

#[test]
fn extended_answers_carry_the_time_of_the_document() {
    let mut bench = Bench::new(config());
    bench.ask("1E 1E 00 00 00 11 01 00 24 01");
    bench.ask("E0 1E 00 00 00");
    bench.one_item();
    let answer = bench.exchange(&close(0, 10_000));
    assert_eq!(answer[16..], [26, 11, 22, 12, 30]);
    assert_eq!(bench.command("FF 43", &[]).len(), 3 + 10 + 5);
}
