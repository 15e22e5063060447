//! `ListCodes`: our codes, the tax service's catalogues with their dates, and the rules.
//!
//! Owns: how the lists are shown.
//! Must never: hold a list: each has its one home elsewhere.

use crate::grpc::access;
use crate::grpc::convert::findings::{At, FORM_RULES, Findings};
use crate::grpc::convert::time::instant;
use crate::grpc::status::invalid;
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_core::parts::UnixMillis;
use kassette_receipts::law::{Catalogue, Entry};
use kassette_receipts::rules::RULES;
use time::{Date, OffsetDateTime};
use tonic::Request;

/// The lists; any client that holds a role may read them.
pub(super) fn list(request: &Request<v1::ListCodesRequest>) -> Result<v1::ListCodesResponse, ErrorDetails> {
    access::caller(request)?;
    let given = request.get_ref();
    let day = day(given)?;
    let of_tag = |list: &Catalogue| given.tag.is_none_or(|tag| Catalogue::of_tag(tag) == Some(*list));
    let catalogues = Catalogue::ALL
        .into_iter()
        .filter(of_tag)
        .map(|list| catalogue(list, day))
        .collect();
    Ok(v1::ListCodesResponse {
        reason_codes: Code::ALL.iter().map(|code| v1::ReasonCode::from(*code)).collect(),
        catalogues,
        rules: rules(given.tag, day),
    })
}

/// The civil day of the moment asked about, in Moscow, where the law's days begin for most registrations.
fn day(given: &v1::ListCodesRequest) -> Result<Option<Date>, ErrorDetails> {
    const MOSCOW_S: i64 = 3 * 3600;
    let mut findings = Findings::default();
    let at = instant(&mut findings, &At::top("at"), given.at.as_ref()).map(UnixMillis::seconds);
    if !findings.is_empty() {
        return Err(invalid(Code::RequestInvalid, findings));
    }
    Ok(at
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds + MOSCOW_S).ok())
        .map(OffsetDateTime::date))
}

fn catalogue(list: Catalogue, day: Option<Date>) -> v1::Catalogue {
    let in_force = |entry: &&Entry| day.is_none_or(|day| entry.in_force(day));
    let entries = list.entries().iter().filter(in_force).map(|entry| v1::CatalogueEntry {
        value: entry.code,
        name: entry.en.to_owned(),
        name_ru: entry.ru.to_owned(),
        valid_from: entry.from.map(|day| day.to_string()),
        valid_until: entry.until.map(|day| day.to_string()),
    });
    v1::Catalogue {
        tag: u32::from(list.tag()),
        name: list.en().to_owned(),
        name_ru: list.ru().to_owned(),
        entries: entries.collect(),
    }
}

fn rules(tag: Option<u32>, day: Option<Date>) -> Vec<v1::Rule> {
    let about = |tags: &[u16]| tag.is_none_or(|tag| tags.iter().any(|one| u32::from(*one) == tag));
    let law = RULES
        .iter()
        .filter(|rule| about(rule.tags) && day.is_none_or(|day| rule.in_force(day)));
    let law = law.map(|rule| v1::Rule {
        id: rule.id.to_owned(),
        tag: rule.tags.first().map(|tag| u32::from(*tag)),
        text: rule.title_en.to_owned(),
        text_ru: rule.title_ru.to_owned(),
        valid_from: rule.from.map(|day| day.to_string()),
        valid_until: rule.until.map(|day| day.to_string()),
    });
    let form = FORM_RULES
        .iter()
        .filter(|_| tag.is_none())
        .map(|(id, text, text_ru)| v1::Rule {
            id: (*id).to_owned(),
            text: (*text).to_owned(),
            text_ru: (*text_ru).to_owned(),
            ..v1::Rule::default()
        });
    law.chain(form).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{ClientIdentity, Role};
    use prost_types::Timestamp;

    fn codes(given: v1::ListCodesRequest) -> v1::ListCodesResponse {
        let mut request = Request::new(given);
        request
            .extensions_mut()
            .insert(ClientIdentity::new("uid:1", [Role::Viewer]));
        list(&request).unwrap()
    }

    #[test]
    fn the_rates_of_a_day_begin_at_moscow_midnight() {
        // 2025-12-31T21:00:00Z is 2026-01-01T00:00 in Moscow.
        let rates = |seconds| {
            let at = Some(Timestamp { seconds, nanos: 0 });
            let shown = codes(v1::ListCodesRequest { tag: Some(1199), at });
            assert_eq!(shown.catalogues.len(), 1);
            shown.catalogues[0]
                .entries
                .iter()
                .map(|entry| entry.value)
                .collect::<Vec<_>>()
        };
        assert!(rates(1_767_214_799).contains(&1) && !rates(1_767_214_799).contains(&11));
        assert!(!rates(1_767_214_800).contains(&1) && rates(1_767_214_800).contains(&11));
    }

    #[test]
    fn every_code_and_every_rule_that_a_violation_can_name_is_listed() {
        let shown = codes(v1::ListCodesRequest::default());
        assert_eq!(shown.reason_codes.len(), Code::ALL.len());
        assert_eq!(shown.catalogues.len(), Catalogue::ALL.len());
        for id in ["R18", "FORM", "NOT_YET", "MORE"] {
            assert!(shown.rules.iter().any(|rule| rule.id == id), "{id}");
        }
    }
}
