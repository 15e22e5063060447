//! Registration and re-registration: FF05, FF06, FF34 (`shtrih-m` 3.8, `fn-ffd-ofd` A.8, B.2, B.3).

use crate::bench::{Bench, PASSWORD, config, document_tag, error_of, hex, number, tags, text, unhex, value};
use kassette_hw_sim::faults::{FaultKind, Trigger};
use kassette_hw_sim::fiscal_storage::{CalendarDay, Phase};
use kassette_hw_sim::models::shtrih_m::{Config, Ffd};

const INN: &str = "7704358518";
/// Number 1 with the check digits of this INN and the register's serial (B.6), computed apart from the code.
const RNM: &str = "0000000001008052";

fn fresh() -> Config {
    let mut config = config();
    config.fn_unit.phase = Phase::Ready;
    config.rnm = RNM.to_owned();
    config
}

fn named(code: &str, inn: &str, rnm: &str, rest: &[u8]) -> Vec<u8> {
    let padded = |text: &str, width: usize| format!("{text:<width$}").into_bytes();
    [&unhex(code)[..], &PASSWORD, &padded(inn, 12), &padded(rnm, 20), rest].concat()
}

fn write(bench: &mut Bench, table: u8, field: u8, bytes: &[u8]) {
    let answer = bench.command("1E", &[&[table, 1, 0, field][..], bytes].concat());
    assert_eq!(hex(&answer), "1E 00", "{table}/1/{field}");
}

fn registered(config: Config) -> Bench {
    let mut bench = Bench::new(config);
    assert_eq!(bench.ask("FF 05 1E 00 00 00 00"), "FF 05 00");
    assert_eq!(bench.exchange(&named("FF 06", INN, RNM, &[1, 0x20]))[2], 0);
    bench
}

#[test]
fn a_fresh_fn_is_registered_as_the_tables_and_the_command_say_and_then_works() {
    let mut bench = Bench::new(fresh());
    assert_eq!((bench.command("FF 01", &[])[3], bench.records().len()), (0x01, 0));
    assert_eq!(bench.error("FF 09 1E 00 00 00"), 0x02);
    assert_eq!(bench.command("1F", &[18, 1, 0, 3])[2], 0, "no RNM yet");
    assert_eq!(bench.error("E0 1E 00 00 00"), 0x02);
    write(
        &mut bench,
        18,
        7,
        &kassette_wire::text::encode_cp1251("ООО \"Ромашка\"").unwrap(),
    );
    write(&mut bench, 18, 9, b"Moscow");
    write(&mut bench, 18, 21, &[0x02]);
    let register = named("FF 06", INN, RNM, &[0x03, 0x20]);
    assert_eq!(error_of(&bench.exchange(&register)), 0x02, "FF05 comes first");
    assert_eq!(bench.error("FF 05 1E 00 00 00 02"), 0x02, "nothing to change yet");
    assert_eq!(bench.ask("FF 05 1E 00 00 00 00"), "FF 05 00");
    assert_eq!(bench.command("FF 01", &[])[4], 0x01);
    assert_eq!(error_of(&bench.exchange(&document_tag(1274, b"why"))), 0);
    assert_eq!(error_of(&bench.exchange(&document_tag(1009, b"Tver"))), 0);
    let answer = bench.exchange(&register);
    assert_eq!((answer.len(), &answer[..7]), (11, &unhex("FF 06 00 01 00 00 00")[..]));
    let record = bench.records()[0].clone();
    assert_eq!((record.kind, record.fp.to_le_bytes().as_slice()), (1, &answer[7..]));
    let report = tags(&record.tlv);
    for (tag, expected) in [(1062, 3), (1290, 1 << 5 | 1 << 10), (1209, 4), (1056, 0)] {
        assert_eq!(number(&report, tag), Some(expected), "tag {tag}");
    }
    for (tag, expected) in [
        (1048, "ООО \"Ромашка\""),
        (1009, "Tver"),
        (1274, "why"),
        (1018, "7704358518  "),
    ] {
        assert_eq!(text(&report, tag).as_deref(), Some(expected), "tag {tag}");
    }
    assert_eq!(value(&report, 1077).unwrap()[..2], [0x21, 0x04]);
    // From now on it is what was registered, over a kill too.
    for killed in [false, true] {
        if killed {
            bench = bench.restart();
        }
        let result = bench.command("FF 09", &[]);
        assert_eq!(
            (&result[8..20], &result[40..43]),
            (&b"7704358518  "[..], &[0x03, 0x20, 0x02][..])
        );
        assert_eq!(bench.command("1F", &[18, 1, 0, 3])[2..18], *RNM.as_bytes());
        assert_eq!(bench.command("FF 01", &[])[3], 0x03);
    }
    bench.ask("E0 1E 00 00 00");
    let fd = bench.receipt();
    assert_eq!(text(&bench.read_document(fd), 1048).as_deref(), Some("ООО \"Ромашка\""));
}

