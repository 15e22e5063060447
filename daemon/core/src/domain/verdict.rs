//! What persons may decide about a doubt, and with which evidence.
//!
//! A verdict of persons replaces the FN only where the FN cannot speak (`exactly-once` C13, C14). It always takes two:
//! the second is another client, and repeats the same verdict under the id and the FN's last digits that were shown.
//! Nothing that is merely absent somewhere proves that a document was not made: a receipt may wait in the FN for its OFD
//! for 30 days, and paper may never have been printed. Only numbers that are all accounted for do.
//!
//! Owns: every rule of a verdict, pure and in one place; the journal applies it inside the commit of the verdict.
//! Must never: take silence, absence, or one person's word for proof.

use super::error::Reason;
use crate::parts::UnixMillis;
use kassette_wire::codes::Code;
use kassette_wire::value::{FdNumber, FiscalSign, FnNumber, ShiftNumber};
use serde::{Deserialize, Serialize};

/// How long a verdict waits for its second person. By the host's clock: a jump of it can only make somebody repeat it.
pub const WAIT_MS: i64 = 15 * 60_000;
/// Digits of the FN's number that the second person types, at least.
pub const DIGITS_MIN: usize = 4;
/// Most documents above a baseline that one attempt can have made, as in `register/recovery`.
const WINDOW_MAX: u32 = 64;
/// Characters of evidence in words.
const WORDS: std::ops::RangeInclusive<usize> = 10..=2_000;
/// Documents that are a settlement: receipt, its correction, strict reporting form, its correction.
const SETTLEMENTS: [u32; 4] = [3, 31, 4, 41];

/// Where a person's evidence comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The FN was read on a reader.
    FnReader,
    /// The OFD's copy of the documents.
    OfdCopy,
    /// The printed receipt.
    Paper,
}

/// What a person says of the attempt, with everything that is to prove it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What became of it.
    pub verdict: Claimed,
    /// Where the evidence comes from.
    pub source: Source,
    /// The evidence in words: who read what, where, when.
    pub words: String,
}

/// What became of the attempt, by a person's evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claimed {
    /// The document exists.
    Made(Existing),
    /// It does not.
    NotMade(Absence),
}

/// The document a person has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Existing {
    /// Its number, tag 1040.
    pub fd: FdNumber,
    /// Its sign, tag 1077.
    pub fp: FiscalSign,
    /// Its time, tag 1012.
    pub time: Option<UnixMillis>,
    /// Its shift, tag 1038.
    pub shift: Option<ShiftNumber>,
    /// Its number in the shift, tag 1042.
    pub number_in_shift: Option<u32>,
}

/// The numbers that a person has seen, every one of them, and none the attempt's document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Absence {
    /// The first of the numbers that were read whole or are held, without a gap up to `last_fd`.
    pub first_fd: Option<FdNumber>,
    /// The last of them.
    pub last_fd: Option<FdNumber>,
    /// The FN's own last number, as the reader shows it.
    pub fn_last_fd: Option<FdNumber>,
    /// What kind of document the last of them is: the codes of tag 1000.
    pub last_code: Option<u32>,
}

/// A verdict that waits for its second person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its row number.
    pub id: i64,
    /// Who gave it.
    pub client: String,
    /// What was said.
    pub claim: Claim,
    /// What the second person repeats.
    pub confirmation: String,
    /// It counts no more after this.
    pub expires_at: UnixMillis,
    /// The revision of the doubt after it: anything seen since makes another one, and the verdict void.
    pub revision: u64,
}

impl Waiting {
    /// Whether a second person may still repeat it.
    #[must_use]
    pub const fn stands(&self, revision: u64, now: UnixMillis) -> bool {
        self.revision == revision && now.0 < self.expires_at.0
    }
}

/// What is to be found when the FN of a doubt that persons settled is seen again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// How far it is.
    pub state: ReviewState,
    /// What was found, in words.
    pub detail: String,
    /// The document that was found although persons said otherwise.
    pub found: Option<(FdNumber, FiscalSign)>,
    /// When that became known.
    pub at: UnixMillis,
}

impl Review {
    /// The FN says otherwise than the persons, and nobody has answered for it yet.
    #[must_use]
    pub fn is_incident(&self) -> bool {
        self.state == ReviewState::Incident
    }
}

/// How far a review is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewState {
    /// The FN was not seen yet.
    Pending,
    /// It shows what the persons said.
    Clean,
    /// It shows otherwise: its register stands still until two persons have answered for it.
    Incident,
    /// They have.
    Closed,
}

