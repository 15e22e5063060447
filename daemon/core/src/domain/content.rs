//! What a receipt says, as tags of the format that its document is made in (`fn-ffd-ofd` C.4).
//!
//! Owns: which tag carries which field under FFD 1.05 and under 1.2; all but the sums, codes and items that every vendor
//! has commands of its own for (1020, 1023, 1030, 1031, 1043, 1054, 1055, 1059, 1079, 1081, 1199, 1212, 1214 to 1217).
//! Must never: fill in a value that the receipt does not state, or drop one that it does.
//!
//! Where the two formats say one thing by different tags:
//!
//! | field | FFD 1.05 | FFD 1.2 |
//! | --- | --- | --- |
//! | buyer's name and INN | 1227, 1228 | in 1256 |
//! | buyer's papers and address (1243 to 1246, 1254) | no place | in 1256 |
//! | agent of the whole receipt | 1057 and its data directly | no place: each item has its own |
//! | measure of an item | 1197, as text | 2108, as code |
//! | goods code | 1162 | 1163 |
//! | internet settlement | 1108, which the register takes from its registration | 1125 |
//! | non-cash details, industry and operational attributes (1234, 1260, 1261, 1270) | no place | as they are |
//!
//! A field without a place is an error here; rule C4 keeps such a receipt from such a register. Only the two forms of
//! the measure may stand side by side: each format takes its own.

use super::device::Ffd;
use kassette_receipts::model::{Agent, Buyer, IndustryAttribute, Item, NonCashPayment, Receipt, Supplier};
use kassette_wire::ffd::{Tag, Tlv, TlvError, TlvList};
use kassette_wire::value::{Inn, Kopecks};
use thiserror::Error;

/// Why a receipt has no tags in a format.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ContentError {
    /// A value that its tag cannot hold.
    #[error(transparent)]
    Value(#[from] TlvError),
    /// A number that one byte cannot hold.
    #[error("tag {tag} holds one byte, not {value}")]
    Byte {
        /// The tag.
        tag: Tag,
        /// The number.
        value: u32,
    },
    /// A field that the format has no place for.
    #[error("tag {tag} has no place in FFD {}", ffd.as_str())]
    Format {
        /// The tag.
        tag: Tag,
        /// The format.
        ffd: Ffd,
    },
}

/// The tags of a document, without its items and without the job key.
///
/// # Errors
/// [`ContentError`] when a field has no place in the format or does not fit its tag.
pub fn document_tags(receipt: &Receipt, ffd: Ffd) -> Result<Vec<Tlv>, ContentError> {
    let mut tags = Tags::new(ffd);
    tags.text(Tag::RECEIPT_ATTRIBUTE, receipt.additional_attribute.as_deref())?;
    if let Some(own) = &receipt.user_attribute {
        tags.0.push(user_attribute(&own.name, &own.value)?);
    }
    if let Some(buyer) = &receipt.buyer {
        tags.text(Tag::BUYER_CONTACT, buyer.contact.as_deref())?;
        tags.buyer(buyer)?;
    }
    if let Some(cashier) = &receipt.cashier {
        tags.text(Tag::CASHIER, Some(&cashier.name))?;
        tags.inn(Tag::CASHIER_INN, cashier.inn.as_ref())?;
    }
    tags.text(Tag::SETTLEMENT_ADDRESS, receipt.address.as_deref())?;
    tags.text(Tag::SETTLEMENT_PLACE, receipt.place.as_deref())?;
    tags.text(Tag::SENDER_EMAIL, receipt.sender_email.as_deref())?;
    tags.text(Tag::TAX_SITE, receipt.tax_site.as_deref())?;
    tags.text(Tag::VENDING_NUMBER, receipt.machine_number.as_deref())?;
    if receipt.internet == Some(true) && ffd == Ffd::V1_2 {
        tags.0.push(Tlv::byte(Tag::INTERNET_SETTLEMENT, 1));
    }
    tags.agent_of_receipt(receipt.agent.as_ref())?;
    tags.non_cash(&receipt.non_cash)?;
    tags.industry(Tag::RECEIPT_INDUSTRY_ATTRIBUTE, &receipt.industry)?;
    tags.operational(receipt)?;
    Ok(tags.0)
}

/// The tags of an item beside those that every vendor has a command for.
///
/// # Errors
/// As [`document_tags`].
pub fn item_tags(item: &Item, ffd: Ffd) -> Result<Vec<Tlv>, ContentError> {
    let mut tags = Tags::new(ffd);
    tags.measure(item)?;
    tags.text(Tag::ITEM_ATTRIBUTE, item.additional_attribute.as_deref())?;
    tags.money(Tag::VAT_PER_UNIT, item.vat_per_unit);
    tags.goods_code(item)?;
    tags.agent_of_item(item.agent.as_ref())?;
    tags.supplier(item.supplier.as_ref())?;
    tags.money(Tag::EXCISE, item.excise);
    tags.text(Tag::COUNTRY_OF_ORIGIN, item.country.as_deref())?;
    tags.text(Tag::CUSTOMS_DECLARATION, item.customs_declaration.as_deref())?;
    tags.industry(Tag::ITEM_INDUSTRY_ATTRIBUTE, &item.industry)?;
    Ok(tags.0)
}

