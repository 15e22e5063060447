//! A register that says other things than it holds: faults `table_value`, `refuse_tag`, `miswrite_tag`, `cut_tlv`.

use crate::bench::{Bench, close, config, document_tag, error_of, hex, item_tag};
use kassette_hw_sim::faults::{FaultKind, FaultSpec, Trigger};
use kassette_hw_sim::machine::Machine;

fn fault(bench: &mut Bench, json: &str) {
    let kind: FaultKind = serde_json::from_str(json).unwrap();
    bench.fault(kind, Trigger::Now);
}

#[test]
fn a_field_that_reads_wrong_is_wrong_for_the_host_alone_and_until_it_is_taken_back() {
    let mut bench = Bench::new(config());
    fault(
        &mut bench,
        r#"{"table_value":{"table":17,"row":1,"field":17,"value":"02"}}"#,
    );
    fault(
        &mut bench,
        r#"{"table_value":{"table":18,"row":1,"field":2,"value":"3132"}}"#,
    );
    assert_eq!(bench.ask("1F 1E 00 00 00 11 01 00 11"), "1F 00 02");
    assert_eq!(bench.ask("1F 1E 00 00 00 12 01 00 02"), "1F 00 31 32");
    // The register still works as it was registered.
    bench.ask("E0 1E 00 00 00");
    assert_eq!(bench.error("FF 35 1E 00 00 00"), 0x35, "FFD 1.2");
    assert_eq!(bench.command("FF 09", &[]).len(), 67);
    fault(&mut bench, r#"{"table_value":{"table":17,"row":1,"field":17}}"#);
    assert_eq!(bench.ask("1F 1E 00 00 00 11 01 00 11"), "1F 00 04");
    let kind = serde_json::from_str(r#"{"table_value":{"table":1,"row":1,"field":1,"value":"1g"}}"#).unwrap();
    let kind: FaultKind = kind;
    for trigger in [Trigger::Now, Trigger::NthExchange(2)] {
        let kind = kind.clone();
        assert!(bench.register.fault(bench.now, FaultSpec { kind, trigger }).is_err());
    }
}

#[test]
fn a_refused_tag_is_refused_in_the_document_and_in_an_item_and_nothing_of_it_stays() {
    let mut bench = Bench::in_shift(config());
    bench.one_item();
    fault(&mut bench, r#"{"refuse_tag":{"tag":1008,"code":51}}"#);
    fault(&mut bench, r#"{"refuse_tag":{"tag":1191,"code":164}}"#);
    assert_eq!(error_of(&bench.exchange(&document_tag(1008, b"a@b.ru"))), 0x33);
    assert_eq!(error_of(&bench.exchange(&item_tag(1191, b"x"))), 0xA4);
    assert_eq!(error_of(&bench.exchange(&document_tag(1192, b"x"))), 0);
    fault(&mut bench, r#"{"refuse_tag":{"tag":1191,"code":0}}"#);
    assert_eq!(error_of(&bench.exchange(&item_tag(1191, b"x"))), 0);
    assert_eq!(error_of(&bench.exchange(&close(0, 10_000))), 0);
    let tlv = hex(&bench.records()[2].tlv);
    assert!(!tlv.contains("F0 03 06 00 61"), "{tlv}");
    assert!(
        tlv.contains("A8 04 01 00 78") && tlv.contains("A7 04 01 00 78"),
        "{tlv}"
    );
}

#[test]
fn a_tag_that_is_written_wrong_stands_so_in_the_document_and_its_items_until_it_is_written_right() {
    let mut bench = Bench::in_shift(config());
    fault(&mut bench, r#"{"miswrite_tag":{"tag":1043,"value":"E803"}}"#);
    fault(&mut bench, r#"{"miswrite_tag":{"tag":1081,"value":"01"}}"#);
    bench.receipt();
    let wrong = hex(&bench.records()[2].tlv);
    assert!(
        wrong.contains("13 04 02 00 E8 03") && wrong.contains("39 04 01 00 01"),
        "{wrong}"
    );
    fault(&mut bench, r#"{"miswrite_tag":{"tag":1043}}"#);
    fault(&mut bench, r#"{"miswrite_tag":{"tag":1081}}"#);
    bench.receipt();
    let right = hex(&bench.records()[3].tlv);
    assert!(
        !right.contains("13 04 02 00 E8 03") && !right.contains("39 04 01 00 01"),
        "{right}"
    );
}

#[test]
fn a_document_can_end_anywhere_though_its_head_says_how_long_it_is() {
    let mut bench = Bench::in_shift(config());
    let fd = bench.receipt();
    let whole = bench.records()[2].tlv.clone();
    for keep in [0, 1, 3, 20, 21, whole.len() - 1, whole.len()] {
        fault(&mut bench, &format!(r#"{{"cut_tlv":{{"keep":{keep}}}}}"#));
        let head = bench.command("FF 3A", &fd.to_le_bytes());
        assert_eq!(usize::from(u16::from_le_bytes([head[5], head[6]])), whole.len());
        let mut read = Vec::new();
        loop {
            let part = bench.command("FF 3B", &[]);
            if part[2] == 0x08 {
                break;
            }
            read.extend_from_slice(&part[3..]);
        }
        assert_eq!(read, whole[..keep]);
    }
    fault(&mut bench, r#"{"cut_tlv":{}}"#);
    assert!(!bench.read_document(fd).is_empty());
}

#[test]
fn a_setting_changed_at_the_register_itself_stays_over_a_power_cut_and_obeys_the_rules_of_1e() {
    let mut bench = Bench::new(config());
    fault(&mut bench, r#"{"setting":{"table":17,"row":1,"field":7,"value":"02"}}"#);
    fault(&mut bench, r#"{"setting":{"table":17,"row":1,"field":7,"value":"FF"}}"#);
    fault(&mut bench, r#"{"power_cut":{"when":"before","down_ms":0}}"#);
    assert_eq!(bench.ask("1F 1E 00 00 00 11 01 00 07"), "1F 00 02");
    let happened = bench.register.snapshot().happened;
    assert_eq!((happened["setting"], happened["power_cut_before"]), (2, 1));
}
