//! The model of receipts and corrections: every tag of FFD 1.05 and 1.2 that they carry.
//!
//! Owns: the shape of what a client asked for. Tags the tax service owns keep the service's numbers.
//! Must never: check a rule (see `rules`), fill in what the register or the rack adds, or know the API.

use kassette_wire::value::{Inn, Kopecks, LocalTime, Quantity};
use serde::{Deserialize, Serialize};

/// What a job asks for: a receipt, or a correction when `correction` is present.
///
/// The order of the fields is part of content hash version 1: add new fields as options that are left out when absent,
/// and never move one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Settlement sign, tag 1054: 1 income, 2 income return, 3 outcome, 4 outcome return.
    pub sign: u32,
    /// Tax system, tag 1055: exactly one bit of 1, 2, 4, 8, 16, 32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_system: Option<u32>,
    /// Items, tag 1059.
    pub items: Vec<Item>,
    /// Total, tag 1020.
    pub total: Kopecks,
    /// How it was paid.
    pub payments: Payments,
    /// Details of non-cash payments, tags 1234 and 1235.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub non_cash: Vec<NonCashPayment>,
    /// VAT totals as the client computed them (1102 to 1107, 1115); compared, never sent when the register computes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vat_totals: Vec<VatTotal>,
    /// Internet settlement, tag 1125.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internet: Option<bool>,
    /// Cashier, tags 1021 and 1203.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cashier: Option<Cashier>,
    /// Settlement address, tag 1009, when it differs from the registration's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Settlement place, tag 1187 (for an internet shop its site).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Site of the tax service, tag 1060.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_site: Option<String>,
    /// E-mail of the sender of the receipt, tag 1117.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_email: Option<String>,
    /// Number of the vending machine, tag 1036.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_number: Option<String>,
    /// Agent sign of the whole receipt, tag 1057 (FFD 1.05), with its data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
    /// Additional attribute of the receipt, tag 1192.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional_attribute: Option<String>,
    /// Additional attribute of the user, tag 1084.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_attribute: Option<UserAttribute>,
    /// Industry attributes of the receipt, tag 1261.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub industry: Vec<IndustryAttribute>,
    /// Operational attribute, tag 1270.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operational: Option<OperationalAttribute>,
    /// The correction's own part; present makes this a correction document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<Correction>,
    /// Who buys; personal data, stored apart and encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer: Option<Buyer>,
}

/// One item of settlement, tag 1059.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Name, tag 1030.
    pub name: String,
    /// Price of one unit with discounts, tag 1079.
    pub price: Kopecks,
    /// Quantity, tag 1023.
    pub quantity: Quantity,
    /// Amount with discounts, tag 1043.
    pub amount: Kopecks,
    /// Measure of the quantity, tag 2108 (FFD 1.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<u32>,
    /// Unit of measure as text, tag 1197 (FFD 1.05).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure_text: Option<String>,
    /// VAT rate, tag 1199.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vat_rate: Option<u32>,
    /// VAT of one unit, tag 1198.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vat_per_unit: Option<Kopecks>,
    /// VAT of the item, tag 1200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vat_amount: Option<Kopecks>,
    /// Method of settlement, tag 1214.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<u32>,
    /// Subject of settlement, tag 1212.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<u32>,
    /// Agent sign and data, tags 1222 and 1223.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
    /// Supplier, tags 1224 and 1226.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supplier: Option<Supplier>,
    /// Additional attribute, tag 1191.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional_attribute: Option<String>,
    /// Excise, tag 1229.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excise: Option<Kopecks>,
    /// Country of origin, tag 1230.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Customs declaration, tag 1231.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customs_declaration: Option<String>,
    /// Goods code, tag 1162 (FFD 1.05, raw bytes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goods_code_bytes: Option<Vec<u8>>,
    /// Goods code, tag 1163 (FFD 1.2): the inner tag and its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goods_code: Option<GoodsCode>,
    /// Marking of the item (FFD 1.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marking: Option<Marking>,
    /// Industry attributes of the item, tag 1260.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub industry: Vec<IndustryAttribute>,
}

/// Payments of a receipt; their sum is the total. All five are always on the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payments {
    /// In cash, tag 1031.
    pub cash: Kopecks,
    /// Electronically, tag 1081.
    pub electronic: Kopecks,
    /// By prepayment (offset of an advance), tag 1215.
    pub prepaid: Kopecks,
    /// On credit, tag 1216.
    pub credit: Kopecks,
    /// By counter-provision, tag 1217.
    pub counter: Kopecks,
}

