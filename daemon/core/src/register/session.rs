//! A session: one open port, one identified register, until something ends it.
//!
//! Order: identify; adopted at all, and by us? locks; barrier; registration; the FN's mark; a doubt, if one is open;
//! settings; then readiness and jobs, for as long as the port lives. A session never mends a broken exchange: it ends,
//! the port is closed, and the next one begins from identity.
//!
//! Owns: the driver, the locks, and what was read of the device in this session.
//! Must never: take a job before all of that holds.

use super::admit::{Admitted, admit, check_registration, doubted_registration, publish_identity, see, tell_change};
use super::audit::Audit;
use super::readiness::{self, Ready, View};
use super::recovery::LOOK_PAUSE;
use super::slot::SlotActor;
use crate::dispatch::policy::UnitFacts;
use crate::domain::device::{Activity, FnResource, Identity, Registration, Status};
use crate::domain::error::Reason;
use crate::domain::explain::Witness;
use crate::domain::plan::Adoption;
use crate::domain::unit::UnitState;
use crate::drivers::{Driver, DriverError, connect};
use crate::parts::{Event, LockGuard, Port, Severity};
use crate::rack::shared::{NotWritten, Shared};
use kassette_wire::codes::Code;
use kassette_wire::value::{LocalTime, Vendor};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often a quiet unit is looked at; readiness means a good exchange at most 30 s old (design 7, B9).
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long a register may stay busy after a receipt before that is told; captures show up to 2.3 s.
const BUSY_USUAL: Duration = Duration::from_secs(10);
/// How often a unit that is not ready is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How often memory and life of the FN are read.
const RESOURCE_EVERY: Duration = Duration::from_secs(600);
/// Pause before a lock that another program holds is tried again.
pub(super) const LOCK_AGAIN: Duration = Duration::from_secs(5);
/// Pause before an isolated unit is looked at again although it waits for a person: where the port stays while a person
/// works at the register, as at a network address, nothing else tells that it is right again.
const MANUAL_AGAIN: Duration = Duration::from_secs(60);
/// Refusals of a device in a row, on different jobs or not, until it is isolated for a while.
pub(super) const FAULTS_MAX: u32 = 3;

/// How a session ended.
#[derive(Debug)]
pub(super) enum SessionEnd {
    /// The rack stops or the slot is gone.
    Over,
    /// Begin anew at once.
    Again,
    /// The device failed; begin anew after a pause.
    Failed(Reason),
    /// Nothing may be done until a person acts, or a look after the pause.
    Isolated {
        /// Look again after this time even if nothing changed.
        retry: Option<Duration>,
    },
}

impl From<DriverError> for SessionEnd {
    fn from(error: DriverError) -> Self {
        Self::Failed(Reason::new(error.code(), error.to_string()))
    }
}

impl From<NotWritten> for SessionEnd {
    fn from(error: NotWritten) -> Self {
        match error {
            NotWritten::Stopped => Self::Over,
            NotWritten::Full => Self::Failed(Reason::new(Code::JournalFull, "the journal takes no writes")),
            NotWritten::Refused(code, text) => Self::Failed(Reason::new(code, text)),
        }
    }
}

/// One open port with its register.
pub(super) struct Session<'a> {
    pub(super) actor: &'a mut SlotActor,
    pub(super) shared: Arc<Shared>,
    pub(super) driver: Box<dyn Driver>,
    pub(super) adoption: Adoption,
    pub(super) registration: Registration,
    pub(super) status: Status,
    /// When `status` was read as a whole: the register's clock went on since then.
    status_at: Instant,
    /// When `status` was read, or the last exchange of a document ended.
    pub(super) read_at: Instant,
    pub(super) resource: FnResource,
    resource_at: Instant,
    pub(super) shift_opened: Option<LocalTime>,
    pub(super) plan_version: u64,
    pub(super) audit: Audit,
    _locks: (LockGuard, LockGuard),
}

