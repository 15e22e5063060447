//! Paths of fields: from the names of the receipt model to those of the contract.
//!
//! Owns: the table of names that differ.
//! Must never: be needed to understand a violation: an unknown path is shown as it is.

/// Model path and contract path of an item's fields, where they differ. `[]` stands for an index.
const ITEM: [(&str, &str); 27] = [
    ("price", "price_kopecks"),
    ("quantity", "quantity_millionths"),
    ("amount", "amount_kopecks"),
    ("measure_text", "unit_name"),
    ("vat_per_unit", "vat_per_unit_kopecks"),
    ("vat_amount", "vat_kopecks"),
    ("method", "payment_method"),
    ("subject", "item_kind"),
    ("excise", "excise_kopecks"),
    ("country", "country_code"),
    ("supplier.inn", "supplier_inn"),
    ("goods_code.tag", "goods_code"),
    ("goods_code.code", "goods_code"),
    ("marking.mode", "marking.processing_mode"),
    ("agent.sign", "agent_sign"),
    ("agent.agent_phones[]", "agent.paying_agent_phones[]"),
    ("agent.acceptor_phones[]", "agent.receiving_operator_phones[]"),
    ("agent.transfer_phones[]", "agent.transfer_operator_phones[]"),
    ("agent.transfer_name", "agent.transfer_operator_name"),
    ("agent.transfer_address", "agent.transfer_operator_address"),
    ("agent.transfer_inn", "agent.transfer_operator_inn"),
    ("industry[].federal_body", "industry_attributes[].federal_body"),
    ("industry[].document_date", "industry_attributes[].basis_date"),
    ("industry[].document_number", "industry_attributes[].basis_number"),
    ("industry[].value", "industry_attributes[].value"),
    ("industry[]", "industry_attributes[]"),
    ("industry", "industry_attributes"),
];

/// The same for the fields of a receipt that an item does not have.
const RECEIPT: [(&str, &str); 34] = [
    ("sign", "settlement_sign"),
    ("total", "total_kopecks"),
    ("payments.cash", "payments.cash_kopecks"),
    ("payments.electronic", "payments.noncash_kopecks"),
    ("payments.prepaid", "payments.prepaid_kopecks"),
    ("payments.credit", "payments.credit_kopecks"),
    ("payments.counter", "payments.counter_provision_kopecks"),
    ("non_cash", "payments.noncash_details"),
    ("non_cash[]", "payments.noncash_details[]"),
    ("non_cash[].amount", "payments.noncash_details[].amount_kopecks"),
    ("non_cash[].method", "payments.noncash_details[].method"),
    ("non_cash[].identifiers", "payments.noncash_details[].identifiers"),
    ("non_cash[].extra", "payments.noncash_details[].additional_data"),
    // The position within the contract's totals is not that of the model's list: the tag tells which one is meant.
    ("vat_totals[]", "vat_totals"),
    ("vat_totals[].rate", "vat_totals"),
    ("vat_totals[].amount", "vat_totals"),
    ("internet", "internet_settlement"),
    ("cashier", "cashier_name"),
    ("cashier.name", "cashier_name"),
    ("cashier.inn", "cashier_inn"),
    ("address", "settlement_address"),
    ("place", "settlement_place"),
    ("tax_site", "tax_service_site"),
    ("operational", "operational_attribute"),
    ("operational.id", "operational_attribute.operation"),
    ("operational.data", "operational_attribute.data"),
    ("operational.time", "operational_attribute.time"),
    ("correction.kind", "correction.correction_type"),
    ("correction.settlement_date", "correction.basis.settlement_date"),
    ("correction.order_number", "correction.basis.order_number"),
    ("industry", "industry_attributes"),
    ("agent.agent_phones", "agent.paying_agent_phones"),
    ("agent.acceptor_phones", "agent.receiving_operator_phones"),
    ("agent.transfer_phones", "agent.transfer_operator_phones"),
];

/// The contract's path, below the request, of a path in the receipt model: `items[3].price` gives
/// `receipt.items[3].price_kopecks`; the empty path is the receipt itself.
#[must_use]
pub fn contract_path(model: &str) -> String {
    if model.is_empty() {
        return "receipt".to_owned();
    }
    let item = model.strip_prefix("items[").and_then(|rest| rest.split_once("]."));
    match item {
        Some((index, field)) => format!("receipt.items[{index}].{}", renamed(field, false)),
        None => format!("receipt.{}", renamed(model, true)),
    }
}

fn renamed(path: &str, of_receipt: bool) -> String {
    let (form, indexes) = split_indexes(path);
    let receipt = if of_receipt { RECEIPT.as_slice() } else { &[] };
    // The receipt shares agents and industry attributes with items, and its own names come first.
    let known = receipt.iter().chain(shared(of_receipt)).find(|(name, _)| *name == form);
    known.map_or_else(|| path.to_owned(), |(_, name)| with_indexes(name, &indexes))
}

/// The rows of the item table that hold here too.
fn shared(of_receipt: bool) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    ITEM.iter()
        .filter(move |(name, _)| !of_receipt || name.starts_with("agent.") || name.starts_with("industry"))
}

fn split_indexes(path: &str) -> (String, Vec<&str>) {
    let (mut form, mut indexes, mut rest) = (String::new(), Vec::new(), path);
    while let Some((before, after)) = rest.split_once('[') {
        let Some((index, tail)) = after.split_once(']') else {
            break;
        };
        form.push_str(before);
        form.push_str("[]");
        indexes.push(index);
        rest = tail;
    }
    form.push_str(rest);
    (form, indexes)
}

fn with_indexes(form: &str, indexes: &[&str]) -> String {
    let mut indexes = indexes.iter();
    let mut shown = String::new();
    let mut parts = form.split("[]").peekable();
    while let Some(part) = parts.next() {
        shown.push_str(part);
        if parts.peek().is_some() {
            shown.push_str(&format!("[{}]", indexes.next().unwrap_or(&"")));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_names_the_field_as_the_client_wrote_it() {
        let pairs = [
            ("", "receipt"),
            ("sign", "receipt.settlement_sign"),
            ("tax_system", "receipt.tax_system"),
            ("items[3].price", "receipt.items[3].price_kopecks"),
            ("items[0].name", "receipt.items[0].name"),
            (
                "items[12].agent.agent_phones[2]",
                "receipt.items[12].agent.paying_agent_phones[2]",
            ),
            (
                "items[1].industry[4].document_date",
                "receipt.items[1].industry_attributes[4].basis_date",
            ),
            ("items[1].industry", "receipt.items[1].industry_attributes"),
            ("items", "receipt.items"),
            ("agent.sign", "receipt.agent_sign"),
            ("industry[1].value", "receipt.industry_attributes[1].value"),
            (
                "non_cash[2].extra",
                "receipt.payments.noncash_details[2].additional_data",
            ),
            ("vat_totals[5].amount", "receipt.vat_totals"),
            ("buyer.contact", "receipt.buyer.contact"),
            ("something[1].new", "receipt.something[1].new"),
            ("broken[", "receipt.broken["),
        ];
        for (model, contract) in pairs {
            assert_eq!(contract_path(model), contract);
        }
    }
}
