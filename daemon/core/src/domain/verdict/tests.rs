//! The rules of verdicts as tables: one row for each thing a person may say.

use super::*;

const BASELINE: u32 = 100;

fn case() -> Case {
    Case {
        fn_number: "9999078900001234".parse().unwrap(),
        baseline: FdNumber(BASELINE),
        standing: Standing::Open,
        fn_answers: None,
        known_as: None,
        waiting: None,
        revision: 5,
    }
}

fn existing(fd: u32, fp: u32) -> Claimed {
    Claimed::Made(Existing {
        fd: FdNumber(fd),
        fp: FiscalSign(fp),
        time: Some(UnixMillis(1_795_348_800_000)),
        shift: None,
        number_in_shift: None,
    })
}

fn absent(first: Option<u32>, last: Option<u32>, end: Option<u32>, code: Option<u32>) -> Claimed {
    Claimed::NotMade(Absence {
        first_fd: first.map(FdNumber),
        last_fd: last.map(FdNumber),
        fn_last_fd: end.map(FdNumber),
        last_code: code,
    })
}

fn claim(source: Source, verdict: Claimed) -> Claim {
    Claim {
        verdict,
        source,
        words: "Read by Ivanova on the reader in room 4".into(),
    }
}

fn first(client: &str) -> Person {
    Person {
        client: client.into(),
        repeats: None,
    }
}

fn code(result: Result<Judgement, Reason>) -> Option<Code> {
    result.err().map(|reason| reason.code)
}

#[test]
fn a_verdict_stands_only_on_evidence_that_leaves_no_other_explanation() {
    use Source::{FnReader, OfdCopy, Paper};
    let unproven = Some(Code::VerdictAbsenceUnproven);
    let lacking = Some(Code::VerdictEvidenceMissing);
    let wrong = Some(Code::VerdictInvalid);
    let rows = [
        ("the receipt in the hand", Paper, existing(101, 7), None),
        ("after a report of the register", OfdCopy, existing(102, 7), None),
        ("a document before the attempt", Paper, existing(100, 7), wrong),
        ("a document far above", FnReader, existing(100 + 65, 7), wrong),
        ("no fiscal sign", Paper, existing(101, 0), wrong),
        (
            "nothing was printed",
            Paper,
            absent(Some(1), Some(200), Some(200), Some(3)),
            unproven,
        ),
        ("the OFD has nothing", OfdCopy, absent(None, None, None, None), unproven),
        (
            "the OFD ends at the baseline",
            OfdCopy,
            absent(Some(1), Some(100), None, Some(3)),
            unproven,
        ),
        (
            "the OFD ends before it",
            OfdCopy,
            absent(Some(1), Some(99), None, Some(3)),
            unproven,
        ),
        (
            "the OFD has only the later one",
            OfdCopy,
            absent(Some(101), Some(101), None, Some(3)),
            unproven,
        ),
        (
            "a shift report follows",
            OfdCopy,
            absent(Some(100), Some(101), None, Some(2)),
            unproven,
        ),
        (
            "what follows is not said",
            OfdCopy,
            absent(Some(100), Some(101), None, None),
            lacking,
        ),
        (
            "another receipt follows",
            OfdCopy,
            absent(Some(100), Some(101), None, Some(3)),
            None,
        ),
        (
            "the FN stands at the baseline",
            FnReader,
            absent(None, None, Some(100), None),
            None,
        ),
        (
            "the reader's end is not said",
            FnReader,
            absent(Some(101), Some(103), None, None),
            lacking,
        ),
        (
            "nothing above was read",
            FnReader,
            absent(None, None, Some(101), None),
            lacking,
        ),
        (
            "one in the middle was not read",
            FnReader,
            absent(Some(102), Some(103), Some(103), None),
            unproven,
        ),
        (
            "the last was not read",
            FnReader,
            absent(Some(101), Some(102), Some(103), None),
            unproven,
        ),
        (
            "all above were read",
            FnReader,
            absent(Some(101), Some(103), Some(103), None),
            None,
        ),
        (
            "another FN was read",
            FnReader,
            absent(Some(1), Some(50), Some(50), None),
            wrong,
        ),
    ];
    for (what, source, verdict, expected) in rows {
        let judged = judge(&case(), &claim(source, verdict), &first("uid:1"), UnixMillis(0));
        assert_eq!(code(judged.clone()), expected, "{what}: {judged:?}");
        assert!(
            expected.is_some() || judged == Ok(Judgement::NeedsSecond),
            "one person never settles: {what}"
        );
    }
}

#[test]
fn the_fn_decides_while_it_can_be_read_and_a_settled_doubt_stays_settled() {
    let good = claim(Source::Paper, existing(101, 7));
    let mut case = case();
    case.fn_answers = Some("answers in slot S1".into());
    assert_eq!(
        code(judge(&case, &good, &first("uid:1"), UnixMillis(0))),
        Some(Code::DoubtFnDecides)
    );
    case.fn_answers = None;
    case.standing = Standing::Settled;
    assert_eq!(
        code(judge(&case, &good, &first("uid:1"), UnixMillis(0))),
        Some(Code::DoubtSettled)
    );
}

