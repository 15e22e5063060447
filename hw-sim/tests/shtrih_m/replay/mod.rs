//! Whole conversations of real registers, replayed frame by frame against the simulated one on its own link.
//!
//! Owns: `hw-sim/DIFFERENCES.md`, the list of what differs and why.
//! Must never: pass while an unlisted difference is seen, or a listed one is not.

mod captured;
mod compare;
mod stage;

use captured::{Conversation, Exchange, Link, Step, conversations};
use compare::differences;
use stage::{Heard, Stage};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Set to write the list anew; reasons that stand in it stay.
const WRITE: &str = "KASSETTE_WRITE_DIFFERENCES";
const LIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/DIFFERENCES.md");
const NO_REASON: &str = "no reason given yet";

/// Device, command, what differs.
type Difference = (String, String, String);

/// What became of the rows of one command.
#[derive(Debug, Default)]
struct Count {
    sent: usize,
    answered: usize,
    same: usize,
}

#[derive(Default)]
struct Replay {
    counts: BTreeMap<String, Count>,
    differences: BTreeMap<Difference, usize>,
    without_request: usize,
}

impl Replay {
    fn note(&mut self, conversation: &Conversation, command: &str, what: String) {
        let device = match conversation.device.as_str() {
            "" => format!("not named, {}", conversation.origin),
            device => device.to_owned(),
        };
        let difference = (device, command.to_owned(), what);
        *self.differences.entry(difference).or_default() += 1;
    }

    fn play(&mut self, conversation: &Conversation) {
        let mut stage = Stage::before(conversation);
        self.without_request += conversation.without_request;
        for step in &conversation.steps {
            match step {
                Step::Enquiry { reply } => {
                    let ours = stage.enquire();
                    let what = (*reply != ours && !reply.is_empty()).then(|| controls(reply, &ours));
                    self.count(conversation, "ENQ", !reply.is_empty(), what.into_iter().collect());
                }
                Step::Sync { number } => {
                    let ours = stage.sync();
                    let what = (*number != ours).then(|| format!("number {number} → {ours}"));
                    self.count(conversation, "sync", true, what.into_iter().collect());
                }
                Step::Exchange(exchange) => {
                    let heard = stage.play(exchange);
                    let what = compared(exchange, &heard, stage.written(&exchange.request));
                    let command = command_of(&exchange.request);
                    self.count(conversation, &command, exchange.answer.is_some(), what);
                }
            }
        }
    }

    fn count(&mut self, conversation: &Conversation, command: &str, answered: bool, differ: Vec<String>) {
        let link = match conversation.link {
            Link::V1 => "v1",
            Link::V2 => "v2",
        };
        let count = self.counts.entry(format!("{link} {command}")).or_default();
        count.sent += 1;
        count.answered += usize::from(answered);
        count.same += usize::from(answered && differ.is_empty());
        for what in differ {
            self.note(conversation, command, what);
        }
    }
}

fn controls(seen: &[u8], ours: &[u8]) -> String {
    let name = |byte: &u8| match byte {
        0x06 => "ACK",
        0x15 => "NAK",
        0xFF => "FF",
        _ => "noise",
    };
    let words = |bytes: &[u8]| bytes.iter().map(name).collect::<Vec<_>>().join(" ");
    format!("{} → {}", words(seen), words(ours))
}

fn compared(exchange: &Exchange, heard: &Heard, written: Option<&[u8]>) -> Vec<String> {
    let mut differ = Vec::new();
    if !exchange.control.is_empty() && exchange.control != heard.control {
        differ.push(controls(&exchange.control, &heard.control));
    }
    if heard.number != exchange.number {
        differ.push("number of the answer".to_owned());
    }
    match (&exchange.answer, &heard.answer) {
        (Some(seen), Some(ours)) => differ.extend(differences(&exchange.request, seen, ours, written)),
        (Some(_), None) => differ.push("answered → silence".to_owned()),
        (None, _) => {}
    }
    differ
}

/// `FF46`, `8D`; with the table for those that name one.
fn command_of(request: &[u8]) -> String {
    match request {
        [0xFF | 0xFE, second, ..] => format!("{:02X}{second:02X}", request[0]),
        [code @ (0x1E | 0x1F | 0x2D | 0x2E), _, _, _, _, table, ..] => format!("{code:02X} table {table}"),
        [code, ..] => format!("{code:02X}"),
        [] => String::new(),
    }
}

/// The rows of the list: difference and reason.
fn listed() -> BTreeMap<Difference, String> {
    let text = std::fs::read_to_string(LIST).unwrap_or_default();
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    rows.skip(1)
        .map(|line| {
            let mut cells = line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned());
            let mut next = || cells.next().unwrap_or_default();
            ((next(), next(), next()), next())
        })
        .collect()
}

fn as_text(replay: &Replay, reasons: &BTreeMap<Difference, String>) -> String {
    let mut text = String::from(
        "# Where the simulated register answers differently from the recorded ones\n\n\
         Every conversation of `proto/wire/golden/captures` is replayed frame by frame against the simulator, on v1 and \
         v2 (`tests/shtrih_m/replay`): control bytes, length, error code, and each value that the conversation itself \
         determines. Recorded → ours. The test fails when a difference is not in this list, or one in it is seen no more; \
         `KASSETTE_WRITE_DIFFERENCES=1 cargo test -p kassette-hw-sim --test shtrih_m replay` writes it anew and keeps the \
         reasons.\n\n| device | command | recorded → ours | why |\n| --- | --- | --- | --- |\n",
    );
    for difference in replay.differences.keys() {
        let reason = reasons.get(difference).map_or(NO_REASON, String::as_str);
        let (device, command, what) = difference;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {device} | {command} | {what} | {reason} |");
    }
    text
}

#[test]
fn every_recorded_conversation_is_answered_as_the_real_register_did_but_for_the_listed_differences() {
    let all: Vec<Conversation> = [Link::V1, Link::V2].into_iter().flat_map(conversations).collect();
    let mut replay = Replay::default();
    for conversation in &all {
        replay.play(conversation);
    }
    print(&replay, all.len());
    let reasons = listed();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(LIST, as_text(&replay, &reasons)).unwrap();
    }
    let seen: Vec<&Difference> = replay.differences.keys().collect();
    let new: Vec<_> = seen.iter().filter(|one| !reasons.contains_key(**one)).collect();
    let gone: Vec<_> = reasons
        .keys()
        .filter(|one| !replay.differences.contains_key(*one))
        .collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "not listed: {new:#?}\nlisted and not seen: {gone:#?}\nsee {WRITE}"
    );
    let unexplained: Vec<_> = reasons
        .iter()
        .filter(|(_, why)| why.is_empty() || *why == NO_REASON)
        .collect();
    assert!(unexplained.is_empty(), "no reason: {unexplained:#?}");
}

fn print(replay: &Replay, conversations: usize) {
    let sum = |of: fn(&Count) -> usize| replay.counts.values().map(of).sum::<usize>();
    println!(
        "{conversations} conversations, {} turns sent again; {} of {} recorded answers the same; {} recorded answers have \
         no request",
        sum(|count| count.sent),
        sum(|count| count.same),
        sum(|count| count.answered),
        replay.without_request
    );
    for (command, count) in &replay.counts {
        println!(
            "{command:16} {:4} sent, {:4} of {:4} answers the same",
            count.sent, count.same, count.answered
        );
    }
}
