//! What became of the lines of an import.
//!
//! Owns: the counts, the lines and the table on standard output, and the exit code.
//! Must never: count a line twice, or print what a buyer gave.

use super::lines::Line;
use crate::commands::value;
use crate::failure::{CANNOT_TELL, DONE, Failure, REFUSED, TRY_LATER, violation_line};
use crate::paint;
use crate::progress::Counter;
use comfy_table::CellAlignment;
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1::{self, JobState};
use serde::Serialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

/// Why a line became no job.
#[derive(Debug, Default)]
pub struct Refusal {
    /// The daemon's code; empty when rules alone say it.
    code: String,
    text: String,
    violations: Vec<v1::Violation>,
}

impl Refusal {
    /// The refusal of a submission.
    pub fn of_error(details: ErrorDetails) -> Self {
        Self {
            code: details.code.as_str().to_owned(),
            text: details.message,
            violations: details.violations,
        }
    }

    /// The refusal that a dry run tells; `None` when the receipt would be accepted.
    pub fn of_check(answer: v1::ValidateReceiptResponse) -> Option<Self> {
        if answer.violations.is_empty() && answer.reason.is_none() {
            return None;
        }
        let why = answer.reason.unwrap_or_else(|| Code::ReceiptInvalid.into());
        Some(Self {
            code: why.code,
            text: why.text,
            violations: answer.violations,
        })
    }

    /// Under what it is counted: its first broken rule, or the code.
    fn reason(&self) -> &str {
        match self.violations.first() {
            Some(first) if self.code != Code::ReceiptNotServedYet.as_str() => &first.rule,
            _ => &self.code,
        }
    }
}

/// What is known of a line.
#[derive(Debug)]
pub enum Outcome {
    /// It would be accepted.
    Lawful,
    /// It is a job; `existing` when it was one before.
    Job {
        /// The job.
        job: Box<v1::ReceiptJob>,
        /// The key had this receipt before.
        existing: bool,
    },
    /// It is none.
    Refused(Refusal),
}

/// The counts; the last line of `--json`.
#[derive(Debug, Default, Serialize)]
struct Counts {
    /// Receipts in the file.
    lines: u64,
    /// Jobs, or receipts that would be; those that were there before are among them.
    accepted: u64,
    /// Accepted in an earlier run.
    existing: u64,
    refused: u64,
    /// The refused by their first reason.
    refused_by: BTreeMap<String, u64>,
    /// How many break each rule, as far as told; one receipt may break several.
    rules_broken: BTreeMap<String, u64>,
    /// The accepted by the state of their jobs, as last seen.
    states: BTreeMap<&'static str, u64>,
    /// Whether every line was answered.
    complete: bool,
    dry_run: bool,
}

/// Prints and counts.
#[derive(Debug)]
pub struct Report {
    counts: Counts,
    json: bool,
    waited: bool,
    progress: Counter,
}

impl Report {
    /// Nothing known yet of so many lines.
    pub fn new(lines: u64, json: bool, dry_run: bool, waited: bool) -> Self {
        let counts = Counts {
            lines,
            dry_run,
            ..Counts::default()
        };
        Self {
            counts,
            json,
            waited,
            progress: Counter::new("receipts", lines),
        }
    }

    /// Takes what became of a line.
    ///
    /// # Errors
    /// When nobody reads standard output any more.
    pub fn take(&mut self, line: &Line, outcome: Outcome) -> Result<(), Failure> {
        let shown = match outcome {
            Outcome::Lawful => {
                self.counts.accepted += 1;
                self.json
                    .then(|| json!({ "line": line.number, "key": line.key }).to_string())
            }
            Outcome::Job { job, existing } => {
                self.counts.accepted += 1;
                self.counts.existing += u64::from(existing);
                *self.counts.states.entry(paint::job_state(&job)).or_insert(0) += 1;
                self.job_line(line, &job, existing)
            }
            Outcome::Refused(refusal) => {
                self.refused(&refusal);
                Some(self.refusal_lines(line, &refusal)?)
            }
        };
        if let Some(shown) = shown {
            self.progress.beside(|| print(&format!("{shown}\n")))?;
        }
        self.progress.set(self.counts.accepted + self.counts.refused);
        Ok(())
    }

    /// Shows the progress; to be called every second or so.
    pub fn tick(&mut self) {
        self.progress.tick();
    }

