//! The plan of a rack: what a person says stands in it. Written as one TOML file by `rack export`, read by `rack apply`.
//!
//! Owns: the plan, its checks (all errors at once) and the difference between two plans.
//! Must never: take an identity on trust: naming a register's serial and FN here is its adoption, and the device must
//! then state the same.

use crate::parts::PortAddress;
use kassette_receipts::job_key::RackId;
use kassette_wire::value::{FnNumber, Inn, RegisterId, RegisterSerial, Vendor};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most tenants, slots or registers a plan may name.
pub const PLAN_ROWS_MAX: usize = 4096;
/// Default lifetime of a job in the queue (design 4.1).
pub const DEFAULT_TTL_S: u64 = 300;
/// Default limit of waiting jobs of a tenant.
pub const DEFAULT_QUEUE_MAX: u64 = 100_000;
/// Largest limit of a tenant's new jobs a second.
pub const RATE_MAX: u32 = 1_000_000;
/// Longest retention of contacts, seconds: ten years.
pub const RETENTION_MAX_S: u64 = 3660 * 86_400;
/// Longest name of a client.
const CLIENT_CHARS_MAX: usize = 128;
/// Moscow, the zone of most registrations.
pub const DEFAULT_ZONE: &str = "+03:00";

/// What stands in a rack.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RackPlan {
    /// Two letters of the rack; may be named once, before the first job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack_id: Option<String>,
    /// Taxpayers whose receipts we issue.
    #[serde(default, rename = "tenant", skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<TenantPlan>,
    /// Labelled places and the ports they are reached by.
    #[serde(default, rename = "slot", skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<SlotPlan>,
    /// Adopted registers.
    #[serde(default, rename = "register", skip_serializing_if = "Vec::is_empty")]
    pub registers: Vec<RegisterPlan>,
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantPlan {
    /// Taxpayer number.
    pub inn: String,
    /// Name for people.
    pub name: String,
    /// Default lifetime of a job in the queue, seconds.
    #[serde(default = "default_ttl_s")]
    pub ttl_s: u64,
    /// How long contacts of ended jobs are kept, seconds; absent: for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_retention_s: Option<u64>,
    /// Most jobs that may wait.
    #[serde(default = "default_queue_max")]
    pub queue_max: u64,
    /// Most new jobs a second; 0: no limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub submissions_per_second: u32,
    /// Whether new receipts are taken.
    #[serde(default, skip_serializing_if = "Admission::is_open")]
    pub admission: Admission,
    /// Clients granted: a client's name, `uid:1000`, or `*` for every client with the provider's role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<String>,
}

/// Whether a tenant's new receipts are taken. What was accepted goes on either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// They are.
    #[default]
    Open,
    /// They are not, until an operator takes the cordon back.
    Cordoned,
    /// They are not: the tenant finishes what it has and leaves.
    Draining,
}

impl Admission {
    const fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

/// A slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotPlan {
    /// What a technician reads on the shelf: `R1-S07`.
    pub label: String,
    /// Device path or `tcp:HOST:PORT`.
    pub port: String,
    /// Speed of a true serial line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baud: Option<u32>,
    /// Which low level may be spoken; absent: what the register says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkChoice>,
}

/// Which low levels of a vendor's protocol may be used behind a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkChoice {
    /// What the register says: numbered frames (v2) where it has them and nobody spoke v1 to it first.
    #[default]
    Auto,
    /// v1 alone: nothing of v2 is ever sent.
    V1,
}

/// An adopted register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterPlan {
    /// Vendor.
    #[serde(default = "default_vendor")]
    pub vendor: String,
    /// Factory serial, as the device states it.
    pub serial: String,
    /// Number of the FN in it.
    #[serde(rename = "fn")]
    pub fn_number: String,
    /// INN of its tenant.
    pub tenant: String,
    /// Zone of its registration.
    #[serde(default = "default_zone")]
    pub zone: String,
}

