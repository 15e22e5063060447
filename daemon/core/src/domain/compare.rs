//! A receipt in the FN against what was asked, tag by tag.
//!
//! Owns: the one table of tags: who brings each into a receipt, and whether its value is compared.
//! Must never: show a value of a buyer, or let a tag pass that nobody brought.

use super::attempt::KeyPlace;
use super::content::{self, ContentError};
use super::device::Ffd;
use super::taxes;
use kassette_receipts::digest::tag_digest;
use kassette_receipts::hash::HashKey;
use kassette_receipts::job_key::JobKey;
use kassette_receipts::model::{Item, Receipt};
use kassette_wire::ffd::{Kind, Tag, Tlv, TlvList};
use kassette_wire::value::Kopecks;
use std::collections::BTreeSet;
use std::fmt::Debug;

/// Who brings a tag into a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The request alone: compared, and absent where it was not asked for. The job key stands in one of these.
    Request,
    /// The request, else the register from its settings or registration: compared where it was asked for.
    RequestOrRegister,
    /// Register and FN, and we know what it must be: compared with the outcome that was told.
    Known,
    /// The register, from the items: compared with what they make.
    Computed,
    /// The register or the FN, by themselves: not compared.
    Register,
}

/// Tags of a receipt and a correction, outside its items (`fn-ffd-ofd` C.4, columns Rc and Co). One that is not here
/// stands in no receipt.
pub const OF_DOCUMENT: &[(Tag, By)] = &[
    (Tag::FN_NUMBER, By::Known),
    (Tag::RNM, By::Known),
    (Tag::USER_INN, By::Known),
    (Tag::FD_NUMBER, By::Known),
    (Tag::FISCAL_SIGN, By::Known),
    (Tag::DOCUMENT_TIME, By::Known),
    (Tag::SHIFT_NUMBER, By::Known),
    (Tag::RECEIPT_NUMBER, By::Known),
    (Tag::FFD_VERSION, By::Known),
    (Tag::SETTLEMENT_SIGN, By::Known),
    (Tag::TAX_SYSTEM, By::Known),
    (Tag::RECEIPT_TOTAL, By::Known),
    (Tag::CASH, By::Known),
    (Tag::ELECTRONIC, By::Known),
    (Tag::PREPAYMENT, By::Known),
    (Tag::CREDIT, By::Known),
    (Tag::COUNTER_PROVISION, By::Known),
    (Tag::ITEM, By::Known),
    (Tag::VAT_20, By::Computed),
    (Tag::VAT_10, By::Computed),
    (Tag::TURNOVER_VAT_0, By::Computed),
    (Tag::TURNOVER_NO_VAT, By::Computed),
    (Tag::VAT_20_120, By::Computed),
    (Tag::VAT_10_110, By::Computed),
    (Tag::VAT_AMOUNTS, By::Computed),
    (Tag::RECEIPT_ATTRIBUTE, By::Request),
    (Tag::USER_ATTRIBUTE, By::Request),
    (Tag::BUYER_CONTACT, By::Request),
    (Tag::BUYER_NAME, By::Request),
    (Tag::BUYER_INN, By::Request),
    (Tag::BUYER, By::Request),
    (Tag::AGENT_SIGN, By::Request),
    (Tag::AGENT_OPERATION, By::Request),
    (Tag::PAYMENT_AGENT_PHONE, By::Request),
    (Tag::PAYMENT_OPERATOR_PHONE, By::Request),
    (Tag::TRANSFER_OPERATOR_PHONE, By::Request),
    (Tag::TRANSFER_OPERATOR_NAME, By::Request),
    (Tag::TRANSFER_OPERATOR_ADDRESS, By::Request),
    (Tag::TRANSFER_OPERATOR_INN, By::Request),
    (Tag::SUPPLIER_PHONE, By::Request),
    (Tag::ELECTRONIC_PAYMENTS, By::Request),
    (Tag::RECEIPT_INDUSTRY_ATTRIBUTE, By::Request),
    (Tag::OPERATIONAL_ATTRIBUTE, By::Request),
    (Tag::CORRECTION_TYPE, By::Request),
    (Tag::CORRECTION_BASIS, By::Request),
    (Tag::CASHIER, By::RequestOrRegister),
    (Tag::CASHIER_INN, By::RequestOrRegister),
    (Tag::SETTLEMENT_ADDRESS, By::RequestOrRegister),
    (Tag::SETTLEMENT_PLACE, By::RequestOrRegister),
    (Tag::SENDER_EMAIL, By::RequestOrRegister),
    (Tag::TAX_SITE, By::RequestOrRegister),
    (Tag::VENDING_NUMBER, By::RequestOrRegister),
    (Tag::INTERNET_SETTLEMENT, By::RequestOrRegister),
    (Tag::USER_NAME, By::Register),
    (Tag::REGISTER_SERIAL, By::Register),
    (Tag::INTERNET_ONLY, By::Register),
    (Tag::AUTOMATIC_MODE, By::Register),
    (Tag::AUTONOMOUS_MODE, By::Register),
    (Tag::ENCRYPTION, By::Register),
    (Tag::SERVICES, By::Register),
    (Tag::BSO_SYSTEM, By::Register),
    (Tag::REGISTER_VERSION, By::Register),
    (Tag::REGISTER_FFD, By::Register),
    (Tag::FN_FFD, By::Register),
    (Tag::OPERATOR_MESSAGE_BITS, By::Register),
    (MARKED_GOODS_CHECK, By::Register),
];

