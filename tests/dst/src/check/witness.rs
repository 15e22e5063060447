//! What is checked after each step: every commit beside the ledgers, every new document beside the journal.
//!
//! Owns: what is durable, as the commits say that came through, and what each FN held when it was last looked at.
//! Must never: read the journal: it remembers by itself what became durable, and would see it being forgotten.

use super::ledgers::{self, RECEIPT_KINDS, SERVICE_KINDS};
use kassette_core::domain::attempt::{DocumentKind, Evidence, KeyPlace};
use kassette_core::journal::{Applied, BeginIntent, Command, EndIntent, JobEnd, Recovered, ReplyBody, Verdict};
use kassette_hw_sim::fiscal_storage::ledger::{MemoryShelf, Record};
use kassette_receipts::job::JobState;
use kassette_receipts::job_key::JobKey;
use kassette_wire::ffd::{Tag, TlvList};
use kassette_wire::value::Inn;
use std::collections::{BTreeMap, BTreeSet};

mod holds;
pub use holds::Remembered;
use holds::is_hold;

/// What was counted of the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Jobs accepted.
    pub jobs: u64,
    /// Intents.
    pub attempts: u64,
    /// Intents that fell into doubt.
    pub doubts: u64,
    /// Doubts that the FN answered.
    pub doubts_resolved: u64,
}

/// A job as the commits say.
#[derive(Debug, Clone)]
struct KnownJob {
    key: String,
    tenant: Inn,
    state: JobState,
    attempts: u32,
    /// Those of them that were holds: no unit had anything to do with them.
    holds: u32,
    /// It waits on a lane of its own until the FNs were read.
    held: bool,
}

/// A try as the commits say.
#[derive(Debug, Clone)]
struct KnownIntent {
    begin: BeginIntent,
    open: bool,
    doubted: bool,
    /// Documents that came to the FN while it was the unresolved one there, and are of its kind.
    made: Vec<u32>,
}

/// What is durable, as the commits say.
#[derive(Debug, Clone, Default)]
struct Durable {
    jobs: BTreeMap<i64, KnownJob>,
    intents: BTreeMap<i64, KnownIntent>,
    /// The unresolved intent of each FN.
    unresolved: BTreeMap<String, i64>,
    /// Documents that are the result of an attempt.
    evidences: BTreeSet<(String, u32)>,
}

/// A document of an FN.
#[derive(Debug, Clone)]
struct KnownDocument {
    key: String,
    fp: u32,
    kind: u8,
}

/// Sees every step of a story. Cheap to ask when nothing changed.
#[derive(Debug, Clone, Default)]
pub struct Witness {
    tally: Tally,
    known: Durable,
    ledgers: BTreeMap<String, Vec<KnownDocument>>,
    keys: BTreeMap<String, (String, u32)>,
    last_time: BTreeMap<String, u32>,
    /// FNs on which another program may make documents of its own.
    foreign: BTreeSet<String>,
    /// Furthest that the host's clock ever was from true time.
    host_off_ms: i64,
    /// Tries that were open when the journal went back: what was sent may still be carried out.
    ghosts: BTreeMap<String, BeginIntent>,
    /// The last document of each FN when the journal went back.
    forgotten: BTreeMap<String, u32>,
    /// The document made for each buyer: every order of a story has one of its own.
    buyers: BTreeMap<String, (String, u32)>,
    wrong: Vec<String>,
    /// What breaks from now on is what the test is about.
    looks_away: bool,
}

impl Witness {
    /// What was counted.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// What broke so far.
    #[must_use]
    pub fn wrong(&self) -> &[String] {
        if self.looks_away { &[] } else { &self.wrong }
    }

    /// From now on the test breaks promises on purpose, with a lying register, document or person, and judges by itself.
    pub fn looks_away(&mut self) {
        self.looks_away = true;
    }

    /// Whether an intent on this register is unresolved.
    #[must_use]
    pub fn is_asked(&self, serial: &str) -> bool {
        let open = self
            .known
            .unresolved
            .values()
            .filter_map(|id| self.known.intents.get(id));
        open.into_iter()
            .any(|known| known.begin.register.serial.as_str() == serial)
    }