fn default_ttl_s() -> u64 {
    DEFAULT_TTL_S
}

fn default_queue_max() -> u64 {
    DEFAULT_QUEUE_MAX
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn default_vendor() -> String {
    Vendor::ShtrihM.as_str().to_owned()
}

fn default_zone() -> String {
    DEFAULT_ZONE.to_owned()
}

/// One thing wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanError {
    /// Where: `register[3].fn`.
    pub path: String,
    /// What, with the accepted range.
    pub text: String,
}

/// A plan that was checked, with typed values and look-ups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckedPlan {
    /// The rack's letters.
    pub rack_id: Option<RackId>,
    /// Tenants by INN.
    pub tenants: BTreeMap<Inn, TenantPlan>,
    /// Slots by label, in the order of labels.
    pub slots: BTreeMap<String, CheckedSlot>,
    /// Adopted registers.
    pub registers: BTreeMap<RegisterId, Adoption>,
}

impl CheckedPlan {
    /// The adopted FNs, each with its taxpayer.
    #[must_use]
    pub fn fns(&self) -> BTreeMap<FnNumber, Inn> {
        let of = |adoption: &Adoption| (adoption.fn_number.clone(), adoption.tenant.clone());
        self.registers.values().map(of).collect()
    }
}

/// A slot with its parsed port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedSlot {
    /// Where it is reached.
    pub port: PortAddress,
    /// Speed of a true serial line.
    pub baud: Option<u32>,
    /// Which low level may be spoken.
    pub link: LinkChoice,
}

/// An adoption: this register, with this FN, issues receipts of this tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// The register.
    pub register: RegisterId,
    /// Its FN.
    pub fn_number: FnNumber,
    /// Its tenant.
    pub tenant: Inn,
    /// Zone of its registration, minutes east of UTC.
    pub zone_minutes: i16,
}

/// What one line of a difference does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeAction {
    /// Something new.
    Add,
    /// Something else than before.
    Change,
    /// Gone.
    Remove,
}

/// One line of the difference between two plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanChange {
    /// What: `tenant 7704358518`, `slot R1-S01`, `register shtrih-m-0001`.
    pub path: String,
    /// What happens to it.
    pub action: ChangeAction,
    /// Before, in TOML words.
    pub before: Option<String>,
    /// After, in TOML words.
    pub after: Option<String>,
}

struct Check {
    errors: Vec<PlanError>,
}

impl Check {
    fn fail(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.errors.push(PlanError {
            path: path.into(),
            text: text.into(),
        });
    }

    fn parse<T: std::str::FromStr>(&mut self, path: String, text: &str) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fail(path, error.to_string());
                None
            }
        }
    }
}

/// Minutes east of UTC of a text like `+03:00`.
fn zone_minutes(text: &str) -> Result<i16, String> {
    let bad = || format!("\"{text}\" is not a zone like +03:00 (Russia: +02:00 to +12:00)");
    let (sign, rest) = match text.as_bytes().first() {
        Some(b'+') => (1, &text[1..]),
        Some(b'-') => (-1, &text[1..]),
        _ => return Err(bad()),
    };
    let (hours, minutes) = rest.split_once(':').ok_or_else(bad)?;
    let well_formed = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !well_formed(hours) || !well_formed(minutes) {
        return Err(bad());
    }
    let hours: i16 = hours.parse().map_err(|_| bad())?;
    let minutes: i16 = minutes.parse().map_err(|_| bad())?;
    if hours > 14 || minutes > 59 {
        return Err(bad());
    }
    Ok(sign * (hours * 60 + minutes))
}

impl RackPlan {
    /// Reads a plan from TOML.
    ///
    /// # Errors
    /// The parser's own words; unknown keys are errors.
    pub fn from_toml(text: &str) -> Result<Self, PlanError> {
        toml::from_str(text).map_err(|error| PlanError {
            path: "file".into(),
            text: error.to_string(),
        })
    }

