//! What the numbered link promises, against scripted devices, under a paused clock.
//!
//! Owns: the tests of `link_v2`.
//! Must never: wait for real time, or take an expected frame from the codec under test where the reference has bytes.

use super::line::Line;
use super::link_v2::LinkV2;
use super::script::{Played, frame2, script};
use super::{Care, DriverTiming, ExchangeFailure};
use crate::parts::FaultPoints;
use std::time::Duration;
use tokio::time::Instant;

/// 10 with password 30, as number 5 behind an answer with number 4.
const ASK: &str = "ask2 0005 101E000000";
const SYNC: &str = "> 8F 00 00 0F 1D";
const REQUEST: [u8; 5] = [0x10, 0x1E, 0, 0, 0];
const WAIT: Duration = Duration::from_secs(30);
const ALL: [Care; 4] = [Care::Read, Care::Once, Care::Inside, Care::Closing];

fn link_at(number: u16, text: &str) -> (LinkV2, Played) {
    let (port, played) = script(text);
    (
        LinkV2::begun(
            Line::new(port, FaultPoints::default()),
            DriverTiming::DOCUMENTED,
            number,
        ),
        played,
    )
}

async fn outcome(text: &str, care: Care) -> Result<Vec<u8>, ExchangeFailure> {
    let (mut link, played) = link_at(4, text);
    let outcome = link.exchange(&REQUEST, WAIT, care).await;
    played.finish();
    outcome
}

/// How often the frame of the command went out.
fn times_sent(played: &Played, number: u16) -> usize {
    let frame = frame2(number, &REQUEST);
    let sent = played.sent();
    sent.windows(frame.len()).filter(|window| *window == frame).count()
}

#[tokio::test(start_paused = true)]
async fn the_frames_of_the_reference_are_what_goes_out_and_comes_in() {
    // `shtrih-m` 1.4, checked examples: FC as number 2, 10 with password 30 as number 008F, stuffed.
    let (mut link, played) = link_at(1, "> 8F 03 00 02 00 FC 2D BF\nsay2 0002 FC0001");
    assert_eq!(link.exchange(&[0xFC], WAIT, Care::Read).await, Ok(vec![0xFC, 0, 1]));
    played.finish();
    let (mut link, played) = link_at(0x8E, "> 8F 07 00 9F 81 00 10 1E 00 00 00 6E 35\nsay2 008F 1000");
    assert_eq!(link.exchange(&REQUEST, WAIT, Care::Read).await, Ok(vec![0x10, 0]));
    played.finish();
}

