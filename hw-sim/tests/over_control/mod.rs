//! Every kind of fault over the control port, as a peer meets it on link v1 and v2, on a serial line and on TCP.
//!
//! Owns: four registers, one for each link, and a peer that speaks each.
//! Must never: look at anything but the port, the control port and the ledger's numbers.

use crate::simulator::{Simulator, close_shift, open_shift, sale_free_command};
use peer::Peer;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

mod peer;

/// What makes a document here: E0 is number 2 of a fresh FN.
const E0: &str = "E0";
const NOT_CARRIED_OUT: u64 = 1;
const CARRIED_OUT: u64 = 2;

/// A register under test.
struct Stand<'s> {
    simulator: &'s Simulator,
    serial: String,
    at: usize,
}

impl Stand<'_> {
    fn path(&self, verb: &str) -> String {
        format!("/registers/{}/{verb}", self.serial)
    }

    fn peer(&self) -> Peer {
        let port = self.observe()["port"].as_str().unwrap().to_owned();
        Peer::new(self.simulator.open(&port), self.at % 2 == 1, self.at >= 2)
    }

    fn arm(&self, kind: Value, trigger: Value) {
        let armed = self
            .simulator
            .post(&self.path("faults"), &json!({ "kind": kind, "trigger": trigger }));
        assert_eq!(armed["armed"], 1);
    }

    fn now(&self, kind: Value) {
        self.arm(kind, json!("now"));
    }

    /// At the next opening of the shift.
    fn at_e0(&self, kind: Value) {
        self.arm(kind, json!({ "command": { "code": E0 } }));
    }

    fn verb(&self, verb: &str, body: Value) -> Value {
        self.simulator.post(&self.path(verb), &body)
    }

    fn observe(&self) -> Value {
        self.simulator.get(&format!("/registers/{}", self.serial))
    }

    fn last_fd(&self) -> u64 {
        self.observe()["last_fd"].as_u64().unwrap()
    }

    /// Waits for the first event of this name behind `after`; its number.
    fn event(&self, name: &str, mut after: u64) -> u64 {
        loop {
            let events = self
                .simulator
                .get(&self.path(&format!("events?after={after}&wait_ms=20000")));
            let listed = events["events"].as_array().unwrap();
            assert!(!listed.is_empty(), "{name} did not happen");
            if let Some(found) = listed.iter().find(|event| event["event"] == name) {
                return found["seq"].as_u64().unwrap();
            }
            after = events["last"].as_u64().unwrap();
        }
    }

    fn last_event(&self) -> u64 {
        self.observe()["last_event"].as_u64().unwrap()
    }
}

