//! Orders that change tenants: contract to domain, with every wrong field at once.
//!
//! Owns: which fields of an order this version can hold.
//! Must never: change anything itself, or drop a field that was given.

use crate::grpc::convert::findings::{At, Findings, quote};
use crate::grpc::convert::plan::{WHOLE_SECONDS, WHOLE_SECONDS_RU, whole_seconds};
use crate::grpc::names;
use crate::grpc::status::{invalid, invalid_field, not_served};
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_core::domain::plan::{PlanError, RackPlan};
use kassette_core::domain::tenant::TenantChange;
use kassette_wire::value::Inn;
use prost_types::Duration;

/// Longest name of a client.
const CLIENT_CHARS_MAX: usize = 128;

/// What an `UpdateTenant` changes.
pub fn update(given: &v1::UpdateTenantRequest) -> Result<TenantChange, ErrorDetails> {
    if given.key_in_user_attribute.is_some() {
        return Err(not_served("UpdateTenant.key_in_user_attribute"));
    }
    if given.marking_policy != i32::from(v1::MarkingPolicy::Unspecified) {
        return Err(not_served("UpdateTenant.marking_policy"));
    }
    let mut findings = Findings::default();
    let change = TenantChange {
        name: given.display_name.clone(),
        ttl_s: seconds(&mut findings, "default_ttl", given.default_ttl.as_ref()),
        contact_retention_s: seconds(&mut findings, "contact_retention", given.contact_retention.as_ref()),
        queue_max: given.queue_limit,
        submissions_per_second: given.submissions_per_second,
        ..TenantChange::default()
    };
    if findings.is_empty() {
        Ok(change)
    } else {
        Err(invalid(Code::RequestInvalid, findings))
    }
}

fn seconds(findings: &mut Findings, field: &'static str, given: Option<&Duration>) -> Option<u64> {
    let read = whole_seconds(given?);
    if read.is_none() {
        findings.form(&At::top(field), None, WHOLE_SECONDS, WHOLE_SECONDS_RU);
    }
    read
}

/// The client and the tenant of a grant; no tenant: all.
pub fn grant(client: &str, grant: Option<&v1::Grant>) -> Result<(String, Option<Inn>), ErrorDetails> {
    let length = client.chars().take(CLIENT_CHARS_MAX + 1).count();
    if length == 0 || length > CLIENT_CHARS_MAX || client.chars().any(char::is_control) {
        let text = format!("{} is not 1 to {CLIENT_CHARS_MAX} printable characters", quote(client));
        return Err(invalid_field(Code::RequestInvalid, &At::top("client"), text));
    }
    let at = At::top("grant");
    let Some(grant) = grant else {
        return Err(invalid_field(Code::RequestInvalid, &at, "is missing"));
    };
    match v1::Role::try_from(grant.role) {
        Ok(v1::Role::Provider) => {}
        Ok(v1::Role::Viewer | v1::Role::Technician | v1::Role::Admin) => {
            return Err(not_served(
                "a grant of another role than provider (groups of the host give them)",
            ));
        }
        Ok(v1::Role::Unspecified) | Err(_) => {
            let text = format!("{} is no role", grant.role);
            return Err(invalid_field(Code::RequestInvalid, &at.field("role"), text));
        }
    }
    let inn = grant.inn.as_ref().map(|inn| {
        let name = format!("tenants/{inn}");
        names::read_tenant(&at.field("inn"), &name)
    });
    Ok((client.to_owned(), inn.transpose()?))
}

/// What a change would make wrong in the plan, in the words of the request.
pub fn check(change: &TenantChange, plan: &RackPlan, tenants: &[Inn]) -> Result<(), ErrorDetails> {
    let errors = change.made_in(plan, tenants).check().err().unwrap_or_default();
    if errors.is_empty() {
        return Ok(());
    }
    let violations: Vec<_> = errors.iter().map(violation).collect();
    let text = violations
        .first()
        .map_or_else(String::new, |first| format!("{}: {}", first.field, first.text));
    Err(ErrorDetails::new(Code::RequestInvalid)
        .with_message(text)
        .with_violations(violations))
}

