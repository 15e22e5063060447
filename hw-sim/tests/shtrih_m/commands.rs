//! The table of commands in README.md: what the machine answers, golden bytes, and who else has exercised it.
//!
//! Owns: the table between its marks.
//! Must never: pass while a named command is missing, or a column says something else than the machine and the files.

use crate::bench::{Bench, PASSWORD, close, close_with, config, document_tag, error_of, hex, item, item_tag, unhex};
use kassette_hw_sim::fiscal_storage::Phase;
use kassette_hw_sim::models::shtrih_m::{Config, Ffd};
use kassette_hw_sim::switches::ServiceEcho;
use kassette_wire::shtrih::CommandCode;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Set to write the generated columns anew; the other two stay as they are.
const WRITE: &str = "KASSETTE_WRITE_COMMANDS";
const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto/wire/golden/");
/// What each driver sent in its case, which holds the list against the register's events.
const SENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/outside/commands.txt");
const BEGIN: &str =
    "| command | name | answered | how far | golden bytes | outside drivers |\n| --- | --- | --- | --- | --- | --- |\n";

/// An RNM with the check digits of the register's INN and serial.
const RNM: &str = "0000000001008052";

/// What comes before a request that then succeeds, and the request.
type Sample = (Vec<Vec<u8>>, Vec<u8>);

fn system(code: &str, rest: &str) -> Vec<u8> {
    [&unhex(code)[..], &PASSWORD, &unhex(rest)].concat()
}

/// 80 to 83: 1.000 × 1.00 of department 1, no VAT.
fn old_item(code: u8) -> Vec<u8> {
    let sums = unhex("E8 03 00 00 00 64 00 00 00 00 01 00 00 00 00");
    [&[code][..], &PASSWORD, &sums, &[b'T'; 40]].concat()
}

/// Payments in front, the rest of the closing command behind them zero.
fn old_closing(code: u8, payments: usize) -> Vec<u8> {
    let mut payload = [&[code][..], &PASSWORD, &10_000_u64.to_le_bytes()[..5]].concat();
    payload.resize(5 + payments * 5 + 2 + 4 + 40, 0);
    payload
}

fn discounted() -> Vec<u8> {
    let mut payload = system("FF 0D", "01 E8 03 00 00 00 64 00 00 00");
    payload.resize(254 - 220, 0);
    payload.push(b'T');
    payload.resize(254, 0);
    payload
}

fn correction() -> (Vec<u8>, Vec<u8>) {
    let mut basis = document_tag(1178, &[0; 4])[6..].to_vec();
    basis.extend_from_slice(&document_tag(1179, b"1")[6..]);
    let mut payload = system("FF 4A", "00 01 64 00 00 00 00 64 00 00 00 00");
    payload.resize(68, 0);
    payload.push(1);
    (document_tag(1174, &basis), payload)
}

/// FF06 and FF34 for the INN and the RNM of the register.
fn registered(code: &str, rest: &[u8]) -> Vec<u8> {
    let inn = format!("{:<12}{RNM:<20}", config().inn);
    [&unhex(code)[..], &PASSWORD, inn.as_bytes(), rest].concat()
}

