//! Registers as models differ: each reading of the reference by itself.
//!
//! Owns: the proof that every reading that stories draw lets a register work, over a day and into the next.
//! Must never: leave a reading out that `weather::models` draws.

use kassette_core::domain::unit::UnitState;
use kassette_dst::check::{self, Allowed};
use kassette_dst::play::{Play, Setting, simulate};
use kassette_dst::weather::models::SWITCHES;
use kassette_receipts::job::JobState;
use std::time::Duration;
use tokio::time::advance;

#[test]
fn a_register_of_any_reading_makes_receipts_today_and_tomorrow() {
    for switch in SWITCHES {
        for v2 in [false, true] {
            println!("{switch}, v2: {v2}");
            let mut setting = Setting::new(5, 1).instant().linked(if v2 { "tcp" } else { "pty" }, v2);
            setting.switches = vec![switch];
            simulate(async {
                let mut play = Play::begin(&setting).await;
                let mut jobs = play.day(1..=2).await;
                // Nobody was there when the shift should have been closed.
                play.crash().await;
                advance(Duration::from_secs(25 * 3600)).await;
                jobs.extend(play.day(3..=4).await);
                assert!(
                    jobs.iter().all(|job| job.state == JobState::Completed),
                    "{switch}: {jobs:?}\n{}",
                    play.tail()
                );
                assert_eq!(play.unit("S0").state, UnitState::Active, "{switch}");
                check::all(&mut play, Allowed::NOTHING).await;
            });
        }
    }
}
