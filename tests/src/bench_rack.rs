//! Racks of the tests: the text of the simulator's rack file, and the taxpayers in it.
//!
//! Owns: INNs with right check digits, and the keys of a rack file that tests set.
//! Must never: name an FN that is not a test FN unless a case asks for it.

use std::fmt::Write;

/// One register of a test rack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchRegister {
    /// Factory serial number.
    pub serial: String,
    /// FN number.
    pub fn_number: String,
    /// Taxpayer.
    pub inn: String,
    /// Format of its documents, `1.2` or `1.05`.
    pub ffd: String,
    /// Value of `timing` as TOML.
    pub timing: String,
    /// `pty` or `tcp`.
    pub link: String,
    /// Where a `tcp` one listens; empty: anywhere.
    pub port: String,
    /// Value of `registration` as TOML.
    pub registration: String,
    /// Value of `switches` as TOML.
    pub switches: String,
}

/// The register keeps 22 % where the vendor's driver looks for it.
pub const VAT_22: &str = "{ vat_22 = \"rows_11_and_12\" }";

/// An internet register in automatic mode with every tax system of today.
pub const OF_A_DATACENTER: &str = "{ tax_systems = 55, work_mode = 36 }";

impl BenchRegister {
    /// Register number `n`, from 1, of a taxpayer, that answers at once.
    #[must_use]
    pub fn new(n: u32, inn: &str) -> Self {
        Self {
            serial: format!("{n:012}"),
            fn_number: format!("9999{n:012}"),
            inn: inn.to_owned(),
            ffd: "1.2".to_owned(),
            timing: "\"instant\"".to_owned(),
            link: "pty".to_owned(),
            port: String::new(),
            registration: OF_A_DATACENTER.to_owned(),
            switches: VAT_22.to_owned(),
        }
    }
}

/// INN number `n` of a company: nine digits and the check digit of the tax service's rule.
#[must_use]
pub fn inn(n: u32) -> String {
    const WEIGHTS: [u32; 9] = [2, 4, 10, 3, 5, 9, 4, 6, 8];
    let base = format!("77{:07}", n % 10_000_000);
    let digits = base.chars().filter_map(|c| c.to_digit(10));
    let sum: u32 = digits.zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
    format!("{base}{}", sum % 11 % 10)
}

/// So many registers, each of a taxpayer of its own: a job of a tenant then has one register only.
#[must_use]
pub fn one_tenant_each(count: u32) -> Vec<BenchRegister> {
    (1..=count).map(|n| BenchRegister::new(n, &inn(n))).collect()
}

/// The text of a rack file.
#[must_use]
pub fn rack_file(seed: u64, registers: &[BenchRegister]) -> String {
    let mut text = format!("seed = {seed}\n");
    for one in registers {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[[register]]\nvendor = \"shtrih-m\"\nmodel = \"РИТЕЙЛ-01Ф\"\nserial = \"{}\"\ninn = \"{}\"\n\
             ffd = \"{}\"\nlink = \"{}\"\ntiming = {}\nfn = {{ number = \"{}\", expiry = \"2028-11-22\" }}\n\
             switches = {}\nregistration = {}\n",
            one.serial, one.inn, one.ffd, one.link, one.timing, one.fn_number, one.switches, one.registration,
        );
        if !one.port.is_empty() {
            let _ = writeln!(text, "port = \"{}\"", one.port);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_taxpayers_have_right_check_digits() {
        for n in 0..2000 {
            let text = inn(n);
            assert!(text.parse::<kassette_wire::value::Inn>().is_ok(), "{text}");
        }
    }
}
