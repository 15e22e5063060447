//! The plan of a rack: TOML and messages to domain and back.
//!
//! Owns: which fields of a rack description this version can hold.
//! Must never: check the plan itself: the plan does.

use super::findings::{At, Findings};
use super::receipt::unknown_value;
use super::time::{duration, duration_millis};
use kassette_api::v1;
use kassette_api::v1::client_description::Identity;
use kassette_api::v1::slot_description::Port;
use kassette_core::domain::plan::{
    Admission, ChangeAction, DEFAULT_QUEUE_MAX, DEFAULT_TTL_S, DEFAULT_ZONE, LinkChoice, PlanChange, PlanError,
    RackPlan, RegisterPlan, SlotPlan, TenantPlan,
};
use kassette_core::domain::snapshot::RackKind;

const RACK: At<'static> = At::top("rack");

/// What a setting in seconds must be.
pub const WHOLE_SECONDS: &str = "must be whole positive seconds";
/// The same in Russian.
pub const WHOLE_SECONDS_RU: &str = "нужны целые секунды";

/// The seconds of a setting; `None` when it is none, negative or has a fraction.
#[must_use]
pub fn whole_seconds(given: &prost_types::Duration) -> Option<u64> {
    let millis = duration_millis(given).filter(|millis| millis % 1000 == 0)?;
    Some(millis / 1000).filter(|seconds| *seconds > 0)
}

/// What is wrong with a plan, field by field; `under` is the field of the request that held it.
#[must_use]
pub fn violations(errors: Vec<PlanError>, under: &str) -> Vec<v1::Violation> {
    let shown = errors
        .into_iter()
        .take(super::findings::FINDINGS_MAX)
        .map(|error| v1::Violation {
            field: format!("{under}.{}", error.path),
            rule: "PLAN".to_owned(),
            tag: None,
            text: error.text,
            suggestion: None,
            text_ru: None,
        });
    shown.collect()
}

/// A described rack as a plan.
///
/// # Errors
/// Every field that this version cannot hold.
pub fn plan(given: v1::RackDescription, kind: RackKind) -> Result<RackPlan, Findings> {
    let mut findings = Findings::default();
    rack_kind(&mut findings, given.kind, kind);
    let cassettes = !given.cassettes.is_empty();
    findings.not_yet_if(
        cassettes,
        &RACK.field("cassettes"),
        None,
        "cassettes: each tenant has one of all its units",
    );
    let mut plan = RackPlan {
        rack_id: given.rack_id,
        tenants: given
            .tenants
            .into_iter()
            .enumerate()
            .map(|(at, one)| tenant(&mut findings, at, one))
            .collect(),
        slots: given
            .slots
            .into_iter()
            .enumerate()
            .map(|(at, one)| slot(&mut findings, at, one))
            .collect(),
        registers: given
            .registers
            .into_iter()
            .enumerate()
            .map(|(at, one)| register(&mut findings, at, one))
            .collect(),
    };
    for (at, client) in given.clients.into_iter().enumerate() {
        grant(&mut findings, at, &client, &mut plan);
    }
    if findings.is_empty() { Ok(plan) } else { Err(findings) }
}

fn rack_kind(findings: &mut Findings, given: i32, kind: RackKind) {
    let at = RACK.field("kind");
    match v1::RackKind::try_from(given) {
        Ok(v1::RackKind::Unspecified) => {}
        Ok(given) if given == shown_kind(kind) => {}
        Ok(_) => findings.form(
            &at,
            None,
            format!("this journal is {} and stays so", kind.as_str()),
            "вид журнала неизменен",
        ),
        Err(_) => unknown_value(findings, &at, given),
    }
}

/// Live or test.
#[must_use]
pub const fn shown_kind(kind: RackKind) -> v1::RackKind {
    match kind {
        RackKind::Live => v1::RackKind::Live,
        RackKind::Test => v1::RackKind::Test,
    }
}

fn tenant(findings: &mut Findings, index: usize, given: v1::TenantDescription) -> TenantPlan {
    let at = RACK.element("tenants", index);
    let ttl = given.default_ttl.as_ref().map(whole_seconds);
    if ttl == Some(None) {
        findings.form(&at.field("default_ttl"), None, WHOLE_SECONDS, WHOLE_SECONDS_RU);
    }
    let kept = given.contact_retention.as_ref().map(whole_seconds);
    if kept == Some(None) {
        findings.form(&at.field("contact_retention"), None, WHOLE_SECONDS, WHOLE_SECONDS_RU);
    }
    let not_held = [
        ("key_in_user_attribute", given.key_in_user_attribute.is_some()),
        ("fleet", given.fleet.is_some()),
    ];
    for (name, given) in not_held {
        findings.not_yet_if(given, &at.field(name), None, "this setting of a tenant");
    }
    TenantPlan {
        name: given.name.unwrap_or_else(|| given.inn.clone()),
        inn: given.inn,
        ttl_s: ttl.flatten().unwrap_or(DEFAULT_TTL_S),
        contact_retention_s: kept.flatten(),
        queue_max: given.queue_limit.unwrap_or(DEFAULT_QUEUE_MAX),
        submissions_per_second: given.submissions_per_second.unwrap_or_default(),
        admission: match (given.draining, given.cordoned) {
            (Some(true), _) => Admission::Draining,
            (_, Some(true)) => Admission::Cordoned,
            (_, Some(false) | None) => Admission::Open,
        },
        clients: Vec::new(),
    }
}

