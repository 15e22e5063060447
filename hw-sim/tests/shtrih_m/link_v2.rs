//! Frames with numbers, sync, repeated numbers (`shtrih-m` 1.4). The frames are made here, byte by byte.

use crate::bench::{Bench, config, frame, hex, unhex};
use kassette_hw_sim::faults::{FaultKind, When};
use kassette_hw_sim::machine::Machine;
use kassette_hw_sim::models::shtrih_m::{Config, LinkKind, Timing};
use std::collections::BTreeMap;

const SYNC: &str = "8F 00 00 0F 1D";
const EMPTY_ANSWER: &str = "8F 02 00 01 00 99 5A";
const OPEN_SHIFT: &str = "E0 1E 00 00 00";

fn v2_config() -> Config {
    let mut config = config();
    config.switches.link_v2 = true;
    config
}

/// CRC of the reference: FFFF, 1021, not reflected.
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte) << 8, |sum, _| {
            if sum & 0x8000 == 0 { sum << 1 } else { sum << 1 ^ 0x1021 }
        })
    })
}

fn numbered(number: u16, data: &str) -> Vec<u8> {
    let data = unhex(data);
    let mut plain = (data.len() as u16 + 2).to_le_bytes().to_vec();
    plain.extend_from_slice(&number.to_le_bytes());
    plain.extend(data);
    plain.extend_from_slice(&crc(&plain).to_le_bytes());
    let stuffed = plain.iter().flat_map(|byte| match byte {
        0x8F => vec![0x9F, 0x81],
        0x9F => vec![0x9F, 0x83],
        byte => vec![*byte],
    });
    [0x8F].into_iter().chain(stuffed).collect()
}

fn exchange(bench: &mut Bench, number: u16, data: &str) -> String {
    let mut out = bench.raw(&numbered(number, data));
    out.extend(bench.wait());
    hex(&out)
}

fn kept(number: u16, data: &str) -> String {
    hex(&numbered(number, data))
}

#[test]
fn sync_and_identity_are_the_frames_of_the_reference() {
    let mut bench = Bench::new(v2_config());
    assert_eq!(hex(&bench.raw(&unhex(SYNC))), EMPTY_ANSWER);
    let answer = "FC 00 00 00 01 0E 16 00 D0 C8 D2 C5 C9 CB 2D 30 31 D4";
    assert_eq!(hex(&bench.raw(&unhex("8F 03 00 02 00 FC 2D BF"))), kept(2, answer));
    // The last answer again, with its number.
    assert_eq!(hex(&bench.raw(&unhex(SYNC))), kept(2, answer));
    assert!(bench.register.between_exchanges(), "v2 waits for no ACK");
}

#[test]
fn a_repeated_number_is_answered_again_and_not_carried_out_again() {
    let mut bench = Bench::new(v2_config());
    assert_eq!(exchange(&mut bench, 2, OPEN_SHIFT), kept(2, "E0 00 1E"));
    assert_eq!(bench.records().len(), 2);
    for _ in 0..3 {
        assert_eq!(exchange(&mut bench, 2, OPEN_SHIFT), kept(2, "E0 00 1E"));
    }
    // The command code is not compared: only the number counts.
    assert_eq!(exchange(&mut bench, 2, "FC"), kept(2, "E0 00 1E"));
    assert_eq!(bench.records().len(), 2);
    assert_eq!(exchange(&mut bench, 3, OPEN_SHIFT), kept(3, "E0 73"));
}

#[test]
fn any_other_number_gets_the_last_answer_and_the_host_goes_on_from_it() {
    let mut bench = Bench::new(v2_config());
    assert_eq!(exchange(&mut bench, 7, OPEN_SHIFT), EMPTY_ANSWER);
    assert_eq!(exchange(&mut bench, 1, OPEN_SHIFT), EMPTY_ANSWER);
    assert_eq!(bench.records().len(), 1);
    assert_eq!(exchange(&mut bench, 2, "13 1E 00 00 00"), kept(2, "13 00 1E"));
    assert_eq!(exchange(&mut bench, 9, OPEN_SHIFT), kept(2, "13 00 1E"));
    assert_eq!(bench.records().len(), 1);
}

#[test]
fn stuffed_bytes_are_read_and_written() {
    let mut bench = Bench::new(v2_config());
    for number in 2..0x8F {
        exchange(&mut bench, number, "13 1E 00 00 00");
    }
    let asked = unhex("8F 07 00 9F 81 00 10 1E 00 00 00 6E 35");
    assert_eq!(asked, numbered(0x8F, "10 1E 00 00 00"));
    let answer = bench.raw(&asked);
    assert_eq!(answer[..8], unhex("8F 12 00 9F 81 00 10 00"));
}

#[test]
fn a_damaged_frame_is_passed_over_in_silence_and_a_bare_8f_begins_anew() {
    let mut bench = Bench::new(v2_config());
    let good = numbered(2, OPEN_SHIFT);
    let mut flipped = good.clone();
    flipped[6] ^= 1;
    assert!(bench.raw(&flipped).is_empty());
    assert!(bench.raw(&unhex("8F 01 00 07")).is_empty());
    assert!(bench.raw(&unhex("8F 9F 00")).is_empty());
    assert_eq!(bench.records().len(), 1);
    assert!(bench.raw(&good[..5]).is_empty());
    assert_eq!(hex(&bench.raw(&good)), kept(2, "E0 00 1E"));
    // A frame whose bytes stop is given up, also where v1 would say NAK.
    assert!(bench.raw(&numbered(3, OPEN_SHIFT)[..5]).is_empty());
    bench.pass_ms(150);
    assert!(bench.raw(&numbered(3, OPEN_SHIFT)[5..]).is_empty());
}

