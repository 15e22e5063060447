//! Resolution: the only way out of doubt (`exactly-once` section 3).
//!
//! The port was closed and opened again before this runs, so bytes the kernel still held are gone. What happens if a
//! reply never comes: the doubt stays, the port is closed and the whole resolution begins anew. If the power goes: the
//! same, the intent is durable. If the device returns under another name: identity is read first, on whatever port it
//! answers. Nothing here makes a document; the only command that changes anything cancels an open one while the FN's
//! last number still equals the baseline.
//!
//! Owns: the order of the steps and what counts as proof.
//! Must never: send a document again, take silence, "no data" or a cut read for proof.

use crate::domain::attempt::{Evidence, Learned};
use crate::domain::audit::SHIFT_REPORT;
use crate::domain::device::{Activity, Status};
use crate::domain::error::Reason;
use crate::domain::explain::{Explained, Wanted, Witness, evidence, explain};
use crate::drivers::{DocumentRead, Driver, DriverError};
use crate::journal::Scan;
use crate::mutants::Mutant;
use crate::parts::{FaultPoints, Point};
use kassette_wire::codes::Code;
use kassette_wire::value::FdNumber;
use std::time::Duration;
use tokio::time::Instant;

/// Pause between two looks at a register's state (`shtrih-m` 2, submode 5: poll every 50 to 100 ms).
pub(super) const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// How long a register may stay busy before the resolution is put off; printing "long reports" takes up to 65 s.
pub(super) const IDLE_WAIT: Duration = Duration::from_secs(70);
/// Times the register must be seen idle in a row.
const IDLE_TWICE: u32 = 2;
/// Most documents above a baseline that are read; more were not made by one attempt.
const WINDOW_MAX: u32 = 64;
/// Times the window is read anew because it grew.
const ROUNDS_MAX: u32 = 5;

/// What is to be resolved.
pub struct Doubtful<'a> {
    /// FN's last number before the attempt.
    pub baseline: FdNumber,
    /// What the attempt was to make.
    pub wanted: Wanted<'a>,
    /// Where the evidence is taken.
    pub witness: Witness,
}

/// What the FN says.
#[derive(Debug)]
pub enum Verdict {
    /// The document exists.
    Made(Box<Evidence>),
    /// It does not exist, with proof.
    NotMade,
    /// The FN holds something that only a person can settle; the unit is quarantined.
    Manual(Reason),
}

/// A resolution.
#[derive(Debug)]
pub struct Resolution {
    /// What the FN says.
    pub verdict: Verdict,
    /// What was looked at.
    pub scan: Scan,
}

/// Why there is no resolution yet; the doubt stays.
#[derive(Debug)]
pub enum NotYet {
    /// The device did not answer as it should: close the port and begin anew.
    Device(DriverError),
    /// It is not idle; a person may have to help.
    NotIdle(Reason),
    /// The FN keeps growing while we read.
    Moving(Reason),
}

impl From<DriverError> for NotYet {
    fn from(error: DriverError) -> Self {
        Self::Device(error)
    }
}

/// Reads the FN until the doubt is resolved. The caller has identified register and FN on this port.
pub async fn resolve(
    driver: &mut dyn Driver,
    doubtful: &Doubtful<'_>,
    points: &FaultPoints,
) -> Result<Resolution, NotYet> {
    points.reach(Point::ResolveIdentified).await;
    driver.barrier().await?;
    // Naive: one look at the register's state tells what it did.
    let at_once = points.mutant(Mutant::ScanWithoutIdle);
    if driver.shared_medium() && !at_once {
        // A fresh answer proves nothing across a new connection: earlier bytes may still be on their way.
        tokio::time::sleep(driver.longest_command()).await;
        driver.barrier().await?;
    }
    // Naive: a receipt that is open still was never closed.
    if points.mutant(Mutant::PrintingTakenForOpen) {
        let seen = driver.status().await?;
        if seen.activity == Activity::DocumentOpen {
            return Ok(never_closed(doubtful, &seen));
        }
    }
    let mut cancelled = false;
    for _ in 0..ROUNDS_MAX {
        let before = idle_twice(driver, doubtful, &mut cancelled, points).await?;
        points.reach(Point::ResolveIdle).await;
        let mut scan = Scan {
            register: doubtful.witness.register.clone(),
            fn_number: before.fn_state.number.clone(),
            idle_seen: IDLE_TWICE,
            cancelled,
            last_before: before.fn_state.last_fd,
            last_after: before.fn_state.last_fd,
            documents: Vec::new(),
        };
        if before.fn_state.number != doubtful.witness.fn_number {
            let text = format!(
                "FN {} stands where {} was",
                before.fn_state.number, doubtful.witness.fn_number
            );
            return Ok(Resolution {
                verdict: Verdict::Manual(Reason::new(Code::RegisterWrongFn, text)),
                scan,
            });
        }
        let verdict = judge(driver, doubtful, before.fn_state.last_fd, &mut scan, points).await?;
        points.reach(Point::ResolveScanned).await;
        let after = driver.status().await?;
        scan.last_after = after.fn_state.last_fd;
        if scan.last_after == scan.last_before && (after.activity == Activity::Idle || at_once) {
            return Ok(Resolution { verdict, scan });
        }
    }
    Err(NotYet::Moving(Reason::new(
        Code::ForeignDocuments,
        "the FN's last number moved during each look",
    )))
}