#[test]
fn a_registration_with_wrong_numbers_makes_no_document_and_stays_begun() {
    let mut bench = Bench::new(fresh());
    bench.ask("FF 05 1E 00 00 00 00");
    for (payload, code) in [
        (named("FF 06", "7704358519", RNM, &[1, 0]), 0x33),
        (named("FF 06", INN, "0000000001008053", &[1, 0]), 0x09),
        (named("FF 06", INN, "1", &[1, 0]), 0x09),
        (named("FF 06", INN, RNM, &[0, 0]), 0x33),
        (named("FF 06", INN, RNM, &[0x40, 0]), 0x33),
        (named("FF 34", INN, RNM, &[1, 0, 1]), 0x02),
    ] {
        assert_eq!(error_of(&bench.exchange(&payload)), code);
        assert_eq!((bench.last_fd(), bench.command("FF 01", &[])[4]), (0, 1));
    }
    write(&mut bench, 17, 17, &[3]);
    assert_eq!(
        error_of(&bench.exchange(&named("FF 06", INN, RNM, &[1, 0]))),
        0x35,
        "FFD 1.1"
    );
}

#[test]
fn a_reregistration_changes_the_format_and_nothing_that_belongs_to_the_taxpayer() {
    let mut bench = registered(fresh());
    bench.ask("E0 1E 00 00 00");
    assert_eq!(bench.error("FF 05 1E 00 00 00 02"), 0x73, "the shift is open");
    bench.ask("41 1E 00 00 00");
    write(&mut bench, 17, 17, &[2]);
    assert_eq!(
        bench.ask("FF 35 1E 00 00 00"),
        "FF 35 35",
        "writing the field changes no registration"
    );
    assert_eq!(bench.error("FF 05 1E 00 00 00 01"), 0x02, "this FN is in use");
    bench.ask("FF 05 1E 00 00 00 02");
    assert_eq!(bench.command("FF 01", &[])[4], 0x13);
    for (payload, code) in [
        (named("FF 34", "7707083893", RNM, &[1, 0x20, 4]), 0x09),
        (named("FF 34", INN, RNM, &[1, 0x20, 1]), 0x33),
        (named("FF 34", INN, RNM, &[1, 0x20, 5]), 0x33),
    ] {
        assert_eq!(error_of(&bench.exchange(&payload)), code);
    }
    let answer = bench.exchange(&named("FF 34", INN, RNM, &[1, 0x20, 4]));
    assert_eq!((answer.len(), &answer[2..7]), (11, &[0, 4, 0, 0, 0][..]));
    let record = bench.records().pop().unwrap();
    let report = tags(&record.tlv);
    assert_eq!(
        (record.kind, number(&report, 1209), number(&report, 1101)),
        (11, Some(2), Some(4))
    );
    for killed in [false, true] {
        if killed {
            bench = bench.restart();
        }
        // FFD 1.05: the short form, and the later one by its number with its reason.
        assert_eq!(bench.command("FF 09", &[]).len(), 50);
        let second = bench.command("FF 4C", &[2]);
        assert_eq!((second.len(), second[42]), (51, 4));
        assert_eq!(
            bench.command("FF 4C", &[1]).len(),
            67,
            "the first was made under FFD 1.2"
        );
        assert_eq!(bench.error("FF 4C 1E 00 00 00 03"), 0x08);
        assert_eq!(bench.ask("FF 60 1E 00 00 00 00 B9 04"), "FF 60 00 B9 04 01 00 02");
        assert_eq!(bench.ask("FF 60 1E 00 00 00 01 B9 04"), "FF 60 00 B9 04 01 00 04");
        let short = bench.command("FF 0A", &4_u32.to_le_bytes());
        assert_eq!(
            (short[3], short.len(), short.last()),
            (11, 3 + 2 + 5 + 8 + 35, Some(&4))
        );
    }
    bench.ask("E0 1E 00 00 00");
    let fd = bench.receipt();
    assert_eq!(number(&bench.read_document(fd), 1209), Some(2));
    assert_eq!(bench.ask("FF 35 1E 00 00 00"), "FF 35 00");
}

#[test]
fn an_fn_of_the_first_generation_takes_no_ffd_1_2() {
    let mut old = fresh();
    old.ffd = Ffd::V105;
    let mut bench = registered(old);
    write(&mut bench, 17, 17, &[4]);
    bench.ask("FF 05 1E 00 00 00 02");
    assert_eq!(
        error_of(&bench.exchange(&named("FF 34", INN, RNM, &[1, 0x20, 4]))),
        0x35
    );
}

#[test]
fn another_fn_is_registered_for_the_same_taxpayer_with_reason_1() {
    let mut bench = registered(fresh());
    let kind = FaultKind::FnReplace {
        number: "9999078900005678".to_owned(),
        phase: Phase::Ready,
        documents_left: 100,
        expiry: CalendarDay::try_from("2028-01-31".to_owned()).unwrap(),
    };
    bench.fault(kind, Trigger::Now);
    bench.take();
    assert_eq!(
        bench.command("1F", &[18, 1, 0, 3])[2],
        0,
        "the new FN belongs to nobody"
    );
    bench.ask("FF 05 1E 00 00 00 01");
    assert_eq!(bench.command("FF 01", &[])[4], 0x12);
    assert_eq!(
        error_of(&bench.exchange(&named("FF 34", INN, RNM, &[1, 0x20, 3]))),
        0x33
    );
    let answer = bench.exchange(&named("FF 34", INN, RNM, &[1, 0x20, 1]));
    assert_eq!(answer[2..7], [0, 1, 0, 0, 0]);
    let record = bench.shelf.records("9999078900005678")[0].clone();
    assert_eq!((record.kind, number(&tags(&record.tlv), 1205)), (11, Some(0x8000_0000)));
    assert_eq!(bench.command("FF 01", &[])[3], 0x03);
    bench.ask("E0 1E 00 00 00");
    bench.receipt();
}