impl<'a> Session<'a> {
    /// Holds a session on an open port.
    pub(super) async fn hold(actor: &'a mut SlotActor, port: Box<dyn Port>) -> SessionEnd {
        let shared = Arc::clone(&actor.shared);
        let timing = shared.parts.policy.driver_timing;
        // Until there are more vendors every adopted register is of this one.
        let mut driver = connect(Vendor::ShtrihM, port, actor.points.clone(), timing, actor.slot.link);
        // A unit that was not at work is what it was until it answers: a silent one makes no move with each look at it.
        if actor.state() == UnitState::Active {
            actor
                .enter(
                    UnitState::Identifying,
                    Reason::new(Code::RegisterIdentifying, "asking who is there"),
                )
                .await;
        }
        let identified = tokio::select! {
            biased;
            () = actor.until_over() => return SessionEnd::Over,
            identified = driver.identify() => identified,
        };
        let identity = match identified {
            Ok(identity) => identity,
            Err(error) => return error.into(),
        };
        let stranger = actor.known_as(Some(identity.register.clone()), identity.fn_number.clone());
        if stranger || actor.state() == UnitState::Lost {
            let text = format!("{} answers", identity.register);
            actor
                .enter(UnitState::Identifying, Reason::new(Code::RegisterIdentifying, text))
                .await;
        }
        publish_identity(actor, &identity);
        let admitted = match admit(actor, &identity).await {
            Ok(admitted) => admitted,
            Err(end) => return end,
        };
        match Box::pin(Self::begin(actor, shared, driver, identity, admitted)).await {
            Ok(mut session) => match Box::pin(session.live()).await {
                Ok(never) => match never {},
                Err(end) => end,
            },
            Err(end) => end,
        }
    }

    /// From a register that is ours to one that may take jobs, unless a doubt or a contradiction stands before it.
    async fn begin(
        actor: &'a mut SlotActor,
        shared: Arc<Shared>,
        mut driver: Box<dyn Driver>,
        identity: Identity,
        (adoption, locks, plan_version): Admitted,
    ) -> Result<Self, SessionEnd> {
        driver.barrier().await?;
        let (registration, unread) = match driver.registration().await {
            Ok(registration) => (registration, None),
            Err(error) => (
                doubted_registration(&shared, &adoption, driver.as_mut(), &error).await?,
                Some(error),
            ),
        };
        let status = driver.status().await?;
        check_registration(actor, &adoption, &registration, &status).await?;
        if let Some(before) = shared.registered(&adoption.register, &registration) {
            tell_change(&shared, &adoption, &before, &registration);
        }
        let mark = see(actor, &shared, &identity, &registration).await?;
        let now = Instant::now();
        let mut session = Self {
            actor,
            shared,
            driver,
            adoption,
            registration,
            status,
            status_at: now,
            read_at: now,
            resource: FnResource::default(),
            resource_at: now,
            shift_opened: None,
            plan_version,
            audit: Audit::from(mark.audited_fd),
            _locks: locks,
        };
        session.publish_device();
        let doubted = session.shared.doubt_on(&session.adoption.fn_number).is_some();
        let mark = Box::pin(session.read_ledger(mark)).await?;
        Box::pin(session.review()).await?;
        Box::pin(session.settle()).await?;
        session.stand_still().await?;
        if let Some(error) = unread {
            return Err(error.into());
        }
        session.stop_on_findings().await?;
        Box::pin(session.check_mark(mark)).await?;
        // Not before: a register that a doubt left inside a document may refuse to tell.
        session.resource = session.driver.resource().await?;
        let changed = match session.driver.prepare().await {
            Err(DriverError::Contradiction(text)) => {
                let reason = Reason::new(Code::RegisterContradicts, text);
                return Err(session.isolate_for_person(reason).await);
            }
            prepared => prepared?,
        };
        for what in changed {
            session.tell(Severity::Info, "a setting of the register was changed", None, &what);
        }
        session.find_shift().await?;
        session.publish_device();
        if doubted {
            Box::pin(session.audit_all()).await?;
        }
        Ok(session)
    }

    /// Jobs, looks and shifts until something ends the session.
    async fn live(&mut self) -> Result<std::convert::Infallible, SessionEnd> {
        let facts = self.facts();
        loop {
            self.check_over().await?;
            self.finish_what_waits().await?;
            let ready = self.ready();
            if ready == Ready::Yes {
                Box::pin(self.audit_pressing()).await?;
            }
            match ready {
                Ready::Yes => Box::pin(self.wait_for_work(&facts, LOOK_EVERY, true)).await?,
                Ready::CloseWhenQuiet => Box::pin(self.quiet_close(&facts)).await?,
                Ready::SetClock => Box::pin(self.set_clock()).await?,
                Ready::OpenShift => Box::pin(self.open_shift()).await?,
                Ready::CloseShift => Box::pin(self.close_shift()).await?,
                Ready::No(reason) if reason.code == Code::RegisterBusy && self.busy_is_usual() => {
                    Box::pin(self.wait_for_work(&facts, LOOK_PAUSE, false)).await?;
                }
                Ready::No(reason) => {
                    self.not_ready(Some(reason)).await;
                    Box::pin(self.wait_for_work(&facts, LOOK_AGAIN, false)).await?;
                }
            }
        }
    }

