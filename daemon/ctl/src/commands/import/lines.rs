//! A file of receipts, one JSON object a line.
//!
//! Owns: how much of a file is read at once, what a bad line is, and the key of a line.
//! Must never: give one line two keys, or two lines that are two sales one key.

use crate::cli::Map;
use crate::failure::Failure;
use crate::json;
use kassette_api::v1::Receipt;
use kassette_ctl::map_2020::{self, MapError};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use time::Date;

/// Longest line; the largest receipt that an FN takes is far below.
const LINE_MAX: usize = 256 * 1024;
/// Most lines of a file: the digests of all are held, to tell equal lines apart.
const LINES_MAX: u64 = 1_000_000;
/// Most bad lines that are told.
const BAD_SHOWN: usize = 20;

/// Half of a SHA-256: no two lines share it by chance.
type LineDigest = [u8; 16];

/// One line of the file.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its number, from 1; empty lines count.
    pub number: u64,
    /// The key of its sale.
    pub key: String,
    /// What it asks for.
    pub receipt: Receipt,
}

/// A line that is no receipt.
#[derive(Debug)]
pub struct BadLine {
    /// Its number, from 1.
    number: u64,
    why: String,
    /// Nothing behind it can be read.
    last: bool,
}

impl BadLine {
    fn told(&self) -> String {
        format!("line {}: {}", self.number, self.why)
    }
}

/// What to read, and how.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// How a line becomes a receipt.
    pub map: Option<Map>,
    /// First part of every key.
    pub series: String,
    /// The day for which the receipts are mapped.
    pub day: Date,
}

impl Source {
    /// Reads the whole file once: how many receipts it has.
    ///
    /// # Errors
    /// A usage failure that names the bad lines; then nothing of the file is to be submitted.
    pub fn check(&self) -> Result<u64, Failure> {
        let (mut count, mut bad) = (0, Vec::new());
        let mut lines = self.open()?;
        loop {
            match lines.next() {
                Ok(None) => break,
                Ok(Some(_)) => count += 1,
                Err(line) => {
                    bad.push(line.told());
                    if line.last || bad.len() >= BAD_SHOWN {
                        break;
                    }
                }
            }
        }
        if bad.is_empty() {
            return Ok(count);
        }
        Err(self.refused(bad))
    }

    /// The failure of a file with bad lines.
    pub fn refused(&self, bad: Vec<String>) -> Failure {
        let next = "Correct or remove these lines and repeat the command; 'kassettectl receipt import --help' shows the \
                    form. Lines that were accepted before keep their keys.";
        Failure::usage(format!("{} has lines that are no receipts", self.path.display()), next).with_lines(bad)
    }

    /// Begins at the first line.
    ///
    /// # Errors
    /// When the file cannot be opened, or is none.
    pub fn open(&self) -> Result<Lines<BufReader<File>>, Failure> {
        let name = self.path.display();
        let next = "Name a file on disk: it is read once to check it and once to submit it.";
        let file = open_regular(&self.path).map_err(|error| Failure::usage(format!("{name}: {error}"), next))?;
        Ok(Lines {
            reader: BufReader::new(file),
            number: 0,
            seen: HashMap::new(),
            source: self.clone(),
        })
    }
}

fn open_regular(path: &Path) -> std::io::Result<File> {
    // Asked before it is opened: opening a pipe would wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("is not a regular file"));
    }
    File::open(path)
}

/// The lines of a file from first to last.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    number: u64,
    /// How often each line was seen so far.
    seen: HashMap<LineDigest, u32>,
    source: Source,
}

impl<R: BufRead> Lines<R> {
    /// The next receipt.
    ///
    /// # Errors
    /// [`BadLine`]; unless it is the last that can be read, the next call goes on behind it.
    pub fn next(&mut self) -> Result<Option<Line>, BadLine> {
        loop {
            let Some(bytes) = self.bytes()? else { return Ok(None) };
            let text = std::str::from_utf8(&bytes).map_err(|_| self.bad("is not UTF-8"))?;
            // Spaces and the form of the line's end are no part of a sale.
            let text = text.trim();
            if !text.is_empty() {
                let receipt = self.receipt(text)?;
                let (number, key) = (self.number, self.key(text));
                return Ok(Some(Line { number, key, receipt }));
            }
        }
    }

