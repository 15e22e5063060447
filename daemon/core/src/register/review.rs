//! An FN that is seen again after persons settled a doubt on it: read from that baseline before anything else.
//!
//! What happens if a reply never comes, the power goes, or the FN returns in another register: the review stays pending in
//! the journal, which lets no attempt begin on that FN, and the next session that identifies the FN begins it anew.
//!
//! Owns: what the FN says to a verdict of persons, and the standstill of a register whose FN contradicts them.
//! Must never: repair a doubled document; that is a person's legal correction.

use super::attempt::wanted;
use super::recovery::{self, Doubtful, Verdict as Found};
use super::session::{Session, SessionEnd};
use crate::dispatch::Taken;
use crate::domain::doubt::Doubt;
use crate::domain::error::Reason;
use crate::domain::explain::Wanted;
use crate::domain::job::{Job, JobSelect};
use crate::journal::{Command, OpenIntent, OpenReview, Query, ReplyBody, ReviewEnd, ReviewFound, Rows, StoredJob};
use crate::parts::Severity;
use crate::rack::shared::Unresolved;
use kassette_wire::codes::Code;

impl Session<'_> {
    /// Reads the FN of a doubt that persons settled, if there is one.
    pub(super) async fn review(&mut self) -> Result<(), SessionEnd> {
        let open = self.shared.review_on(&self.adoption.fn_number);
        let Some(open) = open.filter(|open| open.incident.is_none()) else {
            return Ok(());
        };
        let doubt = self.settled_doubt(open.intent).await?;
        let stored = self.job_of(&doubt).await?;
        let place = doubt.key_place;
        let doubtful = Doubtful {
            baseline: doubt.baseline,
            wanted: match &stored {
                Some((job, _)) => wanted(job, place),
                None => Wanted {
                    kind: doubt.kind,
                    receipt: None,
                    key: None,
                },
            },
            witness: self.witness(),
        };
        let points = self.shared.points.clone();
        let resolution = tokio::select! {
            biased;
            () = self.actor.until_over() => return Err(SessionEnd::Over),
            resolution = recovery::resolve(self.driver.as_mut(), &doubtful, &points) => resolution,
        };
        let resolution = resolution.map_err(|not_yet| self.unresolved(not_yet))?;
        let found = match resolution.verdict {
            // It cannot tell, or holds what nobody here asked for: the lane stays closed and is looked at again.
            Found::Manual(reason) => return Err(self.isolate_for_person(reason).await),
            Found::Made(evidence) => ReviewFound::Document(evidence),
            Found::NotMade => ReviewFound::Nothing,
        };
        let end = ReviewEnd {
            intent: doubt.id,
            scan: resolution.scan,
            found,
            at: self.shared.now(),
        };
        match self.shared.commit_until_done(Command::Review(Box::new(end))).await? {
            ReplyBody::Reviewed { incident, reopened } => self.reviewed(&doubt, incident, reopened.is_some(), stored),
            _ => {
                return Err(SessionEnd::Failed(Reason::new(
                    Code::InternalFault,
                    "no review was stored",
                )));
            }
        }
        self.refresh().await
    }

    /// What the journal made of it, in memory.
    fn reviewed(&mut self, doubt: &Doubt, incident: bool, reopened: bool, stored: Option<(Job, Taken)>) {
        if !incident {
            self.shared.reviewed(&doubt.fn_number);
            let text = format!("doubt {}: the FN shows what two persons had settled", doubt.id);
            return self.tell(Severity::Info, "a settled doubt was read back", None, &text);
        }
        let named = doubt.job.map_or_else(String::new, |job| format!(", job {job}"));
        let text = format!("doubt {}{named}: FN {} shows otherwise", doubt.id, doubt.fn_number);
        self.tell(
            Severity::Error,
            "an FN contradicts what two persons had settled",
            Some(Code::DoubtVerdictWrong),
            &text,
        );
        if reopened {
            // No other unit may take it: its document stands in this FN.
            let taken = stored.map(|(_, taken)| self.shared.dispatch.remove(taken.job.id).unwrap_or(taken));
            self.shared.doubt(Unresolved {
                intent: open_intent(doubt, taken.as_ref().map(|taken| taken.job.id)),
                taken,
                manual: None,
                why: None,
            });
        }
        self.shared.review(OpenReview {
            intent: doubt.id,
            fn_number: doubt.fn_number.clone(),
            incident: Some(text),
        });
    }

    /// A register whose FN contradicts two persons stands still until two persons have answered for it.
    pub(super) async fn stand_still(&mut self) -> Result<(), SessionEnd> {
        let open = self.shared.review_on(&self.adoption.fn_number);
        match open.and_then(|open| open.incident) {
            Some(text) => Err(self
                .isolate_for_person(Reason::new(Code::DoubtVerdictWrong, text))
                .await),
            None => Ok(()),
        }
    }

    async fn settled_doubt(&mut self, intent: i64) -> Result<Doubt, SessionEnd> {
        match self.shared.read(Query::Doubt(intent)).await {
            Ok(Rows::Doubt(Some(doubt))) => Ok(*doubt),
            Ok(_) => {
                let text = format!("doubt {intent} is not in the journal");
                Err(SessionEnd::Failed(Reason::new(Code::DoubtNotFound, text)))
            }
            Err(error) => Err(SessionEnd::Failed(error.reason)),
        }
    }

    /// The job of a doubt with its buyer, and its place in the queue should it wait again.
    async fn job_of(&mut self, doubt: &Doubt) -> Result<Option<(Job, Taken)>, SessionEnd> {
        let Some(key) = doubt.job else { return Ok(None) };
        let select = JobSelect::Name {
            tenant: doubt.tenant.clone(),
            key,
        };
        let stored: StoredJob = match self.shared.read(Query::Job(select)).await {
            Ok(Rows::Job(Some(stored))) => *stored,
            Ok(_) => return Err(SessionEnd::Failed(Reason::new(Code::JobNotFound, key))),
            Err(error) => return Err(SessionEnd::Failed(error.reason)),
        };
        let taken = self.shared.taken_of(&stored);
        let job = self.shared.unseal(stored).await;
        job.map(|job| Some((job, taken)))
            .map_err(|error| SessionEnd::Failed(error.reason))
    }
}

fn open_intent(doubt: &Doubt, job: Option<i64>) -> OpenIntent {
    OpenIntent {
        intent: doubt.id,
        kind: doubt.kind,
        register: doubt.register.clone(),
        fn_number: doubt.fn_number.clone(),
        baseline: doubt.baseline,
        job,
        tenant: Some(doubt.tenant.clone()),
        job_key: doubt.job,
        key_place: doubt.key_place,
    }
}
