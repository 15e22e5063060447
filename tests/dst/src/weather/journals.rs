//! Journals that know less than the FNs, and know that they do: a backup that was put in place, an empty folder. A disk
//! that lost its last commits tells nobody: what was made on a register that does not answer then cannot be known, so it
//! has stories of its own in which all answer (`tests/older_journals.rs`).
//!
//! Owns: when such a state is taken, and that it stands when the process next starts.
//! Must never: put anything in place while a process lives.

use crate::draw::Draw;
use crate::play::Play;
use crate::world::FrameSide;

/// Where the older journal comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Older {
    /// A person puts a backup in place: the first start on it knows that it is a copy.
    BackupRestored,
    /// The state folder is empty.
    Lost,
}

/// The names of the kinds.
pub(super) const NAMES: &[&str] = &["backup-restored", "journal-lost"];

impl Older {
    /// Draws one.
    pub(super) fn draw(draw: &mut Draw) -> Self {
        draw.of_all(&[Self::BackupRestored, Self::BackupRestored, Self::Lost])
    }

    /// The name of its kind.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::BackupRestored => "backup-restored",
            Self::Lost => "journal-lost",
        }
    }

    /// The state is taken now; the process dies at the n-th command from now and starts on it.
    pub(super) async fn strike(self, play: &mut Play, nth: u64) {
        play.start().await;
        let kept = match self {
            Self::BackupRestored => Some(play.world.back_up()),
            Self::Lost => None,
        };
        play.older_journal = Some((self.name(), kept));
        play.world.kill_at_exchange(nth, FrameSide::Before);
    }
}