/// Tags of an item, inside tag 1059 (`fn-ffd-ofd` C.4, column It).
pub const OF_ITEM: &[(Tag, By)] = &[
    (Tag::ITEM_NAME, By::Known),
    (Tag::ITEM_PRICE, By::Known),
    (Tag::QUANTITY, By::Known),
    (Tag::ITEM_AMOUNT, By::Known),
    (Tag::VAT_RATE, By::Known),
    (Tag::PAYMENT_METHOD, By::Known),
    (Tag::ITEM_KIND, By::Known),
    (Tag::ITEM_VAT, By::Computed),
    (Tag::ITEM_ATTRIBUTE, By::Request),
    (Tag::UNIT_105, By::Request),
    (Tag::GOODS_CODE_105, By::Request),
    (Tag::GOODS_CODE, By::Request),
    (Tag::ITEM_AGENT_SIGN, By::Request),
    (Tag::AGENT_DATA, By::Request),
    (Tag::SUPPLIER_DATA, By::Request),
    (Tag::SUPPLIER_INN, By::Request),
    (Tag::EXCISE, By::Request),
    (Tag::COUNTRY_OF_ORIGIN, By::Request),
    (Tag::CUSTOMS_DECLARATION, By::Request),
    (Tag::ITEM_INDUSTRY_ATTRIBUTE, By::Request),
    (Tag::FRACTION, By::Request),
    (Tag::VAT_PER_UNIT, By::RequestOrRegister),
    (Tag::MEASURE, By::RequestOrRegister),
    (Tag::MARKING_MODE, By::Register),
    (GOODS_CHECK, By::Register),
];

/// 2107: receipt with marked goods whose check was negative.
const MARKED_GOODS_CHECK: Tag = Tag(2107);
/// 2106: what the check of an item's code gave.
const GOODS_CHECK: Tag = Tag(2106);

/// What stays of a buyer that was dropped: keyed digests that stand for the values of the tags.
#[derive(Debug, Clone)]
pub struct Dropped {
    /// The tenant's key of content.
    pub key: HashKey,
    /// The job.
    pub job: JobKey,
    /// Tags and their digests in hexadecimal (`kassette_receipts::digest`).
    pub digests: Vec<(u16, String)>,
}

impl Dropped {
    /// Tags of the buyer in the document that say another thing than was asked, or are there alone on one side.
    fn differing(&self, tags: &TlvList) -> BTreeSet<Tag> {
        let about = tags.list(Tag::BUYER).ok().flatten().unwrap_or_default();
        let made = tags
            .items
            .iter()
            .filter(|one| one.tag != Tag::BUYER && OF_BUYER.contains(&one.tag));
        let made: Vec<(u16, String)> = made.chain(&about.items).map(|one| self.digest(one)).collect();
        let missing = self.digests.iter().filter(|asked| !made.contains(asked));
        let strange = made.iter().filter(|one| !self.digests.contains(one));
        missing.chain(strange).map(|(tag, _)| Tag(*tag)).collect()
    }

