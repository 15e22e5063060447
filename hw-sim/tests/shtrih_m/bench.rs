//! A register on a bench: bytes in, bytes out, a clock that the test moves.
//!
//! Owns: the host side of a link in a test.
//! Must never: look inside the register.

use kassette_hw_sim::chance::Chance;
use kassette_hw_sim::faults::{FaultKind, FaultSpec, Trigger};
use kassette_hw_sim::fiscal_storage::ledger::{MemoryShelf, Record};
use kassette_hw_sim::fiscal_storage::{CalendarDay, FnConfig, Phase};
use kassette_hw_sim::machine::{Machine, Output};
use kassette_hw_sim::models::shtrih_m::{Config, Ffd, LinkKind, Register, Registration, Timing};
use kassette_hw_sim::moment::Moment;
use kassette_hw_sim::switches::Switches;
use std::time::Duration;

/// 22.11.2026 12:30:00 in Moscow: the time of the worked frames.
pub const START_MS: i64 = 1_795_339_800_000;
pub const FN: &str = "9999078900001234";
pub const PASSWORD: [u8; 4] = [30, 0, 0, 0];
pub const SEED: u64 = 7;

pub fn config() -> Config {
    Config {
        model: "РИТЕЙЛ-01Ф".to_owned(),
        model_code: 22,
        serial: "0012345678901234".to_owned(),
        inn: "7704358518".to_owned(),
        rnm: "0000000001002569".to_owned(),
        ffd: Ffd::V12,
        fn_unit: FnConfig {
            number: FN.to_owned(),
            phase: Phase::Fiscal,
            documents_left: 250_000,
            expiry: CalendarDay::try_from("2027-11-22".to_owned()).unwrap(),
        },
        registration: Registration::default(),
        timing: Timing::Instant,
        link: LinkKind::Pty,
        switches: Switches::default(),
        clock_skew_seconds: 0,
    }
}

pub struct Bench {
    pub register: Register,
    pub shelf: MemoryShelf,
    pub now: Moment,
    pub config: Config,
    /// What came besides bytes.
    pub events: Vec<Output>,
}

impl Bench {
    pub fn new(config: Config) -> Self {
        let shelf = MemoryShelf::new();
        let now = Moment {
            elapsed: Duration::ZERO,
            unix_ms: START_MS,
        };
        Self::on_shelf(config, shelf, now)
    }

    pub fn on_shelf(config: Config, shelf: MemoryShelf, now: Moment) -> Self {
        println!("seed {SEED}");
        let chance = Chance::from_seed(SEED);
        let register = Register::new(config.clone(), Box::new(shelf.clone()), chance, now).unwrap();
        Self {
            register,
            shelf,
            now,
            config,
            events: Vec::new(),
        }
    }

    /// With a shift open.
    pub fn in_shift(config: Config) -> Self {
        let mut bench = Self::new(config);
        assert_eq!(bench.ask("E0 1E 00 00 00"), "E0 00 1E");
        bench.poll_out_printing();
        bench
    }

    fn poll_out_printing(&mut self) {
        while self.state().1 == 5 {
            self.pass_ms(100);
        }
    }

    /// The process is killed and started again: nothing but the shelf stays.
    pub fn restart(self) -> Self {
        let Self {
            register,
            shelf,
            now,
            config,
            ..
        } = self;
        drop(register);
        Self::on_shelf(config, shelf, now)
    }

    pub fn pass_ms(&mut self, ms: u64) {
        self.now.elapsed += Duration::from_millis(ms);
        self.now.unix_ms += ms as i64;
    }

    pub fn pass_hours(&mut self, hours: u64) {
        self.pass_ms(hours * 3_600_000);
    }

    /// Sends bytes and takes what comes at once.
    pub fn raw(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.register.input(self.now, bytes);
        self.take()
    }

