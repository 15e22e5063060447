//! Setting the register's clock.
//!
//! Owns: the order of 21, 22 and 23 (`shtrih-m` 3.2).
//! Must never: decide whether a clock may be set; that is the rack's, under the clock rules of the design.

use super::ShtrihM;
use super::conversation::{Conversation, Failed};
use super::status::clock;
use crate::drivers::DriverError;
use crate::exchange::Care;
use crate::parts::Point;
use kassette_wire::codes::Code;
use kassette_wire::shtrih::{CommandCode, DmyDate, Hms, Mode, Request, SetDate, SetTime};
use kassette_wire::value::LocalTime;

impl ShtrihM {
    /// 21 alone when the date is right already, else 22 and 23 with the date, then 21. In mode 6 an earlier setting broke
    /// off between 22 and 23: the date is confirmed and the clock set as a whole.
    pub(super) async fn put_clock(&mut self, time: LocalTime) -> Result<(), DriverError> {
        let state = self.talk.full_state().await?;
        let waits = state.mode.mode() == Mode::DATE_CONFIRMATION;
        if !waits && !matches!(state.mode.mode(), Mode::SHIFT_CLOSED | Mode::RESET_ALLOWED) {
            return Err(DriverError::NotNow {
                command: CommandCode::SET_TIME.to_string(),
                code: Code::RegisterWrongMode,
                text: format!(
                    "the clock is set in mode 4 or 9, the register is in mode {}; close the shift first",
                    state.mode
                ),
            });
        }
        let too_far = || DriverError::Undecided(format!("21: the year of {time} has no byte in the register's dates"));
        let date = DmyDate::of(time).ok_or_else(too_far)?;
        let password = Conversation::PASSWORD;
        let set = SetDate { password, date };
        let right_day = clock(&state).is_ok_and(|now| now.calendar().date() == time.calendar().date());
        if waits {
            self.order(&Request::ConfirmDate(set)).await?;
        } else if !right_day {
            self.order(&Request::SetDate(set.clone())).await?;
            self.order(&Request::ConfirmDate(set)).await?;
        }
        self.order(&Request::SetTime(SetTime {
            password,
            time: Hms::of(time),
        }))
        .await?;
        self.faults.reach(Point::ClockSet).await;
        Ok(())
    }

    async fn order(&mut self, request: &Request) -> Result<(), Failed> {
        self.talk.order(request, Care::Once).await
    }
}