    fn digest(&self, one: &Tlv) -> (u16, String) {
        let digest = tag_digest(&self.key, &self.job, one.tag.0, &one.to_text());
        (one.tag.0, digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Tags that tell who buys. They are compared and never kept in clear beside the journal's sealed contacts.
pub const OF_BUYER: [Tag; 9] = [
    Tag::BUYER_CONTACT,
    Tag::BUYER_NAME,
    Tag::BUYER_INN,
    Tag::BUYER_BIRTH_DATE,
    Tag::BUYER_CITIZENSHIP,
    Tag::BUYER_DOCUMENT_KIND,
    Tag::BUYER_DOCUMENT,
    Tag::BUYER_ADDRESS,
    Tag::BUYER,
];

/// What was asked of a document.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The receipt, with its buyer unless that was dropped.
    pub receipt: &'a Receipt,
    /// Where the job key stands: a tag of ours, which the client did not ask for.
    pub place: KeyPlace,
    /// What stands for a buyer that was dropped.
    pub dropped: Option<&'a Dropped>,
}

/// Every tag of the document that differs from what was asked, in words, by the format that the document says it is of.
#[must_use]
pub fn differences(tags: &TlvList, asked: &Asked<'_>) -> Vec<String> {
    let receipt = asked.receipt;
    let mut compare = Compare::new(tags, String::new());
    let Some(ffd) = compare.format() else {
        return compare.found;
    };
    compare.table(OF_DOCUMENT);
    compare.byte(Tag::SETTLEMENT_SIGN, Some(receipt.sign));
    compare.byte(Tag::TAX_SYSTEM, receipt.tax_system);
    compare.money(Tag::RECEIPT_TOTAL, receipt.total);
    compare.money(Tag::CASH, receipt.payments.cash);
    compare.money(Tag::ELECTRONIC, receipt.payments.electronic);
    compare.money(Tag::PREPAYMENT, receipt.payments.prepaid);
    compare.money(Tag::CREDIT, receipt.payments.credit);
    compare.money(Tag::COUNTER_PROVISION, receipt.payments.counter);
    let ours = match asked.place {
        KeyPlace::AdditionalAttribute => Some(Tag::RECEIPT_ATTRIBUTE),
        KeyPlace::UserAttribute => Some(Tag::USER_ATTRIBUTE),
        KeyPlace::ByContent => None,
    };
    let dropped = asked.dropped.filter(|_| receipt.buyer.is_none());
    let apart = |tag: Tag| Some(tag) == ours || (dropped.is_some() && OF_BUYER.contains(&tag));
    compare.content(content::document_tags(receipt, ffd), OF_DOCUMENT, apart);
    if let Some(dropped) = dropped {
        compare.buyer(dropped);
    }
    let mut found = compare.found;
    found.extend(taxes::differences(tags, receipt));
    match tags.lists(Tag::ITEM) {
        Err(error) => found.push(format!("items: {error}")),
        Ok(items) if items.len() != receipt.items.len() => {
            found.push(format!("{} items, asked {}", items.len(), receipt.items.len()));
        }
        Ok(items) => {
            for (at, (made, asked)) in items.iter().zip(&receipt.items).enumerate() {
                found.extend(item_differences(at, made, asked, ffd));
            }
        }
    }
    found
}

fn item_differences(at: usize, made: &TlvList, asked: &Item, ffd: Ffd) -> Vec<String> {
    let mut compare = Compare::new(made, format!("item {at} "));
    compare.table(OF_ITEM);
    compare.text(Tag::ITEM_NAME, Some(&asked.name));
    compare.money(Tag::ITEM_PRICE, asked.price);
    compare.money(Tag::ITEM_AMOUNT, asked.amount);
    if made.quantity(Tag::QUANTITY).ok().flatten() != Some(asked.quantity) {
        compare
            .found
            .push(format!("item {at} tag 1023: asked {}", asked.quantity));
    }
    compare.byte(Tag::VAT_RATE, asked.vat_rate);
    compare.byte(Tag::PAYMENT_METHOD, asked.method);
    compare.byte(Tag::ITEM_KIND, asked.subject);
    if asked.measure.is_none() && made.find(Tag::MEASURE).is_some() {
        // What a register of FFD 1.2 says where it was told nothing: pieces.
        compare.byte(Tag::MEASURE, Some(0));
    }
    compare.content(content::item_tags(asked, ffd), OF_ITEM, |_| false);
    compare.found.extend(taxes::item_difference(at, made, asked));
    compare.found
}

/// Whether two TLV of the same tag say the same: texts without the spaces at their end, numbers by their value, lists by
/// what stands in them, all else byte by byte.
fn same(made: &Tlv, asked: &Tlv) -> bool {
    match made.tag.info().map(|info| info.kind) {
        Some(Kind::Str | Kind::FixedStr) => made.to_text().trim_end() == asked.to_text().trim_end(),
        Some(Kind::Vln) => matches!((made.to_vln(), asked.to_vln()), (Ok(made), Ok(asked)) if made == asked),
        Some(Kind::Stlv) => {
            let lists = made.to_list().ok().zip(asked.to_list().ok());
            lists.is_some_and(|(made, asked)| same_list(&made, &asked))
        }
        _ => made.value == asked.value,
    }
}

/// Whether two lists hold the same tags; those of one tag in the same order.
fn same_list(made: &TlvList, asked: &TlvList) -> bool {
    made.items.len() == asked.items.len() && asked.items.iter().all(|one| same_tag(made, asked, one.tag))
}

fn same_tag(made: &TlvList, asked: &TlvList, tag: Tag) -> bool {
    let (made, asked): (Vec<&Tlv>, Vec<&Tlv>) = (made.all(tag).collect(), asked.all(tag).collect());
    made.len() == asked.len() && made.iter().zip(asked).all(|(made, asked)| same(made, asked))
}

struct Compare<'a> {
    tags: &'a TlvList,
    path: String,
    found: Vec<String>,
}

impl<'a> Compare<'a> {
    const fn new(tags: &'a TlvList, path: String) -> Self {
        Self {
            tags,
            path,
            found: Vec::new(),
        }
    }