    fn refused(&mut self, refusal: &Refusal) {
        self.counts.refused += 1;
        let reason = refusal.reason().to_owned();
        *self.counts.refused_by.entry(reason).or_insert(0) += 1;
        if refusal.code == Code::ReceiptNotServedYet.as_str() {
            return;
        }
        let rules: BTreeSet<&str> = refusal.violations.iter().map(|one| one.rule.as_str()).collect();
        for rule in rules {
            *self.counts.rules_broken.entry(rule.to_owned()).or_insert(0) += 1;
        }
    }

    /// A job is a line for programs; a person sees those that ended without a document.
    fn job_line(&self, line: &Line, job: &v1::ReceiptJob, existing: bool) -> Option<String> {
        if self.json {
            let document = job
                .result
                .as_ref()
                .map(|result| json!({ "fn": result.r#fn, "fd": result.fd, "fp": result.fp }));
            let state = paint::job_state(job);
            let told = json!({
                "line": line.number, "key": line.key, "job": job.name, "state": state, "existing": existing,
                "document": document,
            });
            return Some(told.to_string());
        }
        let why = job.needs_person.as_ref().or(job.reason.as_ref());
        let bad = needs_a_look(job.state()) || job.needs_person.is_some();
        bad.then(|| {
            let why = why.map(paint::reason).unwrap_or_default();
            format!(
                "line {}  {}  {}  {}  {why}",
                line.number,
                line.key,
                paint::job_state(job),
                job.name
            )
        })
    }

    fn refusal_lines(&self, line: &Line, refusal: &Refusal) -> Result<String, Failure> {
        if self.json {
            let violations: Result<Vec<_>, _> = refusal.violations.iter().map(|one| value("Violation", one)).collect();
            let refused = json!({ "code": refusal.code, "text": refusal.text, "violations": violations? });
            return Ok(json!({ "line": line.number, "key": line.key, "refused": refused }).to_string());
        }
        let head = format!("line {}  {}", line.number, line.key);
        if refusal.violations.is_empty() {
            return Ok(format!("{head}  {}: {}", refusal.code, refusal.text));
        }
        let told = refusal
            .violations
            .iter()
            .map(|one| format!("{head}  {}", violation_line(one)));
        Ok(told.collect::<Vec<_>>().join("\n"))
    }

    /// Prints the counts; the exit code of an import whose every line was answered.
    ///
    /// # Errors
    /// When nobody reads standard output any more.
    pub fn finish(mut self, complete: bool) -> Result<u8, Failure> {
        self.progress.clear();
        self.counts.complete = complete;
        if self.json {
            let line = serde_json::to_string(&self.counts);
            let line = line.map_err(|error| Failure::host("the counts cannot be shown", &error))?;
            print(&format!("{line}\n"))?;
        } else {
            print(&self.table())?;
        }
        Ok(self.exit())
    }

    fn table(&self) -> String {
        let counts = &self.counts;
        let mut table = paint::table(&["REFUSED BY", "RECEIPTS", "BREAK IT AT ALL"]);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let reasons: BTreeSet<&String> = counts.refused_by.keys().chain(counts.rules_broken.keys()).collect();
        for reason in &reasons {
            let of = |counted: &BTreeMap<String, u64>| {
                let found = counted.get(*reason);
                found.map_or_else(|| paint::NONE.to_owned(), u64::to_string)
            };
            table.add_row([(*reason).clone(), of(&counts.refused_by), of(&counts.rules_broken)]);
        }
        let mut text = String::new();
        if !reasons.is_empty() {
            text = format!("\n{}", paint::lines(table));
        }
        let verb = if counts.dry_run {
            "would be accepted"
        } else {
            "accepted"
        };
        text += &format!("\n{} receipts: {} {verb}", counts.lines, counts.accepted);
        if counts.existing > 0 {
            text += &format!(" ({} of them before this run)", counts.existing);
        }
        text += &format!(", {} refused\n", counts.refused);
        for (state, count) in &counts.states {
            text += &format!("  {count} {state}\n");
        }
        if counts.dry_run {
            text += "nothing was stored\n";
        }
        let unanswered = counts.lines.saturating_sub(counts.accepted + counts.refused);
        if unanswered > 0 {
            text += &format!("{unanswered} have no answer yet; repeat the command as it was\n");
        }
        text
    }

    fn exit(&self) -> u8 {
        let count = |state: JobState| {
            let word = paint::word(state.as_str_name(), "JOB_STATE_");
            self.counts.states.get(word).copied().unwrap_or(0)
        };
        let ended_without = [JobState::Refused, JobState::Cancelled, JobState::Expired];
        if count(JobState::InDoubt) > 0 {
            CANNOT_TELL
        } else if self.counts.refused > 0 || ended_without.into_iter().any(|state| count(state) > 0) {
            REFUSED
        } else if self.waited && count(JobState::Accepted) + count(JobState::Running) > 0 {
            TRY_LATER
        } else {
            DONE
        }
    }
}

const fn needs_a_look(state: JobState) -> bool {
    matches!(
        state,
        JobState::InDoubt | JobState::Refused | JobState::Cancelled | JobState::Expired
    )
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Failure::host("the report cannot be written", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u64) -> Line {
        Line {
            number,
            key: format!("import-{number}"),
            receipt: v1::Receipt::default(),
        }
    }

    fn job(state: JobState) -> Outcome {
        Outcome::Job {
            job: Box::new(v1::ReceiptJob {
                state: state.into(),
                ..Default::default()
            }),
            existing: false,
        }
    }

    fn refusal(code: Code, rules: &[&str]) -> Refusal {
        let violation = |rule: &&str| v1::Violation {
            field: "receipt.total_kopecks".into(),
            rule: (*rule).to_owned(),
            tag: Some(1020),
            text: "the total is 1".into(),
            ..Default::default()
        };
        Refusal {
            code: code.as_str().to_owned(),
            text: "why".into(),
            violations: rules.iter().map(violation).collect(),
        }
    }

    fn report_of(outcomes: Vec<Outcome>, waited: bool) -> Report {
        let mut report = Report::new(outcomes.len() as u64, false, false, waited);
        for (number, outcome) in (1..).zip(outcomes) {
            report.take(&line(number), outcome).unwrap();
        }
        report
    }

    #[test]
    fn the_exit_code_says_whether_to_repeat_to_correct_or_to_call_a_person() {
        use JobState::{Accepted, Completed, Expired, InDoubt, Running};
        let exit = |states: &[JobState], waited| report_of(states.iter().map(|&one| job(one)).collect(), waited).exit();
        assert_eq!(exit(&[Completed, Completed], true), DONE);
        assert_eq!(exit(&[Accepted, Completed], false), DONE);
        assert_eq!(exit(&[Running, Completed], true), TRY_LATER);
        assert_eq!(exit(&[Expired, Running], true), REFUSED);
        assert_eq!(exit(&[Expired, InDoubt], false), CANNOT_TELL);
        let refused = Outcome::Refused(refusal(Code::ReceiptInvalid, &["R15"]));
        assert_eq!(report_of(vec![job(Completed), refused], true).exit(), REFUSED);
    }

    #[test]
    fn a_refusal_is_counted_under_its_first_rule_and_under_each_that_it_breaks() {
        let refused = |code, rules| Outcome::Refused(refusal(code, rules));
        let report = report_of(
            vec![
                refused(Code::ReceiptInvalid, &["R15", "R18", "R18"]),
                refused(Code::ReceiptInvalid, &["R18"]),
                refused(Code::ReceiptNotServedYet, &["NOT_YET"]),
                refused(Code::KeyConflict, &[]),
            ],
            false,
        );
        let by = |map: &BTreeMap<String, u64>| map.iter().map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>();
        assert_eq!(
            by(&report.counts.refused_by),
            ["KEY_CONFLICT 1", "R15 1", "R18 1", "RECEIPT_NOT_SERVED_YET 1"]
        );
        assert_eq!(by(&report.counts.rules_broken), ["R15 1", "R18 2"]);
        let table = report.table();
        assert!(table.contains("4 receipts: 0 accepted, 4 refused"), "{table}");
    }

    #[test]
    fn a_refused_line_is_told_with_line_key_rule_field_and_text() {
        let told = refusal(Code::ReceiptInvalid, &["R15"]);
        let person = report_of(vec![], false).refusal_lines(&line(7), &told).unwrap();
        assert_eq!(
            person,
            "line 7  import-7  receipt.total_kopecks [R15, tag 1020]: the total is 1"
        );
        let program = Report::new(1, true, false, false)
            .refusal_lines(&line(7), &told)
            .unwrap();
        let told: serde_json::Value = serde_json::from_str(&program).unwrap();
        assert_eq!((&told["line"], &told["key"]), (&json!(7), &json!("import-7")));
        assert_eq!(told["refused"]["violations"][0]["rule"], "R15");
    }
}
