//! Text of the QR code of a receipt (`fn-ffd-ofd` C.7).
//!
//! Owns: its form.
//! Must never: draw it.

use crate::value::{FdNumber, FiscalSign, FnNumber, Kopecks, LocalTime};
use std::fmt;

/// What the QR code of a receipt says; shown as
/// `t=20261122T1530&s=122.00&fn=9999078900012345&i=427&fp=2596069104&n=1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QrText {
    /// Local time of the document (tag 1012); to the minute.
    pub time: LocalTime,
    /// Total (tag 1020).
    pub total: Kopecks,
    /// Number of the FN (tag 1041).
    pub fn_number: FnNumber,
    /// Number of the document (tag 1040).
    pub fd: FdNumber,
    /// Fiscal sign (tag 1077).
    pub fp: FiscalSign,
    /// Settlement sign, 1 to 4 (tag 1054).
    pub sign: u8,
}

impl fmt::Display for QrText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.time.calendar();
        let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
        let (hour, minute) = (at.hour(), at.minute());
        write!(f, "t={year:04}{month:02}{day:02}T{hour:02}{minute:02}")?;
        let Self {
            total,
            fn_number,
            fd,
            fp,
            sign,
            ..
        } = self;
        write!(f, "&s={total}&fn={fn_number}&i={fd}&fp={fp}&n={sign}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_qr_text_has_the_form_that_checking_apps_read() {
        let qr = QrText {
            time: LocalTime::new(2026, 1, 2, 3, 4, 59).unwrap(),
            total: Kopecks::new(12_205).unwrap(),
            fn_number: "9999078900012345".parse().unwrap(),
            fd: FdNumber(427),
            fp: FiscalSign(7),
            sign: 1,
        };
        assert_eq!(
            qr.to_string(),
            "t=20260102T0304&s=122.05&fn=9999078900012345&i=427&fp=7&n=1"
        );
    }
}