    pub fn take(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            match self.register.poll(self.now) {
                Output::Bytes(bytes) => all.extend(bytes),
                Output::Nothing => return all,
                other => self.events.push(other),
            }
        }
    }

    /// Takes what comes, letting time pass up to the register's own wakes, for at most an hour.
    pub fn wait(&mut self) -> Vec<u8> {
        let end = self.now.elapsed + Duration::from_secs(3600);
        let mut all = self.take();
        while let Some(at) = self.register.next_wake().filter(|at| *at <= end) {
            let step = at.saturating_sub(self.now.elapsed);
            self.pass_ms(u64::try_from(step.as_millis()).unwrap().max(1));
            all.extend(self.take());
        }
        all
    }

    /// Payload in hex, framed, sent; the whole wire answer of the device in hex.
    pub fn wire(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut out = self.raw(&frame(payload));
        out.extend(self.wait());
        out
    }

    /// One clean exchange; gives the payload of the answer.
    pub fn exchange(&mut self, payload: &[u8]) -> Vec<u8> {
        let answer = self.wire(payload);
        assert_eq!(
            answer.first(),
            Some(&0x06),
            "no ACK to {}: {}",
            hex(payload),
            hex(&answer)
        );
        let answer = payload_of(&answer[1..]);
        assert_eq!(self.raw(&[0x06]), Vec::<u8>::new());
        answer
    }

    pub fn ask(&mut self, payload: &str) -> String {
        hex(&self.exchange(&unhex(payload)))
    }

    /// The error byte of the answer.
    pub fn error(&mut self, payload: &str) -> u8 {
        error_of(&self.exchange(&unhex(payload)))
    }

    /// Command with the system administrator's password, then these bytes.
    pub fn command(&mut self, code: &str, rest: &[u8]) -> Vec<u8> {
        self.exchange(&[&unhex(code)[..], &PASSWORD, rest].concat())
    }

    /// Mode and submode.
    pub fn state(&mut self) -> (u8, u8) {
        let answer = self.command("10", &[]);
        assert_eq!(answer[1], 0);
        (answer[5], answer[6])
    }

    /// Number of the last document by FF01.
    pub fn last_fd(&mut self) -> u32 {
        let answer = self.command("FF 01", &[]);
        assert_eq!(answer[2], 0, "FF01: {}", hex(&answer));
        u32::from_le_bytes(answer[29..33].try_into().unwrap())
    }

    pub fn records(&self) -> Vec<Record> {
        self.shelf.records(FN)
    }

    pub fn fault(&mut self, kind: FaultKind, trigger: Trigger) {
        self.register.fault(self.now, FaultSpec { kind, trigger }).unwrap();
    }

    pub fn fault_at(&mut self, kind: FaultKind, code: &str) {
        self.fault(
            kind,
            Trigger::Command {
                code: code.to_owned(),
                nth: 1,
            },
        );
    }

    /// Opens a sale and adds one item; the closing is left to the test.
    pub fn one_item(&mut self) {
        assert_eq!(self.ask("8D 1E 00 00 00 00"), "8D 00 1E");
        assert_eq!(
            self.exchange(&item("Товар", 1_000_000, 10_000, None, 0x01)),
            unhex("FF 46 00")
        );
    }

    /// A whole receipt; its number.
    pub fn receipt(&mut self) -> u32 {
        self.one_item();
        let answer = self.exchange(&close(0, 10_000));
        assert_eq!(answer[2], 0, "FF45: {}", hex(&answer));
        u32::from_le_bytes(answer[8..12].try_into().unwrap())
    }

    /// A document by FF3A and FF3B, as its tags.
    pub fn read_document(&mut self, fd: u32) -> Vec<(u16, Vec<u8>)> {
        let head = self.command("FF 3A", &fd.to_le_bytes());
        assert_eq!(head[2], 0, "FF3A {fd}: {}", hex(&head));
        let length = usize::from(u16::from_le_bytes([head[5], head[6]]));
        let mut tlv = Vec::new();
        loop {
            let part = self.command("FF 3B", &[]);
            if part[2] == 0x08 {
                break;
            }
            assert_eq!(part[2], 0);
            tlv.extend_from_slice(&part[3..]);
        }
        assert_eq!(tlv.len(), length);
        tags(&tlv)
    }
}