    /// A read of a document that broke off, in this session or before it, leaves some registers waiting for its rest
    /// (`shtrih-m` 3.7): nothing else is taken until then.
    async fn finish_what_waits(&mut self) -> Result<(), SessionEnd> {
        if self.status.activity != Activity::WaitsContinue {
            return Ok(());
        }
        self.driver.finish_interrupted().await?;
        self.look().await
    }

    /// A register that prints is busy for a while after each receipt; that is no news.
    fn busy_is_usual(&self) -> bool {
        self.actor.prints() && self.actor.since_document() < BUSY_USUAL
    }

    pub(super) fn facts(&self) -> UnitFacts {
        UnitFacts {
            register: self.adoption.register.clone(),
            fn_number: self.adoption.fn_number.clone(),
            tenant: self.adoption.tenant.clone(),
            registration: self.registration.clone(),
        }
    }

    /// The host's local time in the registration's zone.
    pub(super) fn host_time(&self) -> Result<LocalTime, SessionEnd> {
        LocalTime::at_zone(self.shared.now().seconds(), self.adoption.zone_minutes)
            .map_err(|error| SessionEnd::Failed(Reason::new(Code::ClockHostUnsynchronised, error)))
    }

    /// Whether the unit may make a document now, by what was last read.
    pub(super) fn ready(&self) -> Ready {
        let Ok(host) = self.host_time() else {
            return Ready::No(Reason::new(
                Code::ClockHostUnsynchronised,
                "the host clock is outside the calendar",
            ));
        };
        let mut status = self.status.clone();
        status.clock = self.clock_now();
        readiness::judge(&View {
            status: &status,
            resource: &self.resource,
            host,
            synchronised: self.shared.parts.clock.synchronised(),
            shift_opened: self.shift_opened,
        })
    }

    /// The register's clock, which went on since it was read.
    fn clock_now(&self) -> LocalTime {
        let lapse = i64::try_from(self.status_at.elapsed().as_secs()).unwrap_or(i64::MAX);
        self.status.clock.plus_seconds(lapse).unwrap_or(self.status.clock)
    }

    /// The register's clock was at least at `time` just now; ours of it may lag by the seconds that were cut off.
    pub(super) fn clock_showed(&mut self, time: LocalTime) {
        if self.clock_now() < time {
            self.status.clock = time;
            self.status_at = Instant::now();
        }
    }

    async fn check_over(&mut self) -> Result<(), SessionEnd> {
        if self.actor.over() {
            return Err(SessionEnd::Over);
        }
        let standing = self.shared.plan.borrow().clone();
        if standing.version != self.plan_version {
            if standing.checked.registers.get(&self.adoption.register) != Some(&self.adoption) {
                return Err(SessionEnd::Again);
            }
            self.plan_version = standing.version;
        }
        Ok(())
    }

    /// Waits for a job, a look, a change of plan or the end; does what came.
    async fn wait_for_work(&mut self, facts: &UnitFacts, look: Duration, takes: bool) -> Result<(), SessionEnd> {
        if takes {
            self.not_ready(None).await;
        }
        let shared = Arc::clone(&self.shared);
        let (mut stop, mut ended) = (shared.stop.subscribe(), shared.ended.subscribe());
        let (mut plan, mut ports) = (shared.plan.subscribe(), shared.parts.ports.watch());
        self.check_over().await?;
        let due = (self.read_at + look).max(Instant::now() + Duration::from_millis(1));
        let audit = self.audit_due().filter(|_| self.status.activity == Activity::Idle);
        let taken = tokio::select! {
            biased;
            () = stop.changed() => None,
            () = ended.changed() => None,
            _ = self.actor.gone.changed() => None,
            () = plan.changed() => None,
            () = port_gone(&mut ports, &self.actor.slot.port) => {
                let text = format!("port {} went away", self.actor.slot.port);
                return Err(SessionEnd::Failed(Reason::new(Code::RegisterAbsent, text)));
            }
            taken = shared.dispatch.take(facts), if takes => Some(taken),
            () = tokio::time::sleep_until(due) => {
                self.look().await?;
                None
            }
            () = tokio::time::sleep_until(audit.unwrap_or(due)), if audit.is_some() => {
                Box::pin(self.audit_one()).await?;
                None
            }
        };
        match taken {
            Some(taken) => Box::pin(self.work(taken)).await,
            None => Ok(()),
        }
    }