#[test]
fn a_document_that_is_explained_already_or_has_no_time_or_no_words_is_refused() {
    let person = first("uid:1");
    let mut known = case();
    known.known_as = Some("that of job K1".into());
    let good = claim(Source::Paper, existing(101, 7));
    assert_eq!(
        code(judge(&known, &good, &person, UnixMillis(0))),
        Some(Code::VerdictInvalid)
    );
    let mut timeless = good.clone();
    if let Claimed::Made(existing) = &mut timeless.verdict {
        existing.time = None;
    }
    assert_eq!(
        code(judge(&case(), &timeless, &person, UnixMillis(0))),
        Some(Code::VerdictEvidenceMissing)
    );
    for words in ["", "   ok     ", &"x".repeat(2_001)] {
        let silent = Claim {
            words: words.into(),
            ..good.clone()
        };
        let judged = judge(&case(), &silent, &person, UnixMillis(0));
        assert_eq!(code(judged), Some(Code::VerdictEvidenceMissing), "{words:.20}");
    }
}

#[test]
fn only_another_person_who_repeats_the_same_under_id_and_digits_in_time_makes_it_count() {
    let good = claim(Source::OfdCopy, absent(Some(90), Some(110), None, Some(3)));
    let mut case = case();
    case.waiting = Some(Waiting {
        id: 1,
        client: "uid:1".into(),
        claim: good.clone(),
        confirmation: "AB12".into(),
        expires_at: UnixMillis(1_000),
        revision: 5,
    });
    let repeat = |client: &str, id: &str, digits: &str| Person {
        client: client.into(),
        repeats: Some((id.into(), digits.into())),
    };
    let other_words = Claim {
        words: "Seen by Petrov in the OFD's cabinet".into(),
        ..good.clone()
    };
    let other_numbers = claim(Source::OfdCopy, absent(Some(90), Some(111), None, Some(3)));
    let other_source = claim(Source::FnReader, absent(None, None, Some(100), None));
    let not = Some(Code::VerdictNotConfirmed);
    let rows = [
        (
            "the same by another",
            &good,
            repeat("uid:2", "AB12", "1234"),
            999,
            5,
            None,
        ),
        (
            "in other words",
            &other_words,
            repeat("uid:2", "AB12", "00001234"),
            0,
            5,
            None,
        ),
        (
            "the same person",
            &good,
            repeat("uid:1", "AB12", "1234"),
            0,
            5,
            Some(Code::VerdictSamePerson),
        ),
        ("another id", &good, repeat("uid:2", "AB13", "1234"), 0, 5, not),
        ("too late", &good, repeat("uid:2", "AB12", "1234"), 1_000, 5, not),
        (
            "something was seen since",
            &good,
            repeat("uid:2", "AB12", "1234"),
            0,
            6,
            not,
        ),
        (
            "other numbers",
            &other_numbers,
            repeat("uid:2", "AB12", "1234"),
            0,
            5,
            not,
        ),
        (
            "another source",
            &other_source,
            repeat("uid:2", "AB12", "1234"),
            0,
            5,
            not,
        ),
        ("too few digits", &good, repeat("uid:2", "AB12", "234"), 0, 5, not),
        (
            "digits of another FN",
            &good,
            repeat("uid:2", "AB12", "1235"),
            0,
            5,
            not,
        ),
        ("letters", &good, repeat("uid:2", "AB12", "FN1234"), 0, 5, not),
    ];
    for (what, claim, person, now, revision, expected) in rows {
        case.revision = revision;
        let judged = judge(&case, claim, &person, UnixMillis(now));
        assert_eq!(code(judged.clone()), expected, "{what}: {judged:?}");
        assert!(expected.is_some() || judged == Ok(Judgement::Counts), "{what}");
    }
    case.waiting = None;
    let alone = judge(&case, &good, &repeat("uid:2", "AB12", "1234"), UnixMillis(0));
    assert_eq!(code(alone), not, "nothing waits");
}

#[test]
fn an_incident_ends_only_with_exactly_what_the_fn_shows() {
    let mut case = case();
    case.fn_answers = Some("answers in slot S1".into());
    case.standing = Standing::Incident(Some((FdNumber(101), FiscalSign(7))));
    let judged = |case: &Case, verdict| {
        code(judge(
            case,
            &claim(Source::FnReader, verdict),
            &first("uid:1"),
            UnixMillis(0),
        ))
    };
    assert_eq!(judged(&case, existing(101, 7)), None);
    assert_eq!(judged(&case, existing(101, 8)), Some(Code::VerdictInvalid));
    assert_eq!(judged(&case, existing(102, 7)), Some(Code::VerdictInvalid));
    assert_eq!(
        judged(&case, absent(None, None, Some(100), None)),
        Some(Code::VerdictInvalid)
    );
    case.standing = Standing::Incident(None);
    assert_eq!(judged(&case, absent(None, None, Some(100), None)), None);
    assert_eq!(judged(&case, existing(101, 7)), Some(Code::VerdictInvalid));
}