    fn bytes(&mut self) -> Result<Option<Vec<u8>>, BadLine> {
        self.number += 1;
        let mut bytes = Vec::new();
        let limit = LINE_MAX as u64 + 1;
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut bytes);
        match read {
            Err(error) => Err(self.last(format!("cannot be read: {error}"))),
            Ok(0) => Ok(None),
            Ok(_) if bytes.len() > LINE_MAX => Err(self.last(format!("is longer than {LINE_MAX} bytes"))),
            Ok(_) if self.number > LINES_MAX => {
                Err(self.last(format!("a file has at most {LINES_MAX} lines; split it")))
            }
            Ok(_) => Ok(Some(bytes)),
        }
    }

    fn receipt(&self, text: &str) -> Result<Receipt, BadLine> {
        match self.source.map {
            Some(Map::Of2020) => map_2020::receipt(text, self.source.day).map_err(|error| match error {
                // It counts the lines of one line.
                MapError::Json(error) => self.bad(&error.to_string().replace(" at line 1 column", " at column")),
                other => self.bad(&other.to_string()),
            }),
            None => json::read("Receipt", text).map_err(|error| self.bad(&format!("{error:#}"))),
        }
    }

    /// The series, the line's digest, and its number among equal lines: two sales of one line are two sales, and a line
    /// keeps its key wherever in the file it stands and whatever is added behind it.
    fn key(&mut self, text: &str) -> String {
        let whole = Sha256::digest(text.as_bytes());
        let mut digest = LineDigest::default();
        digest.copy_from_slice(&whole[..16]);
        let count = self.seen.entry(digest).or_insert(0);
        *count += 1;
        let mut key = format!("{}-", self.source.series);
        for byte in digest {
            // Writing into a string cannot fail.
            let _ = write!(key, "{byte:02x}");
        }
        let _ = write!(key, "-{count}");
        key
    }

    fn bad(&self, why: &str) -> BadLine {
        BadLine {
            number: self.number,
            why: why.to_owned(),
            last: false,
        }
    }

    fn last(&self, why: String) -> BadLine {
        BadLine {
            number: self.number,
            why,
            last: true,
        }
    }
}

impl From<BadLine> for String {
    fn from(line: BadLine) -> Self {
        line.told()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    fn lines(text: &[u8]) -> Lines<&[u8]> {
        Lines {
            reader: text,
            number: 0,
            seen: HashMap::new(),
            source: Source {
                path: PathBuf::from("x.jsonl"),
                map: None,
                series: "import".into(),
                day: date!(2026 - 11 - 22),
            },
        }
    }

    fn keys(text: &str) -> Vec<(u64, String)> {
        let mut lines = lines(text.as_bytes());
        let mut keys = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            keys.push((line.number, line.key));
        }
        keys
    }

    #[test]
    fn a_line_keeps_its_key_when_others_are_added_and_equal_lines_are_two_sales() {
        let first = keys("{\"tax_system\": 1}\n{\"tax_system\": 2}\n{\"tax_system\": 1}\n");
        let again = keys("\r\n{\"tax_system\": 2}\r\n {\"tax_system\": 1}\n{\"tax_system\": 1}\n{}");
        assert_eq!(first.len(), 3);
        assert_ne!(first[0].1, first[2].1);
        assert!(first[0].1.ends_with("-1") && first[2].1.ends_with("-2"), "{first:?}");
        assert_eq!(again[0], (2, first[1].1.clone()));
        assert_eq!(again[1], (3, first[0].1.clone()));
        assert_eq!(again[2], (4, first[2].1.clone()));
        // Known from outside: `printf '{"tax_system": 1}' | sha256sum`.
        assert_eq!(first[0].1, "import-ff49373e8065bf00c348b84936d333d2-1");
    }

    #[test]
    fn a_bad_line_is_named_by_its_number_and_the_next_is_read() {
        let mut lines = lines(b"{}\n{\"colour\": 1}\n\xff\n{}\n");
        assert_eq!(lines.next().unwrap().unwrap().number, 1);
        assert!(lines.next().unwrap_err().told().starts_with("line 2: "));
        assert_eq!(lines.next().unwrap_err().told(), "line 3: is not UTF-8");
        assert_eq!(lines.next().unwrap().unwrap().number, 4);
        assert!(lines.next().unwrap().is_none());
    }

    #[test]
    fn a_line_without_end_is_refused_before_it_fills_the_memory() {
        let endless = BufReader::new(std::io::repeat(b' '));
        let mut lines = Lines {
            reader: endless,
            number: 0,
            seen: HashMap::new(),
            source: lines(b"").source,
        };
        let bad = lines.next().unwrap_err();
        assert!(bad.last && bad.told().contains("longer than 262144 bytes"), "{bad:?}");
    }

    #[test]
    fn what_is_no_file_is_a_usage_error_and_never_waited_for() {
        let source = |path: &str| Source {
            path: PathBuf::from(path),
            ..lines(b"").source
        };
        for path in ["/nonexistent.jsonl", "/", "/dev/zero"] {
            let failure = source(path).check().unwrap_err();
            assert_eq!(failure.exit(), crate::failure::USAGE, "{path}");
        }
    }
}
