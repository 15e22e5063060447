//! Shifts.

use super::{bench, ready};
use crate::domain::attempt::{Made, MadeDocument};
use crate::drivers::Driver;
use kassette_wire::codes::Code;
use kassette_wire::value::{FdNumber, FiscalSign, LocalTime, ShiftNumber};

/// FF01 whose last document is 426, FF0A of it as a shift opening of shift 12.
const READ_REPORT: &str = "ask FF01 1E000000
say FF01 00 03 00 00 01 00 1A0B160C1E 39393939303738393030303031323334 AA010000
ask FF0A 1E000000 AA010000
say FF0A 00 02 00 1A0B160C1E AA010000 78563412 0C00";

fn opened(time: Option<LocalTime>) -> Made {
    Made::Good(MadeDocument {
        fd: FdNumber(426),
        fp: FiscalSign(0x1234_5678),
        time,
        shift: Some(ShiftNumber(12)),
    })
}

#[tokio::test(start_paused = true)]
async fn a_shift_is_opened_in_the_fn_with_the_bytes_of_the_reference() {
    let script = "> 02 06 FF 0B 1E 00 00 00 EC\n< 06 02 0D FF 0B 00 0C 00 AA 01 00 00 78 56 34 12 56\n> 06";
    let mut bench = ready(script).await;
    assert_eq!(bench.driver.open_shift().await, opened(None));
    bench.played.finish();
}

#[tokio::test(start_paused = true)]
async fn a_model_without_the_fn_command_opens_by_report_and_its_document_is_read() {
    let script = format!(
        "ask FF0B 1E000000\nsay FF0B 37\n> 02 05 E0 1E 00 00 00 FB\n< 06 02 03 E0 00 1E FD\n> 06\n{READ_REPORT}"
    );
    let mut bench = ready(&script).await;
    assert_eq!(
        bench.driver.open_shift().await,
        opened(LocalTime::new(2026, 11, 22, 12, 30, 0).ok())
    );
    bench.played.finish();
}

#[tokio::test(start_paused = true)]
async fn a_report_whose_document_cannot_be_read_is_claimed_by_nobody() {
    for read in [
        READ_REPORT.replace("say FF0A 00 02", "say FF0A 00 03"),
        READ_REPORT.replace("say FF0A 00 02 00 1A0B160C1E AA010000 78563412 0C00", "say FF0A 08"),
        "silent".to_owned(),
    ] {
        let script = format!("ask FF0B 1E000000\nsay FF0B 37\nask E0 1E000000\nsay E0 00\n{read}");
        let mut bench = ready(&script).await;
        let Made::Broken(broken) = bench.driver.open_shift().await else {
            panic!("{read}")
        };
        assert!(broken.closing_sent);
        assert_eq!(
            (broken.command.as_str(), broken.code),
            ("E0", Code::FnDocumentUnreadable)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_shift_command_is_sent_once() {
    for (script, sent) in [
        ("ask FF0B 1E000000\nsilent", true),
        ("> 02 06 FF 0B 1E 00 00 00 EC\n< 15\nsilent", true),
        ("> 02 06 FF 0B 1E 00 00 00 EC\nsilent", true),
    ] {
        let mut bench = ready(script).await;
        let Made::Broken(broken) = bench.driver.open_shift().await else {
            panic!("{script}")
        };
        bench.played.finish();
        assert_eq!((broken.command.as_str(), broken.closing_sent), ("FF0B", sent));
        let frames = bench
            .played
            .sent()
            .windows(3)
            .filter(|window| window == &[0xFF, 0x0B, 0x1E])
            .count();
        assert_eq!(frames, 1, "{script}");
    }
    let mut dead = bench("silent");
    let Made::Broken(broken) = dead.driver.open_shift().await else {
        panic!()
    };
    assert!(!broken.closing_sent, "nothing but ENQ was sent");
}

#[tokio::test(start_paused = true)]
async fn a_shift_is_closed_once_and_a_refusal_of_the_fn_is_doubt() {
    let script = "ask FF43 1E000000\nsay FF43 00 0C00 AB010000 78563412 1A0B160C22";
    let mut bench = ready(script).await;
    let Made::Good(made) = bench.driver.close_shift().await else {
        panic!()
    };
    bench.played.finish();
    assert_eq!(
        (made.fd, made.shift, made.time),
        (
            FdNumber(427),
            Some(ShiftNumber(12)),
            LocalTime::new(2026, 11, 22, 12, 34, 0).ok()
        )
    );
    for (code, unsigned) in [
        (0x4A, true),
        (0x73, true),
        (0x02, false),
        (0x17, false),
        (0x6B, false),
        (0xEE, false),
    ] {
        let mut bench = ready(&format!("ask FF43 1E000000\nsay FF43 {code:02X}")).await;
        let Made::Refused(refusal) = bench.driver.close_shift().await else {
            panic!()
        };
        bench.played.finish();
        assert_eq!(refusal.before_signing, unsigned, "{code:02X}");
    }
}
