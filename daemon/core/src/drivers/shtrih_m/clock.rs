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
use kassette_wire::shtrih::{CommandCode, DmyDate, ErrorCode, Hms, Mode, Request, SetDate, SetTime};
use kassette_wire::value::LocalTime;

const DAY_SECONDS: i64 = 24 * 60 * 60;

fn date_of(time: LocalTime) -> Result<DmyDate, DriverError> {
    let too_far = || DriverError::Undecided(format!("22: the year of {time} has no byte in the register's dates"));
    DmyDate::of(time).ok_or_else(too_far)
}

impl ShtrihM {
    /// 21 alone when the date is right already, else 22 and 23 with the date, then 21. In mode 6 an earlier setting broke
    /// off between 22 and 23: its date is confirmed first, then the clock is set as a whole.
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
        let right_day = if waits {
            self.confirm_broken_off(time).await?
        } else {
            clock(&state).is_ok_and(|now| now.calendar().date() == time.calendar().date())
        };
        let password = Conversation::PASSWORD;
        if !right_day {
            let set = SetDate {
                password,
                date: date_of(time)?,
            };
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

    /// Confirms the date that an earlier setting left open: that of `time`, or the day before or after it, as clocks are
    /// corrected by minutes. Whether it was the date of `time`.
    async fn confirm_broken_off(&mut self, time: LocalTime) -> Result<bool, DriverError> {
        let near = [
            Some(time),
            time.plus_seconds(-DAY_SECONDS),
            time.plus_seconds(DAY_SECONDS),
        ];
        let mut last = None;
        for day in near.into_iter().flatten() {
            match self.confirm(day).await {
                Ok(()) => return Ok(day == time),
                Err(failed) if failed.error_code() == Some(ErrorCode::DATE_MISMATCH) => last = Some(failed),
                Err(failed) => return Err(failed.into()),
            }
        }
        let text = "the date left open by an earlier setting is not near the present one; set it by hand";
        Err(last.map_or_else(|| DriverError::Undecided(text.to_owned()), DriverError::from))
    }

    async fn confirm(&mut self, day: LocalTime) -> Result<(), Failed> {
        let password = Conversation::PASSWORD;
        let Some(date) = DmyDate::of(day) else {
            return Err(Failed::nonsense(
                CommandCode::CONFIRM_DATE,
                format!("{day} has no date of one byte a part"),
            ));
        };
        self.order(&Request::ConfirmDate(SetDate { password, date })).await
    }

    async fn order(&mut self, request: &Request) -> Result<(), Failed> {
        self.talk.order(request, Care::Once).await
    }
}
