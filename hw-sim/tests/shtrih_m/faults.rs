//! Faults: one document or none, and the same one after every kind of loss.

use crate::bench::{Bench, FN, close, config, error_of, frame, hex, item, payload_of, unhex};
use kassette_hw_sim::faults::{FaultError, FaultKind, FaultSpec, Trigger, When};
use kassette_hw_sim::fiscal_storage::{CalendarDay, Phase};
use kassette_hw_sim::machine::{Machine, Output};
use kassette_hw_sim::models::shtrih_m::Ffd;
use kassette_wire::shtrih::ErrorCode;

const BOTH: [(When, u32); 2] = [(When::Before, 2), (When::After, 3)];

fn at_closing(kind: FaultKind) -> Bench {
    let mut bench = Bench::in_shift(config());
    bench.one_item();
    bench.fault_at(kind, "FF45");
    bench
}

#[test]
fn a_dropped_reply_leaves_the_document_or_the_open_receipt_and_no_answer() {
    for (when, last) in BOTH {
        let mut bench = at_closing(FaultKind::DropReply { when });
        assert_eq!(bench.wire(&close(0, 10_000)), [0x06]);
        assert_eq!(bench.raw(&[0x05]), [0x15], "the answer is not kept");
        assert_eq!(bench.last_fd(), last);
        assert_eq!(bench.state().0, if when == When::Before { 0x08 } else { 0x02 });
    }
}

#[test]
fn every_error_code_can_come_before_and_after_the_document() {
    for (code, _) in ErrorCode::KNOWN.iter().filter(|(code, _)| *code != 0) {
        for (when, last) in BOTH {
            let mut bench = at_closing(FaultKind::Error { code: *code, when });
            assert_eq!(bench.exchange(&close(0, 10_000)), [0xFF, 0x45, *code]);
            assert_eq!(bench.last_fd(), last, "code {code:02X} {when:?}");
        }
    }
}

#[test]
fn a_power_cut_loses_the_open_receipt_and_the_answer_but_no_document() {
    for (when, last) in BOTH {
        let mut bench = at_closing(FaultKind::PowerCut { when, down_ms: 2_000 });
        bench.register.input(bench.now, &frame(&close(0, 10_000)));
        assert!(bench.take().is_empty());
        assert_eq!(bench.events, [Output::Close]);
        assert!(!bench.register.powered());
        assert!(bench.raw(&[0x05]).is_empty());
        bench.pass_ms(2_000);
        assert_eq!(bench.raw(&[0x05]), [0x15]);
        assert!(bench.register.powered());
        assert_eq!((bench.last_fd(), bench.state().0), (last, 2));
    }
}

#[test]
fn a_hang_ends_and_the_answer_of_what_was_done_is_still_kept() {
    for (when, last) in BOTH {
        let mut bench = at_closing(FaultKind::Hang {
            for_ms: Some(5_000),
            when,
        });
        let heard = bench.raw(&frame(&close(0, 10_000)));
        assert_eq!(heard, if when == When::Before { vec![] } else { vec![0x06] });
        bench.pass_ms(4_999);
        assert!(bench.raw(&[0x05]).is_empty());
        bench.pass_ms(1);
        let after = bench.raw(&[0x05]);
        if when == When::Before {
            assert_eq!(after, [0x15]);
        } else {
            assert_eq!(payload_of(&after[1..])[..3], unhex("FF 45 00"));
            bench.raw(&[0x06]);
        }
        assert_eq!(bench.last_fd(), last);
    }
}

#[test]
fn a_hang_without_an_end_is_ended_by_a_power_cut() {
    let mut bench = Bench::new(config());
    bench.fault(
        FaultKind::Hang {
            for_ms: None,
            when: When::Before,
        },
        Trigger::Now,
    );
    bench.pass_hours(10);
    assert!(bench.raw(&[0x05]).is_empty());
    assert_eq!(bench.register.next_wake(), None);
    bench.fault(
        FaultKind::PowerCut {
            when: When::Before,
            down_ms: 0,
        },
        Trigger::Now,
    );
    assert_eq!(bench.raw(&[0x05]), [0x15]);
}

#[test]
fn a_garbled_answer_comes_whole_after_nak_and_enq() {
    let mut bench = at_closing(FaultKind::Garble);
    let damaged = bench.wire(&close(0, 10_000));
    let payload = &damaged[3..damaged.len() - 1];
    assert_ne!(frame(payload), damaged[1..], "the LRC is right");
    assert!(bench.raw(&[0x15]).is_empty());
    let again = bench.raw(&[0x05]);
    assert_eq!(payload_of(&again[1..])[..3], unhex("FF 45 00"));
    bench.raw(&[0x06]);
    assert_eq!(bench.last_fd(), 3);
}

