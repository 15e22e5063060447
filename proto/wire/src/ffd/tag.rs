//! Tag numbers and what is known of each.
//!
//! Owns: the number type, the kinds of value, the constants of the tags in use.
//! Must never: interpret a value.

use super::document::DocumentCode;
use super::tags::TAGS;
use std::fmt;

/// Number of an FFD tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u16);

/// How the value of a tag is written (`fn-ffd-ofd` C.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One byte.
    Byte,
    /// Two bytes, little-endian.
    U16,
    /// Four bytes, little-endian.
    U32,
    /// Unsigned number of variable length, little-endian; money in kopecks.
    Vln,
    /// Number of decimals, then a number of variable length.
    Fvln,
    /// CP866 text up to a length.
    Str,
    /// CP866 text of a fixed length, padded on the right with spaces.
    FixedStr,
    /// Opaque bytes.
    Bytes,
    /// Four bytes: local wall time encoded as if it were UTC.
    Unixtime,
    /// Bits of one byte.
    Bits8,
    /// Bits of four bytes.
    Bits32,
    /// A list of TLV.
    Stlv,
    /// Stands only on paper (1000, 1196); has no TLV.
    PrintedOnly,
}

/// What the reference says about a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagInfo {
    /// The tag.
    pub tag: Tag,
    /// English name.
    pub name: &'static str,
    /// How its value is written.
    pub kind: Kind,
    /// Longest value in bytes; none where the reference gives no length.
    pub max_len: Option<u16>,
    /// Whether `max_len` is the only length.
    pub fixed: bool,
}

