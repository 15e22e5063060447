//! `tenants`: what each tenant is, how it stands, and orders on it.
//!
//! Owns: how a tenant and a change of it are shown.
//! Must never: change anything without `--yes`, or make another change than the one it showed.

use super::{Daemon, print_json, tenant_name, value};
use crate::cli::{SetTenant, TenantAction, TenantOrder, TenantsVerb};
use crate::failure::{DONE, Failure};
use crate::paint::{self, NONE};
use crate::say::{say, say_text};
use kassette_api::v1;
use kassette_api::v1::Tenant;
use std::fmt::Write;

/// Rows of one page.
const PAGE: i32 = 1000;

/// Does what the command line says.
pub async fn run(daemon: Daemon, verb: Option<TenantsVerb>) -> Result<u8, Failure> {
    match verb {
        None => list(daemon).await,
        Some(TenantsVerb::Get { inn }) => get(daemon, &inn).await,
        Some(TenantsVerb::Set(given)) => set(daemon, given).await,
        Some(TenantsVerb::Cordon(given)) => admit(daemon, given, TenantAction::Cordon).await,
        Some(TenantsVerb::Uncordon(given)) => admit(daemon, given, TenantAction::Uncordon).await,
        Some(TenantsVerb::Drain(given)) => admit(daemon, given, TenantAction::Drain).await,
    }
}

async fn list(mut daemon: Daemon) -> Result<u8, Failure> {
    let mut request = v1::ListTenantsRequest {
        page_size: Some(PAGE),
        page_token: None,
    };
    let mut all = Vec::new();
    loop {
        let page = daemon.tenants.list_tenants(request.clone()).await?.into_inner();
        all.extend(page.tenants);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = Some(page.next_page_token);
    }
    if daemon.json {
        let listed: Result<Vec<_>, _> = all.iter().map(|one| value("Tenant", one)).collect();
        say!("{:#}", serde_json::json!({ "tenants": listed? }));
    } else if all.is_empty() {
        say!("no tenants; 'kassettectl status' says what to do next");
    } else {
        say_text!("{}", rows(&all));
    }
    Ok(DONE)
}

async fn read(daemon: &mut Daemon, inn: &str) -> Result<Tenant, Failure> {
    let name = tenant_name(inn);
    let answer = daemon.tenants.get_tenant(v1::GetTenantRequest { name }).await?;
    Ok(answer.into_inner().tenant.unwrap_or_default())
}

async fn get(mut daemon: Daemon, inn: &str) -> Result<u8, Failure> {
    let tenant = read(&mut daemon, inn).await?;
    if daemon.json {
        print_json("Tenant", &tenant)?;
    } else {
        say_text!("{}", shown(&tenant));
    }
    Ok(DONE)
}

fn seconds(seconds: u64) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
        nanos: 0,
    }
}

async fn set(mut daemon: Daemon, given: SetTenant) -> Result<u8, Failure> {
    let before = read(&mut daemon, &given.order.inn).await?;
    let mut request = v1::UpdateTenantRequest {
        name: before.name.clone(),
        // What is made is what was shown, or nothing.
        etag: Some(before.etag.clone()),
        validate_only: true,
        reason: given.order.reason,
        display_name: given.name,
        default_ttl: given.ttl.map(seconds),
        contact_retention: given.retention.map(seconds),
        queue_limit: given.queue,
        submissions_per_second: given.rate,
        ..Default::default()
    };
    let mut after = daemon.tenants.update_tenant(request.clone()).await?.into_inner().tenant;
    if given.order.yes {
        request.validate_only = false;
        after = daemon.tenants.update_tenant(request).await?.into_inner().tenant;
    }
    tell(&daemon, &before, &after.unwrap_or_default(), given.order.yes)
}

async fn admit(mut daemon: Daemon, given: TenantOrder, action: TenantAction) -> Result<u8, Failure> {
    let before = read(&mut daemon, &given.inn).await?;
    let (name, etag) = (before.name.clone(), Some(before.etag.clone()));
    let (validate_only, reason) = (!given.yes, given.reason);
    let after = match action {
        TenantAction::Cordon => {
            let request = v1::CordonTenantRequest {
                name,
                etag,
                validate_only,
                reason,
                request_id: None,
            };
            daemon.tenants.cordon_tenant(request).await?.into_inner().tenant
        }
        TenantAction::Uncordon => {
            let request = v1::UncordonTenantRequest {
                name,
                etag,
                validate_only,
                reason,
                request_id: None,
            };
            daemon.tenants.uncordon_tenant(request).await?.into_inner().tenant
        }
        TenantAction::Drain => {
            let request = v1::DrainTenantRequest {
                name,
                etag,
                validate_only,
                reason,
                ..Default::default()
            };
            daemon.tenants.drain_tenant(request).await?.into_inner().tenant
        }
    };
    tell(&daemon, &before, &after.unwrap_or_default(), given.yes)
}

