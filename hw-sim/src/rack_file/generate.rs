//! Rack files for tests, benchmarks and torture, made from a few parameters.
//!
//! Owns: the numbering of generated registers.
//! Must never: make a rack that the reader would refuse, or an FN that is not a test FN.

use std::fmt::Write;

/// What a generated rack looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// How many registers, up to 9999.
    pub registers: u32,
    /// Tenants by INN; registers go to them in turn.
    pub tenants: Vec<String>,
    /// `pty` or `tcp`.
    pub link: String,
    /// Value of `timing` as TOML: `"instant"`, `"realistic"` or `{ FF45 = 500 }`.
    pub timing: String,
    /// First letters of every FN number: `9999` for test FNs.
    pub fn_prefix: String,
    /// Documents each FN can make.
    pub documents_left: u32,
    /// Seed of chance.
    pub seed: u64,
    /// More lines for every register, as TOML.
    pub extra: String,
}

impl Default for Generated {
    fn default() -> Self {
        Self {
            registers: 1,
            tenants: vec!["7704358518".to_owned()],
            link: "pty".to_owned(),
            timing: "\"instant\"".to_owned(),
            fn_prefix: "9999".to_owned(),
            documents_left: 250_000,
            seed: 1,
            extra: String::new(),
        }
    }
}

/// The text of a rack file. Register `n` (from 1) has serial `00000000000n` and FN `<prefix>00…n`.
#[must_use]
pub fn generate(wish: &Generated) -> String {
    let mut text = format!("seed = {}\n", wish.seed);
    let mut tenants = wish.tenants.iter().cycle();
    for n in 1..=wish.registers {
        let inn = tenants.next().map_or("7704358518", String::as_str);
        let digits = 16_usize.saturating_sub(wish.fn_prefix.len());
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[[register]]\nvendor = \"shtrih-m\"\nmodel = \"РИТЕЙЛ-01Ф\"\nserial = \"{n:012}\"\ninn = \"{inn}\"\n\
             link = \"{link}\"\ntiming = {timing}\nfn = {{ number = \"{prefix}{n:0digits$}\", \
             documents_left = {left}, expiry = \"2028-11-22\" }}\n{extra}\n",
            link = wish.link,
            timing = wish.timing,
            prefix = wish.fn_prefix,
            left = wish.documents_left,
            extra = wish.extra,
        );
    }
    text
}
