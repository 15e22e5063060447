//! Resource names: `tenants/{inn}/receipts/{job}`, `slots/{label}`, `registers/{vendor}-{serial}`, `fns/{number}`.
//!
//! Owns: how each is written and read.
//! Must never: say whether the named thing exists.

use super::convert::findings::{At, quote};
use super::status::invalid_field;
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_receipts::job_key::JobKey;
use kassette_wire::value::{FnNumber, Inn, RegisterId};

/// What `tenants/-` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantParent {
    /// One tenant.
    One(Inn),
    /// Every tenant that the client is granted.
    All,
}

/// `tenants/{inn}`.
#[must_use]
pub fn tenant(inn: &Inn) -> String {
    format!("tenants/{inn}")
}

/// `tenants/{inn}/receipts/{job}`.
#[must_use]
pub fn receipt(inn: &Inn, key: &JobKey) -> String {
    format!("tenants/{inn}/receipts/{key}")
}

/// `slots/{label}`.
#[must_use]
pub fn slot(label: &str) -> String {
    format!("slots/{label}")
}

/// `registers/{vendor}-{serial}`.
#[must_use]
pub fn register(id: &RegisterId) -> String {
    format!("registers/{id}")
}

/// `fns/{number}`.
#[must_use]
pub fn fiscal_storage(number: &FnNumber) -> String {
    format!("fns/{number}")
}

/// `doubts/{id}`.
#[must_use]
pub fn doubt(id: i64) -> String {
    format!("doubts/{id}")
}

fn bad(at: &At<'_>, given: &str, form: &str) -> ErrorDetails {
    invalid_field(
        Code::NameInvalid,
        at,
        format!("{} is not a name like {form}", quote(given)),
    )
}

/// The part after a prefix, when it is one part and not empty.
fn part<'a>(given: &'a str, prefix: &str) -> Option<&'a str> {
    given
        .strip_prefix(prefix)
        .filter(|rest| !rest.is_empty() && !rest.contains('/'))
}

fn read_inn(at: &At<'_>, text: &str) -> Result<Inn, ErrorDetails> {
    let wrong = |_| {
        invalid_field(
            Code::InnInvalid,
            at,
            format!("{} is not an INN with right check digits", quote(text)),
        )
    };
    text.parse().map_err(wrong)
}

/// Reads `tenants/{inn}`.
///
/// # Errors
/// `NAME_INVALID`, or `INN_INVALID` when only the number is wrong.
pub fn read_tenant(at: &At<'_>, given: &str) -> Result<Inn, ErrorDetails> {
    let text = part(given, "tenants/").ok_or_else(|| bad(at, given, "tenants/7707083893"))?;
    read_inn(at, text)
}

/// Reads `tenants/{inn}` or `tenants/-`.
///
/// # Errors
/// As [`read_tenant`].
pub fn read_tenant_parent(at: &At<'_>, given: &str) -> Result<TenantParent, ErrorDetails> {
    match given {
        "tenants/-" => Ok(TenantParent::All),
        _ => read_tenant(at, given).map(TenantParent::One),
    }
}

/// Reads `tenants/{inn}/receipts/{job}`.
///
/// # Errors
/// As [`read_tenant`].
pub fn read_receipt(at: &At<'_>, given: &str) -> Result<(Inn, JobKey), ErrorDetails> {
    let wrong = || bad(at, given, "tenants/7707083893/receipts/K10200000010ABCX");
    let (inn, key) = given
        .strip_prefix("tenants/")
        .and_then(|rest| rest.split_once("/receipts/"))
        .ok_or_else(wrong)?;
    let inn = read_inn(at, inn)?;
    Ok((inn, key.parse().map_err(|_| wrong())?))
}

/// Reads `slots/{label}`.
///
/// # Errors
/// `NAME_INVALID`.
pub fn read_slot<'a>(at: &At<'_>, given: &'a str) -> Result<&'a str, ErrorDetails> {
    part(given, "slots/").ok_or_else(|| bad(at, given, "slots/R1-S07"))
}

/// Reads `registers/{vendor}-{serial}`.
///
/// # Errors
/// `NAME_INVALID`.
pub fn read_register(at: &At<'_>, given: &str) -> Result<RegisterId, ErrorDetails> {
    part(given, "registers/")
        .and_then(register_id)
        .ok_or_else(|| bad(at, given, "registers/shtrih-m-0000000001"))
}

/// The identity in `{vendor}-{serial}`: both parts may hold dashes, so each place is tried.
#[must_use]
pub fn register_id(text: &str) -> Option<RegisterId> {
    text.match_indices('-').find_map(|(dash, _)| {
        let (vendor, serial) = (text[..dash].parse().ok()?, text[dash + 1..].parse().ok()?);
        Some(RegisterId { vendor, serial })
    })
}

/// Reads `doubts/{id}`.
///
/// # Errors
/// `NAME_INVALID`.
pub fn read_doubt(at: &At<'_>, given: &str) -> Result<i64, ErrorDetails> {
    let id = part(given, "doubts/").and_then(|id| id.parse().ok());
    let id = id.filter(|id| doubt(*id) == given);
    id.ok_or_else(|| bad(at, given, "doubts/17"))
}

/// Reads `fns/{number}`.
///
/// # Errors
/// `NAME_INVALID`.
pub fn read_fiscal_storage(at: &At<'_>, given: &str) -> Result<FnNumber, ErrorDetails> {
    let number = part(given, "fns/").and_then(|number| number.parse().ok());
    number.ok_or_else(|| bad(at, given, "fns/9999078900000001"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: At<'static> = At::top("name");

    #[test]
    fn names_are_read_back_and_nothing_else_is() {
        let id = register_id("shtrih-m-00-12").unwrap();
        assert_eq!(id.serial.as_str(), "00-12");
        assert_eq!(read_register(&AT, &register(&id)).unwrap(), id);
        let inn: Inn = "7707083893".parse().unwrap();
        assert_eq!(read_tenant(&AT, &tenant(&inn)).unwrap(), inn);
        for bad in [
            "",
            "tenants/",
            "tenants/7707083893/",
            "tenant/7707083893",
            "tenants/7707083893/receipts/1",
        ] {
            assert_eq!(read_tenant(&AT, bad).unwrap_err().code, Code::NameInvalid, "{bad}");
        }
        for bad in [
            "tenants/7707083893/receipts/",
            "tenants/7707083893",
            "tenants/7707083893/receipts/0000",
            "////",
        ] {
            assert_eq!(read_receipt(&AT, bad).unwrap_err().code, Code::NameInvalid, "{bad}");
        }
        assert_eq!(
            read_tenant(&AT, "tenants/7707083894").unwrap_err().code,
            Code::InnInvalid
        );
        assert_eq!(read_tenant_parent(&AT, "tenants/-").unwrap(), TenantParent::All);
        assert!(read_slot(&AT, "slots/a/b").is_err() && read_slot(&AT, "slots/R1-S01").is_ok());
        assert!(read_fiscal_storage(&AT, "fns/Ж").is_err());
        assert_eq!(read_doubt(&AT, &doubt(17)).unwrap(), 17);
        for bad in ["doubts/", "doubts/+17", "doubts/017", "doubts/x", "doubts/1/2"] {
            assert_eq!(read_doubt(&AT, bad).unwrap_err().code, Code::NameInvalid, "{bad}");
        }
    }
}
