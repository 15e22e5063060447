//! Answers have the shape of those that real registers gave: length, success or error.

use crate::bench::{Bench, config, error_of, hex, item, unhex};
use kassette_hw_sim::models::shtrih_m::{Config, Ffd};
use std::collections::BTreeSet;

/// Frames recorded from real registers, with their origin.
const CAPTURES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../proto/wire/golden/captures/shtrih-v1.jsonl"
);

/// Where our answer differs on purpose: device, how the request begins, why. The list stands in README.md too.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    (
        "ШТРИХ-М-ФР-К",
        "FF 01",
        "a model before the FN, without two-byte commands; ours has them",
    ),
    (
        "ШТРИХ-М-ФР-К",
        "2E",
        "before the FN: text fields of 57 and 21 bytes with limits of zeros; ours are those of FN models",
    ),
    (
        "ШТРИХ-М-ФР-К",
        "1F",
        "before the FN: names of rates have 57 bytes; ours 64",
    ),
    ("ШТРИХ-М-ФР-К", "AC", "electronic journal: gone with the FN"),
    ("ШТРИХ-М-ФР-К", "AD", "electronic journal: gone with the FN"),
    ("ШТРИХ-М-ФР-К", "B3", "electronic journal: gone with the FN"),
    ("ШТРИХ-М-ФР-К", "BB", "electronic journal: gone with the FN"),
    (
        "ШТРИХ-М-ФР-К",
        "DD",
        "before the FN: no barcode blocks; FN models have them",
    ),
    (
        "РИТЕЙЛ-01Ф",
        "DE",
        "two-dimensional barcode that was refused with 33; ours refuses the command, 37",
    ),
    ("", "40", "was still printing (50); ours prints in realistic time only"),
    ("", "25", "was still printing (50); ours prints in realistic time only"),
    (
        "",
        "FF 61",
        "that register was registered for marked goods; ours says A0, that it is not",
    ),
];

struct Pair {
    device: String,
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// Payloads of each request with the answer that follows it.
fn pairs() -> Vec<Pair> {
    let text = std::fs::read_to_string(CAPTURES).unwrap();
    let mut pending: Option<(String, Vec<u8>)> = None;
    let mut pairs = Vec::new();
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let bytes = unhex(row["hex"].as_str().unwrap());
        if bytes.len() < 4 {
            continue;
        }
        let payload = crate::bench::payload_of(&bytes);
        if row["dir"] == ">" {
            let device = row["device"].as_str().unwrap().to_owned();
            pending = Some((device, payload));
        } else if let Some((device, request)) = pending.take().filter(|(_, r)| r[0] == payload[0])
            && seen.insert((device.clone(), request.clone(), payload.len()))
        {
            pairs.push(Pair {
                device,
                request,
                answer: payload,
            });
        }
    }
    pairs
}

fn config_of(device: &str) -> Config {
    let mut config = config();
    config.switches.char_limits_in_2e = true;
    if device == "ШТРИХ-СМАРТПОС-Ф" {
        config.model = device.to_owned();
        config.model_code = 0x2D;
        config.switches.print_result = true;
        config.switches.char_values_unpadded = true;
    }
    if device == "ШТРИХ-М-ФР-К" {
        config.model = device.to_owned();
    }
    config
}

/// A register in the mode in which the captured command was good.
fn ready_for(pair: &Pair) -> Bench {
    let mut config = config_of(&pair.device);
    if pair.request.starts_with(&[0xFF, 0x35]) {
        config.ffd = Ffd::V105;
    }
    let password = pair.request.get(1..5).unwrap_or(&[30, 0, 0, 0]).to_vec();
    let mut bench = match pair.request[0] {
        0x40 | 0x50 | 0x82 | 0x85 | 0x88 | 0x8D => Bench::in_shift(config),
        0xFF if matches!(pair.request[1], 0x08 | 0x35 | 0x46) => Bench::in_shift(config),
        _ => Bench::new(config),
    };
    let open = |bench: &mut Bench| bench.exchange(&[&[0x8D][..], &password, &[0]].concat());
    match [pair.request[0], pair.request.get(1).copied().unwrap_or(0)] {
        [0x88, _] | [0xFF, 0x08 | 0x46] => {
            bench.ask("8D 1E 00 00 00 00");
            if pair.request[0] == 0x88 {
                bench.ask("88 1E 00 00 00");
                open(&mut bench);
            }
        }
        [0x82, _] => {
            bench.ask("50 1E 00 00 00 FF FF FF 00 00");
        }
        [0x85, _] => {
            open(&mut bench);
            let mut line = item("Товар", 1_000_000, 100, None, 8);
            line[2..6].copy_from_slice(&password);
            assert_eq!(error_of(&bench.exchange(&line)), 0);
        }
        _ => {}
    }
    bench
}

#[test]
fn answers_have_the_shape_of_the_captured_ones() {
    let pairs = pairs();
    assert!(pairs.len() > 80, "{} pairs", pairs.len());
    let mut used = BTreeSet::new();
    let mut differ = Vec::new();
    for pair in &pairs {
        let mut bench = ready_for(pair);
        let ours = bench.exchange(&pair.request);
        let same = ours.len() == pair.answer.len() && error_of(&ours) == error_of(&pair.answer);
        if same {
            continue;
        }
        let request = hex(&pair.request);
        let known = DIFFERENCES
            .iter()
            .find(|(device, start, _)| *device == pair.device && request.starts_with(start));
        match known {
            Some(known) => {
                used.insert(known);
            }
            None => differ.push(format!(
                "{} > {request}\n   seen {}\n   ours {}",
                pair.device,
                hex(&pair.answer),
                hex(&ours)
            )),
        }
    }
    assert!(
        differ.is_empty(),
        "{} of {} differ:\n{}",
        differ.len(),
        pairs.len(),
        differ.join("\n")
    );
    assert_eq!(used.len(), DIFFERENCES.len(), "a listed difference is none any more");
}
