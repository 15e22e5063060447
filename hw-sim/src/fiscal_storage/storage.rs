//! The FN at work.
//!
//! Owns: phase, shift, numbering, time and limits; the step in which a document comes to be.
//! Must never: return a number before the document stands whole in the ledger.

use super::counters::Counters;
use super::document::{Body, find_number, find_text, walk};
use super::ledger::{LedgerError, LedgerStore, Record};
use super::{FnConfig, Phase};
use crate::moment::Moment;
use kassette_wire::value::LocalTime;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;

/// Document codes of the FFD that this FN can make (`fn-ffd-ofd` C.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Registration report.
    Registration = 1,
    /// Shift open.
    ShiftOpen = 2,
    /// Receipt.
    Receipt = 3,
    /// Shift close.
    ShiftClose = 5,
    /// State of settlements.
    CalculationState = 21,
    /// Correction receipt.
    Correction = 31,
}

/// FN answer codes (`fn-ffd-ofd` A.7), as they pass through the register.
pub mod code {
    /// Wrong FN state.
    pub const STATE: u8 = 0x02;
    /// FN failure.
    pub const FAILURE: u8 = 0x03;
    /// The life of the FN has ended.
    pub const EXPIRED: u8 = 0x05;
    /// Archive full (FN of the first generation).
    pub const FULL: u8 = 0x06;
    /// Wrong date or time.
    pub const TIME: u8 = 0x07;
    /// No data.
    pub const NO_DATA: u8 = 0x08;
    /// Tag not allowed in this block.
    pub const TAG_NOT_ALLOWED: u8 = 0x0B;
    /// Duplicated tag.
    pub const TAG_TWICE: u8 = 0x0C;
    /// TLV size exceeded.
    pub const TOO_LARGE: u8 = 0x10;
    /// Resource exhausted (FN 1.2).
    pub const EXHAUSTED: u8 = 0x12;
    /// No room for documents to the OFD; in an FN 1.2 the 30-day limit too.
    pub const OFD_STORE: u8 = 0x14;
    /// Oldest message waits for more than 30 days (FN of the first generation).
    pub const OFD_DAYS: u8 = 0x15;
    /// Shift longer than 24 hours.
    pub const SHIFT_AGE: u8 = 0x16;
    /// The register's clock and the FN's timer differ.
    pub const CLOCK_DELTA: u8 = 0x17;
}

/// FN firmware families, which word the same trouble differently (`fn-ffd-ofd` A.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Generation {
    /// Codes 06h and 15h, no tag checks.
    First,
    /// Codes 12h and 14h, tag checks 0Bh to 0Dh.
    Fn12,
}

/// Where FNs differ from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    /// Firmware family.
    pub generation: Generation,
    /// A shift may open up to one hour before the last document (A.8, one source).
    pub open_may_lag_close: bool,
}

/// How long the simulated OFD takes to answer a document when it is up.
const OFD_DELAY_MS: i64 = 1_000;
const DAY_MS: i64 = 86_400_000;
const SHIFT_SECONDS: i64 = 86_400;
/// Five minutes (A.7, 17h), and the minute that is lost because commands carry no seconds.
const CLOCK_DELTA_SECONDS: i64 = 5 * 60 + 59;
/// Data of a receipt or correction (A.2).
const RECEIPT_BYTES: usize = 30 * 1024;
/// Data of a shift report or calculation state (A.2).
const REPORT_BYTES: usize = 1024;
/// Full documents can be read this long; short records stay (`shtrih-m` 3.7, `fn-ffd-ofd` B.1).
const FULL_DOCUMENT_MS: i64 = 30 * DAY_MS;

/// What a register hands over for a document.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Which document.
    pub kind: Kind,
    /// Time by the register's clock; the FN takes it without seconds.
    pub time: LocalTime,
    /// Everything but the tags that the FN puts in front.
    pub body: Body,
}

/// A document that stands in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formed {
    /// Its number.
    pub fd: u32,
    /// Its fiscal sign.
    pub fp: u32,
    /// Shift it belongs to.
    pub shift: u16,
    /// Receipt number in the shift; 0 for reports.
    pub receipt: u16,
    /// Its time.
    pub time: LocalTime,
}

/// The shift as the FN counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shift {
    /// Whether it is open.
    pub open: bool,
    /// Its number, or of the last one; 0 before the first.
    pub number: u16,
    /// Receipts in it.
    pub receipts: u16,
    /// Documents in it.
    pub documents: u32,
    /// Time of its opening by the register's clock.
    pub opened: Option<LocalTime>,
    opened_ms: i64,
}