/// One non-cash payment, tag 1235.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NonCashPayment {
    /// Amount, tag 1082.
    pub amount: Kopecks,
    /// Method sign, tag 1236.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<u32>,
    /// Identifiers, tag 1237.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifiers: Option<String>,
    /// Additional data, tag 1238.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<String>,
}

/// A VAT total of one rate: tags 1102 to 1107, or 1119 inside 1115.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VatTotal {
    /// The rate, value of tag 1199.
    pub rate: u32,
    /// The VAT, or the turnover for rates 5 and 6.
    pub amount: Kopecks,
}

/// Cashier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cashier {
    /// Post and surname, tag 1021.
    pub name: String,
    /// INN, tag 1203.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inn: Option<Inn>,
}

/// Agent sign (tag 1222 of an item, 1057 of a receipt) and agent data (tag 1223).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// One bit: 1 bank payment agent … 64 other agent.
    pub sign: u32,
    /// Operation of the payment agent, tag 1044.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Phones of the payment agent, tag 1073.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agent_phones: Vec<String>,
    /// Phones of the payment-accepting operator, tag 1074.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acceptor_phones: Vec<String>,
    /// Phones of the transfer operator, tag 1075.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transfer_phones: Vec<String>,
    /// Name of the transfer operator, tag 1026.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer_name: Option<String>,
    /// Address of the transfer operator, tag 1005.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer_address: Option<String>,
    /// INN of the transfer operator, tag 1016.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer_inn: Option<Inn>,
}

/// Supplier of an agent's item, tags 1224 and 1226.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supplier {
    /// INN, tag 1226.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inn: Option<Inn>,
    /// Name, tag 1225.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Phones, tag 1171.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<String>,
}

/// Goods code of FFD 1.2, tag 1163: exactly one inner tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoodsCode {
    /// The inner tag, 1300 to 1309 or 1320 to 1325.
    pub tag: u32,
    /// Its text.
    pub code: String,
}

/// Marking of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marking {
    /// The full marking code as scanned, tag 2000.
    pub code: Vec<u8>,
    /// Planned status, tag 2003.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_status: Option<u32>,
    /// Processing mode, tag 2102.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// Result of the check of the goods information, tag 2106.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_result: Option<u32>,
    /// Fraction of a package, tags 1293 and 1294 inside 1291.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction: Option<Fraction>,
}

/// Fraction of a marked package, tag 1291 (its text 1292 is made from the numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fraction {
    /// Numerator, tag 1293.
    pub numerator: u64,
    /// Denominator, tag 1294.
    pub denominator: u64,
}

/// Additional attribute of the user, tag 1084.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserAttribute {
    /// Name, tag 1085.
    pub name: String,
    /// Value, tag 1086.
    pub value: String,
}

/// Industry attribute, tag 1260 of an item or 1261 of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndustryAttribute {
    /// Federal body, tag 1262.
    pub federal_body: String,
    /// Date of the basis document as text `DD.MM.YYYY`, tag 1263.
    pub document_date: String,
    /// Number of the basis document, tag 1264.
    pub document_number: String,
    /// Value, tag 1265.
    pub value: String,
}

/// Operational attribute, tag 1270.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationalAttribute {
    /// Operation, tag 1271.
    pub id: u32,
    /// Data, tag 1272.
    pub data: String,
    /// Local date and time, tag 1273.
    pub time: LocalTime,
}

/// What makes a document a correction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// Type, tag 1173: 0 own initiative, 1 by order of the tax service.
    pub kind: u32,
    /// Date of the corrected settlement (midnight, local), tag 1178.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settlement_date: Option<LocalTime>,
    /// Number of the tax service's order, tag 1179.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_number: Option<String>,
}

/// Who buys; all of it personal data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Buyer {
    /// Phone or e-mail, tag 1008.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Name, tag 1227.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// INN, tag 1228.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inn: Option<Inn>,
    /// Birth date `DD.MM.YYYY`, tag 1243.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<String>,
    /// Citizenship code, tag 1244.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citizenship: Option<String>,
    /// Kind of identity document, tag 1245.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_kind: Option<String>,
    /// Data of the identity document, tag 1246.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_data: Option<String>,
    /// Address, tag 1254.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

impl Receipt {
    /// Splits off what is personal, so that it can be stored apart.
    #[must_use]
    pub fn split_buyer(mut self) -> (Self, Option<Buyer>) {
        let buyer = self.buyer.take();
        (self, buyer)
    }
}
