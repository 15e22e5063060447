//! How often the journal had to be opened again lately.
//!
//! Owns: the count that survives the process, so that a failing disk does not make an endless circle of restarts.
//! Must never: lie on the disk it watches: it stands beside the socket, in the runtime folder.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// So many in the window end the restarts (design section 5, "Journal trouble").
pub const REOPENS_MAX: usize = 3;
/// The window, seconds.
pub const WINDOW_S: i64 = 600;

/// The moments at which a start ended with a reopening.
#[derive(Debug, Clone)]
pub struct Reopens {
    file: PathBuf,
}

impl Reopens {
    /// Beside the socket.
    #[must_use]
    pub fn beside(socket: &Path) -> Self {
        let mut file = socket.as_os_str().to_owned();
        file.push(".reopens");
        Self { file: file.into() }
    }

    /// How many lie within the window before `now_s` (seconds since 1970).
    #[must_use]
    pub fn lately(&self, now_s: i64) -> usize {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.parse::<i64>().ok())
            .filter(|at| (0..=WINDOW_S).contains(&(now_s - at)))
            .count()
    }

    /// Whether no further restart may be tried by itself.
    #[must_use]
    pub fn exhausted(&self, now_s: i64) -> bool {
        self.lately(now_s) >= REOPENS_MAX
    }

    /// Notes one.
    ///
    /// # Errors
    /// The operating system's.
    pub fn note(&self, now_s: i64) -> io::Result<()> {
        // After a month of single troubles the file would still be small, but it need not grow for ever.
        if std::fs::metadata(&self.file).is_ok_and(|meta| meta.len() > 64 * 1024) {
            std::fs::remove_file(&self.file)?;
        }
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&self.file)?;
        writeln!(file, "{now_s}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_reopening_in_ten_minutes_ends_the_restarts_and_old_ones_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let reopens = Reopens::beside(&folder.path().join("api.sock"));
        assert!(!reopens.exhausted(1_000));
        for at in [1_000, 1_100] {
            reopens.note(at).unwrap();
        }
        assert!(!reopens.exhausted(1_200));
        reopens.note(1_200).unwrap();
        assert!(reopens.exhausted(1_200));
        assert!(!reopens.exhausted(1_601), "the first left the window");
    }
}