/// Answer to a status question (A.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Life phase.
    pub phase: Phase,
    /// Warning flags.
    pub warnings: u8,
    /// Time of the last document.
    pub last_time: Option<LocalTime>,
    /// Number of the last document.
    pub last_fd: u32,
}

/// What has no ticket yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queue {
    /// How many documents.
    pub length: u16,
    /// The oldest of them.
    pub first_fd: u32,
    /// Its time.
    pub first_time: Option<LocalTime>,
}

#[derive(Debug, Clone, Copy)]
struct Unsent {
    fd: u32,
    time: u32,
    made_ms: i64,
}

/// Faults that stay until they are taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Troubles {
    /// Every operation answers this.
    pub code: Option<u8>,
    /// No room for documents.
    pub full: bool,
    /// The keys' term has passed.
    pub expired: bool,
    /// No tickets since this true time.
    pub ofd_down_since_ms: Option<i64>,
}

/// A fiscal storage unit.
pub struct FiscalStorage {
    unit: FnConfig,
    habits: Habits,
    ledger: Box<dyn LedgerStore>,
    phase: Phase,
    shift: Shift,
    last_time: Option<LocalTime>,
    timer: Option<(LocalTime, i64)>,
    shift_counters: Counters,
    life_counters: Counters,
    unsent: VecDeque<Unsent>,
    inn: String,
    rnm: String,
    /// What is wrong with it on purpose.
    pub troubles: Troubles,
}

fn local(time: u32) -> Option<LocalTime> {
    LocalTime::from_unix_as_local(time).ok()
}

