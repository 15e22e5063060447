//! The disk under the journal: a file system of its own, so that it can be full.
//!
//! Owns: its image, its mount, and the ballast that fills it.
//! Must never: fill a disk that others use, or leave a mount behind.

use anyhow::{Context, ensure};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Size of the file system, bytes: the image is sparse, and a torture of half an hour writes some 200 MiB.
const SIZE: u64 = 1 << 30;
/// One write of ballast.
const CHUNK: usize = 1 << 20;

/// An ext4 file system in a file, mounted over a loop device; gone with this value.
#[derive(Debug)]
pub struct OwnDisk {
    at: PathBuf,
}

fn run(program: &str, args: &[&std::ffi::OsStr]) -> anyhow::Result<()> {
    let output = Command::new(program)
        .args(args)
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program}: {}", said.trim());
    Ok(())
}

impl OwnDisk {
    /// Makes and mounts it at an empty folder; the image stands beside it.
    ///
    /// # Errors
    /// When this user may not mount, or the programs for it are missing.
    pub fn mount(at: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(at)?;
        let image = at.with_extension("ext4");
        File::create(&image)?.set_len(SIZE)?;
        // No part of it is kept for root: full is full for everybody.
        run(
            "mkfs.ext4",
            &["-q".as_ref(), "-m".as_ref(), "0".as_ref(), image.as_os_str()],
        )?;
        run(
            "mount",
            &["-o".as_ref(), "loop".as_ref(), image.as_os_str(), at.as_os_str()],
        )?;
        let disk = Self { at: at.to_owned() };
        std::fs::remove_dir(at.join("lost+found")).context("a new file system")?;
        Ok(disk)
    }

    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }

    /// Writes until nothing more fits.
    ///
    /// # Errors
    /// When it ends for another reason.
    pub fn fill(&self) -> anyhow::Result<()> {
        let mut file = File::create(self.ballast())?;
        for size in [CHUNK, 4096, 1] {
            let chunk = vec![0x5A; size];
            loop {
                match file.write(&chunk) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::StorageFull => break,
                    Err(error) => return Err(error).context("filling the disk"),
                }
            }
        }
        Ok(())
    }

    /// Takes the ballast away.
    ///
    /// # Errors
    /// The operating system's.
    pub fn free(&self) -> anyhow::Result<()> {
        match std::fs::remove_file(self.ballast()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("freeing the disk"),
            _ => Ok(()),
        }
    }
}

impl Drop for OwnDisk {
    fn drop(&mut self) {
        if let Err(error) = run("umount", &[self.at.as_os_str()]) {
            eprintln!("{error:#}");
        }
    }
}