fn slot(findings: &mut Findings, index: usize, given: v1::SlotDescription) -> SlotPlan {
    let port = match given.port {
        Some(Port::Device(path)) => path,
        Some(Port::Tcp(target)) => format!("tcp:{target}"),
        None => {
            findings.missing(&RACK.element("slots", index).field("device"), None);
            String::new()
        }
    };
    let link = match v1::LinkLevel::try_from(given.link) {
        Ok(v1::LinkLevel::Unspecified) => None,
        Ok(v1::LinkLevel::V1) => Some(LinkChoice::V1),
        Err(_) => {
            unknown_value(findings, &RACK.element("slots", index).field("link"), given.link);
            None
        }
    };
    SlotPlan {
        label: given.label,
        port,
        baud: given.baud,
        link,
    }
}

fn register(findings: &mut Findings, index: usize, given: v1::RegisterDescription) -> RegisterPlan {
    let at = RACK.element("registers", index);
    findings.not_yet_if(
        given.slot.is_some(),
        &at.field("slot"),
        None,
        "binding a register to a slot",
    );
    RegisterPlan {
        vendor: given.vendor,
        serial: given.serial,
        fn_number: given.r#fn,
        tenant: given.inn,
        zone: given.offset_minutes.map_or_else(|| DEFAULT_ZONE.to_owned(), zone_text),
    }
}

