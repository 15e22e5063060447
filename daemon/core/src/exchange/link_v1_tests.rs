//! What the link promises, against scripted devices, under a paused clock.
//!
//! Owns: the tests of `link_v1`.
//! Must never: wait for real time.

use super::line::Line;
use super::link_v1::LinkV1;
use super::script::{Played, frame, script};
use super::{Care, DriverTiming, ExchangeFailure};
use crate::parts::FaultPoints;
use std::time::Duration;
use tokio::time::Instant;

/// 10 with password 30, and an answer of any content.
const ASK: &str = "ask 10 1E000000";
const REQUEST: [u8; 5] = [0x10, 0x1E, 0, 0, 0];
const WAIT: Duration = Duration::from_secs(3);

fn link(text: &str) -> (LinkV1, Played) {
    let (port, played) = script(text);
    (
        LinkV1::new(Line::new(port, FaultPoints::default()), DriverTiming::DOCUMENTED),
        played,
    )
}

/// The outcome of one exchange of 10, with all of the script played.
async fn outcome(text: &str, care: Care) -> Result<Vec<u8>, ExchangeFailure> {
    let (mut link, played) = link(text);
    let outcome = link.exchange(&REQUEST, WAIT, care).await;
    played.finish();
    outcome
}

#[tokio::test(start_paused = true)]
async fn enq_is_sent_at_connect_and_not_before_the_next_command() {
    let (mut link, played) = link(&format!("enq\n{ASK}\nsay 10 00 AA\n{ASK}\nsay 10 00 BB"));
    assert_eq!(link.exchange(&REQUEST, WAIT, Care::Once).await, Ok(vec![0x10, 0, 0xAA]));
    assert_eq!(
        link.exchange(&REQUEST, WAIT, Care::Inside).await,
        Ok(vec![0x10, 0, 0xBB])
    );
    played.finish();
}

#[tokio::test(start_paused = true)]
async fn a_command_inside_a_document_is_not_sent_over_a_link_that_is_not_clean() {
    let failure = outcome("", Care::Inside).await.unwrap_err();
    assert_eq!((&failure, failure.may_have_run()), (&ExchangeFailure::Unclean, false));
}

