//! The smaller seams of a rack: clock, entropy, locks, secrets, fault points, events.
//!
//! Owns: nothing; all of it is the world's.
//! Must never: read a std clock, or draw from anything but the world's seed.

use super::{BEGIN_UNIX_MS, World, lock};
use async_trait::async_trait;
use kassette_core::parts::{
    Entropy, Event, EventSink, Faults, LockGuard, LockHeld, LockKind, Locks, Point, Reach, Secrets, SecretsError,
    TenantKeys, UnixMillis, WallClock,
};
use kassette_wire::codes::Code;
use kassette_wire::value::Inn;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

impl WallClock for World {
    fn now(&self) -> UnixMillis {
        let elapsed = i64::try_from(self.0.begin.elapsed().as_millis()).unwrap_or(i64::MAX);
        UnixMillis(BEGIN_UNIX_MS + elapsed + *lock(&self.0.host_offset_ms))
    }

    fn synchronised(&self) -> bool {
        true
    }
}

impl Entropy for World {
    fn fill(&self, buffer: &mut [u8]) {
        // SplitMix64, the usual small generator for seeds.
        let mut state = lock(&self.0.entropy);
        for byte in buffer {
            *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *byte = mixed.to_le_bytes()[3];
        }
    }
}

struct Held {
    all: Arc<Mutex<BTreeMap<String, String>>>,
    id: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.all).remove(&self.id);
    }
}

pub(super) fn lock_name(kind: LockKind, id: &str) -> String {
    format!("{}-{id}", kind.as_str())
}

impl Locks for World {
    fn take(&self, kind: LockKind, id: &str) -> Result<LockGuard, LockHeld> {
        let name = lock_name(kind, id);
        let mut all = lock(&self.0.held);
        if let Some(holder) = all.get(&name) {
            return Err(LockHeld {
                kind,
                id: id.to_owned(),
                holder: holder.clone(),
            });
        }
        all.insert(name.clone(), self.0.name.clone());
        Ok(LockGuard::new(Held {
            all: Arc::clone(&self.0.held),
            id: name,
        }))
    }
}

#[async_trait]
impl Secrets for World {
    async fn tenant_keys(&self, tenant: &Inn, _has_jobs: bool) -> Result<TenantKeys, SecretsError> {
        let key = |what: &str| -> [u8; 32] { Sha256::digest(format!("{what} {tenant}")).into() };
        Ok(TenantKeys {
            content: key("content"),
            contacts: key("contacts"),
        })
    }
}

impl Faults for World {
    fn reach(&self, point: Point) -> Reach {
        self.note(format_args!("point {}", point.as_str()));
        *lock(&self.0.reached).entry(point).or_default() += 1;
        let mut kills = lock(&self.0.kills);
        match kills.front_mut() {
            Some((at, 1)) if at.is_none_or(|at| at == point) => {
                kills.pop_front();
                self.took_effect("death-at-point");
                *lock(&self.0.died_at) = Some(point);
                self.kill();
                Reach::Halt
            }
            Some((at, nth)) if at.is_none_or(|at| at == point) => {
                *nth -= 1;
                Reach::Go
            }
            Some(_) | None => Reach::Go,
        }
    }

    #[cfg(feature = "mutants")]
    fn mutant(&self) -> Option<kassette_core::mutants::Mutant> {
        Self::mutant(self)
    }
}

impl EventSink for World {
    fn event(&self, event: Event) {
        if event.code == Some(Code::InternalFault) {
            let mut witness = lock(&self.0.witness);
            witness.is_wrong(format!("the core failed: {} {:?}", event.what, event.detail));
            self.tell_if_broken(&witness);
        }
        let parts = [
            event.register,
            event.fn_number,
            event.job,
            event.code.map(|code| code.to_string()),
            event.detail,
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        self.note(format_args!(
            "{:?} {} [{}]",
            event.severity,
            event.what,
            parts.join(" | ")
        ));
    }
}
