//! `StreamBackup`: a backup as parts of a stream.
//!
//! Owns: the parts and their order: header, chunks, trailer.
//! Must never: hold more of a backup than a few chunks, or end a broken one with a trailer.

use super::convert::reason::reason;
use super::convert::time::timestamp;
use super::tokens;
use crate::backup::{Files, take};
use kassette_api::codes::Code;
use kassette_api::status::ErrorDetails;
use kassette_api::v1;
use kassette_api::v1::stream_backup_response::Part;
use kassette_core::parts::UnixMillis;
use kassette_core::rack::RackHandle;
use sha2::{Digest as _, Sha256};
use std::io::Read as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Bytes of one chunk, by the contract.
const CHUNK: usize = 64 << 10;
/// Chunks that wait for a slow client.
const CHUNKS: usize = 8;

type Sent = Result<v1::StreamBackupResponse, Status>;

/// Takes a backup on a thread of its own and sends it as fast as the client takes it.
pub fn parts(files: Files, rack: RackHandle, with_keys: bool, now: UnixMillis) -> ReceiverStream<Sent> {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = send(&files, &rack, with_keys, now, &sender) {
            let details = ErrorDetails::new(Code::BackupFailed).with_message(error.to_string());
            sender.blocking_send(Err(details.into())).ok();
        }
    });
    ReceiverStream::new(receiver)
}

fn send(
    files: &Files,
    rack: &RackHandle,
    with_keys: bool,
    now: UnixMillis,
    sender: &mpsc::Sender<Sent>,
) -> std::io::Result<()> {
    let gone = |_| std::io::Error::other("the client went away");
    let part = |part| Ok(v1::StreamBackupResponse { part: Some(part) });
    let mut taken = take(files, with_keys, now)?;
    let header = v1::BackupHeader {
        journal_id: taken.facts.journal_id.clone(),
        journal_generation: taken.facts.generation.to_string(),
        schema: u32::try_from(taken.facts.schema).unwrap_or_default(),
        started_at: Some(timestamp(now)),
        size_bytes_estimate: taken.size,
        left_out: taken.left_out.iter().map(reason).collect(),
    };
    sender.blocking_send(part(Part::Header(header))).map_err(gone)?;
    let (mut sum, mut sent) = (Sha256::new(), 0_u64);
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        taken.bytes.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)?;
        if chunk.is_empty() {
            break;
        }
        sum.update(&chunk);
        sent += chunk.len() as u64;
        sender.blocking_send(part(Part::Chunk(chunk))).map_err(gone)?;
    }
    // Only what was taken whole counts, and only a backup that lacks nothing; whoever has the trailer finds it noted.
    let runtime = tokio::runtime::Handle::current();
    let all_taken = |_| std::io::Error::other("the client went away");
    drop(runtime.block_on(sender.reserve_many(CHUNKS)).map_err(all_taken)?);
    if with_keys && taken.left_out.is_empty() {
        // The backup is good even when the journal does not take the note.
        runtime.block_on(rack.backed_up(now)).ok();
    }
    let trailer = v1::BackupTrailer {
        size_bytes: sent,
        sha256: sum.finalize().to_vec(),
        cursor: tokens::cursor(taken.facts.generation, taken.facts.sequence),
    };
    sender.blocking_send(part(Part::Trailer(trailer))).map_err(gone)
}
