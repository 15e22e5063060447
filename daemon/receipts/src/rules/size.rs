//! Rules 36 and 37: how many bytes a document takes, and what stands in it twice.
//!
//! Owns: the TLV sizes of everything that a receipt or correction carries.
//! Must never: be smaller than what a register writes; what the rack adds is counted too.

use super::context::RuleContext;
use super::findings::Findings;
use super::lengths::{INDUSTRY_MAX, ITEM_MAX, RECEIPT_MAX};
use super::place::Place;
use crate::law::HIGHEST_RATE;
use crate::model::{Agent, Buyer, Fraction, GoodsCode, IndustryAttribute, Item, Receipt, Supplier};
use kassette_wire::value::Kopecks;

/// Tag and length before every value (`fn-ffd-ofd` C.1).
const HEAD: usize = 4;
/// A TLV of one byte.
const BYTE: usize = HEAD + 1;
/// A TLV of four bytes.
const FOUR: usize = HEAD + 4;
/// A TLV of an INN, padded to 12.
const INN: usize = HEAD + 12;
/// The job key that the rack adds in 1192, or, where the client's own value stands there, in 1084.
const JOB_KEY: usize = HEAD + 16;

fn text(text: &str) -> usize {
    // CP866 has one byte for a character; what it lacks is refused by R12.
    HEAD + text.chars().count()
}

fn maybe(value: Option<&String>) -> usize {
    value.map_or(0, |value| text(value))
}

fn texts(list: &[String]) -> usize {
    list.iter().map(|one| text(one)).sum()
}

/// A number in its shortest form, at least one byte (`fn-ffd-ofd` C.1, VLN).
const fn vln(value: u64) -> usize {
    HEAD + vln_bytes(value)
}

const fn vln_bytes(value: u64) -> usize {
    let bytes = (64 - value.leading_zeros() as usize).div_ceil(8);
    if bytes == 0 { 1 } else { bytes }
}

fn sum(value: Option<Kopecks>) -> usize {
    value.map_or(0, |value| vln(value.get()))
}

fn agent(agent: &Agent) -> usize {
    maybe(agent.operation.as_ref())
        + texts(&agent.agent_phones)
        + texts(&agent.acceptor_phones)
        + texts(&agent.transfer_phones)
        + maybe(agent.transfer_name.as_ref())
        + maybe(agent.transfer_address.as_ref())
        + agent.transfer_inn.as_ref().map_or(0, |_| INN)
}

fn supplier(supplier: &Supplier) -> usize {
    maybe(supplier.name.as_ref()) + texts(&supplier.phones)
}

fn industry(attribute: &IndustryAttribute) -> usize {
    [
        &attribute.federal_body,
        &attribute.document_date,
        &attribute.document_number,
        &attribute.value,
    ]
    .iter()
    .map(|one| text(one))
    .sum()
}

fn goods_code(code: &GoodsCode) -> usize {
    text(&code.code)
}

fn fraction(fraction: &Fraction) -> usize {
    let shown = fraction.numerator.to_string().len() + 1 + fraction.denominator.to_string().len();
    HEAD + shown + vln(fraction.numerator) + vln(fraction.denominator)
}

/// Content of one item, tag 1059, with the VAT that the register adds (at most as long as the amount).
pub(super) fn item(item: &Item) -> usize {
    let codes = [item.measure, item.vat_rate, item.method, item.subject]
        .iter()
        .flatten()
        .count()
        * BYTE;
    // Six decimals, the longest form of an FVLN for this number: a byte for the point, then the millionths.
    let quantity = HEAD + 1 + vln_bytes(item.quantity.millionths());
    let numbers = vln(item.price.get()) + quantity + vln(item.amount.get()) + vln(item.amount.get());
    let marking = item.marking.as_ref().map_or(0, |marking| {
        2 * BYTE + HEAD + marking.code.len() + marking.fraction.as_ref().map_or(0, |part| HEAD + fraction(part))
    });
    text(&item.name)
        + codes
        + numbers
        + sum(item.vat_per_unit)
        + sum(item.excise)
        + maybe(item.measure_text.as_ref())
        + maybe(item.additional_attribute.as_ref())
        + maybe(item.country.as_ref())
        + maybe(item.customs_declaration.as_ref())
        + item.goods_code_bytes.as_ref().map_or(0, |code| HEAD + code.len())
        + item.goods_code.as_ref().map_or(0, |code| HEAD + goods_code(code))
        + item.agent.as_ref().map_or(0, |data| BYTE + HEAD + agent(data))
        + item
            .supplier
            .as_ref()
            .map_or(0, |data| HEAD + supplier(data) + data.inn.as_ref().map_or(0, |_| INN))
        + marking
        + item.industry.iter().map(|one| HEAD + industry(one)).sum::<usize>()
}

