//! Documents on their way to the OFD, and its tickets (`fn-ffd-ofd` A.11, D).
//!
//! Owns: the queue, when the simulated OFD answers, and the exchange through the host.
//! Must never: take a document out of the queue without a ticket for it.

use super::Phase;
use super::facts::{Kind, Queue, Ticket, code};
use super::ledger::Record;
use super::ofd_message::{self, Refused, TicketFacts};
use super::storage::{FiscalStorage, local};
use crate::moment::Moment;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How long the simulated OFD takes to answer a document when it is up.
const OFD_DELAY_MS: i64 = 1_000;
/// Most tickets of a host's OFD that are kept whole; of older ones only that they came.
const MOST_TICKETS: usize = 1_000;

#[derive(Debug, Clone, Copy)]
pub(super) struct Unsent {
    fd: u32,
    kind: u8,
    pub(super) time: u32,
    pub(super) made_ms: i64,
}

impl Unsent {
    pub(super) const fn of(record: &Record) -> Self {
        Self {
            fd: record.fd,
            kind: record.kind,
            time: record.time,
            made_ms: record.made_unix_ms,
        }
    }
}

/// A ticket that the host brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptTicket {
    /// Its document.
    pub fd: u32,
    /// When the OFD took it, milliseconds since 1970 UTC.
    pub taken_unix_ms: i64,
    /// The OFD's sign.
    pub sign: Vec<u8>,
}

/// The exchange with the OFD through the host (`shtrih-m` 3.9), as it survives a power cut.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Relay {
    /// Since when the host carries the documents; absent: the register does it itself.
    pub since_ms: Option<i64>,
    /// Tickets it brought, in the order of their documents.
    pub tickets: Vec<KeptTicket>,
    /// First and last document whose ticket came but is not kept any more.
    pub forgotten: Option<(u32, u32)>,
}

impl Relay {
    fn last_delivered(&self) -> u32 {
        let forgotten = self.forgotten.map_or(0, |(_, last)| last);
        self.tickets.last().map_or(forgotten, |ticket| ticket.fd)
    }

    fn keep(&mut self, ticket: KeptTicket) {
        self.tickets.push(ticket);
        if self.tickets.len() > MOST_TICKETS {
            let oldest = self.tickets.remove(0).fd;
            self.forgotten = Some((self.forgotten.map_or(oldest, |(from, _)| from), oldest));
        }
    }
}

impl FiscalStorage {
    /// Drops from the queue what the OFD has answered by this true time.
    pub(super) fn take_tickets(&mut self, now_ms: i64) {
        let stopped = [self.troubles.ofd_down_since_ms, self.relay.since_ms];
        let until = stopped.into_iter().flatten().fold(now_ms, i64::min);
        while self.unsent.front().is_some_and(|d| d.made_ms + OFD_DELAY_MS <= until) {
            self.drop_first();
        }
    }

    /// The first document of the queue has its ticket.
    fn drop_first(&mut self) {
        let taken = self.unsent.pop_front();
        // The ticket of its closing is the last thing an FN waits for (A.3).
        if taken.is_some_and(|d| d.kind == Kind::Closing as u8) {
            self.phase = Phase::Archive;
        }
    }

    /// After a start: what the host's tickets had taken out of the queue.
    pub(super) fn drop_delivered(&mut self) {
        let last = self.relay.last_delivered();
        while self.unsent.front().is_some_and(|d| d.fd <= last) {
            self.drop_first();
        }
    }

    /// Whether the host carries the documents from now on.
    pub fn set_relayed(&mut self, relayed: bool, now: Moment) {
        if relayed == self.relay.since_ms.is_some() {
            return;
        }
        self.take_tickets(now.unix_ms);
        self.relay.since_ms = relayed.then_some(now.unix_ms);
    }

    /// The message for the OFD with the oldest document that waits; `None` when nothing waits.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub fn message(&mut self, ffd: [u8; 2], now: Moment) -> Result<Option<Vec<u8>>, u8> {
        self.alive()?;
        self.take_tickets(now.unix_ms);
        let Some(first) = self.unsent.front().copied() else {
            return Ok(None);
        };
        let record = self.record(first.fd)?;
        Ok(ofd_message::document(&self.unit.number, ffd, &record))
    }

    /// What the OFD answered to the oldest document; its response code (tag 1022).
    ///
    /// # Errors
    /// 20h when it is no ticket for that document.
    pub fn take_answer(&mut self, bytes: &[u8], now: Moment) -> Result<u8, u8> {
        self.alive()?;
        self.take_tickets(now.unix_ms);
        let answer = ofd_message::ticket(&self.unit.number, bytes);
        let TicketFacts {
            fd,
            time,
            sign,
            response,
        } = answer.map_err(|Refused| code::OFD_MESSAGE)?;
        if self.unsent.front().is_none_or(|first| first.fd != fd) {
            return Err(code::OFD_MESSAGE);
        }
        self.relay.keep(KeptTicket {
            fd,
            taken_unix_ms: i64::from(time) * 1000,
            sign,
        });
        self.drop_first();
        Ok(response)
    }

    /// Documents without a ticket.
    pub fn queue(&mut self, now: Moment) -> Queue {
        self.take_tickets(now.unix_ms);
        Queue {
            length: u16::try_from(self.unsent.len()).unwrap_or(u16::MAX),
            first_fd: self.unsent.front().map_or(0, |d| d.fd),
            first_time: self.unsent.front().and_then(|d| local(d.time)),
        }
    }

    /// Whether the OFD has answered a document.
    pub fn has_ticket(&mut self, fd: u32, now: Moment) -> bool {
        self.take_tickets(now.unix_ms);
        self.unsent.front().is_none_or(|d| fd < d.fd)
    }

    /// The ticket of a document: what the host brought, else one of the simulated OFD, whose time is that of an OFD that
    /// was up all the time.
    ///
    /// # Errors
    /// As [`Self::record`], 08h also without a ticket.
    pub fn ticket(&mut self, fd: u32, now: Moment) -> Result<Ticket, u8> {
        let record = self.record(fd)?;
        if !self.has_ticket(fd, now) {
            return Err(code::NO_DATA);
        }
        if let Some(kept) = self.relay.tickets.iter().find(|kept| kept.fd == fd) {
            return Ok(Ticket {
                taken_unix_ms: kept.taken_unix_ms,
                sign: kept.sign.clone(),
            });
        }
        if self.relay.forgotten.is_some_and(|(from, to)| (from..=to).contains(&fd)) {
            return Err(code::NO_DATA);
        }
        let hash = Sha256::new_with_prefix(b"ticket").chain_update(&record.tlv).finalize();
        Ok(Ticket {
            taken_unix_ms: record.made_unix_ms + OFD_DELAY_MS,
            sign: hash[..18].to_vec(),
        })
    }

    /// Tickets stop (`true`) or come again.
    pub fn set_ofd_down(&mut self, down: bool, now: Moment) {
        self.take_tickets(now.unix_ms);
        self.troubles.ofd_down_since_ms = down.then_some(now.unix_ms);
    }
}