#[tokio::test(start_paused = true)]
async fn numbers_go_up_by_one_over_the_end_of_their_range() {
    let (mut link, played) = link_at(
        0xFFFE,
        "ask2 FFFF 101E000000\nsay2 FFFF 1000\nask2 0000 101E000000\nsay2 0000 1000\nask2 0001 101E000000\nsay2 0001 1000",
    );
    for care in [Care::Once, Care::Inside, Care::Closing] {
        assert_eq!(link.exchange(&REQUEST, WAIT, care).await, Ok(vec![0x10, 0]));
    }
    played.finish();
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_asked_for_and_the_command_is_not_sent_again() {
    for care in ALL {
        let (mut link, played) = link_at(4, &format!("{ASK}\nwait 1000\n{SYNC}\nsay2 0005 1000AA"));
        assert_eq!(
            link.exchange(&REQUEST, WAIT, care).await,
            Ok(vec![0x10, 0, 0xAA]),
            "{care:?}"
        );
        played.finish();
        assert_eq!(times_sent(&played, 5), 1, "{care:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_or_cut_answer_is_asked_for_at_once_and_the_command_is_not_sent_again() {
    let whole = "8F 05 00 05 00 10 00 AA";
    for damaged in [
        format!("< {whole} 00 00"),
        format!("< {whole}"),
        "< 8F 05 00 05 00 10 9F 44 11 22".to_owned(),
        "< 8F 05 00 05 00 10 9F".to_owned(),
        "< 8F 01 00 05".to_owned(),
        "< 8F FF FF 05 00 10 00 AA".to_owned(),
        "< 8F 05 00 05 8F".to_owned(),
        "< 8F".to_owned(),
    ] {
        for care in ALL {
            let start = Instant::now();
            let (mut link, played) = link_at(4, &format!("{ASK}\n{damaged}\n{SYNC}\nsay2 0005 1000AA"));
            let outcome = link.exchange(&REQUEST, WAIT, care).await;
            assert_eq!(outcome, Ok(vec![0x10, 0, 0xAA]), "{care:?} {damaged}");
            played.finish();
            assert_eq!(times_sent(&played, 5), 1, "{care:?} {damaged}");
            assert!(
                start.elapsed() < Duration::from_secs(2),
                "{damaged}: {:?}",
                start.elapsed()
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_pieces_is_one_answer() {
    let text = format!(
        "{ASK}\n< 8F 05\nwait 300\n< 00 05 00\nwait 450\n< 10 00 9F\nwait 10\n< 81 {}",
        crc_of_pieces()
    );
    assert_eq!(outcome(&text, Care::Once).await, Ok(vec![0x10, 0, 0x8F]));
}

fn crc_of_pieces() -> String {
    let whole = frame2(5, &[0x10, 0, 0x8F]);
    let bytes = &whole[whole.iter().position(|byte| *byte == 0x81).unwrap() + 1..];
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lost_frame_goes_out_again_under_its_number_where_that_is_harmless_and_never_to_close_a_document() {
    let lost = format!("{ASK}\nwait 1000\n{SYNC}\nsay2 0004 FF4600\n");
    for care in [Care::Read, Care::Inside] {
        let (mut link, played) = link_at(4, &format!("{lost}{ASK}\nsay2 0005 1000"));
        assert_eq!(link.exchange(&REQUEST, WAIT, care).await, Ok(vec![0x10, 0]), "{care:?}");
        played.finish();
    }
    for care in [Care::Once, Care::Closing] {
        let (mut link, played) = link_at(4, &format!("{lost}silent"));
        let failure = link.exchange(&REQUEST, WAIT, care).await.unwrap_err();
        assert_eq!(failure, ExchangeFailure::NoAnswer { waited: WAIT }, "{care:?}");
        assert!(failure.may_have_run(), "{care:?}: a count is no proof");
        assert_eq!(times_sent(&played, 5), 1, "{care:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_is_lost_again_and_again_goes_out_three_times_and_no_more() {
    let again = format!("{SYNC}\nsay2 0004 FF4600\n{ASK}\n");
    let text = format!("{ASK}\n{again}{again}{SYNC}\nsay2 0004 FF4600\n{SYNC}\nsay2 0004 FF4600\nsilent");
    let (mut link, played) = link_at(4, &text);
    let start = Instant::now();
    let failure = link.exchange(&REQUEST, WAIT, Care::Inside).await.unwrap_err();
    assert_eq!((times_sent(&played, 5), start.elapsed()), (3, WAIT), "{failure}");
    assert!(failure.may_have_run());
}

#[tokio::test(start_paused = true)]
async fn the_first_command_behind_a_fresh_count_is_not_repeated_inside_a_document() {
    // A register whose power was off counts 1 again, as it did before this command: the two cannot be told apart.
    let text = format!("ask2 0002 101E000000\nwait 1000\n{SYNC}\n< 8F 02 00 01 00 99 5A\nsilent");
    let (mut link, played) = link_at(1, &text);
    assert!(link.exchange(&REQUEST, WAIT, Care::Inside).await.is_err());
    assert_eq!(times_sent(&played, 2), 1);
}

#[tokio::test(start_paused = true)]
async fn a_register_that_was_restarted_in_between_is_out_of_step_and_the_command_is_not_repeated() {
    for care in ALL {
        let (mut link, played) = link_at(4, &format!("{ASK}\nwait 1000\n{SYNC}\n< 8F 02 00 01 00 99 5A"));
        let failure = link.exchange(&REQUEST, WAIT, care).await.unwrap_err();
        assert_eq!(failure, ExchangeFailure::OutOfStep { ours: 5, theirs: 1 }, "{care:?}");
        assert!(failure.may_have_run());
        assert_eq!(times_sent(&played, 5), 1, "{care:?}");
        assert_eq!(
            link.exchange(&REQUEST, WAIT, Care::Inside).await,
            Err(ExchangeFailure::Unclean)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_with_the_right_number_and_another_code_is_never_taken() {
    // As captured: an earlier command's answer under the same number, at once; the true one behind it.
    let text = format!("{ASK}\nsay2 0005 FF4500\nwait 50\nsay2 0005 1000AA");
    for care in ALL {
        assert_eq!(outcome(&text, care).await, Ok(vec![0x10, 0, 0xAA]), "{care:?}");
    }
    // The register says so again on being asked: it took our frame for a repeated one.
    let used = format!("{ASK}\nsay2 0005 FF4500\nwait 1000\n{SYNC}\nsay2 0005 FF4500");
    for care in ALL {
        let failure = outcome(&used, care).await.unwrap_err();
        assert_eq!(failure, ExchangeFailure::StaleOnly { count: 2 }, "{care:?}");
        assert!(failure.may_have_run());
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_copy_of_the_answer_before_is_passed_over() {
    let text = format!("{ASK}\nsay2 0004 1000EE\nsay2 0004 1000EE\nsay2 0005 1000AA");
    for care in ALL {
        assert_eq!(outcome(&text, care).await, Ok(vec![0x10, 0, 0xAA]), "{care:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_the_count_is_asked_for_and_no_number_is_used_for_a_second_command() {
    let text = format!("{ASK}\n{SYNC}\n{SYNC}\n{SYNC}\nsay2 0005 FF4500\nask2 0006 101E000000\nsay2 0006 1000");
    let (mut link, played) = link_at(4, &text);
    let short = Duration::from_secs(5);
    assert!(link.exchange(&REQUEST, short, Care::Once).await.is_err());
    assert_eq!(
        link.exchange(&REQUEST, WAIT, Care::Closing).await,
        Err(ExchangeFailure::Unclean)
    );
    assert_eq!(link.exchange(&REQUEST, WAIT, Care::Once).await, Ok(vec![0x10, 0]));
    played.finish();
}

#[tokio::test(start_paused = true)]
async fn an_exchange_given_up_half_way_leaves_the_link_unclean() {
    let (mut link, _) = link_at(4, &format!("{ASK}\nsilent"));
    let given_up = tokio::time::timeout(Duration::from_millis(500), link.exchange(&REQUEST, WAIT, Care::Read)).await;
    assert!(given_up.is_err());
    assert_eq!(
        link.exchange(&REQUEST, WAIT, Care::Inside).await,
        Err(ExchangeFailure::Unclean)
    );
}

#[tokio::test(start_paused = true)]
async fn a_register_that_hangs_is_left_at_the_documented_time() {
    for care in ALL {
        let start = Instant::now();
        let (mut link, played) = link_at(4, &format!("{ASK}\nsilent"));
        let failure = link.exchange(&REQUEST, WAIT, care).await.unwrap_err();
        assert_eq!(failure, ExchangeFailure::NoAnswer { waited: WAIT }, "{care:?}");
        assert_eq!((start.elapsed(), times_sent(&played, 5)), (WAIT, 1), "{care:?}");
        // 1, 3, 7 and 15 s after the command.
        assert_eq!(played.sent().len(), frame2(5, &REQUEST).len() + 4 * 5);
    }
}

#[tokio::test(start_paused = true)]
async fn floods_and_drips_of_garbage_end_in_bounded_time_and_bytes() {
    for garbage in [
        "flood 00",
        "flood 9F",
        "flood 8F",
        "flood 8F 9F 44",
        "flood 8F 01 00",
        "flood 8F FF FF 00 00 00 00 00 00",
        "flood 8F 00 00 0F 1D",
        "flood 8F 02 00 01 00 99 5A",
        "flood 8F 03 00 02 00 FC 2D BF",
        "drip 90",
        "drip 400",
        "drip 990",
    ] {
        for begun in [String::new(), format!("{ASK}\n")] {
            let start = Instant::now();
            let (mut link, played) = link_at(4, &format!("{begun}{garbage}"));
            let failure = link.exchange(&REQUEST, WAIT, Care::Read).await.unwrap_err();
            assert!(start.elapsed() <= WAIT, "{garbage}: {:?} {failure}", start.elapsed());
            assert!(
                played.sent().len() < 200,
                "{garbage}: {} bytes sent",
                played.sent().len()
            );
            let again = link.exchange(&REQUEST, WAIT, Care::Read).await.unwrap_err();
            assert!(start.elapsed() <= Duration::from_secs(120), "{garbage}: {again}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_says_whether_the_command_had_left() {
    let (mut link, _) = link_at(4, &format!("{ASK}\neof"));
    let after = link.exchange(&REQUEST, WAIT, Care::Closing).await.unwrap_err();
    assert!(after.port_gone() && after.may_have_run());
    let (mut link, _) = link_at(4, "eof");
    let before = link.resync().await.unwrap_err();
    assert!(before.port_gone() && !before.may_have_run());
}

#[tokio::test(start_paused = true)]
async fn a_payload_without_a_frame_is_not_sent() {
    let (mut link, played) = link_at(4, "silent");
    let failure = link.exchange(&vec![0; 70_000], WAIT, Care::Once).await.unwrap_err();
    assert!(matches!(failure, ExchangeFailure::NoFrame(_)) && !failure.may_have_run());
    assert!(played.sent().is_empty());
}
