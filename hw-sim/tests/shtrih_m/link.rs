//! ENQ, ACK, NAK, kept answers, damaged frames (`shtrih-m` 1.2).

use crate::bench::{Bench, config, frame, hex, unhex};
use kassette_hw_sim::machine::Machine;
use kassette_hw_sim::models::shtrih_m::{LinkKind, Timing};
use std::collections::BTreeMap;

const BEEP: &str = "13 1E 00 00 00";
const BEEP_ANSWER: &str = "02 03 13 00 1E 0E";

#[test]
fn an_idle_register_answers_enq_with_nak() {
    let mut bench = Bench::new(config());
    assert_eq!(bench.raw(&[0x05]), [0x15]);
    assert!(bench.register.between_exchanges());
}

#[test]
fn an_answer_is_kept_until_ack_and_comes_again_after_enq() {
    let mut bench = Bench::new(config());
    assert_eq!(hex(&bench.wire(&unhex(BEEP))), format!("06 {BEEP_ANSWER}"));
    assert!(!bench.register.between_exchanges());
    for _ in 0..3 {
        assert_eq!(hex(&bench.raw(&[0x05])), format!("06 {BEEP_ANSWER}"));
    }
    // NAK sends nothing by itself and keeps the answer.
    assert_eq!(bench.raw(&[0x15]), Vec::<u8>::new());
    assert_eq!(hex(&bench.raw(&[0x05])), format!("06 {BEEP_ANSWER}"));
    assert_eq!(bench.raw(&[0x06]), Vec::<u8>::new());
    assert_eq!(bench.raw(&[0x05]), [0x15]);
}

#[test]
fn an_answer_is_kept_over_a_new_connection_and_a_new_command_does_not_replace_it() {
    let mut bench = Bench::new(config());
    bench.wire(&unhex(BEEP));
    bench.register.linked(bench.now, false);
    bench.register.linked(bench.now, true);
    assert_eq!(bench.wire(&unhex("FC")), Vec::<u8>::new());
    assert_eq!(hex(&bench.raw(&[0x05])), format!("06 {BEEP_ANSWER}"));
    bench.raw(&[0x06]);
    assert_eq!(bench.ask("FC")[..5], *"FC 00");
}

#[test]
fn a_new_command_drops_a_kept_answer_when_the_switch_says_so() {
    let mut config = config();
    config.switches.frame_drops_kept_answer = true;
    let mut bench = Bench::new(config);
    bench.wire(&unhex(BEEP));
    assert_eq!(bench.ask("FC")[..5], *"FC 00");
}

#[test]
fn a_late_ack_does_not_count_when_the_switch_names_a_time() {
    let mut config = config();
    config.switches.confirm_timeout_ms = 100;
    let mut bench = Bench::new(config);
    bench.wire(&unhex(BEEP));
    bench.pass_ms(101);
    bench.raw(&[0x06]);
    assert_eq!(hex(&bench.raw(&[0x05])), format!("06 {BEEP_ANSWER}"));
    bench.raw(&[0x06]);
    assert_eq!(bench.raw(&[0x05]), [0x15]);
}

#[test]
fn a_frame_without_enq_and_behind_junk_is_taken() {
    let mut bench = Bench::new(config());
    let junk = [&[0x00, 0x00, 0xFF, 0x41][..], &frame(&unhex(BEEP))].concat();
    assert_eq!(hex(&bench.raw(&junk)), format!("06 {BEEP_ANSWER}"));
}

#[test]
fn a_damaged_frame_is_answered_with_nak_and_not_carried_out() {
    let mut bench = Bench::new(config());
    let mut bytes = frame(&unhex("E0 1E 00 00 00"));
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(bench.raw(&bytes), [0x15]);
    assert_eq!(bench.last_fd(), 1);
}

#[test]
fn a_frame_in_pieces_is_taken_and_one_that_stops_is_given_up() {
    for nak in [false, true] {
        let mut config = config();
        config.switches.nak_after_byte_timeout = nak;
        let mut bench = Bench::new(config);
        let bytes = frame(&unhex(BEEP));
        assert!(bench.raw(&bytes[..4]).is_empty());
        bench.pass_ms(99);
        assert_eq!(hex(&bench.raw(&bytes[4..])), format!("06 {BEEP_ANSWER}"));
        bench.raw(&[0x06]);
        assert!(bench.raw(&bytes[..4]).is_empty());
        bench.pass_ms(100);
        assert_eq!(bench.take(), if nak { vec![0x15] } else { vec![] });
        // What follows begins a new frame: the rest of the old one is junk.
        assert_eq!(hex(&bench.raw(&bytes)), format!("06 {BEEP_ANSWER}"));
    }
}

#[test]
fn enq_during_work_is_answered_with_ack_and_the_answer_comes_in_its_time() {
    let mut config = config();
    config.timing = Timing::Numbers(BTreeMap::from([("13".to_owned(), 300)]));
    let mut bench = Bench::new(config);
    assert_eq!(bench.raw(&frame(&unhex(BEEP))), [0x06]);
    bench.pass_ms(299);
    assert_eq!(bench.raw(&[0x05]), [0x06]);
    // A second command meanwhile is not looked at.
    assert!(bench.raw(&frame(&unhex("FC"))).is_empty());
    bench.pass_ms(1);
    assert_eq!(hex(&bench.take()), BEEP_ANSWER);
}

#[test]
fn tcp_sends_one_more_byte_after_the_ack() {
    let mut config = config();
    config.link = LinkKind::Tcp;
    let mut bench = Bench::new(config);
    bench.wire(&unhex(BEEP));
    assert_eq!(bench.raw(&[0x06]), [0xFF]);
    assert!(bench.raw(&[0x06]).is_empty());
}

#[test]
fn every_byte_is_survived_in_any_state() {
    let mut bench = Bench::in_shift(config());
    let mut chance = kassette_hw_sim::chance::Chance::from_seed(crate::bench::SEED);
    for _ in 0..20_000 {
        let length = chance.between(1, 40) as usize;
        let mut bytes: Vec<u8> = (0..length).map(|_| chance.draw() as u8).collect();
        if chance.between(0, 1) == 1 {
            bytes[0] = [0x10, 0x1E, 0x1F, 0x2D, 0x2E, 0x80, 0x85, 0x8D, 0xFC][chance.between(0, 8) as usize];
            if let Some(password) = bytes.get_mut(1..5) {
                password.copy_from_slice(&[30, 0, 0, 0]);
            }
            bytes = frame(&bytes);
        } else if chance.between(0, 1) == 1 {
            let mut payload = vec![0xFF, chance.between(0, 0x73) as u8, 30, 0, 0, 0];
            payload.extend_from_slice(&bytes);
            bytes = frame(&payload);
        }
        bench.raw(&bytes);
        bench.raw(&[0x06]);
        bench.pass_ms(120);
    }
    bench.raw(&[0x05]);
    bench.raw(&[0x06]);
    // It lives, and whatever was made has its number in order.
    let last = bench.records().len() as u32;
    assert_eq!(bench.last_fd(), last);
}