    /// The host's clock is this far from true time, milliseconds. Nothing can be nearer to it than what the host believes.
    pub fn host_is_off(&mut self, millis: i64) {
        self.host_off_ms = self.host_off_ms.max(millis.abs());
    }

    /// Furthest that the host's clock ever was from true time, milliseconds.
    #[must_use]
    pub const fn host_off_ms(&self) -> i64 {
        self.host_off_ms
    }

    /// Notes what broke elsewhere.
    pub fn is_wrong(&mut self, text: String) {
        self.wrong.push(text);
    }

    /// Another program may make documents on this FN from now on.
    pub fn expects_foreign(&mut self, fn_number: &str) {
        self.foreign.insert(fn_number.to_owned());
    }

    /// FNs on which another program may have made documents.
    #[must_use]
    pub fn shared_fns(&self) -> BTreeSet<String> {
        self.foreign.clone()
    }

    /// A start found these doubts: each was a durable intent before.
    pub fn starts(&mut self, recovered: &Recovered) {
        self.holds_found(recovered);
        for doubt in recovered.doubts.iter().filter(|doubt| !is_hold(&doubt.fn_number)) {
            match self.known.intents.get_mut(&doubt.intent) {
                Some(known) if known.open => {
                    self.tally.doubts += u64::from(!known.doubted);
                    known.doubted = true;
                }
                _ => self.wrong.push(format!(
                    "I10: a start finds intent {} in doubt, which ended or never was",
                    doubt.intent
                )),
            }
        }
        let open = self.known.intents.iter().filter(|(_, known)| known.open);
        let lost = open.filter(|(id, _)| !recovered.doubts.iter().any(|doubt| doubt.intent == **id));
        let lost: Vec<i64> = lost.map(|(id, _)| *id).collect();
        if !lost.is_empty() {
            self.wrong
                .push(format!("I8: a start has forgotten the unresolved intents {lost:?}"));
        }
    }

    /// A commit came through, or not. The ledgers were looked at just before: what is there was made without it.
    pub fn applied(&mut self, command: &Command, applied: &Applied) {
        let Applied::Done(replies) = applied else { return };
        let Some(reply) = replies.last() else { return };
        match (command, &reply.body) {
            (Command::Accept(_), ReplyBody::Accepted { id, job }) => {
                self.tally.jobs += 1;
                let known = KnownJob {
                    key: job.key.to_string(),
                    tenant: job.tenant.clone(),
                    state: job.state,
                    attempts: u32::from(job.state == JobState::InDoubt),
                    holds: u32::from(job.state == JobState::InDoubt),
                    held: job.state == JobState::InDoubt,
                };
                if self.known.jobs.insert(*id, known).is_some() {
                    self.wrong
                        .push(format!("I4: row {id} is given to a second job, {}", job.key));
                }
            }
            (Command::Begin(begin), ReplyBody::Begun { intent, number }) => self.begun(begin, *intent, *number),
            (Command::End(end, next), ReplyBody::Ended { job, next: begun }) => {
                self.ended(end, *job);
                if let (Some(begin), Some((intent, number))) = (next, begun) {
                    self.begun(begin, *intent, *number);
                }
            }
            (Command::Note(_), ReplyBody::Noted { held, .. }) => held.iter().for_each(|job| self.is_held(*job)),
            (Command::GiveVerdict(order), ReplyBody::Verdict { judged, job }) => {
                self.judged(order.intent, judged, *job)
            }
            (Command::Review(review), ReplyBody::Reviewed { reopened, .. }) => self.reviewed(review.intent, *reopened),
            (Command::SettleHeld(order), ReplyBody::JobState(state)) => self.hold_settled(order, *state),
            (Command::Cancel(order), ReplyBody::JobState(state)) => self.job_ends_unmade(order.job, *state),
            (Command::Expire { job, .. }, ReplyBody::JobState(state)) => self.job_ends_unmade(*job, *state),
            _ => {}
        }
    }