#[test]
fn the_first_byte_chooses_and_only_power_or_command_14_lets_choose_again() {
    let mut bench = Bench::new(v2_config());
    // Junk chooses nothing.
    assert!(bench.raw(&[0x00, 0xFF, 0x41]).is_empty());
    assert_eq!(bench.raw(&[0x05]), [0x15]);
    assert!(bench.raw(&unhex(SYNC)).is_empty(), "v1 stays");
    assert_eq!(bench.ask("14 1E 00 00 00 00 06 64"), "14 00");
    assert_eq!(hex(&bench.raw(&unhex(SYNC))), EMPTY_ANSWER);
    assert!(bench.raw(&[0x05]).is_empty(), "v2 stays");
    assert!(bench.raw(&frame(&unhex("FC"))).is_empty());
    exchange(&mut bench, 2, "13 1E 00 00 00");
    bench.fault(
        FaultKind::PowerCut {
            when: When::After,
            down_ms: 1_000,
        },
        kassette_hw_sim::faults::Trigger::Now,
    );
    bench.take();
    bench.pass_ms(1_000);
    assert_eq!(bench.raw(&[0x05]), [0x15]);
}

#[test]
fn numbers_begin_anew_with_a_tcp_connection_and_go_on_over_a_cable() {
    for (link, after) in [
        (LinkKind::Tcp, EMPTY_ANSWER.to_owned()),
        (LinkKind::Pty, kept(2, "E0 00 1E")),
    ] {
        let mut config = v2_config();
        config.link = link;
        let mut bench = Bench::new(config);
        assert_eq!(exchange(&mut bench, 2, OPEN_SHIFT), kept(2, "E0 00 1E"));
        bench.register.linked(bench.now, false);
        bench.register.linked(bench.now, true);
        assert_eq!(hex(&bench.raw(&unhex(SYNC))), after);
    }
}

#[test]
fn a_repeated_number_on_a_new_tcp_connection_is_carried_out_again() {
    let mut config = v2_config();
    config.link = LinkKind::Tcp;
    let mut bench = Bench::new(config);
    exchange(&mut bench, 2, OPEN_SHIFT);
    bench.register.linked(bench.now, false);
    bench.register.linked(bench.now, true);
    assert_eq!(exchange(&mut bench, 2, OPEN_SHIFT), kept(2, "E0 73"));
}

#[test]
fn a_lost_answer_comes_again_for_its_number_and_the_document_stands_once() {
    let mut bench = Bench::new(v2_config());
    bench.fault_at(FaultKind::DropReply { when: When::After }, "E0");
    assert_eq!(exchange(&mut bench, 2, OPEN_SHIFT), "");
    assert_eq!(bench.records().len(), 2);
    assert_eq!(exchange(&mut bench, 2, OPEN_SHIFT), kept(2, "E0 00 1E"));
    assert_eq!(bench.records().len(), 2);
}

#[test]
fn a_garbled_answer_is_whole_when_its_number_is_repeated() {
    let mut bench = Bench::new(v2_config());
    bench.fault_at(FaultKind::Garble, "E0");
    assert_ne!(exchange(&mut bench, 2, OPEN_SHIFT), kept(2, "E0 00 1E"));
    assert_eq!(exchange(&mut bench, 2, OPEN_SHIFT), kept(2, "E0 00 1E"));
    assert_eq!(bench.records().len(), 2);
}

#[test]
fn a_stale_answer_has_the_number_of_the_request_and_the_code_of_an_earlier_command() {
    let mut bench = Bench::new(v2_config());
    exchange(&mut bench, 2, "13 1E 00 00 00");
    bench.fault_at(
        FaultKind::StaleReply {
            of: Some("13".to_owned()),
        },
        "FC",
    );
    assert_eq!(exchange(&mut bench, 3, "FC"), kept(3, "13 00 1E"));
}

#[test]
fn what_comes_during_work_gets_nothing_and_the_answer_comes_in_its_time() {
    let mut config = v2_config();
    config.timing = Timing::Numbers(BTreeMap::from([("E0".to_owned(), 300)]));
    let mut bench = Bench::new(config);
    assert!(bench.raw(&numbered(2, OPEN_SHIFT)).is_empty());
    bench.pass_ms(299);
    assert!(bench.raw(&numbered(2, OPEN_SHIFT)).is_empty());
    assert!(bench.raw(&unhex(SYNC)).is_empty());
    bench.pass_ms(1);
    assert_eq!(hex(&bench.take()), kept(2, "E0 00 1E"));
    assert_eq!(bench.records().len(), 2);
}

#[test]
fn a_register_without_v2_passes_over_its_frames_and_says_so() {
    let mut bench = Bench::new(config());
    assert!(bench.raw(&unhex(SYNC)).is_empty());
    let without = bench.ask("F7 01");
    let mut bench = Bench::new(v2_config());
    let with = bench.ask("F7 01");
    let bits = |answer: &str| u64::from_le_bytes(unhex(answer)[2..10].try_into().unwrap());
    assert_eq!(bits(&without) ^ bits(&with), 1 << 28);
}