fn buyer(buyer: &Buyer) -> usize {
    let block = [
        &buyer.name,
        &buyer.birth_date,
        &buyer.citizenship,
        &buyer.document_data,
        &buyer.address,
    ];
    let block: usize = block.iter().map(|one| maybe(one.as_ref())).sum();
    // 1245 is padded to 32.
    let kind = buyer.document_kind.as_ref().map_or(0, |_| HEAD + 32);
    block + kind + buyer.inn.as_ref().map_or(0, |_| INN)
}

/// Everything of the receipt but the items: what we send, and the totals that the register forms of it.
fn header(receipt: &Receipt) -> usize {
    let paid = &receipt.payments;
    let payments = [paid.cash, paid.electronic, paid.prepaid, paid.credit, paid.counter];
    let payments: usize = payments.iter().map(|one| vln(one.get())).sum();
    let cashier = receipt
        .cashier
        .as_ref()
        .map_or(0, |who| text(&who.name) + who.inn.as_ref().map_or(0, |_| INN));
    let own = [
        &receipt.address,
        &receipt.place,
        &receipt.tax_site,
        &receipt.sender_email,
        &receipt.machine_number,
        &receipt.additional_attribute,
    ];
    let own: usize = own.iter().map(|one| maybe(one.as_ref())).sum();
    3 * BYTE
        + vln(receipt.total.get())
        + payments
        + vat_totals(receipt)
        + cashier
        + own
        + JOB_KEY
        + receipt
            .buyer
            .as_ref()
            .map_or(0, |who| maybe(who.contact.as_ref()) + HEAD + buyer(who))
        + header_lists(receipt)
}

/// The parts of a receipt that are lists of TLV themselves.
fn header_lists(receipt: &Receipt) -> usize {
    let non_cash: usize = receipt.non_cash.iter().map(non_cash).sum();
    let user = receipt.user_attribute.as_ref();
    let operational = receipt.operational.as_ref();
    let correction = receipt.correction.as_ref();
    receipt.agent.as_ref().map_or(0, |data| BYTE + agent(data))
        + user.map_or(0, |data| HEAD + text(&data.name) + text(&data.value))
        + receipt.industry.iter().map(|one| HEAD + industry(one)).sum::<usize>()
        + operational.map_or(0, |data| HEAD + BYTE + text(&data.data) + FOUR)
        + correction.map_or(0, |data| BYTE + HEAD + FOUR + maybe(data.order_number.as_ref()))
        + if non_cash == 0 { 0 } else { HEAD + non_cash }
}

fn non_cash(payment: &crate::model::NonCashPayment) -> usize {
    let method = payment.method.map_or(0, |_| BYTE);
    HEAD + vln(payment.amount.get()) + method + maybe(payment.identifiers.as_ref()) + maybe(payment.extra.as_ref())
}

/// At most one total of each rate among the items, each at most as long as the total: 1119 {1199, 1120} in 1115.
fn vat_totals(receipt: &Receipt) -> usize {
    let seen = receipt
        .items
        .iter()
        .filter_map(|item| item.vat_rate)
        .filter(|&rate| rate as usize <= HIGHEST_RATE);
    let rates = seen.fold(0_u16, |rates, rate| rates | 1 << rate).count_ones() as usize;
    HEAD + rates * (HEAD + BYTE + vln(receipt.total.get()))
}

/// A TLV of a receipt that may be long: its path in the model, its tag, and its bytes with tag and length.
pub(crate) type LongTlv = (String, u16, usize);

/// The texts and lists that stand in a document or an item as one TLV each, and may be longer than some hundred bytes.
pub(crate) fn long_tlvs(receipt: &Receipt) -> Vec<LongTlv> {
    let address = receipt.agent.as_ref().and_then(|data| data.transfer_address.as_ref());
    let user = receipt.user_attribute.as_ref();
    let user = user.map_or(0, |data| HEAD + text(&data.name) + text(&data.value));
    let details: usize = receipt.non_cash.iter().map(non_cash).sum();
    let mut found = vec![
        ("address".to_owned(), 1009, maybe(receipt.address.as_ref())),
        ("place".to_owned(), 1187, maybe(receipt.place.as_ref())),
        ("tax_site".to_owned(), 1060, maybe(receipt.tax_site.as_ref())),
        ("agent.transfer_address".to_owned(), 1005, maybe(address)),
        ("user_attribute".to_owned(), 1084, user),
        (
            "buyer".to_owned(),
            1256,
            receipt.buyer.as_ref().map_or(0, |who| HEAD + buyer(who)),
        ),
        ("non_cash".to_owned(), 1234, HEAD + details),
    ];
    found.extend(
        receipt
            .industry
            .iter()
            .map(|one| ("industry".to_owned(), 1261, HEAD + industry(one))),
    );
    for (at, item) in receipt.items.iter().enumerate() {
        let lists = item.agent.iter().map(|data| ("agent", 1223, HEAD + agent(data)));
        let lists = lists.chain(
            item.supplier
                .iter()
                .map(|data| ("supplier", 1224, HEAD + supplier(data))),
        );
        let lists = lists.chain(item.industry.iter().map(|one| ("industry", 1260, HEAD + industry(one))));
        found.extend(lists.map(|(name, tag, bytes)| (format!("items[{at}].{name}"), tag, bytes)));
    }
    found
}