fn violation(error: &PlanError) -> v1::Violation {
    let field = match error.path.split_once("].").map(|(_, field)| field) {
        Some("name") => "display_name",
        Some("ttl_s") => "default_ttl",
        Some("queue_max") => "queue_limit",
        Some("contact_retention_s") => "contact_retention",
        Some("submissions_per_second") => "submissions_per_second",
        Some(field) if field.starts_with("clients[") => "client",
        Some(_) | None => error.path.as_str(),
    };
    v1::Violation {
        field: field.to_owned(),
        rule: "PLAN".to_owned(),
        tag: None,
        text: error.text.clone(),
        suggestion: None,
        text_ru: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> RackPlan {
        RackPlan::from_toml("[[tenant]]\ninn = \"7704358518\"\nname = \"Shop\"\n").unwrap()
    }

    fn fields(given: &v1::UpdateTenantRequest) -> Vec<String> {
        let inn = ["7704358518".parse().unwrap()];
        let refused = update(given).and_then(|change| check(&change, &plan(), &inn));
        let refused = refused.expect_err("it must be refused");
        assert_eq!(refused.code, Code::RequestInvalid, "{refused:?}");
        refused.violations.into_iter().map(|one| one.field).collect()
    }

    #[test]
    fn every_wrong_setting_is_told_under_the_name_it_has_in_the_request() {
        let given = v1::UpdateTenantRequest {
            display_name: Some(String::new()),
            default_ttl: Some(Duration {
                seconds: 86_401,
                nanos: 0,
            }),
            queue_limit: Some(0),
            submissions_per_second: Some(u32::MAX),
            contact_retention: Some(Duration {
                seconds: 4_000 * 86_400,
                nanos: 0,
            }),
            ..Default::default()
        };
        let wanted = ["display_name", "default_ttl", "queue_limit", "submissions_per_second"];
        let mut told = fields(&given);
        assert_eq!(told.pop().as_deref(), Some("contact_retention"));
        assert_eq!(told, wanted);
    }

    #[test]
    fn durations_are_whole_positive_seconds() {
        for (seconds, nanos) in [(0, 0), (-1, 0), (5, 1_000_000), (i64::MIN, 0), (1, -1)] {
            let given = v1::UpdateTenantRequest {
                default_ttl: Some(Duration { seconds, nanos }),
                contact_retention: Some(Duration { seconds, nanos }),
                ..Default::default()
            };
            assert_eq!(
                fields(&given),
                ["default_ttl", "contact_retention"],
                "{seconds} s {nanos} ns"
            );
        }
    }

    #[test]
    fn a_grant_names_a_client_a_role_and_a_tenant_that_can_be_one() {
        let of = |role: v1::Role, inn: Option<&str>| v1::Grant {
            role: role.into(),
            inn: inn.map(str::to_owned),
        };
        let good = of(v1::Role::Provider, Some("7704358518"));
        assert!(grant("uid:1000", Some(&good)).is_ok());
        let long = "x".repeat(129);
        for client in ["", "a\nb", &long] {
            assert_eq!(grant(client, Some(&good)).unwrap_err().code, Code::RequestInvalid);
        }
        let codes = [
            (None, Code::RequestInvalid),
            (Some(of(v1::Role::Unspecified, None)), Code::RequestInvalid),
            (Some(v1::Grant { role: 99, inn: None }), Code::RequestInvalid),
            (Some(of(v1::Role::Admin, None)), Code::NotServedYet),
            (Some(of(v1::Role::Provider, Some("1"))), Code::InnInvalid),
            (Some(of(v1::Role::Provider, Some("../1"))), Code::NameInvalid),
        ];
        for (given, code) in codes {
            assert_eq!(grant("uid:1", given.as_ref()).unwrap_err().code, code, "{given:?}");
        }
    }
}
