//! The loop of a slot: wait for the port, open it, hold a session, and again.
//!
//! Owns: presence of the port, the pause after a failure, and the state machine of the unit.
//! Must never: talk to the device itself; that is the session's.

use super::session::{Session, SessionEnd};
use crate::domain::error::Reason;
use crate::domain::plan::CheckedSlot;
use crate::domain::snapshot::UnitSnapshot;
use crate::domain::unit::UnitState;
use crate::journal::{Command, UnitMove};
use crate::parts::{Event, FaultPoints, PortMap, Severity};
use crate::rack::shared::{NotWritten, Shared};
use kassette_wire::codes::Code;
use kassette_wire::value::{FnNumber, RegisterId};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// First pause after a session that failed; doubles up to the largest.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// Largest pause after sessions that failed in a row.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Actor of a slot.
pub struct SlotActor {
    pub(super) shared: Arc<Shared>,
    pub(super) label: String,
    pub(super) slot: CheckedSlot,
    pub(super) gone: watch::Receiver<bool>,
    pub(super) points: FaultPoints,
    state: UnitState,
    who: (Option<RegisterId>, Option<FnNumber>),
    pause: Duration,
    /// Refusals of the device in a row. Each ends its session, so that they are counted here.
    refusals: u32,
    /// The register was seen busy after a receipt: it prints, or behaves as if.
    prints: bool,
    document_at: Instant,
}

/// Why a slot's loop goes on waiting.
enum Wake {
    Stop,
    Go,
}

impl SlotActor {
    /// An actor for a slot; `gone` turns true when the slot leaves the plan.
    pub fn new(shared: Arc<Shared>, label: String, slot: CheckedSlot, gone: watch::Receiver<bool>) -> Self {
        let reason = Reason::new(Code::RegisterAbsent, format!("nothing at {}", slot.port));
        let since = shared.now();
        let unit = UnitSnapshot::empty(&label, &slot.port, reason, since);
        shared.snapshot.send_modify(|snapshot| {
            Arc::make_mut(snapshot).units.insert(label.clone(), unit);
        });
        Self {
            points: shared.points.clone().for_slot(),
            shared,
            label,
            slot,
            gone,
            state: UnitState::Lost,
            who: (None, None),
            pause: PAUSE_FIRST,
            refusals: 0,
            prints: false,
            document_at: Instant::now(),
        }
    }

    /// Runs until the rack stops or the slot leaves the plan.
    pub async fn run(mut self) {
        let mut ports = self.shared.parts.ports.watch();
        while !self.over() {
            let Some(generation) = self.presence(&mut ports) else {
                self.absent().await;
                if let Wake::Stop = self.wait(&mut ports, None).await {
                    break;
                }
                continue;
            };
            // Before the visit: a plan that changes during it is a reason to look again.
            let since_plan = self.shared.plan.borrow().version;
            let end = self.visit(generation).await;
            match end {
                SessionEnd::Over => break,
                SessionEnd::Again => {}
                SessionEnd::Failed(reason) => {
                    self.lost(reason).await;
                    self.stumble();
                    // Another port's coming and going shortens no pause.
                    let pause = Some(self.pause);
                    if let Wake::Stop = self.wait_isolated(&mut ports, generation, since_plan, pause).await {
                        break;
                    }
                }
                // Only a person changes this: another device on the port, or another plan.
                SessionEnd::Isolated { retry } => {
                    if let Wake::Stop = self.wait_isolated(&mut ports, generation, since_plan, retry).await {
                        break;
                    }
                }
            }
        }
        self.shared.clock_wants(&self.label, false);
        if *self.gone.borrow() {
            let label = self.label.clone();
            self.shared.snapshot.send_modify(|snapshot| {
                Arc::make_mut(snapshot).units.remove(&label);
            });
        }
    }

    /// The device did its work: the next failure is a first one.
    pub(super) fn calm(&mut self) {
        self.pause = PAUSE_FIRST;
        self.refusals = 0;
        self.document_at = Instant::now();
    }

    /// The register refused a document because it was busy with the one before.
    pub(super) fn learn_prints(&mut self) {
        self.prints = true;
        self.document_at = Instant::now();
    }

    pub(super) fn prints(&self) -> bool {
        self.prints
    }

    pub(super) fn since_document(&self) -> Duration {
        self.document_at.elapsed()
    }

    /// The device refused a document for what it is itself; how many times in a row now.
    pub(super) fn refused(&mut self) -> u32 {
        self.refusals = self.refusals.saturating_add(1);
        self.refusals
    }

    /// The unit was isolated: whoever lets it back in begins to count anew.
    pub(super) fn forgive(&mut self) {
        self.refusals = 0;
    }

    /// Something failed: wait longer before the next try.
    pub(super) fn stumble(&mut self) {
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }

    pub(super) fn over(&self) -> bool {
        self.shared.stopping() || *self.gone.borrow()
    }

    /// Resolves when the rack stops or has ended, or the slot leaves the plan.
    pub(super) async fn until_over(&self) {
        let (mut stop, mut ended) = (self.shared.stop.subscribe(), self.shared.ended.subscribe());
        let mut gone = self.gone.clone();
        tokio::select! {
            biased;
            () = stop.wait_for(|stop| *stop) => {}
            () = ended.wait_for(Option::is_some) => {}
            _ = gone.wait_for(|gone| *gone) => {}
        }
    }

    fn presence(&self, ports: &mut watch::Receiver<PortMap>) -> Option<u64> {
        ports
            .borrow_and_update()
            .get(&self.slot.port)
            .map(|presence| presence.generation)
    }