/// R36.
pub(super) fn fits(receipt: &Receipt, _: &RuleContext, findings: &mut Findings) {
    let mut all = header(receipt);
    for (at, one) in receipt.items.iter().enumerate() {
        let bytes = item(one);
        all = all.saturating_add(HEAD).saturating_add(bytes);
        if bytes > ITEM_MAX && !findings.full() {
            findings.add(
                Some(&Place::item(at)),
                1059,
                format!("the item takes {bytes} bytes, at most {ITEM_MAX} fit"),
                format!("предмет расчета занимает {bytes} байт, помещается не более {ITEM_MAX}"),
            );
        }
    }
    if all > RECEIPT_MAX {
        findings.add(
            None,
            0,
            format!("the document takes about {all} bytes, at most {RECEIPT_MAX} fit"),
            format!("документ занимает около {all} байт, помещается не более {RECEIPT_MAX}"),
        );
    }
}

/// The part of R38 that is about containers (`fn-ffd-ofd` C.4, column "Len" of stlv tags).
pub(super) fn containers(receipt: &Receipt, findings: &mut Findings) {
    if let Some(data) = &receipt.user_attribute {
        contains(
            &Place::top("user_attribute"),
            1084,
            320,
            text(&data.name) + text(&data.value),
            findings,
        );
    }
    if let Some(who) = &receipt.buyer {
        contains(&Place::top("buyer"), 1256, 1024, buyer(who), findings);
    }
    if let Some(data) = &receipt.operational {
        contains(
            &Place::top("operational"),
            1270,
            144,
            BYTE + text(&data.data) + FOUR,
            findings,
        );
    }
    for (at, one) in receipt.industry.iter().enumerate().take(super::MAX_VIOLATIONS) {
        contains(
            &Place::top_at("industry", at),
            1261,
            INDUSTRY_MAX,
            industry(one),
            findings,
        );
    }
    for (at, one) in receipt.items.iter().enumerate() {
        if findings.full() {
            return;
        }
        item_containers(one, &Place::item(at), findings);
    }
}

fn item_containers(item: &Item, place: &Place<'_>, findings: &mut Findings) {
    if let Some(data) = &item.agent {
        contains(&place.child("agent"), 1223, 512, agent(data), findings);
    }
    if let Some(data) = &item.supplier {
        contains(&place.child("supplier"), 1224, 512, supplier(data), findings);
    }
    if let Some(part) = item.marking.as_ref().and_then(|marking| marking.fraction.as_ref()) {
        contains(
            &place.child("marking").child("fraction"),
            1291,
            52,
            fraction(part),
            findings,
        );
    }
    for (at, one) in item.industry.iter().enumerate().take(super::MAX_VIOLATIONS) {
        contains(
            &place.child_at("industry", at),
            1260,
            INDUSTRY_MAX,
            industry(one),
            findings,
        );
    }
}

fn contains(place: &Place<'_>, tag: u16, max: usize, bytes: usize, findings: &mut Findings) {
    if bytes > max {
        findings.add(
            Some(place),
            tag,
            format!("tag {tag} takes {bytes} bytes, at most {max} fit"),
            format!("реквизит {tag} занимает {bytes} байт, помещается не более {max}"),
        );
    }
}

/// R37: what the model lets a client say twice and the format does not. Repeatable are 1059, 1119 (one of a rate),
/// 1235, 1260 and the phones 1073, 1074, 1075 and 1171.
pub(super) fn duplicates(receipt: &Receipt, _: &RuleContext, findings: &mut Findings) {
    let mut seen = [false; HIGHEST_RATE + 1];
    for (at, total) in receipt.vat_totals.iter().enumerate() {
        let Some(seen) = usize::try_from(total.rate).ok().and_then(|rate| seen.get_mut(rate)) else {
            continue;
        };
        if std::mem::replace(seen, true) && !findings.full() {
            findings.add(
                Some(&Place::top_at("vat_totals", at)),
                crate::law::rate(total.rate).map_or(0, |rate| rate.total_tag),
                format!("the VAT total of rate {} is given twice", total.rate),
                format!("итог НДС по ставке {} указан дважды", total.rate),
            );
        }
    }
    if receipt.industry.len() > 1 {
        findings.add(
            Some(&Place::top_at("industry", 1)),
            1261,
            "the industry attribute of a receipt stands once".to_owned(),
            "отраслевой реквизит чека указывается один раз".to_owned(),
        );
    }
}