/// Serial line with v1 and v2, TCP with v1 and v2: each with a fresh register.
fn on_every_link(test: impl Fn(&Stand<'_>)) {
    let rack: String = (1..=4)
        .map(|n| {
            let (link, v2) = (if n > 2 { "tcp" } else { "pty" }, n % 2 == 0);
            format!(
                "[[register]]\nvendor = \"shtrih-m\"\nmodel = \"РИТЕЙЛ-01Ф\"\nserial = \"{n:012}\"\ninn = \"7704358518\"\n\
                 link = \"{link}\"\nswitches = {{ link_v2 = {v2} }}\n\
                 fn = {{ number = \"9999{n:012}\", expiry = \"2028-11-22\" }}\n"
            )
        })
        .collect();
    let simulator = Simulator::start(&rack);
    for at in 0..4 {
        let serial = format!("{:012}", at + 1);
        println!("register {serial}, {}", simulator.port(at));
        let simulator = &simulator;
        test(&Stand { simulator, serial, at });
    }
}

#[test]
fn a_pulled_cable_ends_the_line_and_comes_back_under_its_name_or_another() {
    on_every_link(|stand| {
        let mut peer = stand.peer();
        stand.verb("unplug", json!({}));
        peer.expect_end();
        assert_eq!(stand.observe()["plugged"], false);
        let other = if stand.at < 2 {
            json!({ "name": format!("other-{}", stand.at) })
        } else {
            json!({})
        };
        let port = stand.verb("replug", other.clone())["port"].as_str().unwrap().to_owned();
        assert!(port.ends_with(other["name"].as_str().unwrap_or("")), "{port}");
        let mut peer = stand.peer();
        assert_eq!(peer.ask(&sale_free_command())[..2], [0xFC, 0x00]);
        // By faults, at a command: the document stands or not, and the cable is out.
        stand.at_e0(json!({ "unplug": { "when": "after" } }));
        peer.send(&open_shift());
        peer.expect_end();
        assert_eq!(stand.last_fd(), CARRIED_OUT);
        stand.now(json!({ "replug": {} }));
        let mut peer = stand.peer();
        // v1 kept its answer for whoever comes next; v2 begins a connection without one.
        assert_eq!(peer.kept(), (!peer.is_v2()).then(|| vec![0xE0, 0x00, 30]));
        assert_eq!(peer.ask(&sale_free_command())[..2], [0xFC, 0x00]);
    });
}

#[test]
fn a_dropped_reply_leaves_a_document_or_none_and_the_link_goes_on() {
    for (when, last) in [("before", NOT_CARRIED_OUT), ("after", CARRIED_OUT)] {
        on_every_link(|stand| {
            let mut peer = stand.peer();
            let begin = stand.last_event();
            stand.at_e0(json!({ "drop_reply": { "when": when } }));
            peer.send(&open_shift());
            peer.expect_accepted();
            stand.event("exchange", begin);
            assert_eq!(stand.last_fd(), last);
            // v1 has lost the answer; v2 keeps it for its number, or takes the frame for the first time.
            let again = peer.recover();
            assert_eq!(again.is_some(), peer.is_v2(), "{again:02X?}");
            assert_eq!(peer.ask(&sale_free_command())[..2], [0xFC, 0x00]);
            let last = if peer.is_v2() { CARRIED_OUT } else { last };
            assert_eq!(stand.last_fd(), last, "asking for the answer made a document");
        });
    }
}

#[test]
fn a_garbled_answer_comes_whole_when_it_is_asked_for_again() {
    on_every_link(|stand| {
        let mut peer = stand.peer();
        let begin = stand.last_event();
        stand.at_e0(json!("garble"));
        peer.send(&open_shift());
        peer.expect_accepted();
        stand.event("exchange", begin);
        assert_eq!(peer.recover_damaged(), [0xE0, 0x00, 30]);
        assert_eq!(stand.last_fd(), CARRIED_OUT);
    });
}

#[test]
fn any_error_comes_before_or_after_the_work_at_the_exchange_that_is_named() {
    for (when, last) in [("before", NOT_CARRIED_OUT), ("after", CARRIED_OUT)] {
        on_every_link(|stand| {
            let mut peer = stand.peer();
            stand.arm(
                json!({ "error": { "code": 0x50, "when": when } }),
                json!({ "nth_exchange": 2 }),
            );
            assert_eq!(peer.ask(&sale_free_command())[..2], [0xFC, 0x00]);
            assert_eq!(peer.ask(&open_shift()), [0xE0, 0x50]);
            assert_eq!(stand.last_fd(), last);
        });
    }
}

#[test]
fn a_hang_swallows_what_comes_and_ends_in_its_time_or_by_a_power_cut() {
    on_every_link(|stand| {
        let mut peer = stand.peer();
        let begin = stand.last_event();
        stand.at_e0(json!({ "hang": { "for_ms": 300, "when": "after" } }));
        let sent = Instant::now();
        peer.send(&open_shift());
        stand.event("exchange", begin);
        assert_eq!(stand.last_fd(), CARRIED_OUT);
        peer.recover_in_time();
        assert!(sent.elapsed() >= Duration::from_millis(300), "{:?}", sent.elapsed());
        // Without an end.
        stand.now(json!({ "hang": {} }));
        peer.send(&close_shift());
        let begin = stand.last_event();
        stand.now(json!({ "power_cut": { "when": "before", "down_ms": 0 } }));
        stand.event("port_up", begin);
        let mut peer = stand.peer();
        assert_eq!(peer.ask(&sale_free_command())[..2], [0xFC, 0x00]);
        assert_eq!(stand.last_fd(), CARRIED_OUT, "the command of the hang was carried out");
    });
}

#[test]
fn a_power_cut_ends_the_line_and_the_register_returns_with_its_documents() {
    for (when, last) in [("before", NOT_CARRIED_OUT), ("after", CARRIED_OUT)] {
        on_every_link(|stand| {
            let mut peer = stand.peer();
            let begin = stand.last_event();
            stand.at_e0(json!({ "power_cut": { "when": when, "down_ms": 50 } }));
            peer.send(&open_shift());
            peer.expect_end();
            stand.event("port_up", begin);
            assert_eq!(stand.peer().ask(&sale_free_command())[..2], [0xFC, 0x00]);
            assert_eq!(stand.last_fd(), last);
        });
    }
}

#[test]
fn an_fn_fails_is_full_is_past_its_term_and_is_replaced() {
    on_every_link(|stand| {
        let mut peer = stand.peer();
        stand.now(json!({ "fn_fault": { "code": 3 } }));
        assert_eq!(peer.ask(&open_shift()), [0xE0, 0x03]);
        stand.now(json!({ "fn_fault": { "code": 0 } }));
        assert_eq!(peer.ask(&open_shift()), [0xE0, 0x00, 30]);
        assert_eq!(peer.ask(&close_shift())[1], 0);
        stand.now(json!("fn_fill"));
        let full = peer.ask(&open_shift());
        assert!(full.len() == 2 && full[1] != 0, "{full:02X?}");
        let begin = stand.last_event();
        let number = format!("9999{:012}", 70 + stand.at);
        let fresh = json!({ "number": number, "phase": "fiscal", "documents_left": 10, "expiry": "2028-11-22" });
        stand.now(json!({ "fn_replace": fresh }));
        stand.event("port_up", begin);
        assert_eq!(stand.observe()["fn_number"], *number);
        let mut peer = stand.peer();
        stand.now(json!("fn_expire"));
        let expired = peer.ask(&open_shift());
        assert!(expired.len() == 2 && expired[1] != 0, "{expired:02X?}");
        assert_eq!(stand.last_fd(), NOT_CARRIED_OUT);
    });
}

#[test]
fn a_skewed_clock_shows_in_the_state_and_paper_in_the_submode() {
    on_every_link(|stand| {
        let mut peer = stand.peer();
        // 11: hour, minute and second behind the date.
        let seconds = |answer: &[u8]| {
            let time: Vec<i64> = answer[28..31].iter().map(|byte| i64::from(*byte)).collect();
            time[0] * 3600 + time[1] * 60 + time[2]
        };
        let before = seconds(&peer.ask(&[0x11, 30, 0, 0, 0]));
        stand.now(json!({ "clock_skew": { "seconds": -7200 } }));
        assert_eq!(stand.observe()["clock_skew_seconds"], -7200);
        let back = (before - seconds(&peer.ask(&[0x11, 30, 0, 0, 0]))).rem_euclid(86_400);
        assert!((7140..=7200).contains(&back), "{back} s");
        for (present, submode) in [(false, 1), (true, 0)] {
            stand.now(json!({ "paper": { "present": present } }));
            assert_eq!(peer.ask(&[0x10, 30, 0, 0, 0])[6], submode);
        }
    });
}

#[test]
fn slow_delays_every_answer_and_a_late_reply_one() {
    on_every_link(|stand| {
        let mut peer = stand.peer();
        let mut asked = || {
            let begin = Instant::now();
            assert_eq!(peer.ask(&sale_free_command())[..2], [0xFC, 0x00]);
            begin.elapsed() >= Duration::from_millis(150)
        };
        stand.now(json!({ "slow": { "add_ms": 150 } }));
        assert!(asked() && asked());
        stand.now(json!({ "slow": { "add_ms": 0 } }));
        stand.now(json!({ "late_reply": { "by_ms": 150 } }));
        assert!(asked());
        assert_eq!(stand.observe()["armed_faults"], 0);
    });
}

#[test]
fn a_stale_reply_has_the_code_of_an_earlier_command() {
    on_every_link(|stand| {
        let mut peer = stand.peer();
        assert_eq!(peer.ask(&[0x13, 30, 0, 0, 0]), [0x13, 0x00, 30]);
        stand.at_e0(json!({ "stale_reply": { "of": "13" } }));
        assert_eq!(peer.ask(&open_shift()), [0x13, 0x00, 30]);
        assert_eq!(stand.last_fd(), CARRIED_OUT);
    });
}

#[test]
fn tickets_stop_while_the_ofd_is_down_and_come_when_it_is_back() {
    on_every_link(|stand| {
        let mut peer = stand.peer();
        // FF3F: documents without a ticket.
        let waiting = |peer: &mut Peer| {
            let answer = peer.ask(&[0xFF, 0x3F, 30, 0, 0, 0]);
            u16::from_le_bytes([answer[3], answer[4]])
        };
        let minute = json!({ "shift_ms": 60_000 });
        stand.simulator.post("/clock", &minute);
        assert_eq!(waiting(&mut peer), 0, "the registration has its ticket");
        stand.now(json!({ "ofd_down": { "down": true } }));
        assert_eq!(peer.ask(&open_shift())[1], 0);
        stand.simulator.post("/clock", &minute);
        assert_eq!(waiting(&mut peer), 1);
        stand.now(json!({ "ofd_down": { "down": false } }));
        assert_eq!(waiting(&mut peer), 0);
    });
}

#[test]
fn a_held_register_takes_one_exchange_for_each_step_and_all_after_the_release() {
    on_every_link(|stand| {
        let mut peer = stand.peer();
        assert_eq!(stand.verb("hold", json!({}))["gate"], json!({ "held": { "left": 0 } }));
        peer.send(&sale_free_command());
        let begin = stand.last_event();
        stand.verb("step", json!({ "count": 1 }));
        assert_eq!(peer.answer()[..2], [0xFC, 0x00]);
        stand.event("exchange", begin);
        peer.send(&open_shift());
        assert_eq!(stand.last_fd(), NOT_CARRIED_OUT);
        stand.verb("release", json!({}));
        assert_eq!(peer.answer(), [0xE0, 0x00, 30]);
        assert_eq!(
            (stand.last_fd(), &stand.observe()["gate"]),
            (CARRIED_OUT, &json!("open"))
        );
    });
}