    /// Writes the plan as the TOML file that `rack apply` reads back.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_default()
    }

    /// Checks everything.
    ///
    /// # Errors
    /// Every error there is.
    pub fn check(&self) -> Result<CheckedPlan, Vec<PlanError>> {
        let mut check = Check { errors: Vec::new() };
        let mut plan = CheckedPlan::default();
        for (name, rows) in [
            ("tenant", self.tenants.len()),
            ("slot", self.slots.len()),
            ("register", self.registers.len()),
        ] {
            if rows > PLAN_ROWS_MAX {
                check.fail(name, format!("{rows} entries; at most {PLAN_ROWS_MAX}"));
                return Err(check.errors);
            }
        }
        if let Some(text) = &self.rack_id {
            plan.rack_id = check.parse("rack_id".into(), text);
        }
        self.check_tenants(&mut check, &mut plan);
        self.check_slots(&mut check, &mut plan);
        self.check_registers(&mut check, &mut plan);
        if check.errors.is_empty() {
            Ok(plan)
        } else {
            Err(check.errors)
        }
    }

    fn check_tenants(&self, check: &mut Check, plan: &mut CheckedPlan) {
        for (at, tenant) in self.tenants.iter().enumerate() {
            if tenant.name.is_empty() || tenant.name.chars().count() > 256 {
                check.fail(format!("tenant[{at}].name"), "1 to 256 characters");
            }
            if tenant.ttl_s == 0 || tenant.ttl_s > 86_400 {
                check.fail(format!("tenant[{at}].ttl_s"), "1 to 86400 seconds");
            }
            if tenant.queue_max == 0 || tenant.queue_max > 10_000_000 {
                check.fail(format!("tenant[{at}].queue_max"), "1 to 10000000 jobs");
            }
            check_tenant_limits(check, at, tenant);
            let path = format!("tenant[{at}].inn");
            let Some(inn) = check.parse::<Inn>(path.clone(), &tenant.inn) else {
                continue;
            };
            if plan.tenants.insert(inn, tenant.clone()).is_some() {
                check.fail(path, format!("{} is named twice", tenant.inn));
            }
        }
    }

    fn check_slots(&self, check: &mut Check, plan: &mut CheckedPlan) {
        let mut ports = BTreeSet::new();
        for (at, slot) in self.slots.iter().enumerate() {
            let well_formed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            if slot.label.is_empty() || slot.label.len() > 32 || !slot.label.bytes().all(well_formed) {
                check.fail(
                    format!("slot[{at}].label"),
                    "1 to 32 ASCII letters, digits, dashes, dots or underscores",
                );
            }
            if slot.baud.is_some_and(|baud| !(2_400..=921_600).contains(&baud)) {
                check.fail(format!("slot[{at}].baud"), "2400 to 921600");
            }
            let path = format!("slot[{at}].port");
            let Some(port) = check.parse::<PortAddress>(path.clone(), &slot.port) else {
                continue;
            };
            if !ports.insert(port.clone()) {
                check.fail(path, format!("{port} stands in two slots"));
            }
            let checked = CheckedSlot {
                port,
                baud: slot.baud,
                link: slot.link.unwrap_or_default(),
            };
            if plan.slots.insert(slot.label.clone(), checked).is_some() {
                check.fail(format!("slot[{at}].label"), format!("{} is named twice", slot.label));
            }
        }
    }

    fn check_registers(&self, check: &mut Check, plan: &mut CheckedPlan) {
        let mut fns = BTreeSet::new();
        for (at, row) in self.registers.iter().enumerate() {
            let path = |field: &str| format!("register[{at}].{field}");
            let vendor = check.parse::<Vendor>(path("vendor"), &row.vendor);
            let serial = check.parse::<RegisterSerial>(path("serial"), &row.serial);
            let fn_number = check.parse::<FnNumber>(path("fn"), &row.fn_number);
            let tenant = check.parse::<Inn>(path("tenant"), &row.tenant);
            let zone = zone_minutes(&row.zone)
                .map_err(|text| check.fail(path("zone"), text))
                .ok();
            if let Some(inn) = tenant.as_ref().filter(|inn| !plan.tenants.contains_key(inn)) {
                check.fail(path("tenant"), format!("no tenant {inn} in this plan"));
            }
            let (Some(vendor), Some(serial), Some(fn_number), Some(tenant), Some(zone_minutes)) =
                (vendor, serial, fn_number, tenant, zone)
            else {
                continue;
            };
            if !fns.insert(fn_number.clone()) {
                check.fail(path("fn"), format!("FN {fn_number} stands in two registers"));
            }
            let register = RegisterId { vendor, serial };
            let adoption = Adoption {
                register: register.clone(),
                fn_number,
                tenant,
                zone_minutes,
            };
            if plan.registers.insert(register.clone(), adoption).is_some() {
                check.fail(path("serial"), format!("{register} is named twice"));
            }
        }
    }

    /// Each tenant's own row, in TOML words: whether one changed is told by it.
    #[must_use]
    pub fn tenant_rows(&self) -> BTreeMap<String, String> {
        rows(&self.tenants, |tenant| tenant.inn.clone())
    }

    /// The difference from this plan to another.
    #[must_use]
    pub fn changes_to(&self, next: &Self) -> Vec<PlanChange> {
        let mut changes = Vec::new();
        let rack = |plan: &Self| plan.rack_id.iter().map(|id| (String::new(), id.clone())).collect();
        diff(&mut changes, "rack_id", &rack(self), &rack(next));
        diff(&mut changes, "tenant", &self.tenant_rows(), &next.tenant_rows());
        let slots = |plan: &Self| rows(&plan.slots, |s| s.label.clone());
        diff(&mut changes, "slot", &slots(self), &slots(next));
        let registers = |plan: &Self| rows(&plan.registers, |r| format!("{}-{}", r.vendor, r.serial));
        diff(&mut changes, "register", &registers(self), &registers(next));
        changes
    }
}

