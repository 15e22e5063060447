//! B5: commands and bytes of one receipt, counted by the simulator, against a list made by hand.
//!
//! Owns: the list with the source of each line, and the count between two receipts.
//! Must never: take the list from the driver.

use super::load::{Load, small_receipt};
use super::rack::Rack;
use super::row::{Figure, Row, Target};
use crate::api::LONGEST_WAIT;
use crate::control::Event;
use anyhow::{bail, ensure};
use std::collections::BTreeMap;
use std::time::Duration;

/// A line of the list: command, payload, bytes from the host, bytes from the register.
struct Line {
    command: &'static str,
    payload: u64,
    answer: u64,
}

/// What is around a payload on the line: STX, length, checksum; and the ACK of the other side.
const FRAME: u64 = 3;
const ACK: u64 = 1;
/// Bytes of the item's name, "Товар" in windows-1251.
const NAME: u64 = 5;

/// One item under FFD 1.2, as few commands as the vendor's texts allow (`shtrih-m` 5.3: 8D + FF46 + FF45, FF0C once).
/// No ENQ: the exchange before ended cleanly (5.3, first shortcut). Payload: command code, then what follows.
const BY_HAND: [Line; 5] = [
    // 5.2 step 1: code 1, password 4, kind 1. Answer: code, error, operator.
    Line {
        command: "8D",
        payload: 6,
        answer: 3,
    },
    // 5.2 step 2: code 2, password 4, operation 1, quantity 6, price 5, sum 5, tax 5, rate 1, department 1, method 1,
    // subject 1, name. Answer: code 2, error.
    Line {
        command: "FF46",
        payload: 32 + NAME,
        answer: 3,
    },
    // 5.2 "measure 2108 = 0": code 2, password 4, TLV 4 + 1. FFD 1.2 wants the measure of every item.
    Line {
        command: "FF4D",
        payload: 11,
        answer: 3,
    },
    // 3.5 FF0C: code 2, password 4, TLV 4 + 16: the job key in tag 1192, with every other tag of the document.
    Line {
        command: "FF0C",
        payload: 26,
        answer: 3,
    },
    // 5.2 step 3: code 2, password 4, payments 16 x 5, rounding 1, taxes 6 x 5, tax system 1, no text. Answer with the
    // time (17/1/36): code 2, error, operator, change 5, number 4, sign 4, time 5; the captures have no operator.
    Line {
        command: "FF45",
        payload: 118,
        answer: 21,
    },
];

fn by_hand() -> (u64, u64) {
    let bytes = |line: &Line| (line.payload + FRAME + ACK) + (line.answer + FRAME + ACK);
    (BY_HAND.len() as u64, BY_HAND.iter().map(bytes).sum())
}

/// What the simulator counted so far.
#[derive(Debug, Clone)]
struct Counted {
    exchanges: u64,
    bytes: u64,
    last_event: u64,
}

fn counted(rack: &Rack, serial: &str) -> anyhow::Result<Counted> {
    let seen = rack.simulator.control.observe(serial)?;
    Ok(Counted {
        exchanges: seen.exchanges,
        bytes: seen.bytes_in + seen.bytes_out,
        last_event: seen.last_event,
    })
}

/// How many of each command; receipts left out.
fn without_receipts(events: &[Event], receipts: u64) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut commands: BTreeMap<String, u64> = BTreeMap::new();
    for command in events.iter().filter_map(|event| event.command.clone()) {
        *commands.entry(command).or_default() += 1;
    }
    for line in &BY_HAND {
        let left = commands.get(line.command).copied().unwrap_or(0).checked_sub(receipts);
        let Some(left) = left else {
            bail!("{receipts} receipts with fewer commands {}: {commands:?}", line.command);
        };
        commands.insert(line.command.to_owned(), left);
    }
    commands.retain(|_, count| *count > 0);
    Ok(commands)
}

/// Receipts of the longer run beyond those of the shorter one.
const MORE: u64 = 20;
/// Tries until no look at the quiet register falls between the counts.
const TRIES: usize = 10;

/// Measures B5: a run of one receipt and a run of `MORE` more, back to back; the difference is `MORE` receipts.
///
/// # Errors
/// When the rack does not start, or the counts never match.
pub fn measure() -> anyhow::Result<Vec<Row>> {
    // Half a second in the closing command: the queue is full before the first receipt ends.
    let rack = Rack::start(1, "{ FF45 = 500 }")?;
    let serial = rack.simulator.registers[0].serial.clone();
    let load = Load::connect(&rack.setup.socket(), 1, small_receipt(), Some(LONGEST_WAIT))?;
    for _ in 0..TRIES {
        let mut runs = Vec::new();
        for receipts in [1, 1 + MORE] {
            // Beyond the gap after which the FN is read again, so that both runs begin alike.
            std::thread::sleep(Duration::from_millis(400));
            let before = counted(&rack, &serial)?;
            load.submit(receipts, usize::try_from(receipts)?)?;
            let after = counted(&rack, &serial)?;
            let events = rack
                .simulator
                .control
                .events(&serial, before.last_event, Duration::ZERO)?;
            let events = &events[..usize::try_from(after.last_event - before.last_event)?];
            runs.push((
                after.exchanges - before.exchanges,
                after.bytes - before.bytes,
                without_receipts(events, receipts)?,
            ));
        }
        let [(few, few_bytes, few_others), (many, many_bytes, many_others)] = runs.as_slice() else {
            bail!("two runs were made");
        };
        if few_others == many_others {
            return row(many - few, many_bytes - few_bytes, few_others);
        }
    }
    bail!("{TRIES} times the register was looked at between two counts");
}

fn row(exchanges: u64, bytes: u64, others: &BTreeMap<String, u64>) -> anyhow::Result<Vec<Row>> {
    let (commands_by_hand, bytes_by_hand) = by_hand();
    ensure!(
        exchanges.is_multiple_of(MORE),
        "{exchanges} commands are not those of {MORE} receipts"
    );
    let commands = exchanges / MORE;
    let each = bytes as f64 / MORE as f64;
    let list = BY_HAND.map(|line| line.command).join(" ");
    let row = Row::new(Figure::B5, "bytes", each, bytes_by_hand as f64, Target::AtMost(1.05))?
        .only_if(commands == commands_by_hand)
        .note("commands", commands)
        .note("commands_by_hand", commands_by_hand)
        .note("list", list)
        .note("before_a_receipt_after_a_pause", serde_json::to_value(others)?);
    Ok(vec![row])
}
