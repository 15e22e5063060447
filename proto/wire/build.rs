//! Compiles `proto/codes.toml` into the `Code` enum of `src/codes.rs`.
//!
//! Owns: the shape of that file; a malformed or doubled code stops the build with a text that names it.
//! Must never: write outside `OUT_DIR`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

/// The gRPC status names of the public status list, in its own order; the enum in `src/codes.rs` has the same.
const CLASSES: [(&str, &str); 16] = [
    ("CANCELLED", "Cancelled"),
    ("UNKNOWN", "Unknown"),
    ("INVALID_ARGUMENT", "InvalidArgument"),
    ("DEADLINE_EXCEEDED", "DeadlineExceeded"),
    ("NOT_FOUND", "NotFound"),
    ("ALREADY_EXISTS", "AlreadyExists"),
    ("PERMISSION_DENIED", "PermissionDenied"),
    ("RESOURCE_EXHAUSTED", "ResourceExhausted"),
    ("FAILED_PRECONDITION", "FailedPrecondition"),
    ("ABORTED", "Aborted"),
    ("OUT_OF_RANGE", "OutOfRange"),
    ("UNIMPLEMENTED", "Unimplemented"),
    ("INTERNAL", "Internal"),
    ("UNAVAILABLE", "Unavailable"),
    ("DATA_LOSS", "DataLoss"),
    ("UNAUTHENTICATED", "Unauthenticated"),
];

const FIELDS: [&str; 6] = ["id", "class", "en", "ru", "next", "next_ru"];

struct Entry {
    id: String,
    variant: String,
    class: &'static str,
    texts: [String; 4],
}

fn main() -> Result<(), String> {
    let path = "../codes.toml";
    println!("cargo:rerun-if-changed={path}");
    println!("cargo:rerun-if-changed=build.rs");
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let table: toml::Table = text.parse().map_err(|error| format!("{path}: {error}"))?;
    let entries = read(&table).map_err(|error| format!("{path}: {error}"))?;
    let out = env::var("OUT_DIR").map_err(|error| format!("OUT_DIR: {error}"))?;
    let target = Path::new(&out).join("codes.rs");
    fs::write(&target, render(&entries)).map_err(|error| format!("{}: {error}", target.display()))
}

fn read(table: &toml::Table) -> Result<Vec<Entry>, String> {
    if let Some(key) = table.keys().find(|key| *key != "code") {
        return Err(format!("unknown key '{key}': the file holds only [[code]] entries"));
    }
    let list = table
        .get("code")
        .and_then(toml::Value::as_array)
        .ok_or("no [[code]] entry")?;
    let mut seen = BTreeSet::new();
    let mut entries = Vec::with_capacity(list.len());
    for (index, value) in list.iter().enumerate() {
        let entry = read_one(value).map_err(|error| format!("code {} of the file: {error}", index + 1))?;
        // Two ids may differ only in underscores and still give one variant, so the variant is compared.
        if !seen.insert(entry.variant.clone()) {
            return Err(format!("code {} stands twice", entry.id));
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn read_one(value: &toml::Value) -> Result<Entry, String> {
    let table = value.as_table().ok_or("not a table")?;
    let text = |field: &str| -> Result<String, String> {
        let text = table
            .get(field)
            .and_then(toml::Value::as_str)
            .unwrap_or_default()
            .trim();
        if text.is_empty() {
            Err(format!("'{field}' is missing or empty"))
        } else {
            Ok(text.to_owned())
        }
    };
    let id = text("id")?;
    if let Some(key) = table.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        return Err(format!("{id}: unknown field '{key}'"));
    }
    let variant = variant(&id)?;
    let named = |error: String| format!("{id}: {error}");
    let class_name = text("class").map_err(named)?;
    let class = CLASSES
        .iter()
        .find(|(name, _)| *name == class_name)
        .map(|(_, variant)| *variant)
        .ok_or_else(|| format!("{id}: class '{class_name}' is not a gRPC status name"))?;
    let texts = [
        text("en").map_err(named)?,
        text("ru").map_err(named)?,
        text("next").map_err(named)?,
        text("next_ru").map_err(named)?,
    ];
    Ok(Entry {
        id,
        variant,
        class,
        texts,
    })
}

/// `KEY_CONFLICT` → `KeyConflict`; refuses whatever is not UPPER_SNAKE.
fn variant(id: &str) -> Result<String, String> {
    let mut name = String::new();
    for word in id.split('_') {
        let mut letters = word.chars();
        let first = letters.next().filter(char::is_ascii_uppercase);
        let rest = letters.as_str();
        match first {
            Some(first) if rest.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()) => {
                name.push(first);
                name.push_str(&rest.to_ascii_lowercase());
            }
            _ => return Err(format!("id '{id}' is not UPPER_SNAKE")),
        }
    }
    Ok(name)
}

fn render(entries: &[Entry]) -> String {
    let mut out = String::from(
        "/// Why something was refused, held, quarantined, doubted or failed: the entries of `proto/codes.toml`.\n\
         #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]\n#[non_exhaustive]\npub enum Code {\n",
    );
    for entry in entries {
        let _ = writeln!(
            out,
            "    /// `{}`: {}\n    {},",
            entry.id, entry.texts[0], entry.variant
        );
    }
    out.push_str(
        "}\n\nimpl Code {\n    /// Every code, in the order of the file.\n    pub const ALL: &'static [Self] = &[\n",
    );
    for entry in entries {
        let _ = writeln!(out, "        Self::{},", entry.variant);
    }
    out.push_str("    ];\n\n    const fn entry(self) -> &'static Entry {\n        match self {\n");
    for entry in entries {
        let [en, ru, next, next_ru] = &entry.texts;
        let _ = writeln!(
            out,
            "            Self::{} => &Entry {{ id: {:?}, class: StatusClass::{}, en: {en:?}, ru: {ru:?}, next_en: \
             {next:?}, next_ru: {next_ru:?} }},",
            entry.variant, entry.id, entry.class
        );
    }
    out.push_str("        }\n    }\n}\n");
    out
}