    fn differ(&mut self, tag: Tag, made: impl Debug, asked: impl Debug) {
        self.found
            .push(format!("{}tag {}: {made:?}, asked {asked:?}", self.path, tag.0));
    }

    /// The format that the document itself states.
    fn format(&mut self) -> Option<Ffd> {
        let stated = self.tags.byte(Tag::FFD_VERSION);
        let ffd = stated.clone().ok().flatten().and_then(Ffd::of_code);
        if ffd.is_none() {
            self.differ(Tag::FFD_VERSION, stated, "a format we know");
        }
        ffd
    }

    /// Every tag of the document has its place in the table, and stands once; of those that a client may repeat the
    /// content knows how often.
    fn table(&mut self, table: &[(Tag, By)]) {
        let mut seen = BTreeSet::new();
        for tlv in &self.tags.items {
            let by = table.iter().find(|(tag, _)| *tag == tlv.tag).map(|(_, by)| *by);
            let again = !seen.insert(tlv.tag) && tlv.tag != Tag::ITEM;
            match by {
                None => self
                    .found
                    .push(format!("{}tag {} was not asked for", self.path, tlv.tag)),
                Some(By::Request) => {}
                Some(_) if again => self.found.push(format!("{}tag {} stands twice", self.path, tlv.tag)),
                Some(_) => {}
            }
        }
    }

    fn money(&mut self, tag: Tag, asked: Kopecks) {
        // A register may leave a zero sum out or write it empty (captures).
        let made = self.tags.money(tag).map(Option::unwrap_or_default);
        if made != Ok(asked) {
            self.differ(tag, made, asked);
        }
    }

    fn byte(&mut self, tag: Tag, asked: Option<u32>) {
        let Some(asked) = asked else { return };
        let made = self.tags.byte(tag);
        if made.clone().ok().flatten().map(u32::from) != Some(asked) {
            self.differ(tag, made, asked);
        }
    }

