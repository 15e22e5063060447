//! What is read: identity, registration, state, documents; and what is written to bring a register into order.

use super::{CONNECT, IDENTIFY, REGISTRATION, bench, ready};
use crate::domain::device::{Activity, Ffd, FnPhase};
use crate::drivers::{DocumentRead, Driver, DriverError};
use crate::parts::Point;
use kassette_wire::codes::Code;
use kassette_wire::ffd::Tag;
use kassette_wire::value::{FdNumber, LocalTime};

/// FF01 of a real register (captures): phase 03, shift open, FD 425; the FN number is a test one (shtrih-m 5.2).
const FF01: &str = "> 02 06 FF 01 1E 00 00 00 E6
< 06 02 21 FF 01 00 03 00 00 01 00 1A 0B 16 0C 1E 39 39 39 39 30 37 38 39 30 30 30 30 31 32 33 34 A9 01 00 00 62
> 06";
/// 10 of a real register in mode 2 (shtrih-m 5.2).
const SHORT: &str = "> 02 05 10 1E 00 00 00 0B
< 06 02 10 10 00 1E 92 02 02 00 00 9F E5 00 00 00 92 04 00 60
> 06";

/// 11 with the given mode and submode, clock 22.11.26 12:30:05.
fn full(mode: u8, submode: u8) -> String {
    format!(
        "ask 11 1E000000\nsay 11 00 1E 43 31 6D 6D 0E 09 10 01 05 00 B2 02 {mode:02X} {submode:02X} 00 4E 41 00 00 01 01 10 \
         16 0B 1A 0C 1E 05 00 39 30 00 00 0B 00 00 00 01 00 FF FF FF FF FF FF"
    )
}

#[tokio::test(start_paused = true)]
async fn a_register_is_known_by_its_text_serial_and_its_fn_number() {
    let mut bench = bench(&format!("{CONNECT}\n{IDENTIFY}"));
    let identity = bench.driver.identify().await.unwrap();
    bench.played.finish();
    assert_eq!(identity.register.to_string(), "shtrih-m-0000000000123456");
    assert_eq!(identity.model, "РИТЕЙЛ-01Ф");
    assert_eq!(identity.firmware, "C.1 build 28013");
    assert_eq!(identity.fn_number.unwrap().as_str(), "9999078900001234");
}

#[tokio::test(start_paused = true)]
async fn a_register_without_a_text_serial_is_known_by_its_number_but_a_failed_read_is_no_such_answer() {
    let refused = IDENTIFY.replace(
        "say 1F 00 30 30 30 30 30 30 30 30 30 30 31 32 33 34 35 36 00 00 00 00",
        "say 1F 5D",
    );
    let mut bench = bench(&format!("{CONNECT}\n{refused}"));
    assert_eq!(bench.driver.identify().await.unwrap().register.serial.as_str(), "12345");
    bench.played.finish();
    let silent = IDENTIFY.split("say 1F").next().unwrap().to_owned();
    let mut bench = super::bench(&format!("{CONNECT}\n{silent}\nsilent"));
    assert!(matches!(
        bench.driver.identify().await,
        Err(DriverError::Link {
            code: Code::RegisterSilent,
            ..
        })
    ));
}