#[test]
fn a_stale_reply_is_the_good_answer_of_an_earlier_command() {
    let mut bench = Bench::in_shift(config());
    let first = bench.receipt();
    bench.one_item();
    bench.fault_at(
        FaultKind::StaleReply {
            of: Some("FF45".to_owned()),
        },
        "FF45",
    );
    let answer = bench.exchange(&close(0, 10_000));
    assert_eq!(answer[8..12], first.to_le_bytes(), "number of the receipt before");
    assert_eq!(bench.last_fd(), first + 1, "while the new one was made");

    bench.fault(FaultKind::StaleReply { of: None }, Trigger::NthExchange(1));
    assert_eq!(
        bench.ask("13 1E 00 00 00")[..5],
        *"FF 01",
        "the answer to another command"
    );
    assert_eq!(bench.ask("13 1E 00 00 00"), "13 00 1E");
}

#[test]
fn a_late_reply_comes_late_and_slow_delays_every_answer() {
    let mut bench = at_closing(FaultKind::LateReply { by_ms: 40_000 });
    assert_eq!(bench.raw(&frame(&close(0, 10_000))), [0x06]);
    bench.pass_ms(39_999);
    assert_eq!(bench.raw(&[0x05]), [0x06], "still at work");
    assert_eq!(bench.records().len(), 3, "the document stands long before its answer");
    bench.pass_ms(1);
    assert_eq!(payload_of(&bench.take())[..3], unhex("FF 45 00"));
    bench.raw(&[0x06]);

    bench.fault(FaultKind::Slow { add_ms: 300 }, Trigger::Now);
    for _ in 0..2 {
        assert_eq!(bench.raw(&frame(&unhex("13 1E 00 00 00"))), [0x06]);
        bench.pass_ms(300);
        assert_eq!(payload_of(&bench.take()), unhex("13 00 1E"));
        bench.raw(&[0x06]);
    }
    bench.fault(FaultKind::Slow { add_ms: 0 }, Trigger::Now);
    assert_eq!(bench.raw(&frame(&unhex("13 1E 00 00 00"))).len(), 7);
}

#[test]
fn an_unplug_lets_the_document_be_made_or_not_and_keeps_the_answer() {
    for (when, last) in BOTH {
        let mut bench = at_closing(FaultKind::Unplug { when });
        bench.register.input(bench.now, &frame(&close(0, 10_000)));
        bench.take();
        assert_eq!(bench.events, [Output::Unplug]);
        bench.register.linked(bench.now, false);
        bench.fault(
            FaultKind::Replug {
                name: Some("other".to_owned()),
            },
            Trigger::Now,
        );
        bench.take();
        assert_eq!(
            bench.events[1],
            Output::Replug {
                name: Some("other".to_owned())
            }
        );
        bench.register.linked(bench.now, true);
        let heard = bench.raw(&[0x05]);
        assert_eq!(heard[0], if when == When::Before { 0x15 } else { 0x06 });
        bench.raw(&[0x06]);
        assert_eq!(bench.last_fd(), last);
    }
}

#[test]
fn a_killed_process_loses_the_open_receipt_and_nothing_else() {
    let mut bench = Bench::in_shift(config());
    let fd = bench.receipt();
    assert_eq!(bench.ask("1E 1E 00 00 00 11 01 00 07 02"), "1E 00");
    bench.one_item();
    let before = bench.records();
    let mut bench = bench.restart();
    assert_eq!(bench.state().0, 2, "the shift is open, the receipt is gone");
    assert_eq!(bench.last_fd(), fd);
    assert_eq!(bench.ask("FF 40 1E 00 00 00"), "FF 40 00 01 01 00 01 00");
    assert_eq!(bench.ask("1F 1E 00 00 00 11 01 00 07"), "1F 00 02", "settings stay");
    assert_eq!(bench.receipt(), fd + 1);
    assert_eq!(bench.records()[..before.len()], before);
}