/// Good requests in a register whose shift is closed. What has none here is sent with a password alone.
fn sample(command: CommandCode) -> Sample {
    let code = hex(&command.to_bytes());
    let plain = |rest: &str| (Vec::new(), system(&code, rest));
    let shift = || vec![system("E0", "")];
    let receipt = || vec![system("E0", ""), system("8D", "00")];
    let with_item = || [receipt(), vec![item("Tea", 1_000_000, 10_000, None, 8)]].concat();
    let raw = |text: &str| (Vec::new(), unhex(text));
    match code.as_str() {
        "FC" | "16" => raw(&code),
        "F7" => raw("F7 01"),
        "6B" => raw("6B 33"),
        "FE F2" | "FE F3" | "FE F4" | "FE EC" | "FE ED" | "FE EF" | "FE F0" => raw(&format!("{code} 00 00 00 00")),
        "26" | "2D" | "28" | "15" | "25" | "FF 4C" | "FF 07" => plain("01"),
        "FF 05" => plain("02"),
        "FF 06" => (vec![system("FF 05", "00")], registered("FF 06", &[1, 0x20])),
        "FF 34" => (vec![system("FF 05", "02")], registered("FF 34", &[1, 0x20, 4])),
        "2E" => plain("01 01"),
        "14" => plain("00 06 64"),
        "17" => plain("02 54"),
        "29" => plain("02 01"),
        "2F" => plain("02 01 54"),
        "C0" | "C4" | "C5" => plain("01 00 00"),
        "C1" => plain("01 02"),
        "C3" => plain("01 00 02 00"),
        "DD" => plain("00 00 54"),
        "DE" => plain("03 0C 00 00 00 00 03 00 00 01"),
        "1A" | "1B" => plain("90"),
        "1F" => plain("11 01 00 07"),
        "1E" => plain("11 01 00 07 00"),
        "21" => plain("0C 1E 00"),
        "22" => plain("16 0B 1A"),
        "23" => (vec![system("22", "16 0B 1A")], system("23", "16 0B 1A")),
        "8D" => (shift(), system("8D", "00")),
        "41" | "C6" | "FF 42" | "FF 43" | "FF 62" | "40" => (shift(), system(&code, "")),
        "C7" => ([shift(), vec![system("C6", "")]].concat(), system("C7", "")),
        "50" => plain("64 00 00 00 00"),
        "51" => (vec![system("50", "64 00 00 00 00")], system("51", "64 00 00 00 00")),
        "FF 46" => (receipt(), item("Tea", 1_000_000, 10_000, None, 8)),
        "FF 4D" => (with_item(), item_tag(2108, &[0])),
        "FF 0C" => (receipt(), document_tag(1008, b"a@b.ru")),
        "FF 45" => (with_item(), close(0, 10_000)),
        "FF 4B" => {
            let odd = item("Tea", 1_000_000, 10_050, None, 8);
            let rest = "32 00 00 00 00 00 00 00 00 00 01";
            ([receipt(), vec![odd]].concat(), system("FF 4B", rest))
        }
        "88" | "89" | "FF 08" => (with_item(), system(&code, "")),
        "80" | "81" => (shift(), old_item(command.to_bytes()[0])),
        "82" | "83" => (shift(), old_item(command.to_bytes()[0])),
        "85" => (with_item(), old_closing(0x85, 4)),
        "8E" => (with_item(), old_closing(0x8E, 16)),
        "FF 0D" => (shift(), discounted()),
        "FF 35" => (shift(), system("FF 35", "")),
        "FF 36" => (
            [shift(), vec![system("FF 35", "")]].concat(),
            system("FF 36", "64 00 00 00 00 01"),
        ),
        "FF 4A" => {
            let (basis, correction) = correction();
            ([shift(), vec![system("FF 35", ""), basis]].concat(), correction)
        }
        "FF 38" => (vec![system("FF 37", "")], system("FF 38", "")),
        "FF 3E" => (vec![system("FF 3D", "")], system("FF 3E", "")),
        "FF 0A" | "FF 3A" | "FF 3C" => plain("01 00 00 00"),
        "FF 3B" => (vec![system("FF 3A", "01 00 00 00")], system("FF 3B", "")),
        "FF 0E" | "FF 60" => plain("01 FA 03"),
        "FF 31" => {
            let relayed = system("1E", "15 01 00 02 00");
            (
                vec![relayed, system("E0", ""), system("FF 30", "")],
                system("FF 31", "00 00 10"),
            )
        }
        "FF 32" => plain("10 00"),
        "FF 33" => (vec![system("FF 32", "02 00")], system("FF 33", "00 00 01 00")),
        "FF 64" => {
            let tlv = "F0 03 01 00 78";
            let load = vec![system("FF 32", "05 00"), system("FF 33", &format!("00 00 05 {tlv}"))];
            ([receipt(), load].concat(), system("FF 64", ""))
        }
        "FF 61" => plain("01 00 01 00 30"),
        "FF 67" => plain("01 30"),
        "FF 69" => plain("01"),
        "FF 73" => plain("01 00 00 00 00 00"),
        _ => plain(""),
    }
}

