//! The FN at work.
//!
//! Owns: phase, shift, numbering, time and limits; the step in which a document comes to be.
//! Must never: return a number before the document stands whole in the ledger.

use super::counters::Counters;
use super::document::{Body, find_number, find_text};
use super::facts::{Draft, Formed, Generation, Habits, Kind, ReceiptTotals, Shift, Status, Troubles, code};
use super::ledger::{LedgerError, LedgerStore, Record};
use super::ofd_queue::{Relay, Unsent};
use super::{FnConfig, Phase};
use crate::moment::Moment;
use kassette_wire::value::LocalTime;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;

pub(super) const DAY_MS: i64 = 86_400_000;
/// Full documents can be read this long; short records stay (`shtrih-m` 3.7, `fn-ffd-ofd` B.1).
const FULL_DOCUMENT_MS: i64 = 30 * DAY_MS;

/// A fiscal storage unit.
pub struct FiscalStorage {
    pub(super) unit: FnConfig,
    pub(super) habits: Habits,
    pub(super) ledger: Box<dyn LedgerStore>,
    pub(super) phase: Phase,
    pub(super) shift: Shift,
    pub(super) last_time: Option<LocalTime>,
    pub(super) timer: Option<(LocalTime, i64)>,
    pub(super) shift_counters: Counters,
    pub(super) life_counters: Counters,
    pub(super) unsent: VecDeque<Unsent>,
    /// Documents of kinds 1 and 11, in their order.
    registrations: Vec<u32>,
    pub(super) inn: String,
    pub(super) rnm: String,
    /// What is wrong with it on purpose.
    pub troubles: Troubles,
    /// The exchange through the host.
    pub relay: Relay,
}

pub(super) fn local(time: u32) -> Option<LocalTime> {
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
        relay: Relay,
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
            registrations: Vec::new(),
            inn: String::new(),
            rnm: String::new(),
            troubles,
            relay,
        };
        for fd in 1..=storage.ledger.last_fd() {
            if let Some(record) = storage.ledger.read(fd)? {
                storage.note(&record);
            }
        }
        storage.drop_delivered();
        Ok(storage)
    }

    /// Takes a document of the ledger into the state. The state is nothing but the sum of these.
    fn note(&mut self, record: &Record) {
        let time = local(record.time);
        let number = |tag| find_number(&record.tlv, tag);
        match record.kind {
            1 | 11 => {
                self.registrations.push(record.fd);
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
            6 => self.phase = Phase::PostFiscal,
            _ => {}
        }
        self.shift.documents += 1;
        self.shift_counters.add(record.kind, &record.tlv);
        self.life_counters.add(record.kind, &record.tlv);
        self.last_time = time;
        self.timer = time.map(|t| (t, record.made_unix_ms));
        self.unsent.push_back(Unsent::of(record));
        self.take_tickets(record.made_unix_ms);
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

    /// Numbers of its registration and re-registration reports, the first one first.
    #[must_use]
    pub fn registrations(&self) -> &[u32] {
        &self.registrations
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

    /// Receipts since the last opening of a shift, by settlement sign 1 to 4.
    #[must_use]
    pub fn shift_totals(&self) -> [ReceiptTotals; 4] {
        self.shift_counters.totals()
    }

    /// Receipts over the life of this FN, by settlement sign 1 to 4.
    #[must_use]
    pub fn life_totals(&self) -> [ReceiptTotals; 4] {
        self.life_counters.totals()
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

    pub(super) fn key_days_left(&self, time: LocalTime) -> i64 {
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

    pub(super) fn oldest_unsent_ms(&self, now: Moment) -> Option<i64> {
        self.unsent.front().map(|d| now.unix_ms - d.made_ms)
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
        let prefix = if draft.kind.registers() { 0x21 } else { 0x31 };
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
        if !draft.kind.registers() || own(1037).is_none() {
            head.padded(1037, &self.rnm, 20).padded(1018, &self.inn, 12);
        }
        head.u32(1040, fd).u32(1012, stamp);
        head
    }

    /// The tags behind the sign: numbers, the register's content, and what only the FN can count.
    fn tail(&mut self, draft: &Draft, shift: u16, receipt: u16, now: Moment) -> Body {
        let mut tail = Body::new();
        if !draft.kind.registers() && (draft.kind != Kind::CalculationState || self.shift.open) {
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
            Kind::Closing => {
                if self.habits.generation == Generation::Fn12 {
                    tail.list(1157, &self.life_counters.body());
                }
            }
            Kind::Registration | Kind::Reregistration => self.key_tag(&mut tail, draft.time),
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
