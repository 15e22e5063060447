//! The rack file: which registers stand on the bench.
//!
//! Owns: its keys, their ranges and defaults, and a file made from parameters.
//! Must never: accept a key it does not know, or report one mistake when there are several.

mod generate;
mod model;
mod section;

pub use generate::{Generated, generate};
pub use section::Problem;

use crate::faults::FaultSpec;
use crate::fiscal_storage::{CalendarDay, FnConfig, Phase};
use crate::host::line::tcp_address;
use crate::host::pty::check_name;
use crate::models::shtrih_m::{Config, Ffd, LinkKind, Registration, Timing};
use kassette_wire::fiscal::compute_rnm;
use kassette_wire::value::{FnNumber, Inn, RegisterSerial, Rnm, Vendor};
use model::read_model;
use section::{Problems, Section, one_line, shown};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use thiserror::Error;
use toml::Value;

/// Longest time a command may take by the rack file: the longest wait of the vendor's own drivers (`shtrih-m.md` 1.2:
/// 120 s for E0) with room to make them give up.
const MAX_COMMAND_MS: u64 = 600_000;
/// Largest error of a clock: ten years, far past every rule that could notice it.
const MAX_SKEW_SECONDS: u64 = 315_360_000;

/// A whole rack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RackFile {
    /// Where chance begins; equal seeds and equal input give equal bytes at equal times.
    pub seed: u64,
    /// Whether documents also survive a power cut of the host; without it they survive the death of the process.
    pub sync: bool,
    /// The registers, in the order of the file.
    pub registers: Vec<Entry>,
}

/// One register of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The device.
    pub config: Config,
    /// Name of its serial port, or address of its listener.
    pub port: String,
    /// What goes wrong with it, armed at the start.
    pub faults: Vec<FaultSpec>,
}

/// A file that is not accepted, with everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the rack file is not accepted, {} thing(s) to correct:\n{}", .0.len(), lines(.0))]
pub struct RackFileError(pub Vec<Problem>);

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|p| format!("  {p}")).collect();
    lines.join("\n")
}

impl FromStr for RackFile {
    type Err = RackFileError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let table = text.parse::<toml::Table>().map_err(|e| {
            let at = e
                .span()
                .map_or(0, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
            let (path, text) = (format!("line {at}"), one_line(e.message()));
            RackFileError(vec![Problem { path, text }])
        })?;
        let problems = Problems::default();
        let rack = read_rack(Section::new(String::new(), table, &problems), &problems);
        let problems = problems.into_inner();
        if problems.is_empty() {
            Ok(rack)
        } else {
            Err(RackFileError(problems))
        }
    }
}

fn read_rack(mut file: Section<'_>, problems: &Problems) -> RackFile {
    let seed = file.read("seed", "a whole number from 0").unwrap_or(1);
    let sync = file.read("sync", "true or false").unwrap_or(false);
    let mut registers = Vec::new();
    let entries = file.list("register");
    if entries.is_empty() {
        file.wrong("register", "there is none; write at least one [[register]]");
    }
    for (path, value) in entries {
        match value {
            Value::Table(table) => registers.extend(read_register(Section::new(path, table, problems), problems)),
            other => problems.add(path, format!("{} is not a table", shown(&other))),
        }
    }
    file.finish();
    check_unique(&registers, problems);
    RackFile { seed, sync, registers }
}

fn check_unique(registers: &[Entry], problems: &Problems) {
    let mut seen = BTreeSet::new();
    for (i, entry) in registers.iter().enumerate() {
        let mut once = |key: &'static str, value: &str| {
            if !seen.insert((key, value.to_owned())) {
                problems.add(
                    format!("register[{i}].{key}"),
                    format!("\"{value}\" stands at another register too"),
                );
            }
        };
        once("serial", &entry.config.serial);
        once("fn.number", &entry.config.fn_unit.number);
        if !entry.port.ends_with(":0") {
            once("port", &entry.port);
        }
    }
}

fn read_register(mut s: Section<'_>, problems: &Problems) -> Option<Entry> {
    let vendor = s.need_parsed::<Vendor>("vendor", "\"shtrih-m\"");
    let model = read_model(&mut s);
    let serial = s.need_parsed::<RegisterSerial>("serial", "1 to 20 letters, digits or dashes");
    let inn = s.need_parsed::<Inn>("inn", "10 or 12 digits with right check digits");
    let rnm = s.read_parsed::<Rnm>("rnm", "16 digits, or leave it out to have it computed");
    let ffd = s.read::<Ffd>("ffd", "\"1.05\" or \"1.2\"").unwrap_or_default();
    let link = s.read::<LinkKind>("link", "\"pty\" or \"tcp\"").unwrap_or_default();
    let port = read_port(&mut s, link, serial.as_ref());
    let timing = read_timing(&mut s);
    let fn_unit = read_fn(&mut s);
    let switches = s.defaulted("switches");
    let registration = read_registration(&mut s);
    let clock_skew_seconds = read_skew(&mut s);
    let faults = read_faults(&mut s, problems);
    s.finish();

    // From here on nothing is read: what is missing has been noted above.
    let (Vendor::ShtrihM, (model, model_code)) = (vendor?, model?);
    let (serial, inn) = (serial?, inn?);
    let rnm = rnm.or_else(|| made_up_rnm(&inn, serial.as_str()))?;
    let config = Config {
        model,
        model_code,
        serial: serial.to_string(),
        inn: inn.to_string(),
        rnm: rnm.to_string(),
        ffd,
        fn_unit: fn_unit?,
        registration,
        timing,
        link,
        switches,
        clock_skew_seconds,
    };
    let port = port?;
    Some(Entry { config, port, faults })
}

