//! Registers whose statements about their registration cannot all be true.
//!
//! Owns: one contradiction a script, and cut answers of each length.
//! Must never: let a contradiction pass because another statement is missing.

use super::{Bench, CONNECT, bench, ready};
use crate::drivers::{Driver as _, DriverError};
use kassette_wire::codes::Code;

/// FN table as a register tells it that agrees with `registration.txt`; FF60 by tag.
const INN: &str = "37 37 30 34 33 35 38 35 31 38 00 00";
const RNM: &str = "30 30 30 30 30 30 30 30 30 31 30 34 37 38 36 38 00 00 00 00";
const TAXES: &str = "26 04 01 00 01";
const FFD: &str = "B9 04 01 00 04";

fn beside(inn: &str, rnm: &str, fn_number: &str, taxes: &str, ffd: &str) -> String {
    format!(
        "ask 1F 1E000000 12 0100 02\nsay 1F {inn}
        ask 1F 1E000000 12 0100 03\nsay 1F {rnm}
        {fn_number}
        ask FF60 1E000000 00 2604\nsay FF60 {taxes}
        ask FF60 1E000000 00 B904\nsay FF60 {ffd}"
    )
}

fn said(bytes: &str) -> String {
    format!("00 {bytes}")
}

/// The check alone, behind a registration that was read.
async fn check(script: &str) -> (Result<(), DriverError>, Bench) {
    let mut bench = ready(script).await;
    let checked = bench.driver.check_statements().await;
    (checked, bench)
}

#[tokio::test(start_paused = true)]
async fn statements_that_agree_pass_and_those_that_a_model_does_not_make_contradict_nothing() {
    let whole = beside(&said(INN), &said(RNM), "", &said(TAXES), &said(FFD));
    // As many models write it: leading zeros, no padding.
    let other = beside(
        &said("30 30 37 37 30 34 33 35 38 35 31 38"),
        &said(RNM),
        "",
        &said(TAXES),
        &said(FFD),
    );
    let silent = beside("5D", "33", "", "37", "08");
    let empty = beside("00", "00", "", "37", "37");
    for script in [whole, other, silent, empty] {
        let (checked, bench) = check(&script).await;
        assert_eq!(checked, Ok(()), "{script}");
        bench.played.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn each_contradiction_is_named_with_both_statements() {
    let rows = [
        (
            beside(&said("37 37 30 37 30 38 33 38 39 33"), "33", "", "37", "37"),
            ["7704358518", "7707083893"],
        ),
        (
            beside(
                "33",
                &said("30 30 30 30 30 30 30 30 30 31 30 30 32 35 36 39"),
                "",
                "37",
                "37",
            ),
            ["0000000001047868", "0000000001002569"],
        ),
        (
            beside("33", "33", "", &said("26 04 01 00 02"), "37"),
            ["tax systems 01", "says 02"],
        ),
        (
            beside("33", "33", "", "37", &said("B9 04 01 00 02")),
            ["FFD 1.2", "says 1.05"],
        ),
        (
            beside("33", "33", "", "37", &said("B9 04 01 00 09")),
            ["FFD 1.2", "says 9"],
        ),
    ];
    for (script, words) in rows {
        let (checked, bench) = check(&script).await;
        bench.played.finish();
        let Err(error @ DriverError::Contradiction(_)) = checked else {
            panic!("{script}: {checked:?}")
        };
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert_eq!(error.code(), Code::RegisterContradicts);
    }
}

#[tokio::test(start_paused = true)]
async fn an_fn_that_the_table_does_not_name_is_a_contradiction() {
    let table = "ask 1F 1E000000 12 0100 04\nsay 1F 00 39 39 39 39 30 37 38 39 30 30 30 30 39 39 39 39";
    let script = format!(
        "{CONNECT}\n{}\n{}",
        super::REGISTRATION,
        beside("33", "33", table, "37", "37")
    );
    let mut bench = bench(&script);
    bench.driver.fn_number_said = Some("9999078900001234".parse().unwrap());
    bench.driver.read_registration().await.unwrap();
    let text = bench.driver.check_statements().await.unwrap_err().to_string();
    bench.played.finish();
    assert!(
        text.contains("9999078900001234") && text.contains("9999078900009999"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_tag_of_the_registration_report_that_is_cut_anywhere_is_told_and_nothing_is_written() {
    for cut in 0..5 {
        let bytes = &TAXES[..(cut * 3)];
        let script = format!(
            "ask 1F 1E000000 12 0100 02\nsay 1F 33\nask 1F 1E000000 12 0100 03\nsay 1F 33
            ask FF60 1E000000 00 2604\nsay FF60 00 {bytes}"
        );
        let mut bench = ready(&script).await;
        let error = bench.driver.prepare().await.unwrap_err();
        bench.played.finish();
        assert!(matches!(error, DriverError::Nonsense { .. }), "{cut}: {error}");
        assert!(error.to_string().contains("1062"), "{error}");
        assert_eq!(bench.points(), [], "nothing was written");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tag_answered_with_another_tag_or_a_longer_value_is_told() {
    for bytes in [
        "27 04 01 00 01",
        "26 04 02 00 01 00",
        "26 04 00 00",
        "26 04 01 00 01 B9",
    ] {
        let script = beside("33", "33", "", &said(bytes), "37");
        let until_ffd = script.find("ask FF60 1E000000 00 B904").unwrap();
        let (checked, bench) = check(&script[..until_ffd]).await;
        bench.played.finish();
        assert!(
            matches!(checked, Err(DriverError::Nonsense { .. })),
            "{bytes}: {checked:?}"
        );
    }
}

/// Every answer of a script cut at every length, with silence behind it.
fn every_cut(script: &str) -> Vec<String> {
    let lines: Vec<&str> = script.lines().map(str::trim).collect();
    let says = (0..lines.len()).filter(|at| lines[*at].starts_with("say "));
    let cuts = says.flat_map(|at| {
        let bytes: String = lines[at][4..].chars().filter(|c| !c.is_whitespace()).collect();
        let before = lines[..at].join("\n");
        (1..bytes.len() / 2).map(move |length| format!("{before}\nsay {}\nsilent", &bytes[..length * 2]))
    });
    cuts.collect()
}

#[tokio::test(start_paused = true)]
async fn an_answer_cut_anywhere_never_gives_another_registration_or_register() {
    let cuts = every_cut(&format!("{CONNECT}\n{}", super::REGISTRATION));
    assert!(cuts.len() > 150, "{}", cuts.len());
    for script in cuts {
        // Whatever it says, it says who it is as before, or nothing; the session ends at the silence.
        if let Ok(registration) = bench(&script).driver.read_registration().await {
            assert_eq!(registration.inn.as_str(), "7704358518", "{script}");
        }
    }
    for script in every_cut(&format!("{CONNECT}\n{}", super::IDENTIFY)) {
        if let Ok(identity) = bench(&script).driver.read_identity().await {
            assert_eq!(identity.register.serial.as_str(), "0000000000123456", "{script}");
            assert_eq!(identity.fn_number.unwrap().as_str(), "9999078900001234", "{script}");
        }
    }
}