/// An attribute of the user, tag 1084: the customer's own, or the one that carries the job key.
///
/// # Errors
/// [`ContentError::Value`] when a text does not fit.
pub fn user_attribute(name: &str, value: &str) -> Result<Tlv, ContentError> {
    let mut inner = Tags::new(Ffd::V1_2);
    inner.text(Tag::USER_ATTRIBUTE_NAME, Some(name))?;
    inner.text(Tag::USER_ATTRIBUTE_VALUE, Some(value))?;
    inner.into_list(Tag::USER_ATTRIBUTE)
}

/// TLV under construction, and the format they are for.
struct Tags(Vec<Tlv>, Ffd);

impl Tags {
    const fn new(ffd: Ffd) -> Self {
        Self(Vec::new(), ffd)
    }

    fn into_list(self, tag: Tag) -> Result<Tlv, ContentError> {
        Ok(Tlv::list(tag, &TlvList { items: self.0 })?)
    }

    fn text(&mut self, tag: Tag, text: Option<&str>) -> Result<(), ContentError> {
        if let Some(text) = text {
            self.0.push(Tlv::text(tag, text)?);
        }
        Ok(())
    }

    fn texts(&mut self, tag: Tag, texts: &[String]) -> Result<(), ContentError> {
        texts.iter().try_for_each(|text| self.text(tag, Some(text)))
    }

    fn inn(&mut self, tag: Tag, inn: Option<&Inn>) -> Result<(), ContentError> {
        self.text(tag, inn.map(Inn::as_str))
    }

    fn byte(&mut self, tag: Tag, value: Option<u32>) -> Result<(), ContentError> {
        if let Some(value) = value {
            let byte = u8::try_from(value).map_err(|_| ContentError::Byte { tag, value })?;
            self.0.push(Tlv::byte(tag, byte));
        }
        Ok(())
    }

    fn money(&mut self, tag: Tag, sum: Option<Kopecks>) {
        self.0.extend(sum.map(|sum| Tlv::money(tag, sum)));
    }

    /// A list; one that would be empty says nothing and is left out.
    fn list(&mut self, tag: Tag, inner: Self) -> Result<(), ContentError> {
        if !inner.0.is_empty() {
            self.0.push(inner.into_list(tag)?);
        }
        Ok(())
    }

    /// What only one format has: an error in the other.
    fn only(&self, ffd: Ffd, tag: Tag, present: bool) -> Result<(), ContentError> {
        if present && self.1 != ffd {
            return Err(ContentError::Format { tag, ffd: self.1 });
        }
        Ok(())
    }

    fn buyer(&mut self, buyer: &Buyer) -> Result<(), ContentError> {
        let later = [
            (Tag::BUYER_BIRTH_DATE, &buyer.birth_date),
            (Tag::BUYER_CITIZENSHIP, &buyer.citizenship),
            (Tag::BUYER_DOCUMENT_KIND, &buyer.document_kind),
            (Tag::BUYER_DOCUMENT, &buyer.document_data),
            (Tag::BUYER_ADDRESS, &buyer.address),
        ];
        let mut about = Self::new(self.1);
        about.text(Tag::BUYER_NAME, buyer.name.as_deref())?;
        about.inn(Tag::BUYER_INN, buyer.inn.as_ref())?;
        for (tag, text) in later {
            self.only(Ffd::V1_2, tag, text.is_some())?;
            about.text(tag, text.as_deref())?;
        }
        if self.1 == Ffd::V1_2 {
            return self.list(Tag::BUYER, about);
        }
        self.0.extend(about.0);
        Ok(())
    }

    /// The data of an agent in the order of tag 1223.
    fn agent_data(&mut self, agent: &Agent) -> Result<(), ContentError> {
        self.texts(Tag::TRANSFER_OPERATOR_PHONE, &agent.transfer_phones)?;
        self.text(Tag::AGENT_OPERATION, agent.operation.as_deref())?;
        self.texts(Tag::PAYMENT_AGENT_PHONE, &agent.agent_phones)?;
        self.texts(Tag::PAYMENT_OPERATOR_PHONE, &agent.acceptor_phones)?;
        self.text(Tag::TRANSFER_OPERATOR_NAME, agent.transfer_name.as_deref())?;
        self.text(Tag::TRANSFER_OPERATOR_ADDRESS, agent.transfer_address.as_deref())?;
        self.inn(Tag::TRANSFER_OPERATOR_INN, agent.transfer_inn.as_ref())
    }