fn check_tenant_limits(check: &mut Check, at: usize, tenant: &TenantPlan) {
    if tenant.submissions_per_second > RATE_MAX {
        let text = format!("0 (no limit) to {RATE_MAX} a second");
        check.fail(format!("tenant[{at}].submissions_per_second"), text);
    }
    let kept = tenant.contact_retention_s;
    if kept.is_some_and(|seconds| seconds == 0 || seconds > RETENTION_MAX_S) {
        let text = format!("1 to {RETENTION_MAX_S} seconds");
        check.fail(format!("tenant[{at}].contact_retention_s"), text);
    }
    for (number, client) in tenant.clients.iter().enumerate() {
        let length = client.chars().take(CLIENT_CHARS_MAX + 1).count();
        if length == 0 || length > CLIENT_CHARS_MAX || client.chars().any(char::is_control) {
            let text = format!("1 to {CLIENT_CHARS_MAX} printable characters");
            check.fail(format!("tenant[{at}].clients[{number}]"), text);
        }
    }
}

fn rows<T: Serialize>(list: &[T], name: impl Fn(&T) -> String) -> BTreeMap<String, String> {
    list.iter()
        .map(|row| {
            (
                name(row),
                toml::to_string(row).unwrap_or_default().trim().replace('\n', ", "),
            )
        })
        .collect()
}

fn diff(
    changes: &mut Vec<PlanChange>,
    what: &str,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        let action = match (old, new) {
            (None, Some(_)) => ChangeAction::Add,
            (Some(_), None) => ChangeAction::Remove,
            (Some(a), Some(b)) if a != b => ChangeAction::Change,
            (Some(_), Some(_)) | (None, None) => continue,
        };
        let path = format!("{what} {name}").trim_end().to_owned();
        changes.push(PlanChange {
            path,
            action,
            before: old.cloned(),
            after: new.cloned(),
        });
    }
}

#[cfg(test)]
mod tests;
