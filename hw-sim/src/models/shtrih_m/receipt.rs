//! An open receipt: items, tags, sums, taxes.
//!
//! Owns: the arithmetic of `shtrih-m.md` 3.5 and the content of the receipt document.
//! Must never: reach the FN with a receipt that does not add up.

use super::config::{Ffd, Registration};
use super::figures::Figures;
use super::tags::{BAD, Place, Vat};
use crate::fiscal_storage::document::{Body, fvln_millionths, walk};
use kassette_wire::text::{decode_cp1251, encode_cp866, until_nul};
use kassette_wire::value::{Kopecks, Quantity};

/// Largest sum of a receipt or item: 9 999 999 999 kopecks (`shtrih-m.md` 0).
const LARGEST_SUM: u64 = 9_999_999_999;
/// Range overflow in a receipt, one of the codes 60 to 63.
const OVERFLOW: u8 = 0x60;
/// Room for items and host tags: the FN takes 30 KiB (`fn-ffd-ofd` A.2), of which the register's own tags need a part,
/// so that a receipt that was taken line by line can also be closed.
const ROOM: usize = 28 * 1024;

/// One item, complete with its tags.
#[derive(Debug, Clone)]
struct Item {
    department: u8,
    vat: Vat,
    sum: u64,
    tax: Option<u64>,
    own: Body,
    host: Vec<u8>,
}

/// What FF46 or 80 to 83 say of an item.
#[derive(Debug, Clone)]
pub(super) struct NewItem<'a> {
    pub name: &'a [u8],
    pub quantity: Quantity,
    pub price: Kopecks,
    pub sum: Option<Kopecks>,
    pub vat: Vat,
    pub department: u8,
    pub method: u8,
    pub subject: u8,
}

/// How a receipt is closed.
#[derive(Debug, Clone)]
pub(super) struct Payment {
    /// Cash, non-cash, prepayment, credit, counter-provision.
    pub sums: [u64; 5],
    /// Cash, payment types 2 to 4, as the host named them.
    pub types: [u64; 4],
    pub rounding: u64,
    pub tax_system: u8,
    /// VAT totals 1102 to 1107 from the host, when the register does not compute them.
    pub taxes: Option<[u64; 6]>,
}

/// What the document says besides the receipt itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closing<'a> {
    pub payment: &'a Payment,
    /// Sum after rounding.
    pub total: u64,
    /// Given back in cash.
    pub change: u64,
    /// VAT is rounded over the sum of a rate.
    pub over_total: bool,
    pub facts: &'a Registration,
    pub ffd: Ffd,
    /// Name of the operator, for tag 1021.
    pub cashier: &'a str,
}

/// A receipt between its opening and its closing.
#[derive(Debug, Clone)]
pub(super) struct Receipt {
    /// Tag 1054: 1 income, 2 income return, 3 outcome, 4 outcome return.
    pub sign: u8,
    /// Status nibble of mode 8: 0 sale, 1 buy, 2 sale return, 3 buy return.
    pub status: u8,
    pub correction: bool,
    /// Row of table 2 that opened it.
    pub operator: u8,
    items: Vec<Item>,
    host: Vec<u8>,
    /// Kopecks that FF4B took off the total.
    taken_off: u64,
}

impl Receipt {
    /// A receipt of the kind byte of 8D. The numbering of 8D differs from that of FF46 and of tag 1054.
    pub const fn of_8d(kind: u8, operator: u8) -> Option<Self> {
        let status = kind & 0x7F;
        let sign = match status {
            0 => 1,
            1 => 3,
            2 => 2,
            3 => 4,
            _ => return None,
        };
        Some(Self {
            sign,
            status,
            correction: kind & 0x80 != 0,
            operator,
            items: Vec::new(),
            host: Vec::new(),
            taken_off: 0,
        })
    }

    /// A correction of FFD 1.05: no items, its sums come with FF4A, `host` is the TLV that FF0C brought.
    pub fn of_ff4a(direction: u8, operator: u8, host: Vec<u8>) -> Option<Self> {
        let fresh = Self::of_ff46(direction, operator)?;
        Some(Self {
            correction: true,
            host,
            ..fresh
        })
    }

    /// A receipt of the operation byte of FF46, which is numbered as tag 1054.
    pub const fn of_ff46(operation: u8, operator: u8) -> Option<Self> {
        let kind = match operation {
            1 => 0,
            2 => 2,
            3 => 1,
            4 => 3,
            _ => return None,
        };
        Self::of_8d(kind, operator)
    }

    pub fn item_count(&self) -> usize {
        self.items.len()
    }

    /// Sum of the items.
    pub fn total(&self) -> u64 {
        self.items.iter().map(|i| i.sum).sum()
    }

    /// Sum of the items less what FF4B took off.
    pub fn subtotal(&self) -> u64 {
        self.total().saturating_sub(self.taken_off)
    }