#[test]
fn a_failing_fn_answers_its_code_everywhere_and_makes_nothing() {
    let mut bench = Bench::in_shift(config());
    bench.one_item();
    bench.fault(FaultKind::FnFault { code: 3 }, Trigger::Now);
    assert_eq!(error_of(&bench.exchange(&close(0, 10_000))), 3);
    for read in [
        "FF 01 1E 00 00 00",
        "FF 39 1E 00 00 00",
        "FF 0A 1E 00 00 00 01 00 00 00",
    ] {
        assert_eq!(bench.error(read), 3);
    }
    assert_eq!(bench.error("10 1E 00 00 00"), 0, "the register itself lives");
    bench.fault(FaultKind::FnFault { code: 0 }, Trigger::Now);
    assert_eq!(bench.last_fd(), 2);
    assert_eq!(error_of(&bench.exchange(&close(0, 10_000))), 0);
}

#[test]
fn a_full_or_expired_fn_takes_no_receipt_but_lets_the_shift_close() {
    for (kind, ffd, code) in [
        (FaultKind::FnFill, Ffd::V12, 0x12),
        (FaultKind::FnFill, Ffd::V105, 0x06),
        (FaultKind::FnExpire, Ffd::V12, 0x05),
    ] {
        let mut config = config();
        config.ffd = ffd;
        let mut bench = Bench::in_shift(config);
        bench.fault(kind, Trigger::Now);
        assert_eq!(bench.error("8D 1E 00 00 00 00"), code);
        let flags = bench.command("FF 01", &[])[7];
        assert_ne!(flags & 0x07, 0, "a warning flag is set");
        assert_eq!(bench.ask("41 1E 00 00 00"), "41 00 1E");
        assert_eq!(bench.error("E0 1E 00 00 00"), code);
        let mut bench = bench.restart();
        assert_eq!(bench.error("E0 1E 00 00 00"), code, "also after a restart");
    }
}

#[test]
fn another_fn_brings_its_own_number_and_documents() {
    let mut bench = Bench::in_shift(config());
    let expiry = CalendarDay::try_from("2028-01-31".to_owned()).unwrap();
    let number = "9999078900005678".to_owned();
    let kind = FaultKind::FnReplace {
        number: number.clone(),
        phase: Phase::Fiscal,
        documents_left: 100,
        expiry,
    };
    bench.fault(kind, Trigger::Now);
    bench.take();
    assert_eq!(bench.events, [Output::Close]);
    let mut bench = bench.restart();
    assert_eq!((bench.state().0, bench.last_fd()), (4, 1));
    assert_eq!(bench.command("FF 02", &[])[3..], *number.as_bytes());
    assert_eq!(bench.command("1F", &[18, 1, 0, 4])[2..18], *number.as_bytes());
    assert_eq!(hex(&bench.command("FF 03", &[])), "FF 03 00 1C 01 1F");
    assert_eq!(bench.shelf.records(FN).len(), 2, "the old FN keeps what it has");
}

#[test]
fn paper_that_runs_out_waits_for_continue_print() {
    let mut config = config();
    config.switches.printing = Some(kassette_hw_sim::switches::Printing::Millis(2_000));
    let mut bench = Bench::in_shift(config);
    bench.fault(FaultKind::Paper { present: false }, Trigger::Now);
    assert_eq!(bench.state().1, 1);
    assert_eq!(bench.error("8D 1E 00 00 00 00"), 0x6B);
    bench.fault(FaultKind::Paper { present: true }, Trigger::Now);
    bench.receipt();
    bench.fault(FaultKind::Paper { present: false }, Trigger::Now);
    assert_eq!(bench.state().1, 2);
    bench.fault(FaultKind::Paper { present: true }, Trigger::Now);
    assert_eq!(bench.state().1, 3);
    assert_eq!(bench.error("8D 1E 00 00 00 00"), 0x58);
    assert_eq!(bench.ask("B0 1E 00 00 00"), "B0 00 1E");
    assert_eq!(bench.error("B0 1E 00 00 00"), 0x72);
    bench.pass_ms(2_000);
    assert_eq!(bench.state(), (2, 0));

    // A register that prints nothing needs no paper.
    bench.ask("1E 1E 00 00 00 11 01 00 07 02");
    bench.fault(FaultKind::Paper { present: false }, Trigger::Now);
    bench.receipt();
}

#[test]
fn triggers_count_exchanges_or_commands_and_happen_once() {
    let mut bench = Bench::in_shift(config());
    bench.fault(
        FaultKind::Error {
            code: 0x50,
            when: When::Before,
        },
        Trigger::NthExchange(3),
    );
    let third = Trigger::Command {
        code: "ff01".to_owned(),
        nth: 2,
    };
    bench.fault(
        FaultKind::Error {
            code: 0x30,
            when: When::Before,
        },
        third,
    );
    assert_eq!(bench.register.snapshot().armed_faults, 2);
    let errors: Vec<u8> = ["FF 01", "13", "13", "FF 01", "FF 01", "13"]
        .map(|code| error_of(&bench.command(code, &[])))
        .to_vec();
    assert_eq!(errors, [0, 0, 0x50, 0x30, 0, 0]);
    assert_eq!(bench.register.snapshot().armed_faults, 0);
}