    /// Personal values are compared, never shown.
    fn text(&mut self, tag: Tag, asked: Option<&str>) {
        let Some(asked) = asked else { return };
        let made = self.tags.text(tag);
        if made.as_deref().map(str::trim_end) != Some(asked.trim_end()) {
            self.found.push(format!("{}tag {}: another text", self.path, tag.0));
        }
    }

    /// The tags that the content makes, and no other of those that only a request brings; `apart` are compared
    /// elsewhere. Values are never shown.
    fn content(&mut self, asked: Result<Vec<Tlv>, ContentError>, table: &[(Tag, By)], apart: impl Fn(Tag) -> bool) {
        let asked = match asked {
            Ok(items) => TlvList { items },
            Err(error) => return self.found.push(format!("{}{error}", self.path)),
        };
        let mut seen = BTreeSet::new();
        for tag in asked.items.iter().map(|one| one.tag).filter(|tag| seen.insert(*tag)) {
            if self.tags.find(tag).is_none() {
                self.found.push(format!("{}tag {tag} is absent", self.path));
            } else if !same_tag(self.tags, &asked, tag) {
                self.found.push(format!("{}tag {tag}: another value", self.path));
            }
        }
        let request = table.iter().filter(|(tag, by)| *by == By::Request && !apart(*tag));
        for (tag, _) in request.filter(|(tag, _)| !seen.contains(tag)) {
            if self.tags.find(*tag).is_some() {
                self.found.push(format!("{}tag {tag} was not asked for", self.path));
            }
        }
    }

    fn buyer(&mut self, dropped: &Dropped) {
        for tag in dropped.differing(self.tags) {
            self.found.push(format!("{}tag {tag}: another value", self.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kassette_receipts::digest::buyer_digests;
    use kassette_receipts::job_key::{Generation, Parts, RackId, Sequence, SubmissionHash};
    use kassette_receipts::model::Buyer;

    fn job() -> JobKey {
        JobKey::new(Parts {
            rack: RackId::UNNAMED,
            generation: Generation::new(1).unwrap(),
            sequence: Sequence::new(1).unwrap(),
            hash: SubmissionHash::of("c", "t", "e"),
        })
    }

    fn dropped(buyer: &Buyer) -> Dropped {
        let key = HashKey::new([7; 32]);
        let digests = buyer_digests(&key, &job(), buyer).into_iter();
        let hex = |digest: [u8; 16]| digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Dropped {
            digests: digests.map(|(tag, digest)| (tag, hex(digest))).collect(),
            job: job(),
            key,
        }
    }

    #[test]
    fn a_digest_stands_for_each_tag_of_a_buyer_that_was_dropped() {
        let buyer = Buyer {
            contact: Some("a@b.ru".into()),
            name: Some("Anna".into()),
            ..Buyer::default()
        };
        let kept = dropped(&buyer);
        let contact = |text| Tlv::text(Tag::BUYER_CONTACT, text).unwrap();
        let about = |text| {
            let inner = TlvList::new().with(Tlv::text(Tag::BUYER_NAME, text).unwrap());
            Tlv::list(Tag::BUYER, &inner).unwrap()
        };
        let right = TlvList::new().with(contact("a@b.ru")).with(about("Anna"));
        assert!(kept.differing(&right).is_empty());
        let other = TlvList::new().with(contact("a@c.ru")).with(about("Anna"));
        assert_eq!(kept.differing(&other), [Tag::BUYER_CONTACT].into());
        let less = TlvList::new().with(contact("a@b.ru"));
        assert_eq!(kept.differing(&less), [Tag::BUYER_NAME].into());
        let more = right.with(Tlv::text(Tag::BUYER_INN, "7704358518").unwrap());
        assert_eq!(kept.differing(&more), [Tag::BUYER_INN].into());
    }

    #[test]
    fn every_tag_that_the_content_makes_has_one_place_in_the_table() {
        for table in [OF_DOCUMENT, OF_ITEM] {
            let tags: BTreeSet<Tag> = table.iter().map(|(tag, _)| *tag).collect();
            assert_eq!(tags.len(), table.len(), "a tag stands twice");
        }
    }
}