    /// FF4B: the kopecks of the total and nothing else, as the only difference that the format allows between a total
    /// and its items (`fn-ffd-ofd` C.7). 0 takes it back.
    pub fn take_off(&mut self, kopecks: u64) -> Result<(), u8> {
        if kopecks != 0 && kopecks != self.total() % 100 {
            return Err(BAD);
        }
        self.taken_off = kopecks;
        Ok(())
    }

    /// What its operations add to the registers.
    pub fn figures(&self) -> Figures {
        let mut figures = Figures::default();
        for item in &self.items {
            figures.add_operation(item.department, item.sum, item.vat.rate, item.tax.unwrap_or(0));
        }
        figures
    }

    pub const fn place(&self) -> Place {
        if self.correction {
            Place::Correction
        } else {
            Place::Receipt
        }
    }

    /// TLV that FF0C brought so far.
    pub fn host_tags(&self) -> &[u8] {
        &self.host
    }

    /// TLV that FF4D brought to the last item; `None` when there is no item.
    pub fn item_tags(&self) -> Option<&[u8]> {
        self.items.last().map(|i| i.host.as_slice())
    }

    /// Takes checked TLV of FF0C.
    pub fn add_tags(&mut self, tlv: &[u8]) -> Result<(), u8> {
        if self.size() + tlv.len() > ROOM {
            return Err(crate::fiscal_storage::code::TOO_LARGE);
        }
        self.host.extend_from_slice(tlv);
        Ok(())
    }

    /// Takes checked TLV of FF4D to the last item.
    pub fn add_item_tags(&mut self, tlv: &[u8]) -> Result<(), u8> {
        let size = self.size();
        let item = self.items.last_mut().ok_or(BAD)?;
        if item.size() + tlv.len() > 1024 || size + tlv.len() > ROOM {
            return Err(crate::fiscal_storage::code::TOO_LARGE);
        }
        item.host.extend_from_slice(tlv);
        Ok(())
    }

    fn size(&self) -> usize {
        self.host.len() + self.items.iter().map(Item::size).sum::<usize>()
    }

    /// Adds an item. `mismatch` is the error when the sum is not price × quantity ± 1 kopeck.
    pub fn add_item(&mut self, new: &NewItem<'_>, ffd: Ffd, mismatch: u8) -> Result<(), u8> {
        let name = item_name(new.name)?;
        let subjects = if ffd == Ffd::V12 { 33 } else { 19 };
        let in_range = (1..=7).contains(&new.method) && (1..=subjects).contains(&new.subject);
        if !in_range || new.quantity.millionths() == 0 || (28..=29).contains(&new.subject) {
            return Err(BAD);
        }
        let computed = new.quantity.cost(new.price).ok_or(OVERFLOW)?.get();
        let sum = match new.sum {
            None => computed,
            Some(given) if given.get().abs_diff(computed) <= 1 => given.get(),
            Some(_) => return Err(mismatch),
        };
        if sum > LARGEST_SUM || self.total() + sum > LARGEST_SUM {
            return Err(OVERFLOW);
        }
        let item = Item::new(&name, new, sum);
        if item.size() > 1024 || self.size() + item.size() > ROOM {
            return Err(crate::fiscal_storage::code::TOO_LARGE);
        }
        self.items.push(item);
        Ok(())
    }

    /// Money rules of the closing: what is paid, and the change. `zero_forbidden` is 1/1/23.
    pub fn settle(&self, payment: &Payment, zero_forbidden: bool) -> Result<(u64, u64), u8> {
        let items = self.total();
        if self.items.is_empty() || (items == 0 && zero_forbidden) {
            return Err(0x8E);
        }
        // Rounding takes the kopecks of the total, in favour of the buyer, or nothing.
        let rounding = payment.rounding + self.taken_off;
        if rounding > 99 || (rounding != 0 && rounding != items % 100) {
            return Err(BAD);
        }
        let total = items - rounding;
        let cashless: u64 = payment.sums[1..].iter().sum();
        if cashless > total {
            return Err(0x4D);
        }
        let paid = cashless + payment.sums[0];
        if paid < total {
            return Err(0x45);
        }
        if paid > LARGEST_SUM {
            return Err(OVERFLOW);
        }
        Ok((total, paid - total))
    }

    /// The content of the document behind the numbers that the FN gives.
    pub fn body(&self, closing: &Closing<'_>) -> Body {
        let Closing {
            payment,
            total,
            change,
            ffd,
            ..
        } = *closing;
        let mut body = Body::new();
        body.byte(1054, self.sign)
            .byte(1055, payment.tax_system)
            .sum(1020, total);
        let cash = payment.sums[0] - change;
        for (tag, sum) in [1031, 1081, 1215, 1216, 1217]
            .into_iter()
            .zip([&[cash][..], &payment.sums[1..]].concat())
        {
            body.sum(tag, sum);
        }
        self.tax_tags(&mut body, payment, closing.over_total);
        for item in &self.items {
            body.list(1059, &item.body(ffd));
        }
        self.register_tags(&mut body, closing.facts, ffd, closing.cashier);
        body.append(&Body::from_tlv(self.host.clone()))
            .byte(1209, ffd.tag_value());
        body
    }