/// Where the doubt stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has settled it.
    Open,
    /// It is settled.
    Settled,
    /// The FN has contradicted a verdict of persons, with this document or with none.
    Incident(Option<(FdNumber, FiscalSign)>),
}

/// What the journal and the rack know when a verdict is judged.
#[derive(Debug, Clone)]
pub struct Case {
    /// The FN.
    pub fn_number: FnNumber,
    /// Its last number before the attempt.
    pub baseline: FdNumber,
    /// Where the doubt stands.
    pub standing: Standing,
    /// How the FN can be read in a register that answers; `None` when it cannot.
    pub fn_answers: Option<String>,
    /// What the claimed document is by the journal, when it knows it.
    pub known_as: Option<String>,
    /// The last verdict that waits for its second person.
    pub waiting: Option<Waiting>,
    /// The doubt's revision.
    pub revision: u64,
}

/// Who gives the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The client.
    pub client: String,
    /// What only a second person gives: the shown id, and the last digits of the FN.
    pub repeats: Option<(String, String)>,
}

/// What a verdict brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It stands, and waits for another person.
    NeedsSecond,
    /// Two persons agree: it counts.
    Counts,
}

fn wrong(text: impl std::fmt::Display) -> Reason {
    Reason::new(Code::VerdictInvalid, text)
}

fn missing(text: impl std::fmt::Display) -> Reason {
    Reason::new(Code::VerdictEvidenceMissing, text)
}

/// Judges a verdict.
///
/// # Errors
/// A [`Reason`] that says what is wrong with it, or what it lacks.
pub fn judge(case: &Case, claim: &Claim, person: &Person, now: UnixMillis) -> Result<Judgement, Reason> {
    match &case.standing {
        Standing::Settled => return Err(Reason::new(Code::DoubtSettled, "the verdict would change nothing")),
        Standing::Open => {
            if let Some(how) = &case.fn_answers {
                let text = format!("FN {} {how}", case.fn_number);
                return Err(Reason::new(Code::DoubtFnDecides, text));
            }
            match &claim.verdict {
                Claimed::Made(existing) => proves_existence(case, existing)?,
                Claimed::NotMade(absence) => proves_absence(case, claim.source, absence)?,
            }
        }
        Standing::Incident(found) => answers_for(found.as_ref(), &claim.verdict)?,
    }
    let length = claim.words.trim().chars().count();
    if !WORDS.contains(&length) {
        let text = format!(
            "say in {} to {} characters who read what, where and when",
            WORDS.start(),
            WORDS.end()
        );
        return Err(missing(text));
    }
    match &person.repeats {
        None => Ok(Judgement::NeedsSecond),
        Some((id, digits)) => second_person(case, claim, &person.client, (id, digits), now),
    }
}

/// That the claimed document can be the attempt's.
fn proves_existence(case: &Case, existing: &Existing) -> Result<(), Reason> {
    let (fd, baseline) = (existing.fd, case.baseline);
    if fd <= baseline {
        let text = format!("document {fd} was made before the attempt, whose baseline is {baseline}");
        return Err(wrong(text));
    }
    if fd.0 - baseline.0 > WINDOW_MAX {
        let text = format!("one attempt cannot have made document {fd}: its baseline is {baseline}");
        return Err(wrong(text));
    }
    if existing.fp.0 == 0 {
        return Err(wrong("0 is no fiscal sign"));
    }
    if let Some(known) = &case.known_as {
        return Err(wrong(format!("document {fd} of FN {} is {known}", case.fn_number)));
    }
    if existing.time.is_none() {
        return Err(missing("the time of the document, as the paper or the copy shows it"));
    }
    Ok(())
}

/// That the numbers a person has seen leave no place for the attempt's document.
fn proves_absence(case: &Case, source: Source, seen: &Absence) -> Result<(), Reason> {
    match source {
        Source::Paper => {
            let text =
                "a receipt that was not printed may still stand in the FN: paper never proves that there is none";
            Err(Reason::new(Code::VerdictAbsenceUnproven, text))
        }
        Source::OfdCopy => ofd_copy_proves_absence(case, seen),
        Source::FnReader => reader_proves_absence(case, seen),
    }
}