#[tokio::test(start_paused = true)]
async fn a_nak_lets_only_harmless_reads_go_out_again() {
    let frame_bytes = "> 02 05 10 1E 00 00 00 0B\n< 15";
    let read = format!("enq\n{frame_bytes}\n{ASK}\nsay 10 00");
    assert_eq!(outcome(&read, Care::Read).await, Ok(vec![0x10, 0]));
    let thrice = format!("enq\n{frame_bytes}\n{frame_bytes}\n{frame_bytes}");
    assert_eq!(
        outcome(&thrice, Care::Read).await,
        Err(ExchangeFailure::RefusedFrame { times: 3 })
    );
    let once = format!("enq\n{frame_bytes}");
    let failure = outcome(&once, Care::Once).await.unwrap_err();
    assert_eq!(failure, ExchangeFailure::RefusedFrame { times: 1 });
    assert!(failure.may_have_run(), "NAK on the last command is doubt");
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_another_command_is_acknowledged_and_never_taken() {
    let mixed = format!("enq\n{ASK}\nsay FF45 00 00\nsay 11 00\nsay 10 00 01");
    assert_eq!(outcome(&mixed, Care::Once).await, Ok(vec![0x10, 0, 1]));
    let alone = format!("enq\n{ASK}\nsay FF45 00 00");
    assert_eq!(
        outcome(&alone, Care::Once).await,
        Err(ExchangeFailure::StaleOnly { count: 1 })
    );
    let many = format!("enq\n{ASK}\nsay 11 00\nsay 11 00\nsay 11 00\n< {}", "02 02 11 00 13");
    assert_eq!(
        outcome(&many, Care::Once).await,
        Err(ExchangeFailure::StaleOnly { count: 4 })
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_same_command_before_the_acknowledgement_is_an_old_one() {
    let text = "enq\n> 02 05 10 1E 00 00 00 0B\nsay 10 00 EE\n< 06\nsay 10 00 01";
    assert_eq!(outcome(text, Care::Once).await, Ok(vec![0x10, 0, 1]));
}

#[tokio::test(start_paused = true)]
async fn a_kept_answer_is_dropped_before_the_next_command() {
    let text = format!("> 05\n< 06\nsay FF45 00 01\n> 05\n< FF 15\n{ASK}\nsay 10 00 01");
    assert_eq!(outcome(&text, Care::Once).await, Ok(vec![0x10, 0, 1]));
}

#[tokio::test(start_paused = true)]
async fn after_a_silence_the_link_is_emptied_before_anything_else_is_sent() {
    // The answer comes after our patience, kept by the register until ENQ.
    let text =
        format!("enq\n{ASK}\nwait 4000\n< 02 02 10 00 12\n> 05\n< 06\nsay 10 00\n> 05\n< 15\n{ASK}\nsay 10 00 02");
    let (mut link, played) = link(&text);
    let failure = link.exchange(&REQUEST, WAIT, Care::Once).await.unwrap_err();
    assert_eq!(failure, ExchangeFailure::NoAnswer { waited: WAIT });
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(link.exchange(&REQUEST, WAIT, Care::Once).await, Ok(vec![0x10, 0, 2]));
    played.finish();
}

#[tokio::test(start_paused = true)]
async fn stray_ff_bytes_of_tcp_devices_are_skipped_before_nak_and_before_ack() {
    let frame_bytes = "> 02 05 10 1E 00 00 00 0B";
    let text = format!("> 05\n< FF\nwait 10\n< 15\n{frame_bytes}\n< FF\nwait 5\n< FF 06\nsay 10 00");
    assert_eq!(outcome(&text, Care::Once).await, Ok(vec![0x10, 0]));
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_pieces_is_one_answer() {
    let text = format!(
        "enq\n{ASK}\n< 02 04\nwait 300\n< 10 00\nwait 499\n< AA BB\nwait 1\n< {}\n> 06",
        "05"
    );
    assert_eq!(outcome(&text, Care::Once).await, Ok(vec![0x10, 0, 0xAA, 0xBB]));
}

#[tokio::test(start_paused = true)]
async fn a_damaged_answer_is_asked_for_again_and_the_command_is_not() {
    let text = format!("enq\n{ASK}\n< 02 02 10 00 55\n> 15 05\n< 06\nsay 10 00");
    let (mut link, played) = link(&text);
    assert_eq!(link.exchange(&REQUEST, WAIT, Care::Once).await, Ok(vec![0x10, 0]));
    played.finish();
    let sent = played.sent();
    let times = sent
        .windows(frame(&REQUEST).len())
        .filter(|window| *window == frame(&REQUEST))
        .count();
    assert_eq!(times, 1);
}

#[tokio::test(start_paused = true)]
async fn a_cut_answer_is_asked_for_again() {
    let text = format!("enq\n{ASK}\n< 02 02 10\n> 15 05\n< 06\nsay 10 00");
    let (mut link, played) = link(&text);
    assert_eq!(link.exchange(&REQUEST, WAIT, Care::Once).await, Ok(vec![0x10, 0]));
    played.finish();
}

#[tokio::test(start_paused = true)]
async fn a_damaged_answer_that_the_register_did_not_keep_is_a_failure_after_sending() {
    let text = format!("enq\n{ASK}\n< 02 02 10 00 55\n> 15 05\n< 15");
    let failure = outcome(&text, Care::Once).await.unwrap_err();
    assert!(
        matches!(failure, ExchangeFailure::Garbled { sent: true, .. }),
        "{failure}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_one_byte_echo_of_a_model_without_ff_commands_is_an_answer() {
    let (mut link, played) = link("enq\nask FF01 1E000000\n< 02 02 FF 37 CA\n> 06");
    let answer = link.exchange(&[0xFF, 0x01, 0x1E, 0, 0, 0], WAIT, Care::Read).await;
    assert_eq!(answer, Ok(vec![0xFF, 0x37]));
    played.finish();
}

#[tokio::test(start_paused = true)]
async fn a_dead_register_is_left_after_ten_enq() {
    let start = Instant::now();
    let (mut link, played) = link("silent");
    let failure = link.exchange(&REQUEST, WAIT, Care::Once).await.unwrap_err();
    assert_eq!(
        (&failure, failure.may_have_run()),
        (&ExchangeFailure::NoLink { asked: 10 }, false)
    );
    assert_eq!(played.sent(), [0x05; 10]);
    assert_eq!(start.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_register_that_hangs_is_left_at_the_documented_time() {
    let start = Instant::now();
    let failure = outcome(&format!("enq\n{ASK}\nsilent"), Care::Once).await.unwrap_err();
    assert_eq!(
        (&failure, failure.may_have_run()),
        (&ExchangeFailure::NoAnswer { waited: WAIT }, true)
    );
    assert_eq!(start.elapsed(), WAIT);
    let unacknowledged = outcome("enq\n> 02 05 10 1E 00 00 00 0B\nsilent", Care::Once)
        .await
        .unwrap_err();
    assert!(matches!(unacknowledged, ExchangeFailure::NotAcked { .. }) && unacknowledged.may_have_run());
}

#[tokio::test(start_paused = true)]
async fn floods_and_drips_of_garbage_end_in_bounded_time_and_bytes() {
    for pattern in [
        "00",
        "FF",
        "06",
        "15 00",
        "02",
        "02 02 10 00 13",
        "02 02 11 00 13",
        "06 02 02 11 00 13",
        "05",
    ] {
        for text in [format!("flood {pattern}"), format!("enq\n{ASK}\nflood {pattern}")] {
            let start = Instant::now();
            let (mut link, _) = link(&text);
            let failure = link.exchange(&REQUEST, WAIT, Care::Once).await.unwrap_err();
            assert!(
                start.elapsed() <= Duration::from_secs(60),
                "{text}: {:?} {failure}",
                start.elapsed()
            );
        }
    }
    for text in [
        "drip 90",
        "drip 400",
        "enq\nask 10 1E000000\ndrip 90",
        "enq\nask 10 1E000000\ndrip 400",
    ] {
        let start = Instant::now();
        let (mut link, _) = link(text);
        assert!(link.exchange(&REQUEST, WAIT, Care::Once).await.is_err());
        assert!(
            start.elapsed() <= Duration::from_secs(60),
            "{text}: {:?}",
            start.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_register_that_stays_busy_is_left_in_bounded_time() {
    // ENQ is answered by ACK for ever: an earlier command is still carried out.
    let text = "> 05\n< 06\n".repeat(64);
    let start = Instant::now();
    let (mut link, _) = link(&text);
    let failure = link.exchange(&REQUEST, WAIT, Care::Once).await.unwrap_err();
    assert!(
        matches!(failure, ExchangeFailure::StillBusy { .. }) && !failure.may_have_run(),
        "{failure}"
    );
    assert!(start.elapsed() <= Duration::from_secs(41), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_says_whether_the_command_had_left() {
    let before = outcome("eof", Care::Once).await.unwrap_err();
    assert!(before.port_gone() && !before.may_have_run());
    let after = outcome(&format!("enq\n{ASK}\neof"), Care::Once).await.unwrap_err();
    assert!(after.port_gone() && after.may_have_run());
}

#[tokio::test(start_paused = true)]
async fn an_exchange_given_up_half_way_leaves_the_link_unclean() {
    let (mut link, _) = link(&format!("enq\n{ASK}\nsay 10 00\n{ASK}\nsilent"));
    link.exchange(&REQUEST, WAIT, Care::Once).await.unwrap();
    let given_up = tokio::time::timeout(Duration::from_secs(1), link.exchange(&REQUEST, WAIT, Care::Inside)).await;
    assert!(given_up.is_err());
    assert_eq!(
        link.exchange(&REQUEST, WAIT, Care::Inside).await,
        Err(ExchangeFailure::Unclean)
    );
}
