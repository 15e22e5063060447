//! Starts and ends the actors of slots as the plan changes.
//!
//! Owns: which actors run, and which ports may be touched.
//! Must never: leave two actors on one port.

use super::shared::Shared;
use crate::domain::plan::CheckedSlot;
use crate::register::SlotActor;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;

struct Running {
    slot: CheckedSlot,
    gone: watch::Sender<bool>,
}

/// Reconciles actors with the plan until the rack stops, then waits for every actor to end by itself.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut plan = shared.plan.subscribe();
    let mut stop = shared.stop.subscribe();
    let mut running: BTreeMap<String, Running> = BTreeMap::new();
    let mut tasks: JoinSet<String> = JoinSet::new();
    while !shared.stopping() {
        reconcile(&shared, &mut running, &mut tasks);
        tokio::select! {
            biased;
            () = stop.changed() => {}
            () = plan.changed() => {}
            Some(ended) = tasks.join_next() => match ended {
                Ok(label) => drop(running.remove(&label)),
                Err(error) => shared.task_failed(&error),
            },
        }
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            shared.task_failed(&error);
        }
    }
}

fn reconcile(shared: &Arc<Shared>, running: &mut BTreeMap<String, Running>, tasks: &mut JoinSet<String>) {
    let standing = shared.plan.borrow().clone();
    shared
        .parts
        .ports
        .allow(standing.checked.slots.values().map(|slot| slot.port.clone()).collect());
    for (label, actor) in running.iter() {
        if standing.checked.slots.get(label) != Some(&actor.slot) {
            // Its entry leaves when it has ended; only then may another take its label.
            actor.gone.send_replace(true);
        }
    }
    let in_use: Vec<_> = running.values().map(|actor| actor.slot.port.clone()).collect();
    for (label, slot) in &standing.checked.slots {
        if running.contains_key(label) || in_use.contains(&slot.port) {
            continue;
        }
        let (gone, gone_rx) = watch::channel(false);
        let actor = SlotActor::new(Arc::clone(shared), label.clone(), slot.clone(), gone_rx);
        let name = label.clone();
        tasks.spawn(async move {
            Box::pin(actor.run()).await;
            name
        });
        running.insert(
            label.clone(),
            Running {
                slot: slot.clone(),
                gone,
            },
        );
    }
}
