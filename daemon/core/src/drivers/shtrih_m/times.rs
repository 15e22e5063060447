//! How long each command may take.
//!
//! Owns: the vendor's times (`shtrih-m` 1.2, "host wait for answer", figures of the vendor's Java driver).
//! Must never: hold a wait without a source.

use kassette_wire::shtrih::CommandCode;
use std::time::Duration;

/// Commands without a figure of their own.
const DEFAULT: Duration = Duration::from_secs(30);
/// 10 and 11.
const STATE: Duration = Duration::from_secs(3);
/// 26.
const FONT: Duration = Duration::from_secs(5);
/// 41.
const Z_REPORT: Duration = Duration::from_secs(65);
/// E0: the longest documented time of any command.
pub(super) const OPEN_SHIFT: Duration = Duration::from_secs(120);

/// The documented time from the acknowledgement of a command to its answer.
pub(super) const fn answer_wait(command: CommandCode) -> Duration {
    match command {
        CommandCode::SHORT_STATE | CommandCode::FULL_STATE => STATE,
        CommandCode::FONT_INFO => FONT,
        CommandCode::Z_REPORT => Z_REPORT,
        CommandCode::OPEN_SHIFT => OPEN_SHIFT,
        _ => DEFAULT,
    }
}
