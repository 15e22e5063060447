//! How long a command takes.
//!
//! Owns: the figures of the captures (`timings.md` of the capture set, `shtrih-m.md` "times, v1").
//! Must never: wait.

use super::config::Timing;
use crate::chance::Chance;
use kassette_wire::shtrih::CommandCode;
use std::time::Duration;

/// Milliseconds from and to, by command. Where v1 and v2 were both seen, v1. E0, FF0B, 41, FF43 and FF38 are in no
/// capture: they take what a closing takes, a Z-report several of it.
const fn seen(command: CommandCode) -> (u64, u64) {
    use CommandCode as C;
    match command {
        C::SHORT_STATE => (2, 43),
        C::FULL_STATE => (3, 195),
        C::WRITE_TABLE | C::READ_TABLE => (2, 15),
        C::TABLE_STRUCTURE | C::FIELD_STRUCTURE => (3, 251),
        C::FONT_INFO => (14, 20),
        C::DEVICE_TYPE | C::MODEL_PARAMETERS => (1, 5),
        C::FN_STATUS | C::FN_NUMBER | C::FN_VERSION | C::FN_REGISTRATION => (14, 56),
        C::FN_EXPIRY => (9, 14),
        C::OFD_STATUS | C::UNCONFIRMED_COUNT => (12, 39),
        C::OPEN_DOCUMENT | C::READ_DOCUMENT => (5, 9),
        C::FN_DOCUMENT => (14, 56),
        C::OPEN_RECEIPT => (126, 299),
        C::OPERATION => (8, 19),
        C::OPERATION_TAG => (14, 56),
        C::DOCUMENT_TAG => (55, 60),
        C::CLOSE_RECEIPT | C::FN_OPEN_SHIFT | C::OPEN_SHIFT | C::CALCULATION_REPORT => (366, 489),
        C::CLOSE_LEGACY => (309, 489),
        C::CANCEL_RECEIPT => (828, 828),
        C::FN_CLOSE_SHIFT | C::Z_REPORT | C::BUFFER_Z_REPORT => (1_200, 2_500),
        C::X_REPORT => (13, 873),
        _ => (2, 15),
    }
}

/// Time from a whole frame to ACK (v1: 1 to 18 ms).
pub(super) fn acknowledge(timing: &Timing, chance: &mut Chance) -> Duration {
    match timing {
        Timing::Realistic => Duration::from_millis(chance.between(1, 18)),
        Timing::Instant | Timing::Numbers(_) => Duration::ZERO,
    }
}

/// Time that the register works on a command.
pub(super) fn execution(timing: &Timing, command: CommandCode, chance: &mut Chance) -> Duration {
    let ms = match timing {
        Timing::Instant => 0,
        Timing::Realistic => {
            let (low, high) = seen(command);
            chance.between(low, high)
        }
        Timing::Numbers(numbers) => numbers.get(&command.to_string()).copied().unwrap_or(0),
    };
    Duration::from_millis(ms)
}