    /// What the register says by itself where the host said nothing.
    fn register_tags(&self, body: &mut Body, facts: &Registration, ffd: Ffd, cashier: &str) {
        let host: Vec<u16> = walk(&self.host)
            .unwrap_or_default()
            .iter()
            .map(|(tag, _)| *tag)
            .collect();
        let given = |tag: u16| host.contains(&tag);
        let mut text = |tag: u16, value: &str, wanted: bool| {
            if wanted && !value.is_empty() && !given(tag) {
                body.text(tag, value);
            }
        };
        text(1021, cashier, true);
        text(1048, &facts.user_name, true);
        text(1009, &facts.address, true);
        text(1187, &facts.place, true);
        text(1060, &facts.tax_site, true);
        text(1117, &facts.sender_email, given(1008));
        text(1036, &facts.automat, facts.work_mode & 0x04 != 0);
        // Under 1.05 the receipt of an internet register says so (1108, Rc:O).
        if ffd == Ffd::V105 && facts.work_mode & 0x20 != 0 && !given(1108) {
            body.byte(1108, 1);
        }
    }

    /// 1102 to 1107, and 1115 with 1119 for the rates that have no tag of their own.
    fn tax_tags(&self, body: &mut Body, payment: &Payment, over_total: bool) {
        if let Some(given) = payment.taxes {
            for (tag, sum) in (1102..=1107).zip(given) {
                if sum > 0 {
                    body.sum(tag, sum);
                }
            }
            return;
        }
        let totals = self.vat_totals(over_total);
        let mut list = Body::new();
        for (vat, amount) in &totals {
            match vat.total() {
                Some(tag) => {
                    body.sum(tag, *amount);
                }
                None => {
                    let mut one = Body::new();
                    one.byte(1199, vat.rate).sum(1120, *amount);
                    list.list(1119, &one);
                }
            }
        }
        if list.as_bytes().is_empty() {
            return;
        }
        if totals.iter().all(|(vat, _)| vat.total().is_none()) {
            // "At least one VAT total" is kept by an empty 1104 (`fn-ffd-ofd` C.4, additions).
            body.sum(1104, 0);
        }
        body.list(1115, &list);
    }

    /// Per rate its tax, or its turnover where it has none, in the order of 1199.
    fn vat_totals(&self, over_total: bool) -> Vec<(Vat, u64)> {
        let rates = (1..=12).filter_map(Vat::by_rate);
        let of_rate = |vat: Vat| {
            let mut items = self.items.iter().filter(|i| i.vat == vat).peekable();
            items.peek()?;
            let sum: u64 = items.clone().map(|i| i.sum).sum();
            let amount = match (vat.tax(sum), over_total) {
                (None, _) => sum,
                (Some(tax), true) => tax,
                (Some(_), false) => items.filter_map(|i| i.tax).sum(),
            };
            Some((vat, amount))
        };
        rates.filter_map(of_rate).collect()
    }
}

impl Item {
    /// Tags in the order of a captured 1059: 1030, 1079, 1023, 1043, 1199, 1200, 1214, 1212.
    fn new(name: &[u8], new: &NewItem<'_>, sum: u64) -> Self {
        let tax = new.vat.tax(sum);
        let mut own = Body::new();
        own.bytes(1030, name).sum(1079, new.price.get());
        own.bytes(1023, &fvln_millionths(new.quantity.millionths()))
            .sum(1043, sum)
            .byte(1199, new.vat.rate);
        if let Some(tax) = tax {
            own.sum(1200, tax);
        }
        own.byte(1214, new.method).byte(1212, new.subject);
        Self {
            department: new.department,
            vat: new.vat,
            sum,
            tax,
            own,
            host: Vec::new(),
        }
    }

    fn size(&self) -> usize {
        // 1059 header and a 2108 that may still be added.
        self.own.as_bytes().len() + self.host.len() + 4 + 5
    }

    fn body(&self, ffd: Ffd) -> Body {
        let mut body = self.own.clone();
        body.append(&Body::from_tlv(self.host.clone()));
        let measured = walk(&self.host).unwrap_or_default().iter().any(|(tag, _)| *tag == 2108);
        if ffd == Ffd::V12 && !measured {
            body.byte(2108, 0);
        }
        body
    }
}

/// Name of an item in CP866. `//` in front means "do not print" and is no part of it. The field holds 128 bytes.
fn item_name(field: &[u8]) -> Result<Vec<u8>, u8> {
    if field.len() > 128 {
        return Err(0x7E);
    }
    let text = decode_cp1251(until_nul(field));
    let text = text.strip_prefix("//").unwrap_or(&text);
    if text.is_empty() {
        return Err(BAD);
    }
    let mut buffer = [0; 4];
    let bytes = text
        .chars()
        .flat_map(|c| encode_cp866(c.encode_utf8(&mut buffer)).unwrap_or_else(|_| vec![b'?']));
    Ok(bytes.collect())
}
