//! Group commit with nothing around it.
//!
//! Owns: one writer thread on one table, `synchronous=FULL`.
//! Must never: answer before the rows are durable.

use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

type Waiting = (Vec<Vec<u8>>, oneshot::Sender<()>);

/// The way to the writer thread.
#[derive(Clone)]
pub struct Commits(Sender<Waiting>);

impl Commits {
    /// Starts the writer on a new file, `synchronous=FULL`.
    ///
    /// # Errors
    /// The database's.
    pub fn start(path: &Path) -> rusqlite::Result<Self> {
        let database = rusqlite::Connection::open(path)?;
        database.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        database.pragma_update(None, "synchronous", "FULL")?;
        database.execute_batch("CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")?;
        let (sender, waiting) = channel();
        std::thread::spawn(move || write(&database, &waiting));
        Ok(Self(sender))
    }

    /// Stores rows; returns when they are durable.
    ///
    /// # Errors
    /// The writer has stopped.
    pub async fn commit(&self, rows: Vec<Vec<u8>>) -> io::Result<()> {
        let (answer, durable) = oneshot::channel();
        self.0.send((rows, answer)).map_err(io::Error::other)?;
        durable.await.map_err(io::Error::other)
    }
}

/// Whatever waits goes into one transaction.
fn write(database: &rusqlite::Connection, waiting: &Receiver<Waiting>) -> rusqlite::Result<()> {
    while let Ok(first) = waiting.recv() {
        let transaction = database.unchecked_transaction()?;
        let batch: Vec<Waiting> = std::iter::once(first).chain(waiting.try_iter().take(255)).collect();
        for body in batch.iter().flat_map(|(rows, _)| rows) {
            transaction
                .prepare_cached("INSERT INTO rows (body) VALUES (?1)")?
                .execute([body])?;
        }
        transaction.commit()?;
        for (_, answer) in batch {
            let _ = answer.send(());
        }
    }
    Ok(())
}
