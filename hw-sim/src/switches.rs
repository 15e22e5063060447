//! Readings of the reference where it says CONFLICT or unverified, by name.
//!
//! Owns: the names, the readings, and which one stands when the rack file names none.
//! Must never: hide a reading; each is reachable from the rack file.

use crate::fiscal_storage::Generation;
use serde::{Deserialize, Serialize};

/// One field per doubtful line of `shtrih-m.md` and `fn-ffd-ofd.md`. The default is the reading that accepts less or
/// tells less; an absent `Option` refuses what only its readings give a meaning to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// A byte timeout inside a frame is answered with NAK; else silence (`shtrih-m` 1.2 and 8, unverified).
    pub nak_after_byte_timeout: bool,
    /// A frame that comes while an answer waits for its ACK or ENQ is taken and the answer dropped; else it is ignored
    /// until ENQ (1.2: the state table has no such input).
    pub frame_drops_kept_answer: bool,
    /// An ACK later than this many milliseconds after the answer no longer counts, the answer stays kept; 0: any time
    /// (1.2 says "timeout" without a figure).
    pub confirm_timeout_ms: u64,
    /// The register has v2 beside v1 and says so in F7 bit 28; the first byte after power-on or command 14 chooses
    /// (1.4; cash-core models have it, desktop models of the captures do not).
    pub link_v2: bool,
    /// FF46 without 8D opens the receipt by its operation byte (5.3, CONFLICT: matrix mode 8 only, one driver sends it
    /// in mode 2).
    pub item_opens_receipt: bool,
    /// FF0D is taken in mode 8 too; else in mode 2 alone, where it opens the receipt (2: one source).
    pub discounted_item_in_receipt: bool,
    /// The register has FF4B, which takes the kopecks off the total; else 37 (3.5: special firmware, one source).
    pub receipt_discount: bool,
    /// FF4A corrects returns too, directions 2 and 4 (captures: one host sends 2, its answer is not recorded); else 33
    /// (3.6: 1 and 3).
    pub correction_of_returns: bool,
    /// 8D and 80 to 83 are taken in mode 4 and the shift opens with the receipt, also with 24/1/13 = 0 (8, unverified).
    pub receipt_opens_shift: bool,
    /// Error of FF46 when the sum is not price × quantity ± 1: 5E; else 33 (3.5, unverified).
    pub sum_mismatch_is_5e: bool,
    /// Tax system 0 in FF45 means the only registered one; else 33 (3.5, unverified).
    pub zero_tax_system_is_default: bool,
    /// Which VAT byte of FF46 is 7/107 (3.5, CONFLICT); absent: neither is taken.
    pub vat_7_107: Option<Vat7107>,
    /// How the register knows 22 % (3.5, 8: one source each); absent: not at all.
    pub vat_22: Option<Vat22>,
    /// VAT of a receipt is rounded once over the sum of its items; else per item and then added (`fn-ffd-ofd` C.7, U).
    pub vat_rounded_over_total: bool,
    /// How FE xx is echoed (3.1, CONFLICT); absent: the service group is refused with 37.
    pub service_echo: Option<ServiceEcho>,
    /// FF39 only in mode 4 (2, CONFLICT: G says 4, monitors poll it in any mode). The text asks for "any" as default.
    pub exchange_state_in_mode_4_only: bool,
    /// Reading by FF3A and FF3B leaves mode 1 at once; else the register stays in mode 1 until the end (J: desktop
    /// models).
    pub reading_keeps_mode: bool,
    /// FF03 adds the counts of re-registrations (3.7: two drivers read them, the vendor text lists only the date).
    pub expiry_counts: bool,
    /// FF0A gives the kind with the marks of FFD 1.1 and 1.2 (`fn-ffd-ofd` A.6, one source): 83h, C3h, …
    pub document_kind_marks: bool,
    /// FF63 adds the fill of the marking store (3.7, optional byte).
    pub marking_fill: bool,
    /// Tables, FC, F7 and fonts of cash-core models: FN table 13, OFD table 14, format at 10/29 (3.3, captures); else of
    /// desktop models.
    pub cash_core: bool,
    /// 1F gives CHAR values without padding, as cash-core models do; else full width, as desktop models (captures).
    pub char_values_unpadded: bool,
    /// 2E of a CHAR field ends with two zero bytes, as a Retail-01F did; else with nothing (captures have both).
    pub char_limits_in_2e: bool,
    /// Answer to 10 has the 17th byte, the last print result (F7 bit 34; captures of SMARTPOS).
    pub print_result: bool,
    /// Answer to 11 has two more zero bytes (captures of cash-core models).
    pub long_full_state: bool,
    /// FN family; absent: the one that belongs to the FFD of the registration (1.05 first generation, 1.2 FN 1.2).
    pub fn_generation: Option<Generation>,
    /// A shift may open up to one hour before the last closing by the clock (`fn-ffd-ofd` A.8, one source).
    pub open_may_lag_close: bool,
    /// How long a register shows mode 8 with submode 5 after a receipt (captures); absent: by `timing`.
    pub printing: Option<Printing>,
}

/// VAT byte of 7/107.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vat7107 {
    /// 88, the vendor's driver code.
    Byte88,
    /// 90, the vendor's `VatTable.txt`.
    Byte90,
}

/// Where 22 % stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vat22 {
    /// Rows 11 and 12 of table 6, bytes CB and CC (vendor's driver code of 02.2026).
    #[serde(rename = "rows_11_and_12")]
    Rows11And12,
    /// Bytes 90 and A0 (the same code, SHTRIH-NANO).
    Nano,
    /// Row 1 of table 6 holds 22 %: bytes 01 and 10.
    MainRow,
}

/// Echo of the service group FE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceEcho {
    /// `FE error`.
    OneByte,
    /// `FE F3 error`.
    TwoBytes,
}

/// How long printing after a receipt lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Printing {
    /// No time.
    None,
    /// This many answers to command 10.
    Polls(u32),
    /// This many milliseconds.
    Millis(u64),
}