/// Error of the sample in a register of this configuration.
fn answer(command: CommandCode, mut config: Config) -> u8 {
    config.rnm = RNM.to_owned();
    let mut bench = Bench::new(config);
    // Everything so far has its ticket.
    bench.pass_ms(1_000);
    let (before, request) = sample(command);
    if command == CommandCode::CONTINUE_PRINT {
        wait_for_continue(&mut bench);
    }
    for step in before {
        bench.exchange(&step);
    }
    let payload = bench.exchange(&request);
    match payload.as_slice() {
        [0xFE, 0xEC..=0xFF, error, ..] => *error,
        [0xFE, error, ..] => *error,
        _ => error_of(&payload),
    }
}

/// Paper ran out while a receipt printed, and new paper is in: only B0 helps.
fn wait_for_continue(bench: &mut Bench) {
    use kassette_hw_sim::faults::{FaultKind, Trigger};
    bench.ask("E0 1E 00 00 00");
    bench.receipt();
    for present in [false, true] {
        bench.fault(FaultKind::Paper { present }, Trigger::Now);
    }
}

/// What the column says: yes, under which format or switch, or the code of the refusal.
fn answered(command: CommandCode) -> String {
    let mut plain = config();
    if command == CommandCode::CONTINUE_PRINT {
        plain.switches.printing = Some(kassette_hw_sim::switches::Printing::Millis(1_000));
    }
    let error = answer(command, plain);
    if error == 0 {
        return "yes".to_owned();
    }
    let mut old = config();
    old.ffd = Ffd::V105;
    if answer(command, old) == 0 {
        return "FFD 1.05".to_owned();
    }
    let mut unregistered = config();
    unregistered.fn_unit.phase = Phase::Ready;
    if answer(command, unregistered) == 0 {
        return "fresh FN".to_owned();
    }
    let mut echo = config();
    echo.switches.service_echo = Some(ServiceEcho::TwoBytes);
    if answer(command, echo) == 0 {
        return "`service_echo`".to_owned();
    }
    let mut special = config();
    special.switches.receipt_discount = true;
    if answer(command, special) == 0 {
        return "`receipt_discount`".to_owned();
    }
    format!("{error:02X}")
}

/// Code of a frame of v1 or v2, stuffed or not.
fn code_of(frame: &[u8]) -> Option<CommandCode> {
    let payload = match frame {
        [0x02, length, rest @ ..] => rest.get(..usize::from(*length))?.to_vec(),
        [0x8F, stuffed @ ..] => {
            let mut plain = Vec::new();
            let mut bytes = stuffed.iter();
            while let Some(byte) = bytes.next() {
                plain.push(match byte {
                    0x9F if bytes.next() == Some(&0x81) => 0x8F,
                    other => *other,
                });
            }
            let length = usize::from(u16::from_le_bytes([plain[0], plain[1]]));
            plain.get(4..2 + length)?.to_vec()
        }
        _ => return None,
    };
    // A bare prefix with an error, of a model without two-byte commands.
    let bare = payload.len() == 2 && payload[0] == 0xFF;
    CommandCode::split_request(&payload)
        .filter(|_| !bare)
        .map(|(code, _)| code)
}