/// `+03:00` of an offset in minutes; an offset outside any zone gives a text that the plan's check refuses.
fn zone_text(offset_minutes: i32) -> String {
    let (sign, minutes) = (
        if offset_minutes < 0 { '-' } else { '+' },
        offset_minutes.unsigned_abs(),
    );
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The offset in minutes of a zone like `+03:00`; `None` for another text.
fn offset_minutes(zone: &str) -> Option<i32> {
    let (sign, rest) = zone.split_at_checked(1)?;
    let (hours, minutes) = rest.split_once(':')?;
    let minutes = hours.parse::<i32>().ok()? * 60 + minutes.parse::<i32>().ok()?;
    Some(if sign == "-" { -minutes } else { minutes })
}

/// A grant to a client goes to the tenants it names.
fn grant(findings: &mut Findings, index: usize, given: &v1::ClientDescription, plan: &mut RackPlan) {
    let at = RACK.element("clients", index);
    let name = match &given.identity {
        Some(Identity::Uid(uid)) => format!("uid:{uid}"),
        Some(Identity::Certificate(_)) => {
            findings.not_yet(&at.field("certificate"), None, "clients with certificates");
            return;
        }
        None => given.name.clone(),
    };
    for (at_grant, one) in given.grants.iter().enumerate() {
        let at = at.element("grants", at_grant);
        if one.role() != v1::Role::Provider {
            findings.not_yet(
                &at.field("role"),
                None,
                "grants of other roles than provider: groups of the host give them",
            );
        }
        let mut known = false;
        for tenant in plan
            .tenants
            .iter_mut()
            .filter(|tenant| one.inn.as_ref().is_none_or(|inn| *inn == tenant.inn))
        {
            known = true;
            tenant.clients.push(name.clone());
        }
        if !known && one.inn.is_some() {
            findings.form(
                &at.field("inn"),
                None,
                "is no tenant of this description",
                "нет такого налогоплательщика",
            );
        }
    }
}

/// A plan as messages.
#[must_use]
pub fn description(plan: &RackPlan, kind: RackKind) -> v1::RackDescription {
    v1::RackDescription {
        rack_id: plan.rack_id.clone(),
        kind: shown_kind(kind).into(),
        tenants: plan.tenants.iter().map(shown_tenant).collect(),
        clients: shown_clients(plan),
        slots: plan.slots.iter().map(shown_slot).collect(),
        registers: plan.registers.iter().map(shown_register).collect(),
        cassettes: Vec::new(),
    }
}

fn shown_tenant(tenant: &TenantPlan) -> v1::TenantDescription {
    v1::TenantDescription {
        inn: tenant.inn.clone(),
        name: Some(tenant.name.clone()),
        default_ttl: Some(duration(tenant.ttl_s.saturating_mul(1000))),
        contact_retention: tenant
            .contact_retention_s
            .map(|kept| duration(kept.saturating_mul(1000))),
        queue_limit: Some(tenant.queue_max),
        submissions_per_second: Some(tenant.submissions_per_second),
        cordoned: (tenant.admission == Admission::Cordoned).then_some(true),
        draining: (tenant.admission == Admission::Draining).then_some(true),
        ..v1::TenantDescription::default()
    }
}

/// Who is granted what, by client.
#[must_use]
pub fn shown_clients(plan: &RackPlan) -> Vec<v1::ClientDescription> {
    let mut clients: Vec<v1::ClientDescription> = Vec::new();
    for tenant in &plan.tenants {
        for name in &tenant.clients {
            let grant = v1::Grant {
                role: v1::Role::Provider.into(),
                inn: Some(tenant.inn.clone()),
            };
            match clients.iter_mut().find(|client| client.name == *name) {
                Some(client) => client.grants.push(grant),
                None => clients.push(v1::ClientDescription {
                    name: name.clone(),
                    identity: name
                        .strip_prefix("uid:")
                        .and_then(|uid| uid.parse().ok())
                        .map(Identity::Uid),
                    grants: vec![grant],
                }),
            }
        }
    }
    clients
}

fn shown_slot(slot: &SlotPlan) -> v1::SlotDescription {
    let port = match slot.port.strip_prefix("tcp:") {
        Some(target) => Port::Tcp(target.to_owned()),
        None => Port::Device(slot.port.clone()),
    };
    v1::SlotDescription {
        label: slot.label.clone(),
        port: Some(port),
        baud: slot.baud,
        link: match slot.link.unwrap_or_default() {
            LinkChoice::Auto => v1::LinkLevel::Unspecified,
            LinkChoice::V1 => v1::LinkLevel::V1,
        }
        .into(),
    }
}

fn shown_register(register: &RegisterPlan) -> v1::RegisterDescription {
    v1::RegisterDescription {
        vendor: register.vendor.clone(),
        serial: register.serial.clone(),
        r#fn: register.fn_number.clone(),
        inn: register.tenant.clone(),
        slot: None,
        offset_minutes: offset_minutes(&register.zone),
    }
}

/// One line of a difference, with what a person should know before agreeing.
#[must_use]
pub fn change(line: PlanChange) -> v1::RackChange {
    let (what, name) = line.path.split_once(' ').unwrap_or((&line.path, ""));
    let path = match what {
        "tenant" | "slot" | "register" => format!("{what}s/{name}"),
        _ => line.path.clone(),
    };
    let warning = match (what, line.action) {
        ("rack_id", _) => Some("the rack is named once: its letters travel in every document and cannot change"),
        ("register", ChangeAction::Add) => Some("this adopts the register: it will issue documents of its tenant"),
        ("register", ChangeAction::Remove) => Some("no receipt is issued by this register any more"),
        ("tenant", ChangeAction::Remove) => Some("no receipt of this tenant is taken any more"),
        _ => None,
    };
    let action = match line.action {
        ChangeAction::Add => v1::ChangeAction::Add,
        ChangeAction::Change => v1::ChangeAction::Change,
        ChangeAction::Remove => v1::ChangeAction::Remove,
    };
    v1::RackChange {
        path,
        action: action.into(),
        before: line.before,
        after: line.after,
        warnings: warning.map(str::to_owned).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"
        rack_id = "K1"
        [[tenant]]
        inn = "7704358518"
        name = "Shop"
        ttl_s = 60
        queue_max = 10
        submissions_per_second = 25
        contact_retention_s = 86400
        admission = "draining"
        clients = ["uid:1000", "*"]
        [[slot]]
        label = "R1-S01"
        port = "/dev/pts/3"
        baud = 115200
        link = "v1"
        [[slot]]
        label = "R1-S02"
        port = "tcp:10.0.0.5:7778"
        [[register]]
        serial = "0000000001"
        fn = "9999078900000001"
        tenant = "7704358518"
        zone = "-09:30"
    "#;

    #[test]
    fn a_plan_goes_through_messages_and_comes_back_the_same() {
        let stored = RackPlan::from_toml(PLAN).unwrap();
        let shown = description(&stored, RackKind::Test);
        assert_eq!(plan(shown, RackKind::Test).unwrap(), stored);
    }

    #[test]
    fn what_this_version_cannot_hold_is_refused_and_never_dropped() {
        let mut shown = description(&RackPlan::from_toml(PLAN).unwrap(), RackKind::Test);
        shown.kind = v1::RackKind::Live.into();
        shown.cassettes.push(v1::CassetteDescription::default());
        shown.tenants[0].fleet = Some(true);
        shown.slots[0].port = None;
        shown.registers[0].slot = Some("R1-S01".into());
        shown.clients[0].grants[0].inn = Some("1".into());
        let fields: Vec<_> = plan(shown, RackKind::Test)
            .unwrap_err()
            .into_list()
            .into_iter()
            .map(|v| v.field)
            .collect();
        let expected = [
            "rack.kind",
            "rack.cassettes",
            "rack.tenants[0].fleet",
            "rack.slots[0].device",
            "rack.registers[0].slot",
            "rack.clients[0].grants[0].inn",
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn adopting_a_register_is_said_aloud_in_the_difference() {
        let next = RackPlan::from_toml(PLAN).unwrap();
        let lines: Vec<_> = RackPlan::default().changes_to(&next).into_iter().map(change).collect();
        let register = lines
            .iter()
            .find(|line| line.path == "registers/shtrih-m-0000000001")
            .unwrap();
        assert!(register.warnings[0].contains("adopts"));
        assert!(lines.iter().any(|line| line.path == "tenants/7704358518"));
    }
}