    fn begun(&mut self, begin: &BeginIntent, intent: i64, number: u32) {
        self.tally.attempts += 1;
        let number_of_fn = begin.fn_number.to_string();
        if let Some(other) = self.known.unresolved.insert(number_of_fn.clone(), intent) {
            self.wrong.push(format!(
                "I6: intents {other} and {intent} are unresolved on FN {number_of_fn}"
            ));
        }
        let last = self.ledgers.get(&number_of_fn).map_or(0, Vec::len);
        if begin.baseline.0 as usize > last {
            self.wrong.push(format!(
                "I11: intent {intent} begins above document {}, FN {number_of_fn} has {last}",
                begin.baseline.0
            ));
        }
        if let Some(id) = begin.job {
            self.job_begins(begin, id, intent, number);
        }
        let known = KnownIntent {
            begin: begin.clone(),
            open: true,
            doubted: false,
            made: Vec::new(),
        };
        self.known.intents.insert(intent, known);
    }

    fn job_begins(&mut self, begin: &BeginIntent, id: i64, intent: i64, number: u32) {
        let Some(job) = self.known.jobs.get_mut(&id) else {
            self.wrong
                .push(format!("I4: intent {intent} is of row {id}, which is no job"));
            return;
        };
        if job.state != JobState::Accepted {
            self.wrong.push(format!(
                "I8, I13: intent {intent} of job {} which is {}",
                job.key, job.state
            ));
        }
        job.attempts += 1;
        if number != job.attempts {
            self.wrong.push(format!(
                "I10: attempt {} of job {} is numbered {number}",
                job.attempts, job.key
            ));
        }
        if begin.job_key.is_some_and(|key| key.as_str() != job.key) {
            self.wrong
                .push(format!("I1: intent {intent} of job {} carries another key", job.key));
        }
        if let Some((number, fd)) = self.keys.get(&job.key) {
            self.wrong.push(format!(
                "I8: job {} begins again, document {fd} of {number} is its",
                job.key
            ));
        }
        job.state = JobState::Running;
    }

    fn ended(&mut self, end: &EndIntent, job: Option<(i64, JobState)>) {
        let Some(mut known) = self.known.intents.remove(&end.intent) else {
            self.wrong
                .push(format!("I10: intent {} ends and never began", end.intent));
            return;
        };
        if !known.open {
            self.wrong
                .push(format!("I10: intent {} ends a second time", end.intent));
        }
        let number = known.begin.fn_number.to_string();
        if matches!(end.verdict, Verdict::InDoubt) {
            self.tally.doubts += u64::from(!known.doubted);
            known.doubted = true;
        } else {
            self.tally.doubts_resolved += u64::from(known.doubted);
            known.open = false;
            self.known.unresolved.remove(&number);
        }
        match &end.verdict {
            Verdict::Made(evidence) => self.made(&known, evidence),
            Verdict::NotMade => self.not_made(end.intent, &known),
            Verdict::InDoubt => {}
        }
        let last = self.ledgers.get(&number).map_or(0, Vec::len);
        if end.last_fd.0 as usize > last {
            self.wrong.push(format!(
                "I11: the journal knows document {} of FN {number}, which has {last}",
                end.last_fd.0
            ));
        }
        if let Some((id, state)) = job {
            self.job_moves(id, state, end, &known);
        }
        self.known.intents.insert(end.intent, known);
    }

    /// I2, I3, I9: the document that a verdict names is there, and is what the intent asked for.
    fn made(&mut self, intent: &KnownIntent, evidence: &Evidence) {
        let number = evidence.fn_number.to_string();
        let fd = evidence.fd.0;
        if evidence.fn_number != intent.begin.fn_number || evidence.register != intent.begin.register {
            self.wrong.push(format!(
                "I9: document {fd} of {number} is told of an intent of {}",
                intent.begin.fn_number
            ));
        }
        let found = self
            .ledgers
            .get(&number)
            .and_then(|all| all.get((fd as usize).checked_sub(1)?));
        let Some(found) = found else {
            self.wrong
                .push(format!("I2: document {fd} of {number} is told, the FN has none"));
            return;
        };
        let key = intent.begin.job_key.map(|key| key.to_string()).unwrap_or_default();
        let keyless = intent.begin.key_place == Some(KeyPlace::ByContent);
        if found.fp != evidence.fp.0 || (found.key != key && !keyless) || !is_of(found.kind, intent.begin.kind) {
            let text = format!(
                "I2: document {fd} of {number} is told as that of {key:?} ({:?}): {found:?}",
                intent.begin.kind
            );
            self.wrong.push(text);
        }
        if !self.known.evidences.insert((number.clone(), fd)) {
            self.wrong
                .push(format!("I3: document {fd} of {number} is the result of two attempts"));
        }
    }

