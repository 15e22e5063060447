//! The files of a configuration, merged so that each value knows its file.
//!
//! Owns: which files are read, in which order; a later file wins key by key.
//! Must never: understand a value.

use super::environment::HostEnvironment;
use super::error::{ConfigError, ConfigErrors};
use kassette_wire::codes::Code;
use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// Largest file read; a configuration is a few kilobytes.
const FILE_MAX: u64 = 1 << 20;
/// Most files read from the drop-in folder.
const DROP_INS_MAX: usize = 256;

/// A value and where it stands.
pub(super) struct Found {
    pub(super) value: toml::Value,
    pub(super) file: PathBuf,
}

/// All values by dotted key, and the files they came from.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) values: BTreeMap<String, Found>,
    pub(super) files: Vec<PathBuf>,
    /// Files that cannot be used; the others are still checked, so that everything is told at once.
    pub(super) errors: Vec<ConfigError>,
}

/// Reads the named file, or the user's own if it exists, then its drop-ins in the order of their names.
pub(super) fn collect(named: Option<&Path>, host: &HostEnvironment) -> Result<Collected, ConfigErrors> {
    let mut found = Collected::default();
    let main = match named {
        Some(path) => Some(path.to_owned()),
        None => host.config_file(),
    };
    let Some(main) = main else { return Ok(found) };
    read_into(&main, named.is_none(), &mut found);
    for file in drop_ins(&main, &mut found.errors) {
        read_into(&file, false, &mut found);
    }
    Ok(found)
}

fn unreadable(file: &Path, text: String) -> ConfigError {
    ConfigError {
        code: Code::ConfigUnreadable,
        file: Some(file.to_owned()),
        key: String::new(),
        value: None,
        text,
    }
}

fn drop_ins(main: &Path, errors: &mut Vec<ConfigError>) -> Vec<PathBuf> {
    let mut folder = main.as_os_str().to_owned();
    folder.push(".d");
    let folder = PathBuf::from(folder);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            errors.push(unreadable(
                &folder,
                format!("the drop-in folder cannot be read: {error}"),
            ));
            return Vec::new();
        }
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    if files.len() > DROP_INS_MAX {
        errors.push(unreadable(
            &folder,
            format!("{} drop-in files; at most {DROP_INS_MAX} are read", files.len()),
        ));
        files.truncate(DROP_INS_MAX);
    }
    files
}

fn read_into(file: &Path, may_be_missing: bool, found: &mut Collected) {
    let text = match read_text(file) {
        Ok(text) => text,
        Err(error) if may_be_missing && error.kind() == ErrorKind::NotFound => return,
        Err(error) => return found.errors.push(unreadable(file, error.to_string())),
    };
    found.files.push(file.to_owned());
    match text.parse::<toml::Table>() {
        Ok(table) => flatten(String::new(), table, file, &mut found.values),
        Err(error) => found
            .errors
            .push(unreadable(file, error.to_string().trim_end().to_owned())),
    }
}

fn read_text(file: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = fs::File::open(file)?.take(FILE_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > FILE_MAX {
        return Err(std::io::Error::new(
            ErrorKind::InvalidData,
            "larger than 1 MiB: not a configuration",
        ));
    }
    Ok(text)
}

fn flatten(prefix: String, table: toml::Table, file: &Path, into: &mut BTreeMap<String, Found>) {
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}.{name}")
        };
        match value {
            toml::Value::Table(inner) => flatten(key, inner, file, into),
            value => {
                into.insert(
                    key,
                    Found {
                        value,
                        file: file.to_owned(),
                    },
                );
            }
        }
    }
}
