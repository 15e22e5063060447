//! What the command line takes, refuses and teaches.
//!
//! Owns: those tests.
//! Must never: reach a daemon.

use super::*;
use clap::CommandFactory;

fn parse(line: &str) -> Result<Options, clap::Error> {
    Options::try_parse_from(line.split(' '))
}

#[test]
fn the_command_line_is_well_formed() {
    Options::command().debug_assert();
}

#[test]
fn verbs_are_understood() {
    for line in [
        "kassettectl status",
        "kassettectl --json registers --problems",
        "kassettectl registers --tenant 7704358518 --json --socket /tmp/s",
        "kassettectl tenants",
        "kassettectl tenants --json",
        "kassettectl tenants get 7704358518",
        "kassettectl tenants set 7704358518 --queue 5 --rate 0 --reason less",
        "kassettectl tenants cordon 7704358518 --yes",
        "kassettectl receipts --state in-doubt --state completed --limit 5 --label shop=1",
        "kassettectl receipt submit - --tenant 7704358518 --key k --wait",
        "kassettectl receipt submit r.json --tenant 7704358518 --key k --wait 5 --ttl 60",
        "kassettectl receipt submit r.json --tenant 7704358518 --key k --check",
        "kassettectl receipt get tenants/1/receipts/2",
        "kassettectl receipt get --tenant 7704358518 --key k",
        "kassettectl receipt get --fn 9999078900000001 --fd 7",
        "kassettectl receipt import r.jsonl --map 2020 --tenant 7704358518 --dry-run",
        "kassettectl receipt import r.jsonl --tenant 7704358518 --wait --ttl 60 --series day-1 --label shop=1",
        "kassettectl receipt watch --from oldest --address http://127.0.0.1:7070",
        "kassettectl rack apply rack.toml --yes --reason new",
        "kassettectl rack export",
        "kassettectl documents export --format csv",
        "kassettectl documents export --format jsonl --tenant 7704358518",
        "kassettectl codes KEY_CONFLICT",
        "kassettectl codes --tag 1199",
    ] {
        parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn contradictions_and_missing_arguments_are_usage_errors() {
    for line in [
        "kassettectl",
        "kassettectl swap R1-S01",
        "kassettectl tenants set 7704358518",
        "kassettectl tenants set 7704358518 --queue -1",
        "kassettectl tenants drain",
        "kassettectl receipt get",
        "kassettectl receipt get --key k",
        "kassettectl receipt get --fd 7",
        "kassettectl receipt get tenants/1/receipts/2 --fn 1 --fd 7",
        "kassettectl receipt submit r.json --tenant 7704358518",
        "kassettectl receipt submit r.json --tenant 7704358518 --key k --wait 61",
        "kassettectl receipt submit r.json --tenant 7704358518 --key k --check --wait",
        "kassettectl receipt import r.jsonl --map 2020",
        "kassettectl receipt import r.jsonl --map 1999 --tenant 7704358518",
        "kassettectl receipt import r.jsonl --tenant 7704358518 --dry-run --wait",
        "kassettectl receipt import r.jsonl --tenant 7704358518 --series a/b",
        "kassettectl receipts --label nothing",
        "kassettectl documents export",
        "kassettectl documents export --format xml",
        "kassettectl codes X --tag 1199",
        "kassettectl --socket /tmp/s --address http://127.0.0.1:1 status",
    ] {
        let error = parse(line).expect_err(line);
        assert!(error.use_stderr(), "{line}");
    }
}

#[test]
fn the_line_of_2020_in_the_help_is_one() {
    let day = time::macros::date!(2026 - 11 - 22);
    kassette_ctl::map_2020::receipt(&LINE_OF_2020.replace('\n', ""), day).unwrap();
}

#[test]
fn nothing_is_changed_unless_it_is_said() {
    let Verb::Rack(Rack::Apply(apply)) = parse("kassettectl rack apply rack.toml").unwrap().verb else {
        panic!("another verb");
    };
    assert!(!apply.yes);
}