fn read_skew(s: &mut Section<'_>) -> i64 {
    let accepted = format!("seconds from -{MAX_SKEW_SECONDS} to {MAX_SKEW_SECONDS}");
    let skew = s.read_valid("clock_skew", &accepted, |v: &i64| v.unsigned_abs() <= MAX_SKEW_SECONDS);
    skew.unwrap_or(0)
}

fn read_registration(s: &mut Section<'_>) -> Registration {
    let mut registration: Registration = s.defaulted("registration");
    if let Some(zone) = read_zone(s) {
        registration.zone_minutes = zone;
    }
    registration
}

fn read_port(s: &mut Section<'_>, link: LinkKind, serial: Option<&RegisterSerial>) -> Option<String> {
    let named: Option<String> = s.read("port", "a text");
    match link {
        LinkKind::Pty => {
            let name = named.or_else(|| serial.map(ToString::to_string))?;
            check_name(&name)
                .map_err(|e| s.wrong("port", e.to_string()))
                .ok()
                .map(|()| name)
        }
        LinkKind::Tcp => {
            let name = named.unwrap_or_else(|| "127.0.0.1:0".to_owned());
            tcp_address(&name)
                .map_err(|e| s.wrong("port", e.to_string()))
                .ok()
                .map(|a| a.to_string())
        }
    }
}

fn read_timing(s: &mut Section<'_>) -> Timing {
    const ACCEPTED: &str = "\"instant\", \"realistic\" or a table of milliseconds by command as { FF45 = 500 }";
    match s.take("timing") {
        None => Timing::default(),
        Some(Value::String(word)) if word == "instant" => Timing::Instant,
        Some(Value::String(word)) if word == "realistic" => Timing::Realistic,
        Some(Value::Table(table)) => {
            let mut numbers = BTreeMap::new();
            for (code, value) in table {
                let hex = matches!(code.len(), 2 | 4) && code.bytes().all(|b| b.is_ascii_hexdigit());
                let ms = value.as_integer().and_then(|v| u64::try_from(v).ok());
                match ms.filter(|ms| hex && *ms <= MAX_COMMAND_MS) {
                    Some(ms) => {
                        numbers.insert(code.to_ascii_uppercase(), ms);
                    }
                    None => s.wrong(
                        &format!("timing.{code}"),
                        format!("{} is not accepted; accepted: a command code of 2 or 4 hex digits, and 0 to {MAX_COMMAND_MS} ms", shown(&value)),
                    ),
                }
            }
            Timing::Numbers(numbers)
        }
        Some(other) => {
            s.wrong(
                "timing",
                format!("{} is not accepted; accepted: {ACCEPTED}", shown(&other)),
            );
            Timing::default()
        }
    }
}

fn read_fn(register: &mut Section<'_>) -> Option<FnConfig> {
    let Some(mut s) = register.table("fn") else {
        register.wrong(
            "fn",
            "is missing; write fn = { number = \"9999…\", expiry = \"2027-12-01\" }",
        );
        return None;
    };
    let number = s.need_parsed::<FnNumber>("number", "1 to 16 letters or digits; a test FN begins 9999");
    let phase = s.read::<Phase>(
        "phase",
        "\"setup\", \"ready\", \"fiscal\", \"post_fiscal\" or \"archive\"",
    );
    let left = s.read_valid("documents_left", "0 to 1000000", |v: &u32| *v <= 1_000_000);
    let expiry = s.need::<CalendarDay>("expiry", "a day as \"2027-12-01\", 2000 to 2099");
    s.finish();
    Some(FnConfig {
        number: number?.to_string(),
        phase: phase.unwrap_or_default(),
        documents_left: left.unwrap_or(250_000),
        expiry: expiry?,
    })
}

/// `"+03:00"`, as minutes east of UTC.
fn read_zone(s: &mut Section<'_>) -> Option<i16> {
    const ACCEPTED: &str = "a zone as \"+03:00\", -12:00 to +14:00";
    let text: String = s.read("zone", ACCEPTED)?;
    let minutes = parse_zone(&text);
    if minutes.is_none() {
        s.wrong("zone", format!("\"{text}\" is not accepted; accepted: {ACCEPTED}"));
    }
    minutes
}

