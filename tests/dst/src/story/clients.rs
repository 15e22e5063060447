//! The clients of a story: what each job of it is, and how they ask for it.
//!
//! Owns: repeats of keys, keys used twice for different content, cancellations, lives and priorities.
//! Must never: forgive an answer that breaks a promise.

use super::stage::Stage;
use crate::draw::Draw;
use crate::play::{Play, TENANTS, at_rest, order_of, passes};
use kassette_core::domain::job::{CancelOrder, Job, Priority, SubmitOrder};
use kassette_core::rack::RackHandle;
use kassette_receipts::job::JobState;
use kassette_receipts::job_key::JobKey;
use kassette_wire::codes::Code;
use kassette_wire::value::Inn;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// One job of a story, and what its client does with it.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    /// Its number in the story.
    pub number: u32,
    tenant: usize,
    ttl_ms: Option<u64>,
    priority: Priority,
    /// Pause before it is asked for.
    pause: Duration,
    /// Times it is asked for again under the same key.
    again: u64,
    /// It is asked for once more with other content under the same key.
    clash: bool,
    /// It is taken back.
    cancel: bool,
}

impl Wish {
    /// Draws it; a job's draws are its own.
    pub(super) fn draw(seed: u64, number: u32, stage: &Stage) -> Self {
        let mut draw = Draw::of(seed, "wish", u64::from(number));
        Self {
            number,
            tenant: draw.index(stage.setting.tenants),
            ttl_ms: draw.chance(10).then(|| 1_000 * draw.between(2, 60)),
            priority: draw.of_all(&[Priority::Interactive, Priority::Interactive, Priority::Bulk]),
            pause: Duration::from_millis(if draw.chance(40) { draw.below(4_000) } else { 0 }),
            again: draw.between(0, 5).saturating_sub(3),
            clash: draw.chance(8),
            cancel: draw.chance(6),
        }
    }

    /// One that is asked for once and waited for.
    pub(super) fn plain(number: u32, tenant: usize) -> Self {
        Self {
            number,
            tenant,
            ttl_ms: None,
            priority: Priority::Interactive,
            pause: Duration::ZERO,
            again: 0,
            clash: false,
            cancel: false,
        }
    }

    fn order(&self) -> SubmitOrder {
        SubmitOrder {
            ttl_ms: self.ttl_ms,
            priority: self.priority,
            ..order_of(self.tenant, self.number)
        }
    }

    fn tenant(&self) -> Inn {
        self.order().tenant
    }
}

/// Lets the clients ask for these jobs and wait for them until an instant, over as many lives as it takes.
pub(super) async fn day(play: &mut Play, wishes: &[Wish], until: Instant) {
    loop {
        play.start().await;
        let (handle, shown) = (play.handle(), Arc::clone(&play.shown));
        let wanted = wishes.to_vec();
        let work = async move {
            let each = (0..TENANTS.len()).map(|tenant| {
                let wishes: Vec<Wish> = wanted.iter().filter(|wish| wish.tenant == tenant).cloned().collect();
                Box::pin(client(&handle, wishes, until, &shown))
            });
            // One after the other at each step of time: all live in this one task.
            let mut each: Vec<_> = each.collect();
            let second = each.pop();
            let first = each.pop();
            tokio::join!(biased; run(first), run(second));
        };
        if play.live(work).await.is_some() {
            return;
        }
    }
}

async fn run(client: Option<impl Future<Output = ()> + Unpin>) {
    if let Some(client) = client {
        client.await;
    }
}

async fn client(handle: &RackHandle, wishes: Vec<Wish>, until: Instant, shown: &crate::check::Shown) {
    let mut keys = Vec::new();
    for wish in &wishes {
        tokio::time::sleep(wish.pause).await;
        let Some(job) = submit(handle, wish.order(), until).await else {
            continue;
        };
        shown.answered(&wish.order().external_id, &job);
        keys.push((wish.tenant(), job.key));
        for _ in 0..wish.again {
            if let Some(job) = submit(handle, wish.order(), until).await {
                shown.answered(&wish.order().external_id, &job);
            }
        }
        if wish.clash {
            clash(handle, wish, shown).await;
        }
        if wish.cancel {
            cancel(handle, wish, job.key, shown).await;
        }
    }
    for (tenant, key) in keys {
        match at_rest(handle, &tenant, &key, until).await {
            Ok(job) => shown.looked_at(&job),
            Err(error) if error.reason.code == Code::JobNotFound => shown.is_wrong(format!("I4: job {key}: {error}")),
            Err(_) => {}
        }
    }
}

/// Asks until there is an answer, or no time left.
async fn submit(handle: &RackHandle, order: SubmitOrder, until: Instant) -> Option<Job> {
    loop {
        match handle.submit(order.clone()).await {
            Ok(submitted) => return Some(submitted.job),
            Err(error) => assert!(
                passes(error.reason.code),
                "order {} is taken: {error}",
                order.external_id
            ),
        }
        if Instant::now() >= until {
            return None;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// I5: the same key with other content is refused.
async fn clash(handle: &RackHandle, wish: &Wish, shown: &crate::check::Shown) {
    let order = SubmitOrder {
        receipt: crate::play::receipt(wish.number + 100_000),
        ..wish.order()
    };
    match handle.submit(order).await {
        Err(error) if error.reason.code == Code::KeyConflict || passes(error.reason.code) => {}
        other => shown.is_wrong(format!("I5: key of job {} with other content: {other:?}", wish.number)),
    }
}

async fn cancel(handle: &RackHandle, wish: &Wish, key: JobKey, shown: &crate::check::Shown) {
    let order = CancelOrder {
        tenant: wish.tenant(),
        key,
        client: wish.order().client,
        reason: None,
        request_id: None,
    };
    match handle.cancel(order).await {
        Ok(job) => shown.looked_at(&job),
        Err(error) if matches!(error.reason.code, Code::JobHadAttempt | Code::JobFinal) => {}
        Err(error) if passes(error.reason.code) => {}
        Err(error) => shown.is_wrong(format!("job {key} cannot be taken back: {error}")),
    }
}

/// Asks again for every job whose end was not seen, and waits for it; those that have none at that instant.
pub(super) async fn wait(play: &mut Play, wishes: &[Wish], until: Instant) -> Vec<String> {
    loop {
        play.start().await;
        let (handle, shown, allowed) = (play.handle(), Arc::clone(&play.shown), play.allowed);
        let wanted: Vec<Wish> = wishes
            .iter()
            .filter(|wish| shown.waits(&wish.order().external_id))
            .cloned()
            .collect();
        let work = async move {
            let mut left = Vec::new();
            for wish in wanted {
                let Some(job) = submit(&handle, wish.order(), until).await else {
                    left.push(format!("order {} has no answer", wish.number));
                    continue;
                };
                shown.answered(&wish.order().external_id, &job);
                let Ok(job) = at_rest(&handle, &wish.tenant(), &job.key, until).await else {
                    left.push(format!("I4: job {} is gone", job.key));
                    continue;
                };
                shown.looked_at(&job);
                // An FN that is away may hold the document of a key that the journal forgot.
                let held = allowed.forgotten
                    && job
                        .reason
                        .as_ref()
                        .is_some_and(|reason| reason.code == Code::JournalRecovering);
                let may_wait = allowed.waiting && job.state == JobState::Accepted || held;
                if !job.state.is_final() && job.needs_person.is_none() && !may_wait {
                    left.push(format!("job {} is {}: {:?}", job.key, job.state, job.reason));
                }
            }
            left
        };
        if let Some(left) = play.live(work).await {
            return left;
        }
    }
}