    /// I8: without a document means that no FN has one; should it come later, no unresolved intent asks for it.
    fn not_made(&mut self, id: i64, intent: &KnownIntent) {
        let key = intent.begin.job_key.map(|key| key.to_string());
        if let Some((number, fd)) = key.as_ref().and_then(|key| self.keys.get(key)) {
            self.wrong.push(format!(
                "I8: intent {id} is told as not made, document {fd} of {number} is its"
            ));
        } else if !intent.made.is_empty() {
            let text = format!(
                "I8: intent {id} is told as not made, FN {} has {:?}",
                intent.begin.fn_number, intent.made
            );
            self.wrong.push(text);
        }
    }

    fn job_moves(&mut self, id: i64, state: JobState, end: &EndIntent, intent: &KnownIntent) {
        let Some(job) = self.known.jobs.get_mut(&id) else {
            return;
        };
        if job.state.is_final() {
            self.wrong
                .push(format!("I5: job {} was {} and becomes {state}", job.key, job.state));
        }
        job.state = state;
        if end.job_end == JobEnd::Again && state == JobState::InDoubt {
            // Its document may stand in an FN that was not read yet.
            return self.is_held(id);
        }
        let made = matches!(end.verdict, Verdict::Made(_));
        if made != (state == JobState::Completed) || made != (end.job_end == JobEnd::Completed) {
            self.wrong
                .push(format!("I10: job {} is {state} by {:?}", job.key, end.verdict));
        }
        if intent.open && state != JobState::InDoubt {
            self.wrong
                .push(format!("I8: job {} leaves its unresolved intent as {state}", job.key));
        }
    }

    /// I13, K3: who takes a job back, or lets its time run out, finds it without a try that is open and without a document.
    fn job_ends_unmade(&mut self, id: i64, state: JobState) {
        let Some(job) = self.known.jobs.get_mut(&id) else {
            return;
        };
        if job.state == state {
            return;
        }
        if job.state != JobState::Accepted && matches!(state, JobState::Cancelled | JobState::Expired) {
            self.wrong
                .push(format!("I13: job {} was {} and becomes {state}", job.key, job.state));
        }
        if state == JobState::Cancelled && job.attempts > job.holds {
            self.wrong.push(format!(
                "I13: job {} is cancelled and had {} attempts",
                job.key, job.attempts
            ));
        }
        if let Some((number, fd)) = self.keys.get(&job.key) {
            self.wrong.push(format!(
                "K3: job {} becomes {state}, document {fd} of {number} is its",
                job.key
            ));
        }
        job.state = state;
    }

    /// Looks at what is new in the ledgers.
    pub fn look(&mut self, shelf: &MemoryShelf) {
        let known = |number: &str| self.ledgers.get(number).map_or(0, Vec::len);
        for (number, record) in shelf.above(known) {
            self.document(&number, &record);
        }
    }