#[tokio::test(start_paused = true)]
async fn a_model_without_ff_commands_has_no_fn() {
    let echo = IDENTIFY.split("say FF02").next().unwrap().to_owned();
    let mut bench = bench(&format!("{CONNECT}\n{echo}< 02 02 FF 37 CA\n> 06"));
    assert_eq!(bench.driver.identify().await.unwrap().fn_number, None);
    bench.played.finish();
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_no_cash_register_is_told_apart() {
    let mut bench = bench("enq\nask FC\nsay FC 00 06 00 01 00 01 00 41");
    assert!(matches!(
        bench.driver.identify().await,
        Err(DriverError::Nonsense { .. })
    ));
    bench.played.finish();
}

#[tokio::test(start_paused = true)]
async fn the_registration_is_read_with_its_format_address_and_place() {
    let mut bench = bench(&format!("{CONNECT}\n{REGISTRATION}"));
    let registration = bench.driver.registration().await.unwrap();
    bench.played.finish();
    assert_eq!(
        (registration.inn.as_str(), registration.rnm.as_str()),
        ("7704358518", "0000000001047868")
    );
    assert_eq!(
        (registration.tax_systems, registration.work_mode, registration.ffd),
        (1, 0x20, Ffd::V1_2)
    );
    assert_eq!(
        (registration.address.as_deref(), registration.place.as_deref()),
        (Some("Москва"), Some("https://a.b"))
    );
}

#[tokio::test(start_paused = true)]
async fn the_state_is_read_in_one_go() {
    let mut bench = bench(&format!(
        "enq\n{}\n{FF01}\nask FF40 1E000000\nsay FF40 00 01 0C00 0300",
        full(0x02, 0)
    ));
    let status = bench.driver.status().await.unwrap();
    bench.played.finish();
    assert_eq!(
        (status.activity, status.mode_text.as_str()),
        (Activity::Idle, "mode 2, submode 0")
    );
    assert_eq!(
        (
            status.shift.open,
            status.shift.number.0,
            status.shift.receipts,
            status.shift.over_24h
        ),
        (true, 12, 3, false)
    );
    assert_eq!(
        (
            status.fn_state.phase,
            status.fn_state.last_fd,
            status.fn_state.document_open
        ),
        (FnPhase::Fiscal, FdNumber(425), false)
    );
    assert_eq!(status.clock, LocalTime::new(2026, 11, 22, 12, 30, 5).unwrap());
}

#[tokio::test(start_paused = true)]
async fn mode_8_while_printing_is_no_open_document_and_mode_3_is_an_old_shift() {
    for (mode, submode, activity, old) in [(0x08, 5, Activity::Busy, false), (0x03, 0, Activity::Idle, true)] {
        let mut bench = bench(&format!(
            "enq\n{}\n{FF01}\nask FF40 1E000000\nsay FF40 00 01 0C00 0300",
            full(mode, submode)
        ));
        let status = bench.driver.status().await.unwrap();
        assert_eq!((status.activity, status.shift.over_24h), (activity, old));
    }
}

#[tokio::test(start_paused = true)]
async fn the_barrier_drops_kept_answers_and_ends_with_a_fresh_state() {
    let mut bench = bench(&format!("> 05\n< 06\nsay FF45 00\n> 05\n< 15\n{SHORT}"));
    bench.driver.barrier().await.unwrap();
    bench.played.finish();
}

/// FF3A of document 427 with the announced length, then parts, then the end.
fn document(length: &str, parts: &[&str]) -> String {
    let parts: String = parts
        .iter()
        .map(|part| format!("ask FF3B 1E000000\nsay FF3B 00 {part}\n"))
        .collect();
    format!("enq\nask FF3A 1E000000 AB010000\nsay FF3A 00 0300 {length}\n{parts}ask FF3B 1E000000\nsay FF3B 08")
}

async fn read(script: &str) -> Result<DocumentRead, DriverError> {
    let mut bench = bench(script);
    let read = bench.driver.read_document(FdNumber(427)).await;
    bench.played.finish();
    read
}

#[tokio::test(start_paused = true)]
async fn a_document_is_whole_only_with_its_announced_length_and_its_own_number() {
    // 1040 = 427, 1054 = 1; the second TLV is cut between two parts.
    let whole = read(&document("0D00", &["1004 0400 AB010000 1E04", "0100 01"]))
        .await
        .unwrap();
    let DocumentRead::Whole(whole) = whole else {
        panic!("{whole:?}")
    };
    assert_eq!((whole.code, whole.tags.byte(Tag::SETTLEMENT_SIGN)), (3, Ok(Some(1))));
    for (what, script) in [
        ("too short", document("0E00", &["1004 0400 AB010000 1E04", "0100 01"])),
        ("cut TLV", document("0A00", &["1004 0400 AB010000 1E04"])),
        ("another number", document("0800", &["1004 0400 AA010000"])),
        ("no number", document("0500", &["1E04 0100 01"])),
        (
            "a cut list inside",
            document("0F00", &["1004 0400 AB010000 2304 0300 1E0401"]),
        ),
    ] {
        assert!(matches!(read(&script).await, Ok(DocumentRead::Cut(_))), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_data_is_told_apart_from_a_refusal_and_from_a_broken_link() {
    let asked = "enq\nask FF3A 1E000000 AB010000\n";
    assert_eq!(read(&format!("{asked}say FF3A 08")).await, Ok(DocumentRead::NoData));
    assert!(matches!(
        read(&format!("{asked}say FF3A 03")).await,
        Ok(DocumentRead::Cut(_))
    ));
    assert!(matches!(
        read(&format!("{asked}say FF3A 00 0300 0800\nask FF3B 1E000000\nsay FF3B 30")).await,
        Ok(DocumentRead::Cut(_))
    ));
    assert!(matches!(
        read(&format!("{asked}silent")).await,
        Err(DriverError::Link { .. })
    ));
    let broken = format!("{asked}say FF3A 00 0300 0800\nask FF3B 1E000000\nsilent");
    assert!(matches!(read(&broken).await, Err(DriverError::Link { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_part_is_never_asked_for_twice_over_a_broken_link() {
    // NAK to FF3B: the part may have been skipped.
    let script = "enq\nask FF3A 1E000000 AB010000\nsay FF3A 00 0300 0800\n> 02 06 FF 3B 1E 00 00 00 DC\n< 15";
    assert!(matches!(read(script).await, Err(DriverError::Link { .. })));
}

#[tokio::test(start_paused = true)]
async fn only_settings_that_differ_are_written() {
    let rates = &REGISTRATION[REGISTRATION.find("ask 2D").unwrap()..];
    let script = format!(
        "{CONNECT}
        ask 1F 1E000000 01 0100 0E\nsay 1F 00 00
        ask 1F 1E000000 11 0100 07\nsay 1F 00 00\n{SHORT}
        > 02 0A 1E 1E 00 00 00 11 01 00 07 02 1F\n< 06 02 02 1E 00 1C\n> 06
        ask 1F 1E000000 11 0100 24\nsay 1F 00 00\n{SHORT}
        ask 1E 1E000000 11 0100 24 01\nsay 1E 7A
        ask 1F 1E000000 18 0100 0D\nsay 1F 5D\n{rates}"
    );
    let mut bench = bench(&script);
    let changed = bench.driver.prepare().await.unwrap();
    bench.played.finish();
    assert_eq!(changed.len(), 2);
    assert!(
        changed[0].starts_with("17/1/7") && changed[0].ends_with("0 -> 2"),
        "{changed:?}"
    );
    assert!(changed[1].contains("stays 0, refused with code 7A"), "{changed:?}");
    assert_eq!(bench.points(), [Point::SettingWritten]);
}

#[tokio::test(start_paused = true)]
async fn a_setting_that_changes_documents_must_be_written() {
    let mut refusing = bench(&format!(
        "{CONNECT}\nask 1F 1E000000 01 0100 0E\nsay 1F 00 01\n{SHORT}\nask 1E 1E000000 01 0100 0E 00\nsay 1E 7A"
    ));
    assert!(matches!(
        refusing.driver.prepare().await,
        Err(DriverError::Refused { device_code: 0x7A, .. })
    ));
    refusing.played.finish();
    let open = SHORT
        .replace("1E 92 02 02 00", "1E 92 02 08 00")
        .replace("92 04 00 60", "92 04 00 6A");
    let mut open = bench(&format!("{CONNECT}\nask 1F 1E000000 01 0100 0E\nsay 1F 00 01\n{open}"));
    assert!(matches!(open.driver.prepare().await, Err(DriverError::NotNow { .. })));
    open.played.finish();
}

#[tokio::test(start_paused = true)]
async fn a_clock_is_set_by_time_alone_on_the_right_day_and_by_date_else() {
    let noon = |day| LocalTime::new(2026, 11, day, 12, 31, 0).unwrap();
    let mut same = bench(&format!("enq\n{}\nask 21 1E000000 0C1F00\nsay 21 00", full(0x04, 0)));
    same.driver.set_clock(noon(22)).await.unwrap();
    same.played.finish();
    assert_eq!(same.points(), [Point::ClockSet]);
    let date =
        "ask 22 1E000000 170B1A\nsay 22 00\nask 23 1E000000 170B1A\nsay 23 00\nask 21 1E000000 0C1F00\nsay 21 00";
    let mut other = bench(&format!("enq\n{}\n{date}", full(0x04, 0)));
    other.driver.set_clock(noon(23)).await.unwrap();
    other.played.finish();
    // Mode 6: the date of an earlier setting was 21.11. and waits for 23.
    let left = "ask 23 1E000000 160B1A\nsay 23 7C\nask 23 1E000000 150B1A\nsay 23 00
        ask 22 1E000000 160B1A\nsay 22 00\nask 23 1E000000 160B1A\nsay 23 00\nask 21 1E000000 0C1F00\nsay 21 00";
    let mut broken_off = bench(&format!("enq\n{}\n{left}", full(0x06, 0)));
    broken_off.driver.set_clock(noon(22)).await.unwrap();
    broken_off.played.finish();
    let mut open = bench(&format!("enq\n{}", full(0x02, 0)));
    assert!(matches!(
        open.driver.set_clock(noon(22)).await,
        Err(DriverError::NotNow { .. })
    ));
    open.played.finish();
}

#[tokio::test(start_paused = true)]
async fn an_open_document_is_cancelled_and_a_closed_one_is_not() {
    let none = FF01;
    let open = "> 02 05 10 1E 00 00 00 0B\n< 06\nsay 10 00 1E 92 02 08 00 01 9F E5 18 01 00 8B 02 00";
    let mut cancelled = bench(&format!("enq\n{open}\n> 02 05 88 1E 00 00 00 93\n< 06\nsay 88 00 1E"));
    cancelled.driver.cancel_document().await.unwrap();
    cancelled.played.finish();
    let mut closed = bench(&format!("enq\n{SHORT}\n{none}"));
    closed.driver.cancel_document().await.unwrap();
    closed.played.finish();
    let in_fn = "ask FF01 1E000000\nsay FF01 00 03 04 00 01 00 1A0B160C1E 39393939303738393030303031323334 A9010000";
    let mut fn_only = bench(&format!("enq\n{SHORT}\n{in_fn}\nask FF08 1E000000\nsay FF08 00"));
    fn_only.driver.cancel_document().await.unwrap();
    fn_only.played.finish();
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_print_goes_on_and_an_unfinished_read_is_read_out() {
    let waiting = "ask 10 1E000000\nsay 10 00 1E 92 02 02 03 01 9F E5 18 01 00 8B 02 00";
    let mut print = bench(&format!("enq\n{waiting}\nask B0 1E000000\nsay B0 00 1E"));
    print.driver.finish_interrupted().await.unwrap();
    print.played.finish();
    let reading = "ask 10 1E000000\nsay 10 00 1E 92 02 01 00 01 9F E5 18 01 00 8B 02 00";
    let mut read = bench(&format!(
        "enq\n{reading}\nask FF3B 1E000000\nsay FF3B 00 AA\nask FF3B 1E000000\nsay FF3B 08"
    ));
    read.driver.finish_interrupted().await.unwrap();
    read.played.finish();
}

#[tokio::test(start_paused = true)]
async fn what_a_model_cannot_tell_of_its_fn_stays_unknown() {
    let script = "enq\nask FF63 1E000000\nsay FF63 37\nask FF03 1E000000\nsay FF03 00 1B0B16\nask FF39 1E000000\nsay FF39 00 00 00 0200 A8010000 1A0B160C1E";
    let mut bench = bench(script);
    let resource = bench.driver.resource().await.unwrap();
    bench.played.finish();
    assert_eq!(
        (resource.documents_left, resource.expires, resource.unsent),
        (None, Some((2027, 11, 22)), Some(2))
    );
    assert_eq!(resource.oldest_unsent, LocalTime::new(2026, 11, 22, 12, 30, 0).ok());
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_named_and_not_guessed() {
    let mut bench = ready("ask FF01 1E000000\nsay FF01 4F").await;
    let error = bench
        .driver
        .talk
        .fn_status()
        .await
        .map_err(DriverError::from)
        .unwrap_err();
    bench.played.finish();
    assert_eq!(error.code(), Code::PasswordRefused);
}
