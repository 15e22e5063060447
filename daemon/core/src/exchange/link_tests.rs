//! Which level a connection comes to speak, against scripted devices, under a paused clock.
//!
//! Owns: the tests of `link`.
//! Must never: wait for real time.

use super::script::script;
use super::{Care, DriverTiming, ExchangeFailure, Link};
use crate::domain::plan::LinkChoice;
use crate::parts::FaultPoints;
use std::time::Duration;
use tokio::time::Instant;

const REQUEST: [u8; 5] = [0x10, 0x1E, 0, 0, 0];
const WAIT: Duration = Duration::from_secs(3);
/// The empty frame of v2 and ENQ behind it.
const QUESTION: &str = "> 8F 00 00 0F 1D 05";

async fn first_exchange(text: &str, choice: LinkChoice) -> (Result<Vec<u8>, ExchangeFailure>, bool, Vec<u8>) {
    let (port, played) = script(text);
    let mut link = Link::new(port, FaultPoints::default(), DriverTiming::DOCUMENTED, choice);
    let outcome = link.exchange(&REQUEST, WAIT, Care::Once).await;
    if outcome.is_ok() {
        played.finish();
    }
    (outcome, link.is_numbered(), played.sent())
}

#[tokio::test(start_paused = true)]
async fn a_register_that_answers_the_empty_frame_is_spoken_to_in_numbered_frames() {
    let text = format!("{QUESTION}\n< 8F 02 00 01 00 99 5A\nask2 0002 101E000000\nsay2 0002 1000AA");
    let (outcome, numbered, _) = first_exchange(&text, LinkChoice::Auto).await;
    assert_eq!((outcome, numbered), (Ok(vec![0x10, 0, 0xAA]), true));
}

#[tokio::test(start_paused = true)]
async fn a_register_that_answers_enq_alone_is_spoken_to_in_v1() {
    for reply in [
        "< 15",
        "< FF 15",
        "< 06",
        "< FF\nwait 40\n< 15",
        "wait 300\n< 15 15 15 15 15 15",
    ] {
        let text = format!("{QUESTION}\n{reply}\nenq\nask 10 1E000000\nsay 10 00 AA");
        let (outcome, numbered, _) = first_exchange(&text, LinkChoice::Auto).await;
        assert_eq!((outcome, numbered), (Ok(vec![0x10, 0, 0xAA]), false), "{reply}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_under_way_on_v1_is_dropped_and_v1_is_spoken() {
    let text = format!("{QUESTION}\n< 02 04 FF 45 00 11 AF\n> 05\n< 15\nask 10 1E000000\nsay 10 00 AA");
    let (outcome, numbered, _) = first_exchange(&text, LinkChoice::Auto).await;
    assert_eq!((outcome, numbered), (Ok(vec![0x10, 0, 0xAA]), false));
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_stays_on_v1_never_sends_a_byte_of_v2() {
    let (outcome, numbered, sent) = first_exchange("enq\nask 10 1E000000\nsay 10 00 AA", LinkChoice::V1).await;
    assert_eq!((outcome, numbered), (Ok(vec![0x10, 0, 0xAA]), false));
    assert!(!sent.contains(&0x8F));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_was_damaged_is_asked_for_again() {
    for damaged in [
        "< 8F 02 00 01 00 99 5B",
        "< 8F 02 00",
        "< 8F 9F 44",
        "< 8F 01 00",
        "< 00 00 33",
    ] {
        let text =
            format!("{QUESTION}\n{damaged}\n{QUESTION}\n< 8F 02 00 01 00 99 5A\nask2 0002 101E000000\nsay2 0002 1000");
        let (outcome, numbered, _) = first_exchange(&text, LinkChoice::Auto).await;
        assert_eq!((outcome, numbered), (Ok(vec![0x10, 0]), true), "{damaged}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_register_that_says_nothing_is_left_after_ten_questions_and_no_command() {
    let start = Instant::now();
    let (outcome, _, sent) = first_exchange("silent", LinkChoice::Auto).await;
    assert_eq!(outcome, Err(ExchangeFailure::NoLink { asked: 10 }));
    assert_eq!((sent.len(), start.elapsed()), (60, Duration::from_secs(10)));
}

#[tokio::test(start_paused = true)]
async fn floods_and_drips_before_anything_is_known_end_in_bounded_time_without_a_command() {
    for text in [
        "flood 00",
        "flood FF",
        "flood 8F",
        "flood 9F",
        "flood 8F 00 10",
        "drip 90",
        "drip 400",
        "drip 990",
    ] {
        let start = Instant::now();
        let (outcome, _, sent) = first_exchange(text, LinkChoice::Auto).await;
        let failure = outcome.unwrap_err();
        assert!(!failure.may_have_run(), "{text}: {failure}");
        assert!(
            start.elapsed() <= Duration::from_secs(90),
            "{text}: {:?}",
            start.elapsed()
        );
        assert!(!sent.contains(&0x10), "{text}: the command left");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_inside_a_document_goes_out_before_the_level_is_known() {
    let (port, played) = script("silent");
    let mut link = Link::new(port, FaultPoints::default(), DriverTiming::DOCUMENTED, LinkChoice::Auto);
    for care in [Care::Inside, Care::Closing] {
        assert_eq!(link.exchange(&REQUEST, WAIT, care).await, Err(ExchangeFailure::Unclean));
    }
    assert!(played.sent().is_empty());
}