    /// Waits for a change of ports, or the time.
    async fn wait(&mut self, ports: &mut watch::Receiver<PortMap>, at_most: Option<Duration>) -> Wake {
        let shared = Arc::clone(&self.shared);
        let mut stop = shared.stop.subscribe();
        let mut ended = shared.ended.subscribe();
        if self.over() {
            return Wake::Stop;
        }
        tokio::select! {
            biased;
            () = stop.changed() => Wake::Stop,
            () = ended.changed() => Wake::Stop,
            _ = self.gone.changed() => Wake::Stop,
            _ = ports.changed() => Wake::Go,
            () = tokio::time::sleep(at_most.unwrap_or(Duration::from_secs(3600))) => Wake::Go,
        }
    }

    /// Waits until the port goes or comes anew, the plan changes, or the time for a new look has come.
    async fn wait_isolated(
        &mut self,
        ports: &mut watch::Receiver<PortMap>,
        generation: u64,
        version: u64,
        retry: Option<Duration>,
    ) -> Wake {
        let shared = Arc::clone(&self.shared);
        let (mut plan, mut lanes) = (shared.plan.subscribe(), shared.lanes.subscribe());
        let until = retry.map(|pause| tokio::time::Instant::now() + pause);
        loop {
            if self.presence(ports) != Some(generation) || plan.borrow_and_update().version != version {
                return Wake::Go;
            }
            let left = until.map(|at| at.saturating_duration_since(tokio::time::Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Wake::Go;
            }
            let woken = tokio::select! {
                biased;
                woken = self.wait(ports, left) => woken,
                () = plan.changed() => Wake::Go,
                () = lanes.changed() => return Wake::Go,
            };
            if let Wake::Stop = woken {
                return Wake::Stop;
            }
        }
    }

    /// Opens the port and holds a session on it.
    async fn visit(&mut self, generation: u64) -> SessionEnd {
        self.shared.publish(&self.label, |unit| unit.port_present = true);
        let opened = self.shared.parts.ports.open(&self.slot.port, generation).await;
        let mut port = match opened {
            Ok(port) => port,
            Err(error) => return SessionEnd::Failed(Reason::new(Code::PortUnopenable, error)),
        };
        if let Some(baud) = self.slot.baud
            && let Err(error) = port.set_baud(baud).await
        {
            return SessionEnd::Failed(Reason::new(Code::PortUnopenable, error));
        }
        Session::hold(self, port).await
    }

    async fn absent(&mut self) {
        self.shared.publish(&self.label, |unit| unit.port_present = false);
        self.lost(Reason::new(
            Code::RegisterAbsent,
            format!("nothing at {}", self.slot.port),
        ))
        .await;
    }

    async fn lost(&mut self, reason: Reason) {
        self.shared.publish(&self.label, |unit| {
            unit.job = None;
            unit.not_ready = Some(reason.clone());
        });
        self.enter(UnitState::Lost, reason).await;
    }

    /// Names who answers here, for moves and messages; whether it is another one than before.
    pub(super) fn known_as(&mut self, register: Option<RegisterId>, fn_number: Option<FnNumber>) -> bool {
        self.prints &= self.who.0 == register;
        let who = (register, fn_number);
        let stranger = self.who != who;
        self.who = who;
        stranger
    }

    /// Moves the unit: one journal row, one event, one change of the snapshot. Staying with the same reason is no move.
    pub(super) async fn enter(&mut self, state: UnitState, reason: Reason) {
        let same = {
            let snapshot = self.shared.snapshot.borrow();
            snapshot
                .units
                .get(&self.label)
                .is_some_and(|unit| unit.state == state && unit.reason.code == reason.code)
        };
        if same && self.state == state {
            return;
        }
        if self.state != state && !self.state.may_become(state) && self.state.may_become(UnitState::Identifying) {
            let text = "identified again";
            Box::pin(self.enter(UnitState::Identifying, Reason::new(Code::RegisterIdentifying, text))).await;
        }
        if self.state != state
            && let Err(illegal) = self.state.become_state(state)
        {
            let event = Event::new(Severity::Error, "a unit was asked to make an illegal move");
            self.shared.tell(event.code(Code::InternalFault).detail(illegal));
            return;
        }
        self.state = state;
        let at = self.shared.now();
        let (register, fn_number) = self.who.clone();
        self.tell_move(state, &reason);
        self.shared.publish(&self.label, |unit| {
            unit.state = state;
            unit.reason = reason.clone();
            unit.since = at;
        });
        let row = UnitMove {
            slot: self.label.clone(),
            register,
            fn_number,
            state,
            reason,
            at,
        };
        match self.shared.commit(Command::Move(Box::new(row))).await {
            // A move that the disk has no room for is still told and shown.
            Ok(_) | Err(NotWritten::Full | NotWritten::Stopped) => {}
            Err(NotWritten::Refused(code, text)) => {
                self.shared.tell(
                    Event::new(Severity::Error, "a move of a unit was not journalled")
                        .code(code)
                        .detail(text),
                );
            }
        }
    }

    fn tell_move(&self, state: UnitState, reason: &Reason) {
        let severity = match state {
            UnitState::Quarantined => Severity::Error,
            UnitState::Foreign | UnitState::Lost | UnitState::Blank | UnitState::Held => Severity::Warn,
            UnitState::Arrived
            | UnitState::Identifying
            | UnitState::Standby
            | UnitState::Active
            | UnitState::Draining
            | UnitState::Retired => Severity::Info,
        };
        let text = format!("slot {} is {}: {}", self.label, state.as_str(), reason.detail);
        let mut event = Event::new(severity, "unit moved").code(reason.code).detail(text);
        if let Some(register) = &self.who.0 {
            event = event.register(register);
        }
        if let Some(number) = &self.who.1 {
            event = event.fn_number(number);
        }
        self.shared.tell(event);
    }

    pub(super) fn state(&self) -> UnitState {
        self.state
    }
}