/// FF46: sale of one line, full payment for goods.
pub fn item(name: &str, millionths: u64, price: u64, sum: Option<u64>, vat: u8) -> Vec<u8> {
    let mut payload = unhex("FF 46");
    payload.extend_from_slice(&PASSWORD);
    payload.push(1);
    payload.extend_from_slice(&millionths.to_le_bytes()[..6]);
    payload.extend_from_slice(&price.to_le_bytes()[..5]);
    payload.extend_from_slice(&sum.unwrap_or(u64::MAX).to_le_bytes()[..5]);
    payload.extend_from_slice(&[0xFF; 5]);
    payload.extend_from_slice(&[vat, 1, 4, 1]);
    payload.extend(kassette_wire::text::encode_cp1251(name).unwrap());
    payload
}

/// FF45: cash and electronic, general tax system.
pub fn close(cash: u64, electronic: u64) -> Vec<u8> {
    close_with(&[(0, cash), (1, electronic)], 0, 1)
}

/// FF45 with payments by type (0 is cash).
pub fn close_with(payments: &[(usize, u64)], rounding: u8, tax_system: u8) -> Vec<u8> {
    let mut sums = [0_u64; 16];
    for (place, sum) in payments {
        sums[*place] = *sum;
    }
    let mut payload = unhex("FF 45");
    payload.extend_from_slice(&PASSWORD);
    for sum in sums {
        payload.extend_from_slice(&sum.to_le_bytes()[..5]);
    }
    payload.push(rounding);
    payload.extend_from_slice(&[0; 30]);
    payload.push(tax_system);
    payload
}

/// FF0C with one tag.
pub fn document_tag(tag: u16, value: &[u8]) -> Vec<u8> {
    tlv_command("FF 0C", tag, value)
}

/// FF4D with one tag.
pub fn item_tag(tag: u16, value: &[u8]) -> Vec<u8> {
    tlv_command("FF 4D", tag, value)
}

fn tlv_command(code: &str, tag: u16, value: &[u8]) -> Vec<u8> {
    [
        &unhex(code)[..],
        &PASSWORD,
        &tag.to_le_bytes(),
        &(value.len() as u16).to_le_bytes(),
        value,
    ]
    .concat()
}

pub fn tags(mut tlv: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut found = Vec::new();
    while !tlv.is_empty() {
        let tag = u16::from_le_bytes([tlv[0], tlv[1]]);
        let length = usize::from(u16::from_le_bytes([tlv[2], tlv[3]]));
        found.push((tag, tlv[4..4 + length].to_vec()));
        tlv = &tlv[4 + length..];
    }
    found
}

pub fn value(tags: &[(u16, Vec<u8>)], tag: u16) -> Option<Vec<u8>> {
    let found: Vec<_> = tags.iter().filter(|(t, _)| *t == tag).collect();
    assert!(found.len() <= 1, "tag {tag} stands {} times", found.len());
    found.first().map(|(_, value)| value.clone())
}

pub fn number(tags: &[(u16, Vec<u8>)], tag: u16) -> Option<u64> {
    value(tags, tag).map(|v| v.iter().rev().fold(0, |sum, b| sum << 8 | u64::from(*b)))
}

pub fn text(tags: &[(u16, Vec<u8>)], tag: u16) -> Option<String> {
    value(tags, tag).map(|v| kassette_wire::text::decode_cp866(&v))
}

pub fn frame(payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    let lrc = payload.iter().fold(length, |sum, byte| sum ^ byte);
    [&[0x02, length], payload, &[lrc]].concat()
}

/// Payload of one whole frame with a right LRC.
pub fn payload_of(bytes: &[u8]) -> Vec<u8> {
    assert_eq!(bytes.first(), Some(&0x02), "no frame: {}", hex(bytes));
    let payload = &bytes[2..bytes.len() - 1];
    assert_eq!(frame(payload), bytes, "damaged frame");
    payload.to_vec()
}

pub fn error_of(payload: &[u8]) -> u8 {
    payload[if payload[0] == 0xFF { 2 } else { 1 }]
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(" ")
}

pub fn unhex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|b| u8::from_str_radix(b, 16).unwrap())
        .collect()
}
