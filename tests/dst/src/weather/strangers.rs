//! Another program on a register of ours, while our process is down.
//!
//! Owns: a port that is taken, a shift closed behind our back, and a second daemon with a journal of its own.
//! Must never: work while our process holds the port: a port is opened by one program.

use crate::check::Allowed;
use crate::draw::Draw;
use crate::play::{Play, order};
use kassette_core::rack::ApplyOrder;
use kassette_wire::shtrih::{Password, Request};
use std::time::Duration;

/// Numbers of the orders of a second daemon's clients: nobody of ours asks for them.
const THEIR_ORDERS: u32 = 900_000;

/// What it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stranger {
    /// It has the port open for so many seconds, also when we come back.
    TakesPort(u64),
    /// It closes the shift.
    ClosesShift,
    /// A second daemon with an empty journal makes so many receipts.
    SecondDaemon(u32),
}

/// The names of the kinds.
pub(super) const NAMES: &[&str] = &["port-taken", "stranger-closes-shift", "second-daemon"];

impl Stranger {
    /// Draws one; documents of strangers only where other registers are left.
    pub(super) fn draw(draw: &mut Draw, registers: usize) -> Self {
        let taken = Self::TakesPort(draw.between(5, 90));
        match draw.below(3) {
            1 if registers > 2 => Self::ClosesShift,
            2 if registers > 2 => Self::SecondDaemon(u32::try_from(draw.between(1, 3)).unwrap_or(1)),
            _ => taken,
        }
    }

    /// The name of its kind.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::TakesPort(_) => "port-taken",
            Self::ClosesShift => "stranger-closes-shift",
            Self::SecondDaemon(_) => "second-daemon",
        }
    }

    pub(super) const fn allows(&self, at: usize) -> Allowed {
        match self {
            Self::TakesPort(_) => Allowed::NOTHING,
            Self::ClosesShift | Self::SecondDaemon(_) => Allowed::shared(at),
        }
    }

    pub(super) async fn strike(&self, play: &mut Play, at: usize) {
        play.crash().await;
        let bench = play.world.bench().clone();
        let Some(seen) = bench.observe(play.serial(at)) else {
            return;
        };
        let Some(generation) = bench.ports().get(&seen.name).copied() else {
            return;
        };
        match self {
            Self::TakesPort(seconds) => {
                let Ok(port) = bench.open(&seen.name, generation) else {
                    return;
                };
                let seconds = *seconds;
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                    drop(port);
                });
            }
            Self::ClosesShift => {
                if bench.open(&seen.name, generation).is_err() {
                    return;
                }
                play.world.expects_foreign(&seen.device.fn_number);
                play.stranger(at, &Request::FnCloseShift(Password(30))).await;
                let after = bench.observe(play.serial(at));
                if after.is_none_or(|after| after.device.last_fd == seen.device.last_fd) {
                    return;
                }
            }
            Self::SecondDaemon(orders) => {
                play.world.expects_foreign(&seen.device.fn_number);
                second_daemon(play, at, *orders).await;
            }
        }
        play.world.took_effect(self.name());
    }
}

/// A daemon that knows this register alone, for a minute.
async fn second_daemon(play: &Play, at: usize, orders: u32) {
    let Ok(folder) = tempfile::tempdir() else { return };
    let other = play.world.neighbour("another rack", folder.path());
    let carried = other.clone();
    let shown = tokio::spawn(async move { carried.run().await });
    let rack = other.start().await;
    let mut plan = play.plan.clone();
    plan.registers = plan.registers.drain(at..=at).collect();
    let apply = ApplyOrder {
        plan,
        expected_version: None,
        validate_only: false,
        reason: None,
        request_id: None,
        client: "admin".into(),
    };
    let handle = rack.handle();
    if handle.apply(apply).await.is_ok() {
        // Another one next time, with other clients.
        let first = THEIR_ORDERS + 10 * u32::try_from(play.world.counts().strikes).unwrap_or(0);
        for number in first..first + orders {
            // Whether it takes them is its own affair.
            let _ = handle.submit(order(number)).await;
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    drop(rack);
    shown.abort();
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}