impl Tag {
    /// What the reference says about this tag; none for an unlisted number.
    #[must_use]
    pub fn info(self) -> Option<&'static TagInfo> {
        let at = TAGS.binary_search_by_key(&self, |info| info.tag).ok()?;
        TAGS.get(at)
    }

    /// Its English name, or `"unlisted tag"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.info().map_or("unlisted tag", |info| info.name)
    }

    /// Whether its value is a list of TLV: kind [`Kind::Stlv`], or the code of a document.
    #[must_use]
    pub fn is_list(self) -> bool {
        self.info().is_some_and(|info| info.kind == Kind::Stlv) || DocumentCode::from_code(self.0).is_some()
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)+) => {
        impl Tag { $($(#[$doc])* pub const $name: Self = Self($number);)+ }
    };
}

tags! {
    /// 1001: automatic-mode flag.
    AUTOMATIC_MODE = 1001;
    /// 1002: autonomous (offline) mode flag.
    AUTONOMOUS_MODE = 1002;
    /// 1005: transfer operator address.
    TRANSFER_OPERATOR_ADDRESS = 1005;
    /// 1008: buyer phone or e-mail.
    BUYER_CONTACT = 1008;
    /// 1009: settlement address.
    SETTLEMENT_ADDRESS = 1009;
    /// 1012: date and time of the document.
    DOCUMENT_TIME = 1012;
    /// 1013: register serial number.
    REGISTER_SERIAL = 1013;
    /// 1016: transfer operator INN.
    TRANSFER_OPERATOR_INN = 1016;
    /// 1017: OFD INN.
    OFD_INN = 1017;
    /// 1018: user (taxpayer) INN.
    USER_INN = 1018;
    /// 1020: receipt total.
    RECEIPT_TOTAL = 1020;
    /// 1021: cashier (post and surname).
    CASHIER = 1021;
    /// 1022: OFD response code.
    OFD_RESPONSE = 1022;
    /// 1023: item quantity.
    QUANTITY = 1023;
    /// 1026: transfer operator name.
    TRANSFER_OPERATOR_NAME = 1026;
    /// 1030: item name.
    ITEM_NAME = 1030;
    /// 1031: paid in cash.
    CASH = 1031;
    /// 1036: vending machine number.
    VENDING_NUMBER = 1036;
    /// 1037: register registration number (RNM).
    RNM = 1037;
    /// 1038: shift number.
    SHIFT_NUMBER = 1038;
    /// 1040: fiscal document number (FD).
    FD_NUMBER = 1040;
    /// 1041: FN number.
    FN_NUMBER = 1041;
    /// 1042: receipt number within shift.
    RECEIPT_NUMBER = 1042;
    /// 1043: item amount.
    ITEM_AMOUNT = 1043;
    /// 1044: bank payment agent operation.
    AGENT_OPERATION = 1044;
    /// 1046: OFD name.
    OFD_NAME = 1046;
    /// 1048: user name.
    USER_NAME = 1048;
    /// 1050: FN resource < 30 days.
    FN_RESOURCE_30_DAYS = 1050;
    /// 1051: FN urgent replacement (< 3 days).
    FN_REPLACE_NOW = 1051;
    /// 1052: FN memory full flag.
    FN_MEMORY_FULL = 1052;
    /// 1053: OFD reply overdue flag.
    OFD_OVERDUE = 1053;
    /// 1054: settlement sign (direction).
    SETTLEMENT_SIGN = 1054;
    /// 1055: tax system applied.
    TAX_SYSTEM = 1055;
    /// 1056: encryption flag.
    ENCRYPTION = 1056;
    /// 1057: agent sign.
    AGENT_SIGN = 1057;
    /// 1059: item of settlement.
    ITEM = 1059;
    /// 1060: tax service site.
    TAX_SITE = 1060;
    /// 1062: tax systems allowed.
    TAX_SYSTEMS = 1062;
    /// 1068: operator message for the FN.
    OPERATOR_MESSAGE = 1068;
    /// 1073: payment agent phone.
    PAYMENT_AGENT_PHONE = 1073;
    /// 1074: payment-accepting operator phone.
    PAYMENT_OPERATOR_PHONE = 1074;
    /// 1075: transfer operator phone.
    TRANSFER_OPERATOR_PHONE = 1075;
    /// 1077: fiscal sign of document (FPD).
    FISCAL_SIGN = 1077;
    /// 1078: operator fiscal sign (FPO).
    OPERATOR_FISCAL_SIGN = 1078;
    /// 1079: unit price.
    ITEM_PRICE = 1079;
    /// 1081: paid by non-cash.
    ELECTRONIC = 1081;
    /// 1082: non-cash payment amount.
    ELECTRONIC_AMOUNT = 1082;
    /// 1084: user additional attribute.
    USER_ATTRIBUTE = 1084;
    /// 1085: attribute name.
    USER_ATTRIBUTE_NAME = 1085;
    /// 1086: attribute value.
    USER_ATTRIBUTE_VALUE = 1086;
    /// 1097: number of unsent FD.
    UNSENT_COUNT = 1097;
    /// 1098: date of the first unsent FD.
    FIRST_UNSENT_DATE = 1098;
    /// 1101: re-registration reason code.
    REREGISTRATION_REASON = 1101;
    /// 1102: VAT 20 % sum.
    VAT_20 = 1102;
    /// 1103: VAT 10 % sum.
    VAT_10 = 1103;
    /// 1104: turnover with VAT 0 %.
    TURNOVER_VAT_0 = 1104;
    /// 1105: turnover without VAT.
    TURNOVER_NO_VAT = 1105;
    /// 1106: VAT 20/120 sum.
    VAT_20_120 = 1106;
    /// 1107: VAT 10/110 sum.
    VAT_10_110 = 1107;
    /// 1108: internet-only register flag.
    INTERNET_ONLY = 1108;
    /// 1109: services flag.
    SERVICES = 1109;
    /// 1110: BSO automated system flag.
    BSO_SYSTEM = 1110;
    /// 1111: FD count of the shift.
    SHIFT_DOCUMENTS = 1111;
    /// 1115: VAT amounts container.
    VAT_AMOUNTS = 1115;
    /// 1116: number of the first unsent FD.
    FIRST_UNSENT_NUMBER = 1116;
    /// 1117: sender e-mail.
    SENDER_EMAIL = 1117;
    /// 1118: receipt count of the shift.
    SHIFT_RECEIPTS = 1118;
    /// 1119: VAT amount of one rate.
    VAT_AMOUNT_OF_RATE = 1119;
    /// 1120: VAT amount.
    VAT_AMOUNT = 1120;
    /// 1125: internet settlement flag.
    INTERNET_SETTLEMENT = 1125;
    /// 1126: lottery flag.
    LOTTERY = 1126;
    /// 1162: goods code (1.05/1.1).
    GOODS_CODE_105 = 1162;
    /// 1163: goods code (1.2).
    GOODS_CODE = 1163;
    /// 1171: supplier phone.
    SUPPLIER_PHONE = 1171;
    /// 1173: correction type.
    CORRECTION_TYPE = 1173;
    /// 1174: correction basis.
    CORRECTION_BASIS = 1174;
    /// 1178: date of the corrected settlement.
    CORRECTED_DATE = 1178;
    /// 1179: tax-authority order number.
    CORRECTION_ORDER_NUMBER = 1179;
    /// 1187: settlement place.
    SETTLEMENT_PLACE = 1187;
    /// 1188: register model version.
    REGISTER_VERSION = 1188;
    /// 1189: FFD version of the register.
    REGISTER_FFD = 1189;
    /// 1190: FFD version of the FN.
    FN_FFD = 1190;
    /// 1191: item additional attribute.
    ITEM_ATTRIBUTE = 1191;
    /// 1192: receipt additional attribute.
    RECEIPT_ATTRIBUTE = 1192;
    /// 1193: gambling flag.
    GAMBLING = 1193;
    /// 1197: unit of measure (1.05/1.1).
    UNIT_105 = 1197;
    /// 1198: VAT per unit.
    VAT_PER_UNIT = 1198;
    /// 1199: VAT rate.
    VAT_RATE = 1199;
    /// 1200: VAT of the item.
    ITEM_VAT = 1200;
    /// 1203: cashier INN.
    CASHIER_INN = 1203;
    /// 1205: reasons of change bitmask.
    CHANGE_REASONS = 1205;
    /// 1206: operator message bits.
    OPERATOR_MESSAGE_BITS = 1206;
    /// 1207: excise goods flag.
    EXCISE_GOODS = 1207;
    /// 1209: FFD version number.
    FFD_VERSION = 1209;
    /// 1212: item kind.
    ITEM_KIND = 1212;
    /// 1213: key resource, days.
    KEY_RESOURCE_DAYS = 1213;
    /// 1214: payment method sign.
    PAYMENT_METHOD = 1214;
    /// 1215: paid by prepayment / advance offset.
    PREPAYMENT = 1215;
    /// 1216: paid by post-payment (credit).
    CREDIT = 1216;
    /// 1217: paid by counter-provision.
    COUNTER_PROVISION = 1217;
    /// 1221: printer in machine flag.
    PRINTER_IN_MACHINE = 1221;
    /// 1222: agent sign of the item.
    ITEM_AGENT_SIGN = 1222;
    /// 1223: agent data.
    AGENT_DATA = 1223;
    /// 1224: supplier data.
    SUPPLIER_DATA = 1224;
    /// 1225: supplier name.
    SUPPLIER_NAME = 1225;
    /// 1226: supplier INN.
    SUPPLIER_INN = 1226;
    /// 1227: buyer name.
    BUYER_NAME = 1227;
    /// 1228: buyer INN.
    BUYER_INN = 1228;
    /// 1229: excise sum.
    EXCISE = 1229;
    /// 1230: country of origin.
    COUNTRY_OF_ORIGIN = 1230;
    /// 1231: customs declaration.
    CUSTOMS_DECLARATION = 1231;
    /// 1234: all non-cash payments.
    ELECTRONIC_PAYMENTS = 1234;
    /// 1235: one non-cash payment.
    ELECTRONIC_PAYMENT = 1235;
    /// 1236: non-cash method sign.
    ELECTRONIC_METHOD = 1236;
    /// 1237: non-cash payment ids.
    ELECTRONIC_IDS = 1237;
    /// 1238: non-cash extra data.
    ELECTRONIC_EXTRA = 1238;
    /// 1243: buyer birth date.
    BUYER_BIRTH_DATE = 1243;
    /// 1244: citizenship.
    BUYER_CITIZENSHIP = 1244;
    /// 1245: identity document kind.
    BUYER_DOCUMENT_KIND = 1245;
    /// 1246: identity document data.
    BUYER_DOCUMENT = 1246;
    /// 1254: buyer address.
    BUYER_ADDRESS = 1254;
    /// 1256: buyer information.
    BUYER = 1256;
    /// 1260: industry attribute of the item.
    ITEM_INDUSTRY_ATTRIBUTE = 1260;
    /// 1261: industry attribute of the receipt.
    RECEIPT_INDUSTRY_ATTRIBUTE = 1261;
    /// 1262: federal body id.
    INDUSTRY_BODY = 1262;
    /// 1263: basis document date.
    INDUSTRY_BASIS_DATE = 1263;
    /// 1264: basis document number.
    INDUSTRY_BASIS_NUMBER = 1264;
    /// 1265: industry attribute value.
    INDUSTRY_VALUE = 1265;
    /// 1270: operational attribute.
    OPERATIONAL_ATTRIBUTE = 1270;
    /// 1271: operation id.
    OPERATION_ID = 1271;
    /// 1272: operation data.
    OPERATION_DATA = 1272;
    /// 1273: operation date-time.
    OPERATION_TIME = 1273;
    /// 1290: usage-condition bits.
    USAGE_CONDITIONS = 1290;
    /// 1291: fractional quantity of marked goods.
    FRACTION = 1291;
    /// 1292: fraction text.
    FRACTION_TEXT = 1292;
    /// 1293: numerator.
    FRACTION_NUMERATOR = 1293;
    /// 1294: denominator.
    FRACTION_DENOMINATOR = 1294;
    /// 2000: marking code.
    MARKING_CODE = 2000;
    /// 2102: marking processing mode (always 0).
    MARKING_MODE = 2102;
    /// 2106: goods information check result.
    MARKING_CHECK_RESULT = 2106;
    /// 2107: marked goods check result.
    MARKED_GOODS_RESULT = 2107;
    /// 2108: quantity measure code.
    MEASURE = 2108;
    /// 2110: assigned status.
    ASSIGNED_STATUS = 2110;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_tag_table_is_found_by_its_number() {
        assert_eq!(TAGS.len(), 217);
        for info in TAGS {
            assert_eq!(info.tag.info(), Some(info));
        }
        assert_eq!(Tag(1003).info(), None);
    }

    #[test]
    fn kinds_and_lengths_agree() {
        for info in TAGS {
            let fits = match info.kind {
                Kind::Byte | Kind::Bits8 => info.max_len == Some(1) && info.fixed,
                Kind::U16 => info.max_len == Some(2),
                Kind::U32 | Kind::Bits32 | Kind::Unixtime => info.max_len == Some(4),
                Kind::Vln | Kind::Fvln => info.max_len.is_some_and(|n| n <= 8) && !info.fixed,
                Kind::FixedStr => info.fixed,
                Kind::Str => !info.fixed,
                Kind::PrintedOnly => info.max_len.is_none(),
                Kind::Bytes | Kind::Stlv => true,
            };
            assert!(fits, "{info:?}");
        }
    }
}
