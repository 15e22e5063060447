//! `backup FILE`: a copy of the journal and the tenants' keys, taken while the daemon works.
//!
//! Owns: that the file is whole, for its owner alone, and appears under its name only then.
//! Must never: leave a broken backup under that name, or print what is in it.

use super::{Daemon, print_json};
use crate::cli::Backup;
use crate::failure::{DONE, Failure, REFUSED};
use crate::say::say;
use kassette_api::v1;
use kassette_api::v1::stream_backup_response::Part;
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Takes a backup and checks it against its trailer.
pub async fn run(mut daemon: Daemon, given: Backup) -> Result<u8, Failure> {
    let part = PathBuf::from(format!("{}.part", given.file.display()));
    let received = receive(&mut daemon, &given, &part).await;
    let placed = match received {
        Ok(whole) => place(&part, &given.file).map(|()| whole),
        Err(error) => Err(error),
    };
    if placed.is_err() {
        std::fs::remove_file(&part).ok();
    }
    let (left_out, trailer) = placed?;
    if daemon.json {
        print_json("BackupTrailer", &trailer)?;
    } else {
        say!(
            "done: {} bytes in {}; put it in place with 'kassetted journal restore --from'",
            trailer.size_bytes,
            given.file.display()
        );
    }
    for reason in &left_out {
        eprintln!("not in it: {} [{}]\n  {}", reason.text, reason.code, reason.next_step);
    }
    Ok(if left_out.is_empty() { DONE } else { REFUSED })
}

fn unwritable(error: &std::io::Error) -> Failure {
    Failure::host("the backup cannot be written", error)
}

fn broken(why: &str) -> Failure {
    Failure::host("the backup is not whole", &why)
}

/// What could not be put into it, and its end.
type Whole = (Vec<v1::Reason>, v1::BackupTrailer);

async fn receive(daemon: &mut Daemon, given: &Backup, part: &Path) -> Result<Whole, Failure> {
    let request = v1::StreamBackupRequest {
        without_keys: given.without_keys,
    };
    let mut stream = daemon.rack.stream_backup(request).await?.into_inner();
    // What an interrupted backup left is of no use.
    std::fs::remove_file(part).ok();
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(part)
        .map_err(|error| unwritable(&error))?;
    let (mut sum, mut size, mut left_out) = (Sha256::new(), 0_u64, Vec::new());
    while let Some(message) = stream.message().await? {
        match message.part {
            Some(Part::Chunk(chunk)) => {
                sum.update(&chunk);
                size += chunk.len() as u64;
                file.write_all(&chunk).map_err(|error| unwritable(&error))?;
            }
            Some(Part::Trailer(trailer)) => {
                if trailer.size_bytes != size || trailer.sha256[..] != sum.finalize()[..] {
                    return Err(broken("what arrived is not what was sent"));
                }
                file.sync_all().map_err(|error| unwritable(&error))?;
                return Ok((left_out, trailer));
            }
            Some(Part::Header(header)) => left_out = header.left_out,
            None => {}
        }
    }
    Err(broken("the stream ended before its trailer"))
}

fn place(part: &Path, file: &Path) -> Result<(), Failure> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::fs::rename(part, file)
        .and_then(|()| File::open(folder.unwrap_or(Path::new(".")))?.sync_all())
        .map_err(|error| unwritable(&error))
}