    /// I1, I7, I9, K2, K6, K7: a document came to an FN.
    fn document(&mut self, number: &str, record: &Record) {
        let Ok(tags) = TlvList::decode(&record.tlv) else {
            self.wrong
                .push(format!("document {} of {number} cannot be read", record.fd));
            return;
        };
        let receipt = RECEIPT_KINDS.contains(&record.kind);
        let key = if receipt { key_of(&tags) } else { String::new() };
        self.wrong
            .extend(ledgers::time_is_false(number, record, self.host_off_ms));
        let before = self.last_time.insert(number.to_owned(), record.time);
        if before.is_some_and(|before| before > record.time) {
            self.wrong.push(format!(
                "K7: document {} of {number} is earlier than the one before it",
                record.fd
            ));
        }
        if !key.is_empty()
            && let Some((other, fd)) = self.keys.insert(key.clone(), (number.to_owned(), record.fd))
        {
            self.wrong.push(format!(
                "I1: key {key} stands in document {} of {number} and in {fd} of {other}",
                record.fd
            ));
        }
        let buyer = tags
            .text(Tag::BUYER_CONTACT)
            .filter(|_| receipt && !self.foreign.contains(number));
        if let Some(buyer) = buyer
            && let Some((other, fd)) = self.buyers.insert(buyer.clone(), (number.to_owned(), record.fd))
        {
            self.wrong.push(format!(
                "K1: the order of {buyer} has document {} of {number} and {fd} of {other}",
                record.fd
            ));
        }
        if receipt || SERVICE_KINDS.contains(&record.kind) {
            self.asked_for(number, record, &key, &tags);
        }
        let document = KnownDocument {
            key,
            fp: record.fp,
            kind: record.kind,
        };
        self.ledgers.entry(number.to_owned()).or_default().push(document);
    }

    /// I7: the intent of this document was durable before it was made; I9, K6: on this FN, for this taxpayer.
    fn asked_for(&mut self, number: &str, record: &Record, key: &str, tags: &TlvList) {
        let what = format!(
            "document {} (kind {}) of {number}, key \"{key}\"",
            record.fd, record.kind
        );
        let ours = self.known.jobs.values().any(|job| job.key == key);
        // Whoever else works with this FN does not ask what is open on it.
        let theirs = self.foreign.contains(number) && !ours && !key.is_empty();
        let unresolved = self.known.unresolved.get(number).filter(|_| !theirs);
        let intent = unresolved.and_then(|id| self.known.intents.get_mut(id));
        let ghost = self.ghosts.get(number).filter(|begin| is_of(record.kind, begin.kind));
        if ghost.is_some_and(|begin| begin.job.is_none() || begin.job_key.is_some_and(|asked| asked.as_str() == key)) {
            self.ghosts.remove(number);
            self.forgotten.insert(number.to_owned(), record.fd);
            return;
        }
        let Some(intent) = intent.filter(|intent| is_of(record.kind, intent.begin.kind)) else {
            if ours || !self.foreign.contains(number) {
                self.wrong
                    .push(format!("I7, K2: {what}: no durable intent asks for it"));
            }
            return;
        };
        intent.made.push(record.fd);
        let begin = &intent.begin;
        let by_key = begin.key_place != Some(KeyPlace::ByContent);
        if by_key && begin.job.is_some() && begin.job_key.is_none_or(|asked| asked.as_str() != key) {
            self.wrong
                .push(format!("I7: {what}: the durable intent is of {:?}", begin.job_key));
        }
        if record.fd <= begin.baseline.0 {
            self.wrong.push(format!(
                "I7: {what}: the durable intent begins above it, at {}",
                begin.baseline.0
            ));
        }
        if let Some(job) = begin.job.and_then(|id| self.known.jobs.get(&id)) {
            let inn = tags.text(Tag::USER_INN);
            if inn.as_deref().is_some_and(|inn| inn.trim() != job.tenant.as_str()) {
                self.wrong
                    .push(format!("K6: {what}: of {inn:?}, the job is of {}", job.tenant));
            }
        }
    }
}

/// Whether a document of this code is what an intent of that kind asks for.
const fn is_of(code: u8, kind: DocumentKind) -> bool {
    match kind {
        DocumentKind::Receipt => code == 3,
        DocumentKind::Correction => code == 31,
        DocumentKind::ShiftOpen => code == 2,
        DocumentKind::ShiftClose => code == 5,
    }
}

/// The job key of a receipt, wherever the format has a place for it; what a client wrote there is none.
fn key_of(tags: &TlvList) -> String {
    let attribute = tags.text(Tag::RECEIPT_ATTRIBUTE);
    let own = tags.list(Tag::USER_ATTRIBUTE).ok().flatten();
    let own = own.and_then(|list| list.text(Tag::USER_ATTRIBUTE_VALUE));
    let found = [attribute, own]
        .into_iter()
        .flatten()
        .find(|text| JobKey::parse(text).is_ok());
    found.unwrap_or_default()
}