    fn agent_of_receipt(&mut self, agent: Option<&Agent>) -> Result<(), ContentError> {
        self.only(Ffd::V1_05, Tag::AGENT_SIGN, agent.is_some())?;
        let Some(agent) = agent else { return Ok(()) };
        self.byte(Tag::AGENT_SIGN, Some(agent.sign))?;
        self.agent_data(agent)
    }

    fn agent_of_item(&mut self, agent: Option<&Agent>) -> Result<(), ContentError> {
        let Some(agent) = agent else { return Ok(()) };
        self.byte(Tag::ITEM_AGENT_SIGN, Some(agent.sign))?;
        let mut data = Self::new(self.1);
        data.agent_data(agent)?;
        self.list(Tag::AGENT_DATA, data)
    }

    fn supplier(&mut self, supplier: Option<&Supplier>) -> Result<(), ContentError> {
        let Some(supplier) = supplier else { return Ok(()) };
        self.inn(Tag::SUPPLIER_INN, supplier.inn.as_ref())?;
        let mut data = Self::new(self.1);
        data.texts(Tag::SUPPLIER_PHONE, &supplier.phones)?;
        data.text(Tag::SUPPLIER_NAME, supplier.name.as_deref())?;
        self.list(Tag::SUPPLIER_DATA, data)
    }

    fn measure(&mut self, item: &Item) -> Result<(), ContentError> {
        if self.1 == Ffd::V1_2 {
            let text_alone = item.measure.is_none() && item.measure_text.is_some();
            self.only(Ffd::V1_05, Tag::UNIT_105, text_alone)?;
            return self.byte(Tag::MEASURE, item.measure);
        }
        self.text(Tag::UNIT_105, item.measure_text.as_deref())
    }

    fn goods_code(&mut self, item: &Item) -> Result<(), ContentError> {
        self.only(Ffd::V1_05, Tag::GOODS_CODE_105, item.goods_code_bytes.is_some())?;
        self.only(Ffd::V1_2, Tag::GOODS_CODE, item.goods_code.is_some())?;
        if let Some(bytes) = &item.goods_code_bytes {
            self.0.push(Tlv::bytes(Tag::GOODS_CODE_105, bytes.clone()));
        }
        if let Some(code) = &item.goods_code {
            let inner = u16::try_from(code.tag).map_err(|_| ContentError::Byte {
                tag: Tag::GOODS_CODE,
                value: code.tag,
            })?;
            let mut data = Self::new(self.1);
            data.text(Tag(inner), Some(&code.code))?;
            self.list(Tag::GOODS_CODE, data)?;
        }
        Ok(())
    }

    fn non_cash(&mut self, payments: &[NonCashPayment]) -> Result<(), ContentError> {
        self.only(Ffd::V1_2, Tag::ELECTRONIC_PAYMENTS, !payments.is_empty())?;
        let mut all = Self::new(self.1);
        for payment in payments {
            let mut one = Self::new(self.1);
            one.money(Tag::ELECTRONIC_AMOUNT, Some(payment.amount));
            one.byte(Tag::ELECTRONIC_METHOD, payment.method)?;
            one.text(Tag::ELECTRONIC_IDS, payment.identifiers.as_deref())?;
            one.text(Tag::ELECTRONIC_EXTRA, payment.extra.as_deref())?;
            all.list(Tag::ELECTRONIC_PAYMENT, one)?;
        }
        self.list(Tag::ELECTRONIC_PAYMENTS, all)
    }

    fn industry(&mut self, tag: Tag, attributes: &[IndustryAttribute]) -> Result<(), ContentError> {
        self.only(Ffd::V1_2, tag, !attributes.is_empty())?;
        for attribute in attributes {
            let mut one = Self::new(self.1);
            one.text(Tag::INDUSTRY_BODY, Some(&attribute.federal_body))?;
            one.text(Tag::INDUSTRY_BASIS_DATE, Some(&attribute.document_date))?;
            one.text(Tag::INDUSTRY_BASIS_NUMBER, Some(&attribute.document_number))?;
            one.text(Tag::INDUSTRY_VALUE, Some(&attribute.value))?;
            self.list(tag, one)?;
        }
        Ok(())
    }

    fn operational(&mut self, receipt: &Receipt) -> Result<(), ContentError> {
        self.only(Ffd::V1_2, Tag::OPERATIONAL_ATTRIBUTE, receipt.operational.is_some())?;
        let Some(attribute) = &receipt.operational else {
            return Ok(());
        };
        let mut data = Self::new(self.1);
        data.byte(Tag::OPERATION_ID, Some(attribute.id))?;
        data.text(Tag::OPERATION_DATA, Some(&attribute.data))?;
        data.0.push(Tlv::time(Tag::OPERATION_TIME, attribute.time)?);
        self.list(Tag::OPERATIONAL_ATTRIBUTE, data)
    }
}