/// Worked and recorded frames by command.
fn golden() -> BTreeMap<CommandCode, (usize, usize)> {
    let read = |name: &str| std::fs::read_to_string(format!("{GOLDEN}{name}")).unwrap();
    let mut counts: BTreeMap<CommandCode, (usize, usize)> = BTreeMap::new();
    for name in ["shtrih-v1-examples.txt", "shtrih-v2-examples.txt"] {
        for line in read(name).lines().filter(|line| !line.starts_with('#')) {
            let frame = unhex(line.rsplit('|').next().unwrap());
            if let Some(code) = code_of(&frame) {
                counts.entry(code).or_default().0 += 1;
            }
        }
    }
    for name in ["captures/shtrih-v1.jsonl", "captures/shtrih-v2.jsonl"] {
        for line in read(name).lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let frame = unhex(row["hex"].as_str().unwrap());
            let named = row["cmd"].as_str().unwrap();
            let code = CommandCode::ALL.iter().find(|code| code.to_string() == named);
            if let Some(code) = code.filter(|_| frame.len() > 2) {
                counts.entry(*code).or_default().1 += 1;
            }
        }
    }
    counts
}

fn drivers(code: &str) -> String {
    let sent = std::fs::read_to_string(SENT).unwrap();
    let of_line = |line: &str| {
        let (name, codes) = line.split_once(": ").unwrap();
        codes.split(' ').any(|one| one == code).then(|| name.to_owned())
    };
    sent.lines().filter_map(of_line).collect::<Vec<_>>().join(", ")
}

/// The table that should stand, with the notes that stand.
fn table(notes: &BTreeMap<String, String>) -> String {
    let golden = golden();
    let mut text = BEGIN.to_owned();
    for command in CommandCode::ALL {
        let code = command.to_string();
        let note = notes.get(&code).map_or("", String::as_str);
        let (worked, recorded) = golden.get(command).copied().unwrap_or_default();
        let bytes = match (worked, recorded) {
            (0, 0) => String::new(),
            (worked, 0) => format!("{worked} worked"),
            (0, recorded) => format!("{recorded} recorded"),
            (worked, recorded) => format!("{worked} worked, {recorded} recorded"),
        };
        let row = format!(
            "| {code} | {} | {} | {note} | {bytes} | {} |",
            command.name(),
            answered(*command),
            drivers(&code)
        );
        writeln!(text, "{}", row.replace("|  |", "| |").replace("|  |", "| |")).unwrap();
    }
    text
}

#[test]
fn the_table_of_commands_says_what_the_machine_answers_and_what_the_golden_files_hold() {
    let readme = std::fs::read_to_string(README).unwrap();
    for line in std::fs::read_to_string(SENT).unwrap().lines() {
        let name = line
            .split(": ")
            .next()
            .unwrap()
            .replace("second client", "second_client.py");
        assert!(
            readme.contains(&format!("{name}`")),
            "{name} stands in the table of clients"
        );
    }
    let from = readme.find(BEGIN).unwrap();
    let length = readme[from..].find("\n\n").unwrap() + 1;
    let standing = &readme[from..from + length];
    let notes: BTreeMap<String, String> = standing
        .lines()
        .skip(2)
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            assert_eq!(cells.len(), 8, "{line}");
            (cells[1].to_owned(), cells[4].to_owned())
        })
        .collect();
    let right = table(&notes);
    if std::env::var_os(WRITE).is_some() {
        let whole = [&readme[..from], &right, &readme[from + length..]].concat();
        std::fs::write(README, whole).unwrap();
        return;
    }
    let different: Vec<_> = right
        .lines()
        .zip(standing.lines().chain(std::iter::repeat("")))
        .filter(|(right, standing)| right != standing)
        .collect();
    assert!(
        different.is_empty() && right.lines().count() == standing.lines().count(),
        "{WRITE}=1 writes it anew: {different:#?}"
    );
}

#[test]
fn every_refusal_in_the_table_says_why() {
    let readme = std::fs::read_to_string(README).unwrap();
    let from = readme.find(BEGIN).unwrap() + BEGIN.len();
    let rows = readme[from..].split("\n\n").next().unwrap();
    for row in rows.lines() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let refused = cells[3] != "yes";
        assert!(!refused || !cells[4].is_empty(), "no reason: {row}");
    }
    // One that sends nothing but a password is no sample of a command that needs more.
    assert_eq!(answer(CommandCode::CLOSE_RECEIPT, config()), 0);
    assert_eq!(error_of(&Bench::new(config()).exchange(&close_with(&[], 0, 1))), 0x73);
}
