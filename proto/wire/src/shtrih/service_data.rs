//! What service commands and their answers carry (`shtrih-m` 3.1, captures): port settings, registers, totals, and the
//! electronic journal of devices before the FN.
//!
//! Owns: the field order of each.
//! Must never: say what a register counts; that differs by model.

use super::cursor::{Six, wire_struct};
use super::dates::DmyDate;
use super::password::Password;
use crate::value::Kopecks;

wire_struct! {
    /// 14 (3.1): settings of a port. The answer still comes with the old ones.
    pub struct SetPort {
        /// Password of the system administrator.
        pub password: Password,
        /// Port number.
        pub port: u8,
        /// Speed code 0 to 9 for 2400 to 921600 (1.1); a port code for TCP.
        pub speed: u8,
        /// Byte timeout code: 0 to 150 ms, 151 to 249 (code − 149) × 150 ms, from 250 (code − 248) × 15 s (1.2).
        pub timeout: u8,
    }
}

wire_struct! {
    /// 15 (3.1).
    pub struct ReadPort {
        /// Password of the system administrator.
        pub password: Password,
        /// Port number.
        pub port: u8,
    }
}

wire_struct! {
    /// Answer to 15 (3.1).
    pub struct PortSettings {
        /// Speed code, see [`SetPort::speed`].
        pub speed: u8,
        /// Byte timeout code, see [`SetPort::timeout`].
        pub timeout: u8,
    }
}

wire_struct! {
    /// 1A and 1B (captures).
    pub struct ReadRegister {
        /// Password of the operator.
        pub password: Password,
        /// Number of the register.
        pub number: u8,
    }
}

wire_struct! {
    /// Answer to 1A (captures).
    pub struct MoneyRegister {
        /// Row of table 2 whose password matched.
        pub operator: u8,
        /// What it holds, 6 bytes.
        pub value: Kopecks as Six,
    }
}

wire_struct! {
    /// Answer to 1B (captures).
    pub struct OperationRegister {
        /// Row of table 2 whose password matched.
        pub operator: u8,
        /// What it holds.
        pub value: u16,
    }
}

wire_struct! {
    /// Answer to FE F4 (3.1; one driver): totals that nothing resets, in kopecks.
    pub struct LifetimeTotals {
        /// Sales.
        pub sales: u64,
        /// Sale returns.
        pub sale_returns: u64,
        /// Buys.
        pub buys: u64,
        /// Buy returns.
        pub buy_returns: u64,
    }
}

wire_struct! {
    /// Answer to AD on a device before the FN (captures; drivers of that time): state of the electronic journal.
    pub struct JournalState {
        /// Total of the last document.
        pub last_total: Kopecks,
        /// Its date.
        pub last_date: DmyDate,
        /// Its hour and minute.
        pub last_time: [u8; 2],
        /// Its number.
        pub last_number: u32,
        /// Number of the journal, little-endian.
        pub journal_number: [u8; 5],
        /// Flags.
        pub flags: u8,
    }
}