    /// Reads the register anew.
    pub(super) async fn refresh(&mut self) -> Result<(), SessionEnd> {
        self.status = self.driver.status().await?;
        self.status_at = Instant::now();
        self.read_at = self.status_at;
        if self.resource_at.elapsed() >= RESOURCE_EVERY {
            self.resource = self.driver.resource().await?;
            self.resource_at = Instant::now();
        }
        if self.status.fn_state.number != self.adoption.fn_number {
            return Err(SessionEnd::Again);
        }
        self.publish_device();
        Ok(())
    }

    pub(super) async fn not_ready(&mut self, reason: Option<Reason>) {
        if self.actor.state() != UnitState::Active {
            let text = format!("{} serves tenant {}", self.adoption.register, self.adoption.tenant);
            self.actor
                .enter(UnitState::Active, Reason::new(Code::RegisterAdopted, text))
                .await;
        }
        let before = self
            .shared
            .snapshot
            .borrow()
            .units
            .get(&self.actor.label)
            .and_then(|u| u.not_ready.clone());
        if before.as_ref().map(|r| r.code) == reason.as_ref().map(|r| r.code) && before.is_some() == reason.is_some() {
            return;
        }
        match &reason {
            Some(reason) => self.tell(
                Severity::Warn,
                "a unit takes no jobs",
                Some(reason.code),
                &reason.detail,
            ),
            None => self.tell(Severity::Info, "a unit takes jobs", None, "ready"),
        }
        self.shared.publish(&self.actor.label, |unit| unit.not_ready = reason);
    }

    /// Isolates the unit until a person acts; whoever lets it back in begins to count its refusals anew.
    pub(super) async fn isolate(&mut self, reason: Reason) -> SessionEnd {
        self.actor.forgive();
        self.isolate_for_person(reason).await
    }

    /// Isolates the unit; what only a person can settle may have been settled elsewhere, so it is looked at again.
    pub(super) async fn isolate_for_person(&mut self, reason: Reason) -> SessionEnd {
        self.actor.enter(UnitState::Quarantined, reason).await;
        SessionEnd::Isolated {
            retry: Some(manual_again(&self.shared)),
        }
    }

    pub(super) fn witness(&self) -> Witness {
        Witness {
            register: self.adoption.register.clone(),
            fn_number: self.adoption.fn_number.clone(),
            rnm: self.registration.rnm.clone(),
            zone_minutes: self.adoption.zone_minutes,
        }
    }

    pub(super) fn tell(&self, severity: Severity, what: &'static str, code: Option<Code>, detail: &str) {
        let mut event = Event::new(severity, what)
            .register(&self.adoption.register)
            .fn_number(&self.adoption.fn_number)
            .tenant(&self.adoption.tenant)
            .detail(detail);
        event.code = code;
        self.shared.tell(event);
    }

    pub(super) fn publish_device(&self) {
        let offset = self.host_time().ok().map(|host| self.clock_now().seconds_since(host));
        let now = self.shared.now();
        let takes = self.shared.dispatch.usual(&self.adoption.register);
        self.shared.publish(&self.actor.label, |unit| {
            unit.receipt_takes = takes;
            unit.tenant = Some(self.adoption.tenant.clone());
            unit.zone_minutes = Some(self.adoption.zone_minutes);
            unit.registration = Some(self.registration.clone());
            unit.shift = Some(self.status.shift);
            unit.fn_state = Some(self.status.fn_state.clone());
            unit.resource = Some(self.resource);
            unit.clock_offset_s = offset;
            unit.last_good = Some(now);
            unit.audit = Some(self.audit_now());
        });
    }
}

/// The pause before an isolated unit is looked at again, on the scale of all waits for devices.
pub(super) fn manual_again(shared: &Shared) -> Duration {
    shared.parts.policy.driver_timing.wait(MANUAL_AGAIN)
}

async fn port_gone(
    ports: &mut tokio::sync::watch::Receiver<crate::parts::PortMap>,
    address: &crate::parts::PortAddress,
) {
    let first = ports
        .borrow_and_update()
        .get(address)
        .map(|presence| presence.generation);
    loop {
        if first.is_none() || ports.borrow_and_update().get(address).map(|p| p.generation) != first {
            return;
        }
        if ports.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
