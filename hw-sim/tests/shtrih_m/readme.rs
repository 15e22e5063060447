//! What README.md promises of switches is what the rack file takes.

use kassette_hw_sim::switches::Switches;

const README: &str = include_str!("../../README.md");

#[test]
fn every_switch_stands_in_the_readme_with_its_readings() {
    let all = serde_json::to_value(Switches::default()).unwrap();
    let names: Vec<&String> = all.as_object().unwrap().keys().collect();
    assert!(names.len() > 20);
    for name in names {
        assert!(README.contains(&format!("| `{name}`")), "{name} is not described");
    }
    for line in [
        "vat_7_107 = \"byte88\"",
        "vat_7_107 = \"byte90\"",
        "vat_22 = \"rows_11_and_12\"",
        "vat_22 = \"nano\"",
        "vat_22 = \"main_row\"",
        "service_echo = \"one_byte\"",
        "service_echo = \"two_bytes\"",
        "fn_generation = \"first\"",
        "fn_generation = \"fn12\"",
        "printing = \"none\"",
        "printing = { polls = 3 }",
        "printing = { millis = 500 }",
        "nak_after_byte_timeout = true",
    ] {
        let read: Result<Switches, _> = toml::from_str(line);
        assert_ne!(read.unwrap(), Switches::default(), "{line}");
    }
    assert!(
        toml::from_str::<Switches>("vat = 1").is_err(),
        "an unknown switch is an error"
    );
}