#[test]
fn a_trigger_that_makes_no_sense_is_refused() {
    let mut bench = Bench::new(config());
    let mut arm = |trigger| {
        bench.register.fault(
            bench.now,
            FaultSpec {
                kind: FaultKind::Garble,
                trigger,
            },
        )
    };
    for code in ["", "F", "FF4", "XY", "1234", "+1", "FF455"] {
        let trigger = Trigger::Command {
            code: code.to_owned(),
            nth: 1,
        };
        assert_eq!(arm(trigger), Err(FaultError::Code(code.to_owned())));
    }
    assert_eq!(arm(Trigger::NthExchange(0)), Err(FaultError::Zero));
}

#[test]
fn the_bench_sees_exchanges_bytes_and_what_was_made() {
    let mut bench = Bench::in_shift(config());
    bench.register.take_exchanges();
    let before = bench.register.snapshot();
    bench.receipt();
    let after = bench.register.snapshot();
    assert_eq!(after.exchanges - before.exchanges, 3);
    assert_eq!(after.last_command.as_deref(), Some("FF45"));
    let sent = frame(&unhex("8D 1E 00 00 00 00")).len()
        + frame(&item("Товар", 1, 1, None, 1)).len()
        + frame(&close(0, 1)).len()
        + 3;
    assert_eq!(
        after.bytes_in - before.bytes_in,
        sent as u64,
        "three frames and three ACKs"
    );
    assert_eq!(after.bytes_out - before.bytes_out, (3 + 6 + 6 + 19) as u64);
    let exchanges = bench.register.take_exchanges();
    let seen: Vec<_> = exchanges.iter().map(|e| (e.command.as_str(), e.error, e.fd)).collect();
    assert_eq!(seen, [("8D", 0, None), ("FF46", 0, None), ("FF45", 0, Some(3))]);
}

#[test]
fn an_exchange_lost_on_the_line_leaves_no_byte_and_a_command_that_was_done_keeps_its_answer() {
    for (when, last) in BOTH {
        let mut bench = at_closing(FaultKind::Lost { when });
        assert!(bench.wire(&close(0, 10_000)).is_empty());
        let asked = bench.raw(&[0x05]);
        match when {
            When::Before => assert_eq!(asked, [0x15]),
            When::After => assert_eq!(payload_of(&asked[1..])[..3], unhex("FF 45 00")),
        }
        bench.raw(&[0x06]);
        assert_eq!(bench.last_fd(), last);
    }
}

#[test]
fn a_damaged_command_is_answered_by_nak_and_not_carried_out() {
    let mut bench = at_closing(FaultKind::GarbleRequest);
    assert_eq!(bench.wire(&close(0, 10_000)), [0x15]);
    assert_eq!((bench.last_fd(), bench.state().0), (2, 8));
}

#[test]
fn a_cut_answer_comes_whole_when_it_is_asked_for_again() {
    for keep in [0, 1, 3, 5, 10_000] {
        let mut bench = at_closing(FaultKind::CutReply { keep });
        let cut = bench.wire(&close(0, 10_000));
        let whole = bench.raw(&[0x05]);
        assert_eq!(cut.len(), 1 + keep.min(whole.len() - 2), "ACK and what still came");
        assert_eq!(payload_of(&whole[1..])[..3], unhex("FF 45 00"));
        bench.raw(&[0x06]);
        assert_eq!(bench.last_fd(), 3);
    }
}

#[test]
fn a_duplicated_answer_comes_again_at_its_time_and_holds_up_nothing() {
    let mut bench = at_closing(FaultKind::DuplicateReply { after_ms: 700 });
    let first = bench.raw(&frame(&close(0, 10_000)));
    bench.raw(&[0x06]);
    bench.pass_ms(500);
    let between = bench.raw(&frame(&unhex("13 1E 00 00 00")));
    assert_eq!(payload_of(&between[1..]), unhex("13 00 1E"), "nothing waits behind it");
    bench.raw(&[0x06]);
    bench.pass_ms(200);
    assert_eq!(bench.take(), first[1..], "the same bytes again");
    bench.pass_ms(10_000);
    assert!(bench.take().is_empty());
    assert_eq!(bench.last_fd(), 3);
}
