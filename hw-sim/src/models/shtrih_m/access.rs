//! Who may send which command in which mode (`shtrih-m.md` 2).
//!
//! Owns: the command/mode matrix and the passwords' ranks.
//! Must never: look at what a command carries.

use super::printer;
use super::service::STOP_OUTPUT;
use kassette_wire::shtrih::CommandCode;

/// Rank of the password that a command asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// The command carries no password.
    None,
    /// Any row of table 2.
    Any,
    /// Rows 29 and 30.
    Admin,
    /// Row 30.
    System,
    /// The service centre's, or row 30.
    Service,
}

impl Rank {
    pub const fn allows(self, operator: u8) -> bool {
        match self {
            Self::None | Self::Any => true,
            Self::Admin => operator >= 29,
            Self::System | Self::Service => operator == 30,
        }
    }
}

/// One row of the matrix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub rank: Rank,
    /// Modes as bits.
    pub modes: u16,
    /// Whether it starts the printer or a document, so that it waits for one that prints (50) or for B0 (58).
    pub prints: bool,
}

const ANY: u16 = 0xFFFF;
const OPEN: u16 = 1 << 2 | 1 << 3;
const RECEIPT: u16 = 1 << 8;
const CLOSED: u16 = 1 << 4;
const FIRST: u16 = 1 << 2 | 1 << 4;

const fn rule(rank: Rank, modes: u16, prints: bool) -> Rule {
    Rule { rank, modes, prints }
}

/// The row of a command; `None` for a command that this model does not have.
pub(super) fn rule_of(command: CommandCode) -> Option<Rule> {
    use CommandCode as C;
    Some(match command {
        C::DEVICE_TYPE | C::MODEL_PARAMETERS | C::ERROR_TEXT | C::REBOOT => rule(Rank::None, ANY, false),
        C::SHORT_STATE | C::FULL_STATE | C::BEEP | C::CONTINUE_PRINT => rule(Rank::Any, ANY, false),
        C::READ_TABLE | C::FONT_INFO | C::TABLE_STRUCTURE | C::FIELD_STRUCTURE => rule(Rank::System, ANY, false),
        C::WRITE_TABLE => rule(Rank::System, ANY & !RECEIPT & !(1 << 1), false),
        STOP_OUTPUT => rule(Rank::Service, 1 << 1, false),
        C::TECHNOLOGICAL_RESET => rule(Rank::None, 1 << 9, false),
        C::RESET_TABLES => rule(Rank::System, CLOSED, false),
        C::SERVICE_PING | C::LIFETIME_TOTALS => rule(Rank::None, ANY, false),
        C::SET_TIME | C::SET_DATE => rule(Rank::System, CLOSED | 1 << 9, false),
        C::CONFIRM_DATE => rule(Rank::System, 1 << 6, false),
        C::MONEY_REGISTER | C::OPERATION_REGISTER => rule(Rank::Any, ANY, false),
        C::Z_REPORT | C::BUFFER_Z_REPORT => rule(Rank::Admin, OPEN, true),
        // The matrix leaves mode 4 out; a recorded register in it gave good answers.
        C::X_REPORT => rule(Rank::Admin, OPEN | CLOSED, true),
        // C7 and FF62 stand in no matrix: printing waits for an open receipt, the counters do too.
        C::PRINT_Z_REPORT => rule(Rank::Admin, OPEN | CLOSED, true),
        C::SYNC_SHIFT => rule(Rank::System, OPEN | CLOSED, false),
        C::CASH_IN | C::CASH_OUT => rule(Rank::Any, OPEN | CLOSED, true),
        C::OPEN_SHIFT => rule(Rank::Any, CLOSED, true),
        C::FN_OPEN_SHIFT | C::BEGIN_OPEN_SHIFT => rule(Rank::System, CLOSED, true),
        C::BEGIN_CLOSE_SHIFT | C::FN_CLOSE_SHIFT => rule(Rank::System, OPEN, true),
        C::BEGIN_CALCULATION_REPORT
        | C::CALCULATION_REPORT
        | C::BEGIN_REGISTRATION
        | C::REGISTER
        | C::REREGISTER
        | C::BEGIN_FN_CLOSE
        | C::FN_CLOSE => rule(Rank::System, CLOSED, true),
        C::OPEN_RECEIPT => rule(Rank::Any, FIRST, true),
        C::LEGACY_SALE | C::LEGACY_BUY | C::LEGACY_SALE_RETURN | C::LEGACY_BUY_RETURN => {
            rule(Rank::Any, FIRST | RECEIPT, true)
        }
        // The matrix asks for rank 30; cashier 1 got good answers to FF46 and FF4D (captures), and a receipt must be
        // closed by who opened it.
        C::OPERATION | C::OPERATION_TAG | C::CLOSE_RECEIPT => rule(Rank::Any, RECEIPT, true),
        C::CLOSE_LEGACY | C::CLOSE_EXTENDED | C::CANCEL_RECEIPT => rule(Rank::Any, RECEIPT, true),
        // The matrix names mode 2 alone; a switch adds mode 8.
        C::OPERATION_DISCOUNTED => rule(Rank::System, 1 << 2, true),
        C::RECEIPT_DISCOUNT => rule(Rank::System, RECEIPT, true),
        C::BEGIN_CORRECTION | C::CORRECTION | C::CORRECTION_V2 => rule(Rank::System, FIRST, true),
        C::CHECK_MARK
        | C::BIND_MARK
        | C::NOTIFICATION_EXCHANGE
        | C::ACCEPT_MARK
        | C::MARKING_STATE
        | C::NOTIFICATION_QUEUE
        | C::READ_NOTIFICATION
        | C::CONFIRM_NOTIFICATION => rule(Rank::System, ANY, false),
        C::SUBTOTAL => rule(Rank::Any, RECEIPT, false),
        C::DOCUMENT_TAG => rule(Rank::Any, ANY, false),
        C::FN_CANCEL_DOCUMENT
        | C::FN_STATUS
        | C::FN_NUMBER
        | C::FN_EXPIRY
        | C::FN_VERSION
        | C::FN_REGISTRATION
        | C::FN_DOCUMENT
        | C::OPEN_DOCUMENT
        | C::READ_DOCUMENT
        | C::OFD_STATUS
        | C::OFD_BUFFER
        | C::READ_OFD_BLOCK
        | C::BEGIN_OFD_ANSWER
        | C::WRITE_OFD_BLOCK
        | C::SEND_LONG_TLV
        | C::UNCONFIRMED_COUNT
        | C::FN_RESOURCE
        | C::FN_TICKET
        | C::REGISTRATION_BY_NUMBER
        | C::REGISTRATION_REPORT_TAG
        | C::REGISTRATION_TAG
        | C::SHIFT_STATE => rule(Rank::System, ANY, false),
        printer::SET_PORT | printer::READ_PORT => rule(Rank::System, ANY, false),
        // Cutting and feeding wait for an open receipt; graphics are for modes 2, 4, 8 and 9.
        C::CUT_PAPER | C::FEED_PAPER => rule(Rank::Any, ANY & !RECEIPT & !(1 << 10), true),
        C::LOAD_GRAPHICS
        | C::PRINT_GRAPHICS
        | C::PRINT_EXTENDED_GRAPHICS
        | C::LOAD_EXTENDED_GRAPHICS
        | C::PRINT_DOTS => rule(Rank::Any, FIRST | RECEIPT | 1 << 9, true),
        other if printer::is_printer(other) => rule(Rank::Any, ANY, true),
        _ => return None,
    })
}