impl FiscalStorage {
    /// The FN as its ledger says it stands.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn open(
        unit: FnConfig,
        habits: Habits,
        ledger: Box<dyn LedgerStore>,
        troubles: Troubles,
    ) -> Result<Self, LedgerError> {
        // A working FN begins with its registration report: until that stands it is only ready.
        let fresh = ledger.last_fd() == 0 && unit.phase as u8 >= Phase::Fiscal as u8;
        let phase = if fresh { Phase::Ready } else { unit.phase };
        let mut storage = Self {
            unit,
            habits,
            ledger,
            phase,
            shift: Shift::default(),
            last_time: None,
            timer: None,
            shift_counters: Counters::default(),
            life_counters: Counters::default(),
            unsent: VecDeque::new(),
            inn: String::new(),
            rnm: String::new(),
            troubles,
        };
        for fd in 1..=storage.ledger.last_fd() {
            if let Some(record) = storage.ledger.read(fd)? {
                storage.note(&record);
            }
        }
        Ok(storage)
    }

    /// Takes a document of the ledger into the state. The state is nothing but the sum of these.
    fn note(&mut self, record: &Record) {
        let time = local(record.time);
        let number = |tag| find_number(&record.tlv, tag);
        match record.kind {
            1 => {
                self.inn = find_text(&record.tlv, 1018).unwrap_or_default();
                self.rnm = find_text(&record.tlv, 1037).unwrap_or_default();
                if self.phase == Phase::Ready {
                    self.phase = Phase::Fiscal;
                }
            }
            2 => {
                self.shift = Shift {
                    open: true,
                    number: number(1038).and_then(|n| u16::try_from(n).ok()).unwrap_or(0),
                    receipts: 0,
                    documents: 0,
                    opened: time,
                    opened_ms: record.made_unix_ms,
                };
                self.shift_counters = Counters::default();
            }
            3 | 4 | 31 | 41 => self.shift.receipts = self.shift.receipts.saturating_add(1),
            5 => self.shift.open = false,
            _ => {}
        }
        self.shift.documents += 1;
        self.shift_counters.add(record.kind, &record.tlv);
        self.life_counters.add(record.kind, &record.tlv);
        self.last_time = time;
        self.timer = time.map(|t| (t, record.made_unix_ms));
        self.unsent.push_back(Unsent {
            fd: record.fd,
            time: record.time,
            made_ms: record.made_unix_ms,
        });
        self.take_tickets(record.made_unix_ms);
    }

    /// Drops from the queue what the OFD has answered by this true time.
    fn take_tickets(&mut self, now_ms: i64) {
        let until = self
            .troubles
            .ofd_down_since_ms
            .map_or(now_ms, |since| since.min(now_ms));
        while self.unsent.front().is_some_and(|d| d.made_ms + OFD_DELAY_MS <= until) {
            self.unsent.pop_front();
        }
    }

    /// Number of this FN, without padding.
    #[must_use]
    pub fn number(&self) -> &str {
        &self.unit.number
    }

    /// What it was put in as.
    #[must_use]
    pub const fn unit(&self) -> &FnConfig {
        &self.unit
    }

    /// INN and RNM of its registration report; empty before it.
    #[must_use]
    pub fn registered_for(&self) -> (&str, &str) {
        (&self.inn, &self.rnm)
    }

    /// The code that every operation answers while a fault is on.
    ///
    /// # Errors
    /// That code.
    pub const fn alive(&self) -> Result<(), u8> {
        match self.troubles.code {
            Some(code) => Err(code),
            None => Ok(()),
        }
    }

    /// Phase, flags and last document.
    #[must_use]
    pub fn status(&mut self, time: LocalTime, now: Moment) -> Status {
        self.take_tickets(now.unix_ms);
        Status {
            phase: self.phase,
            warnings: self.warnings(time, now),
            last_time: self.last_time,
            last_fd: self.ledger.last_fd(),
        }
    }

    /// Life phase as its byte.
    #[must_use]
    pub const fn status_phase(&self) -> u8 {
        self.phase as u8
    }

    /// After a registration report was made for an FN that was put in as closed: takes the phase it was put in with.
    pub fn take_named_phase(&mut self) {
        if self.unit.phase as u8 > Phase::Fiscal as u8 {
            self.phase = self.unit.phase;
        }
    }

    /// Cash that receipts brought, less what they paid out, over the life of this FN.
    #[must_use]
    pub fn cash_balance(&self) -> i64 {
        self.life_counters.cash_balance()
    }

    /// The shift.
    #[must_use]
    pub const fn shift(&self) -> Shift {
        self.shift
    }

    /// Number of the last document.
    #[must_use]
    pub fn last_fd(&self) -> u32 {
        self.ledger.last_fd()
    }

    /// Documents it can still make.
    #[must_use]
    pub fn documents_left(&self) -> u32 {
        if self.troubles.full {
            return 0;
        }
        self.unit.documents_left.saturating_sub(self.ledger.last_fd())
    }

    fn key_days_left(&self, time: LocalTime) -> i64 {
        if self.troubles.expired {
            return -1;
        }
        (self.unit.expiry.date() - time.calendar().date()).whole_days()
    }

    fn warnings(&self, time: LocalTime, now: Moment) -> u8 {
        let days = self.key_days_left(time);
        let mut flags = 0;
        flags |= u8::from(days <= 3);
        flags |= u8::from(days <= 30) << 1;
        let used = u64::from(self.unit.documents_left) - u64::from(self.documents_left());
        flags |= u8::from(used * 10 >= u64::from(self.unit.documents_left) * 9) << 2;
        flags |= u8::from(self.oldest_unsent_ms(now).is_some_and(|age| age > 2 * DAY_MS)) << 3;
        flags
    }

    fn oldest_unsent_ms(&self, now: Moment) -> Option<i64> {
        self.unsent.front().map(|d| now.unix_ms - d.made_ms)
    }

    /// Documents without a ticket.
    pub fn queue(&mut self, now: Moment) -> Queue {
        self.take_tickets(now.unix_ms);
        Queue {
            length: u16::try_from(self.unsent.len()).unwrap_or(u16::MAX),
            first_fd: self.unsent.front().map_or(0, |d| d.fd),
            first_time: self.unsent.front().and_then(|d| local(d.time)),
        }
    }

    /// Whether the OFD has answered a document.
    pub fn has_ticket(&mut self, fd: u32, now: Moment) -> bool {
        self.take_tickets(now.unix_ms);
        self.unsent.front().is_none_or(|d| fd < d.fd)
    }

    /// Tickets stop (`true`) or come again.
    pub fn set_ofd_down(&mut self, down: bool, now: Moment) {
        self.take_tickets(now.unix_ms);
        self.troubles.ofd_down_since_ms = down.then_some(now.unix_ms);
    }

    /// Whether a document of this kind may be begun now.
    ///
    /// # Errors
    /// The FN's answer code.
    pub fn permits(&mut self, kind: Kind, time: LocalTime, now: Moment) -> Result<(), u8> {
        self.alive()?;
        self.take_tickets(now.unix_ms);
        self.state_permits(kind)?;
        let time = time.whole_minute();
        let lag = if kind == Kind::ShiftOpen && self.habits.open_may_lag_close {
            3600
        } else {
            0
        };
        let behind = self.last_time.is_some_and(|last| last.seconds_since(time) > lag);
        if kind != Kind::Registration && behind {
            return Err(code::TIME);
        }
        if matches!(kind, Kind::Receipt | Kind::Correction) {
            self.shift_permits(time, now)?;
        }
        if matches!(kind, Kind::Receipt | Kind::Correction | Kind::ShiftOpen) {
            self.resources_permit(time, now)?;
        }
        Ok(())
    }

    fn state_permits(&self, kind: Kind) -> Result<(), u8> {
        let phase = if kind == Kind::Registration {
            Phase::Ready
        } else {
            Phase::Fiscal
        };
        let shift_open = matches!(kind, Kind::Receipt | Kind::Correction | Kind::ShiftClose);
        if self.phase != phase || self.shift.open != shift_open {
            return Err(code::STATE);
        }
        Ok(())
    }

    /// 24 hours and the clock. A closing is free of both: it is the way out (A.7).
    fn shift_permits(&self, time: LocalTime, now: Moment) -> Result<(), u8> {
        let by_clock = self.shift.opened.map_or(0, |opened| time.seconds_since(opened));
        let by_timer = (now.unix_ms - self.shift.opened_ms) / 1000;
        if by_clock >= SHIFT_SECONDS || by_timer >= SHIFT_SECONDS {
            return Err(code::SHIFT_AGE);
        }
        let Some((last, last_ms)) = self.timer else {
            return Ok(());
        };
        let delta = time.seconds_since(last) - (now.unix_ms - last_ms) / 1000;
        if delta.abs() > CLOCK_DELTA_SECONDS {
            return Err(code::CLOCK_DELTA);
        }
        Ok(())
    }

    fn resources_permit(&self, time: LocalTime, now: Moment) -> Result<(), u8> {
        if self.key_days_left(time) < 0 {
            return Err(code::EXPIRED);
        }
        let first = self.habits.generation == Generation::First;
        if self.documents_left() == 0 {
            return Err(if first { code::FULL } else { code::EXHAUSTED });
        }
        if self.oldest_unsent_ms(now).is_some_and(|age| age > 30 * DAY_MS) {
            return Err(if first { code::OFD_DAYS } else { code::OFD_STORE });
        }
        Ok(())
    }

    /// Makes a document: when this returns `Ok` it stands in the ledger, when it returns an error there is none.
    ///
    /// # Errors
    /// The FN's answer code; a ledger that cannot be written is an FN failure.
    pub fn form(&mut self, draft: &Draft, now: Moment) -> Result<Formed, u8> {
        self.permits(draft.kind, draft.time, now)?;
        self.body_permits(draft)?;
        let time = draft.time.whole_minute();
        let stamp = time.to_unix_as_local().ok_or(code::TIME)?;
        let fd = self.ledger.last_fd() + 1;
        let shift = self.shift_number_for(draft.kind);
        let receipt = self.receipt_number_for(draft.kind);
        let head = self.head(fd, stamp, draft);
        let tail = self.tail(draft, shift, receipt, now);
        let fp = sign(&self.unit.number, fd, &[head.as_bytes(), tail.as_bytes()]);
        let mut whole = head;
        let prefix = if draft.kind == Kind::Registration { 0x21 } else { 0x31 };
        let mut value = vec![prefix, 0x04];
        value.extend_from_slice(&fp.to_be_bytes());
        whole.bytes(1077, &value).append(&tail);
        let kind = draft.kind as u8;
        let record = Record {
            fd,
            kind,
            fp,
            time: stamp,
            made_unix_ms: now.unix_ms,
            tlv: whole.into_bytes(),
        };
        self.ledger.append(&record).map_err(|_| code::FAILURE)?;
        self.note(&record);
        Ok(Formed {
            fd,
            fp,
            shift,
            receipt,
            time,
        })
    }

    fn body_permits(&self, draft: &Draft) -> Result<(), u8> {
        let receipt = matches!(draft.kind, Kind::Receipt | Kind::Correction);
        let limit = match draft.kind {
            Kind::Receipt | Kind::Correction => RECEIPT_BYTES,
            Kind::Registration => 2 * REPORT_BYTES,
            _ => REPORT_BYTES,
        };
        let tags = walk(draft.body.as_bytes()).ok_or(code::TOO_LARGE)?;
        let item_too_large = tags.iter().any(|(tag, value)| *tag == 1059 && value.len() > 1024);
        if draft.body.as_bytes().len() > limit || item_too_large {
            return Err(code::TOO_LARGE);
        }
        let repeats = |(i, (tag, _)): (usize, &(u16, &[u8]))| *tag != 1059 && tags[..i].iter().any(|(t, _)| t == tag);
        if self.habits.generation == Generation::Fn12 && receipt && tags.iter().enumerate().any(repeats) {
            return Err(code::TAG_TWICE);
        }
        Ok(())
    }

    fn shift_number_for(&self, kind: Kind) -> u16 {
        match kind {
            Kind::ShiftOpen => self.shift.number.saturating_add(1),
            _ => self.shift.number,
        }
    }

    fn receipt_number_for(&self, kind: Kind) -> u16 {
        match kind {
            Kind::Receipt | Kind::Correction => self.shift.receipts.saturating_add(1),
            _ => 0,
        }
    }

    /// The tags in front of every document. A registration brings its own INN and RNM.
    fn head(&self, fd: u32, stamp: u32, draft: &Draft) -> Body {
        let own = |tag| find_text(draft.body.as_bytes(), tag);
        let mut head = Body::new();
        head.padded(1041, &self.unit.number, 16);
        if draft.kind != Kind::Registration || own(1037).is_none() {
            head.padded(1037, &self.rnm, 20).padded(1018, &self.inn, 12);
        }
        head.u32(1040, fd).u32(1012, stamp);
        head
    }

    /// The tags behind the sign: numbers, the register's content, and what only the FN can count.
    fn tail(&mut self, draft: &Draft, shift: u16, receipt: u16, now: Moment) -> Body {
        let mut tail = Body::new();
        if draft.kind != Kind::Registration && (draft.kind != Kind::CalculationState || self.shift.open) {
            tail.u32(1038, u32::from(shift));
        }
        if receipt > 0 {
            tail.u32(1042, u32::from(receipt));
        }
        tail.append(&draft.body);
        match draft.kind {
            Kind::ShiftOpen => self.warning_tags(&mut tail, draft.time, now),
            Kind::ShiftClose => {
                tail.u32(1111, self.shift.documents + 1)
                    .u32(1118, self.shift_counters.count());
                self.unsent_tags(&mut tail, now);
                self.warning_tags(&mut tail, draft.time, now);
                if self.habits.generation == Generation::Fn12 {
                    self.key_tag(&mut tail, draft.time);
                    tail.list(1194, &self.shift_counters.body())
                        .list(1157, &self.life_counters.body());
                }
            }
            Kind::CalculationState => {
                self.unsent_tags(&mut tail, now);
                if self.habits.generation == Generation::Fn12 {
                    self.key_tag(&mut tail, draft.time);
                    tail.list(1157, &self.life_counters.body());
                }
            }
            Kind::Registration => self.key_tag(&mut tail, draft.time),
            Kind::Receipt | Kind::Correction => {}
        }
        tail
    }

    fn key_tag(&self, tail: &mut Body, time: LocalTime) {
        let days = self.key_days_left(time).clamp(0, i64::from(u16::MAX));
        tail.bytes(1213, &(days as u16).to_le_bytes());
    }

    fn unsent_tags(&mut self, tail: &mut Body, now: Moment) {
        let queue = self.queue(now);
        tail.u32(1097, u32::from(queue.length));
        if let Some(first) = self.unsent.front() {
            // 1098 is a day: 00:00:00 of it (C.1).
            tail.u32(1098, first.time - first.time % 86_400);
        }
    }

    fn warning_tags(&self, tail: &mut Body, time: LocalTime, now: Moment) {
        let flags = self.warnings(time, now);
        for (bit, tag) in [(1, 1050), (0, 1051), (2, 1052), (3, 1053)] {
            if flags >> bit & 1 == 1 {
                tail.byte(tag, 1);
            }
        }
    }

    /// The short record of a document, which stays for the life of the FN.
    ///
    /// # Errors
    /// The FN's answer code, 08h when there is no such document.
    pub fn record(&self, fd: u32) -> Result<Record, u8> {
        self.alive()?;
        match self.ledger.read(fd) {
            Ok(Some(record)) => Ok(record),
            Ok(None) => Err(code::NO_DATA),
            Err(_) => Err(code::FAILURE),
        }
    }

    /// The document with all its tags, which the FN keeps for 30 days after the ticket.
    ///
    /// # Errors
    /// As [`Self::record`], 08h also for a document that is too old.
    pub fn full_document(&mut self, fd: u32, now: Moment) -> Result<Record, u8> {
        let record = self.record(fd)?;
        let stays = matches!(record.kind, 1 | 6 | 11);
        let old = now.unix_ms - record.made_unix_ms > FULL_DOCUMENT_MS;
        if old && !stays && self.has_ticket(fd, now) {
            return Err(code::NO_DATA);
        }
        Ok(record)
    }
}

/// A fiscal sign: the same for the same content, as good as random to everyone else.
fn sign(fn_number: &str, fd: u32, parts: &[&[u8]]) -> u32 {
    let mut hash = Sha256::new();
    hash.update(fn_number.as_bytes());
    hash.update(fd.to_le_bytes());
    for part in parts {
        hash.update(part);
    }
    let digest = hash.finalize();
    u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]])
}