/// The resolution of a host that takes an open receipt for one that was not closed.
fn never_closed(doubtful: &Doubtful<'_>, seen: &Status) -> Resolution {
    Resolution {
        verdict: Verdict::NotMade,
        scan: Scan {
            register: doubtful.witness.register.clone(),
            fn_number: seen.fn_state.number.clone(),
            idle_seen: IDLE_TWICE,
            cancelled: false,
            last_before: doubtful.baseline,
            last_after: doubtful.baseline,
            documents: Vec::new(),
        },
    }
}

/// Waits until the register was seen idle twice with the same last number, cancelling an open document while the FN has
/// not grown.
async fn idle_twice(
    driver: &mut dyn Driver,
    doubtful: &Doubtful<'_>,
    cancelled: &mut bool,
    points: &FaultPoints,
) -> Result<Status, NotYet> {
    let until = Instant::now() + IDLE_WAIT;
    let mut seen: Option<(u32, FdNumber)> = None;
    loop {
        let status = driver.status().await?;
        let last = status.fn_state.last_fd;
        if points.mutant(Mutant::ScanWithoutIdle) {
            return Ok(status);
        }
        match status.activity {
            Activity::Idle if !status.fn_state.document_open => {
                let times = match seen {
                    Some((times, number)) if number == last => times + 1,
                    Some(_) | None => 1,
                };
                if times >= IDLE_TWICE {
                    return Ok(status);
                }
                seen = Some((times, last));
            }
            Activity::WaitsContinue => driver.finish_interrupted().await?,
            Activity::Idle | Activity::DocumentOpen => {
                if only_shift_reports(driver, doubtful, last).await? {
                    driver.cancel_document().await?;
                    *cancelled = true;
                    points.reach(Point::ResolveCancelled).await;
                }
                seen = None;
            }
            Activity::Busy | Activity::PaperOut | Activity::Blocked => seen = None,
        }
        if Instant::now() >= until {
            let code = if status.activity == Activity::PaperOut {
                Code::PaperOut
            } else {
                Code::RegisterBusy
            };
            return Err(NotYet::NotIdle(Reason::new(
                code,
                format!("not idle: {}", status.mode_text),
            )));
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

/// Whether the open document may be cancelled: the FN has not grown, or by shift reports alone that the register made by
/// itself before the document (`exactly-once` section 3, step 5, and section 2, automatic shift opening).
async fn only_shift_reports(driver: &mut dyn Driver, doubtful: &Doubtful<'_>, last: FdNumber) -> Result<bool, NotYet> {
    if last <= doubtful.baseline {
        return Ok(last == doubtful.baseline);
    }
    for number in doubtful.baseline.0 + 1..=last.0.min(doubtful.baseline.0.saturating_add(WINDOW_MAX)) {
        let DocumentRead::Whole(document) = driver.read_document(FdNumber(number)).await? else {
            return Ok(false);
        };
        if explain(&document, &doubtful.wanted) != Explained::ShiftReport {
            return Ok(false);
        }
    }
    Ok(last.0 - doubtful.baseline.0 <= WINDOW_MAX)
}

/// Compares the FN's last number with the baseline and reads every document between.
async fn judge(
    driver: &mut dyn Driver,
    doubtful: &Doubtful<'_>,
    last: FdNumber,
    scan: &mut Scan,
    points: &FaultPoints,
) -> Result<Verdict, NotYet> {
    let baseline = doubtful.baseline;
    if last == baseline {
        return Ok(Verdict::NotMade);
    }
    if last < baseline {
        let text = format!("the FN's last document is {last}, before the attempt it was {baseline}");
        return Ok(Verdict::Manual(Reason::new(Code::LedgerBehindJournal, text)));
    }
    if last.0 - baseline.0 > WINDOW_MAX {
        let text = format!(
            "{} documents above {baseline}; one attempt cannot have made them",
            last.0 - baseline.0
        );
        return Ok(Verdict::Manual(Reason::new(Code::ForeignDocuments, text)));
    }
    let mut found: Option<Evidence> = None;
    for number in baseline.0 + 1..=last.0 {
        let fd = FdNumber(number);
        // Naive: if we made one, it is the last one.
        if points.mutant(Mutant::LastDocumentOnly) && number != last.0 {
            scan.documents.push((number, "not looked at".into()));
            continue;
        }
        let document = match driver.read_document(fd).await? {
            DocumentRead::Whole(document) => document,
            DocumentRead::NoData => {
                scan.documents.push((number, "no data".into()));
                // Naive: no data, no document.
                if points.mutant(Mutant::NoDataIsProof) {
                    continue;
                }
                let text = format!("the FN has document {number} but not its content");
                return Ok(Verdict::Manual(Reason::new(Code::DoubtLedgerUnreadable, text)));
            }
            DocumentRead::Cut(why) => {
                let text = format!("document {number} was cut: {why}");
                return Err(NotYet::Moving(Reason::new(Code::FnDocumentUnreadable, text)));
            }
        };
        match explain(&document, &doubtful.wanted) {
            Explained::ShiftReport => scan.documents.push((number, SHIFT_REPORT.into())),
            Explained::Nobodys(what) => {
                scan.documents.push((number, format!("nobody's: {what}")));
                // Naive: not our key, so ours was not made.
                if points.mutant(Mutant::NoKeyIsProof) {
                    continue;
                }
                let text = format!("document {number} is nobody's: {what}");
                return Ok(Verdict::Manual(Reason::new(Code::ForeignDocuments, text)));
            }
            Explained::OtherContent(differences) => {
                scan.documents.push((number, "ours with other content".into()));
                let text = format!("document {number} has the key but {}", differences.join("; "));
                return Ok(Verdict::Manual(Reason::new(Code::ContentMismatch, text)));
            }
            Explained::Ours(learned) => {
                scan.documents.push((number, "ours".into()));
                if found.is_some() {
                    let text = format!("document {number} is the second one of this attempt");
                    return Ok(Verdict::Manual(Reason::new(Code::DocumentDoubled, text)));
                }
                match evidence(&document, fd, &doubtful.witness, learned) {
                    Ok(proof) => found = Some(proof),
                    Err(error) => {
                        let text = format!("document {number}: {error}");
                        return Ok(Verdict::Manual(Reason::new(Code::DoubtLedgerUnreadable, text)));
                    }
                }
            }
        }
    }
    Ok(found.map_or(Verdict::NotMade, |proof| Verdict::Made(Box::new(proof))))
}

/// The evidence of one document that a good answer named, read back where the answer alone tells too little.
pub async fn read_evidence(
    driver: &mut dyn Driver,
    fd: FdNumber,
    wanted: &Wanted<'_>,
    witness: &Witness,
) -> Result<Evidence, Reason> {
    let unreadable = |text: String| Reason::new(Code::FnDocumentUnreadable, text);
    let read = driver
        .read_document(fd)
        .await
        .map_err(|error| Reason::new(error.code(), error.to_string()))?;
    let document = match read {
        DocumentRead::Whole(document) => document,
        DocumentRead::NoData => return Err(unreadable(format!("document {fd}: no data"))),
        DocumentRead::Cut(why) => return Err(unreadable(format!("document {fd} was cut: {why}"))),
    };
    match explain(&document, wanted) {
        Explained::Ours(_) => evidence(&document, fd, witness, Learned::Answer)
            .map_err(|error| unreadable(format!("document {fd}: {error}"))),
        Explained::OtherContent(differences) => Err(Reason::new(
            Code::ContentMismatch,
            format!("document {fd}: {}", differences.join("; ")),
        )),
        Explained::ShiftReport => Err(unreadable(format!("document {fd} is a shift report"))),
        Explained::Nobodys(what) => Err(unreadable(format!("document {fd} is nobody's: {what}"))),
    }
}