fn parse_zone(text: &str) -> Option<i16> {
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let digits = |t: &str| t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (i16, i16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let east = match text.get(..1)? {
        "+" => hours * 60 + minutes,
        "-" => -(hours * 60 + minutes),
        _ => return None,
    };
    (minutes < 60 && (-720..=840).contains(&east)).then_some(east)
}

fn read_faults(s: &mut Section<'_>, problems: &Problems) -> Vec<FaultSpec> {
    let mut faults = Vec::new();
    for (path, value) in s.list("faults") {
        match value.clone().try_into::<FaultSpec>() {
            Ok(fault) => faults.push(fault),
            Err(e) => problems.add(
                path,
                format!("{} is not a fault: {}", shown(&value), one_line(e.message())),
            ),
        }
    }
    faults
}

/// An RNM whose sequence number is made of the serial's last ten digits.
fn made_up_rnm(inn: &Inn, serial: &str) -> Option<Rnm> {
    let digits: String = serial.chars().filter(char::is_ascii_digit).collect();
    let number = &digits[digits.len().saturating_sub(10)..];
    compute_rnm(number.parse().unwrap_or(0), inn, serial).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rnm_that_the_file_leaves_out_belongs_to_the_register() {
        let rack: RackFile = generate(&Generated::default()).parse().unwrap();
        let config = &rack.registers[0].config;
        let rnm: Rnm = config.rnm.parse().unwrap();
        let inn: Inn = config.inn.parse().unwrap();
        kassette_wire::fiscal::verify_rnm(&rnm, &inn, &config.serial).unwrap();
    }

    #[test]
    fn every_mistake_of_a_rack_file_is_named_at_once() {
        let text = r#"
            sed = 4
            [[register]]
            vendor = "atol"
            model = "РИТЕЙЛ-1"
            serial = "not a serial"
            inn = "7704358519"
            link = "usb"
            timing = { FF45 = -1, zz = 5 }
            zone = "+3"
            fn = { number = "9999 07", phase = "new", documents_left = 2000000, expiry = "2027-02-30", colour = 1 }
            switches = { no_such_switch = 1 }
            registration = { tax_systems = 900, adress = "x" }
            faults = [{ kind = "garble" }, { kind = "melt" }]
            [[register]]
            vendor = "shtrih-m"
            model = "ЭЛВЕС-МФ"
        "#;
        let RackFileError(problems) = text.parse::<RackFile>().unwrap_err();
        let paths: Vec<&str> = problems.iter().map(|p| p.path.as_str()).collect();
        for expected in [
            "sed",
            "register[0].vendor",
            "register[0].model",
            "register[0].serial",
            "register[0].inn",
            "register[0].link",
            "register[0].timing.FF45",
            "register[0].timing.zz",
            "register[0].zone",
            "register[0].fn.number",
            "register[0].fn.phase",
            "register[0].fn.documents_left",
            "register[0].fn.expiry",
            "register[0].fn.colour",
            "register[0].switches.no_such_switch",
            "register[0].registration.tax_systems",
            "register[0].registration.adress",
            "register[0].faults[1]",
            "register[1].model_code",
            "register[1].serial",
            "register[1].inn",
            "register[1].fn",
        ] {
            assert!(paths.contains(&expected), "{expected} is not among {paths:#?}");
        }
        let zone = problems.iter().find(|p| p.path.ends_with("zone")).unwrap();
        assert!(zone.text.contains("-12:00 to +14:00"), "{zone}");
    }

    #[test]
    fn two_registers_cannot_share_a_serial_an_fn_or_a_port() {
        let one = generate(&Generated::default());
        let (_, same_again) = one.split_once('\n').unwrap();
        let RackFileError(problems) = format!("{one}{same_again}").parse::<RackFile>().unwrap_err();
        let paths: Vec<&str> = problems.iter().map(|p| p.path.as_str()).collect();
        assert_eq!(
            paths,
            ["register[1].serial", "register[1].fn.number", "register[1].port"]
        );
    }

    #[test]
    fn a_file_that_is_not_toml_is_refused_with_its_line() {
        let error = "seed = 1\n[[register\n".parse::<RackFile>().unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }

    #[test]
    fn a_generated_rack_is_accepted_and_keeps_its_parameters() {
        let wish = Generated {
            registers: 12,
            tenants: vec!["7704358518".to_owned(), "7707083893".to_owned()],
            ..Generated::default()
        };
        let rack: RackFile = generate(&wish).parse().unwrap();
        assert_eq!(rack.registers.len(), 12);
        assert!(
            rack.registers
                .iter()
                .all(|r| r.config.fn_unit.number.starts_with("9999"))
        );
        let of = |inn: &str| rack.registers.iter().filter(|r| r.config.inn == inn).count();
        assert_eq!((of("7704358518"), of("7707083893")), (6, 6));
    }
}