fn tell(daemon: &Daemon, before: &Tenant, after: &Tenant, made: bool) -> Result<u8, Failure> {
    if daemon.json {
        print_json("Tenant", after)?;
        return Ok(DONE);
    }
    let text = difference(before, after);
    say_text!("{text}");
    match (text.is_empty(), made) {
        (true, _) => say!("no difference: the tenant stands so already"),
        (false, true) => say!("done"),
        (false, false) => say!("nothing was changed; repeat with --yes to make it so"),
    }
    Ok(DONE)
}

/// The settings of a tenant, by the names of `kassette.v1.Tenant`.
fn settings(tenant: &Tenant) -> [(&'static str, String); 6] {
    [
        ("display_name", tenant.display_name.clone()),
        ("default_ttl", span(tenant.default_ttl.as_ref())),
        ("contact_retention", span(tenant.contact_retention.as_ref())),
        ("queue_limit", tenant.queue_limit.to_string()),
        ("submissions_per_second", rate(tenant)),
        ("new receipts", admission(tenant).to_owned()),
    ]
}

fn difference(before: &Tenant, after: &Tenant) -> String {
    let mut text = String::new();
    for ((name, old), (_, new)) in settings(before).into_iter().zip(settings(after)) {
        if old != new {
            let _ = writeln!(text, "~ {name}  {old}\n    -> {new}");
        }
    }
    text
}

fn span(given: Option<&prost_types::Duration>) -> String {
    given.map_or_else(|| "for good".to_owned(), |span| format!("{} s", span.seconds))
}

fn rate(tenant: &Tenant) -> String {
    match tenant.submissions_per_second {
        0 => "no limit".to_owned(),
        rate => rate.to_string(),
    }
}

const fn admission(tenant: &Tenant) -> &'static str {
    match (tenant.draining, tenant.cordoned) {
        (true, _) => "draining",
        (false, true) => "cordoned",
        (false, false) => "taken",
    }
}

fn rows(tenants: &[Tenant]) -> String {
    let head = [
        "INN", "NAME", "NEW", "READY", "UNITS", "WAITING", "LIMIT", "RATE", "DOUBT", "PERSON", "WHY NOT",
    ];
    let mut table = paint::table(&head);
    for one in tenants {
        let why: Vec<_> = one.reasons.iter().map(|why| why.code.as_str()).collect();
        table.add_row([
            one.inn.clone(),
            one.display_name.clone(),
            admission(one).to_owned(),
            one.ready_units.to_string(),
            one.units.to_string(),
            one.jobs_waiting.to_string(),
            one.queue_limit.to_string(),
            rate(one),
            one.jobs_in_doubt.to_string(),
            one.jobs_needing_person.to_string(),
            why.join(", "),
        ]);
    }
    paint::lines(table)
}

/// One tenant, a line for each thing.
fn shown(tenant: &Tenant) -> String {
    let mut text = format!("{}  {}\n", tenant.inn, tenant.display_name);
    for (name, value) in settings(tenant).into_iter().skip(1) {
        let _ = writeln!(text, "  {name:<23} {value}");
    }
    let clients = match tenant.clients.join(", ") {
        none if none.is_empty() => NONE.to_owned(),
        clients => clients,
    };
    let _ = writeln!(text, "  {:<23} {clients}", "clients");
    let _ = writeln!(text, "  {:<23} {}", "cassettes", tenant.cassettes.join(", "));
    let _ = writeln!(
        text,
        "  {:<23} {} of {} ready",
        "units", tenant.ready_units, tenant.units
    );
    let _ = writeln!(
        text,
        "  {:<23} {} waiting, {} in doubt, {} need a person",
        "jobs", tenant.jobs_waiting, tenant.jobs_in_doubt, tenant.jobs_needing_person
    );
    for why in &tenant.reasons {
        let _ = writeln!(text, "  ! {}\n    next: {}", paint::reason(why), why.next_step);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use kassette_api::codes::Code;

    fn tenant() -> Tenant {
        Tenant {
            inn: "7704358518".into(),
            display_name: "Shop".into(),
            default_ttl: Some(seconds(300)),
            queue_limit: 100,
            reasons: vec![Code::NoUnitReady.into()],
            ..Default::default()
        }
    }

    #[test]
    fn a_difference_shows_the_changed_settings_alone() {
        let after = Tenant {
            queue_limit: 5,
            cordoned: true,
            jobs_waiting: 7,
            ..tenant()
        };
        let wanted = "~ queue_limit  100\n    -> 5\n~ new receipts  taken\n    -> cordoned\n";
        assert_eq!(difference(&tenant(), &after), wanted);
        assert_eq!(difference(&tenant(), &tenant()), "");
    }

    #[test]
    fn a_tenant_that_is_not_served_says_why_and_what_to_do() {
        let text = shown(&tenant());
        for part in [
            "7704358518",
            "no limit",
            "300 s",
            "NO_UNIT_READY",
            Code::NoUnitReady.next_step_en(),
        ] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
        assert!(rows(&[tenant()]).contains("NO_UNIT_READY"));
    }
}