/// The OFD has what the FN sent, and the FN may not have sent the document yet: that the OFD has nothing is no proof. Its
/// copy proves only when it holds a later settlement and every number in between.
fn ofd_copy_proves_absence(case: &Case, seen: &Absence) -> Result<(), Reason> {
    let baseline = case.baseline;
    let unproven = |text: String| Err(Reason::new(Code::VerdictAbsenceUnproven, text));
    let (Some(first), Some(last)) = (seen.first_fd, seen.last_fd) else {
        return unproven(format!(
            "that the OFD has nothing proves nothing: its copy must hold every document from {baseline} to a later one"
        ));
    };
    if last <= baseline {
        return unproven(format!(
            "the copy ends at {last}: the attempt's document would stand above {baseline} and may not have been sent yet"
        ));
    }
    if first > baseline {
        return unproven(format!(
            "the copy begins at {first}: it must hold every document from {baseline} on"
        ));
    }
    match seen.last_code {
        None => Err(missing(format!("what kind of document {last} is (tag 1000)"))),
        // The register may make reports of a shift within the attempt itself: what follows them may be the document.
        Some(code) if !SETTLEMENTS.contains(&code) => unproven(format!(
            "document {last} is no receipt: the attempt's document may stand above it; name a later one"
        )),
        Some(_) => Ok(()),
    }
}

/// The FN itself, read on a reader: every number above the baseline up to its last.
fn reader_proves_absence(case: &Case, seen: &Absence) -> Result<(), Reason> {
    let baseline = case.baseline;
    let Some(end) = seen.fn_last_fd else {
        return Err(missing("the FN's last document number, as the reader shows it"));
    };
    if end < baseline {
        let text = format!("the FN's last document is {end}, before the attempt it was {baseline}: that is another FN");
        return Err(wrong(text));
    }
    if end == baseline {
        return Ok(());
    }
    let (Some(first), Some(last)) = (seen.first_fd, seen.last_fd) else {
        let text = format!(
            "which documents were read whole: every one from {} to {end}",
            baseline.0 + 1
        );
        return Err(missing(text));
    };
    if first.0 > baseline.0 + 1 || last < end {
        let text = format!(
            "documents {first} to {last} were read; every one from {} to {end} must be",
            baseline.0 + 1
        );
        return Err(Reason::new(Code::VerdictAbsenceUnproven, text));
    }
    Ok(())
}

/// An incident ends when two persons repeat what the FN shows: they have seen it and answer for the legal correction.
fn answers_for(found: Option<&(FdNumber, FiscalSign)>, verdict: &Claimed) -> Result<(), Reason> {
    match (found, verdict) {
        (Some((fd, fp)), Claimed::Made(existing)) if (existing.fd, existing.fp) == (*fd, *fp) => Ok(()),
        (None, Claimed::NotMade(_)) => Ok(()),
        (Some((fd, fp)), _) => Err(wrong(format!(
            "the FN shows document {fd} with sign {}: name exactly these to say that it is being corrected",
            fp.0
        ))),
        (None, Claimed::Made(_)) => Err(wrong("the FN shows that no such document exists")),
    }
}

/// That another person repeats exactly what waits, for exactly this FN.
fn second_person(
    case: &Case,
    claim: &Claim,
    client: &str,
    (id, digits): (&str, &str),
    now: UnixMillis,
) -> Result<Judgement, Reason> {
    let refused = |text: String| Err(Reason::new(Code::VerdictNotConfirmed, text));
    let waiting = case.waiting.as_ref().filter(|waiting| waiting.confirmation == id);
    let Some(waiting) = waiting else {
        return refused(format!("no verdict waits under the id {id}"));
    };
    if waiting.revision != case.revision {
        return refused("something was seen since the verdict was given: read the doubt and begin anew".into());
    }
    if !waiting.stands(case.revision, now) {
        return refused("the verdict waited longer than 15 minutes: begin anew".into());
    }
    if waiting.client == client {
        let text = format!("{client} gave the verdict that waits");
        return Err(Reason::new(Code::VerdictSamePerson, text));
    }
    if (&waiting.claim.verdict, waiting.claim.source) != (&claim.verdict, claim.source) {
        return refused("it must repeat the verdict that waits, with the same numbers and the same source".into());
    }
    let enough = digits.len() >= DIGITS_MIN && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !enough || !case.fn_number.as_str().ends_with(digits) {
        return refused(format!(
            "the last {DIGITS_MIN} or more digits of the FN are other ones than \"{digits}\""
        ));
    }
    Ok(Judgement::Counts)
}

#[cfg(test)]
mod tests;
