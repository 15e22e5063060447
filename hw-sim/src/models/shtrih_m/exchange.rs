//! The exchange with the OFD: as the register shows it, and through the host (`shtrih-m.md` 3.3, 3.7, 3.9).
//!
//! Owns: commands FF39, FF30 to FF33 and FF64, the buffer behind them, and table 20.
//! Must never: take a document for delivered that the OFD has not answered.

use super::config::Ffd;
use super::device::{Device, Outcome};
use super::tables::cell;
use crate::fiscal_storage::code;
use crate::fiscal_storage::ofd_message::SIGNATURE;
use crate::moment::Moment;
use kassette_wire::shtrih::{
    Answer, BeginOfdAnswer, ErrorCode, OfdBuffer, OfdStatus, ReadOfdBlock, TableCell, WriteOfdBlock,
};
use kassette_wire::value::FdNumber;

/// 21/1/2: 1 the register sends its documents itself, 0 the host does.
pub(super) const OFD_BY_REGISTER: TableCell = cell(21, 1, 2);
/// Most bytes of one FF31 or FF33; the figure is ours, no source gives one. Both fit into a frame of v1.
const BLOCK: u8 = 128;
/// Most bytes that FF32 announces: what the FN takes of a receipt (`fn-ffd-ofd` A.2).
const MOST_WRITTEN: u16 = 30 * 1024;

/// A message that is being read or written. It is lost with the power.
#[derive(Debug, Clone, Default)]
pub(super) struct ExchangeBuffer {
    /// Message for the OFD, and how far it was read.
    reading: Option<(Vec<u8>, usize)>,
    /// Announced size and bytes so far of what the host writes.
    writing: Option<(usize, Vec<u8>)>,
    /// What the FN said to the last answer of the OFD, and the OFD's response code.
    last_answer: (u8, u8),
}

/// Number of the table that nobody writes: it stands as the exchange does.
pub(super) const EXCHANGE_TABLE: u8 = 20;
/// Bits of the exchange state: there is something to send; it was read and waits for its ticket.
const TO_SEND: u8 = 1 << 1;
const WAITS_FOR_TICKET: u8 = 1 << 2;

impl Device {
    pub(super) fn ofd_status(&mut self, now: Moment) -> OfdStatus {
        let queue = self.storage.queue(now);
        let reading = self.exchange.reading.as_ref().filter(|_| queue.length > 0);
        let waits = reading.is_some_and(|(message, read)| *read == message.len());
        let mut exchange = if queue.length > 0 { TO_SEND } else { 0 };
        if waits {
            exchange |= WAITS_FOR_TICKET;
        }
        OfdStatus {
            exchange,
            reading: u8::from(reading.is_some() && !waits),
            queue: queue.length,
            first_fd: FdNumber(queue.first_fd),
            first_time: queue.first_time,
        }
    }

    /// FF30: puts the oldest message into the buffer. A register with its own exchange has nothing for the host.
    pub(super) fn ofd_buffer(&mut self, now: Moment) -> Outcome {
        self.exchange.reading = None;
        let mut waiting = 0;
        if self.tables.number(OFD_BY_REGISTER) == 0 {
            let version = match self.config.ffd {
                Ffd::V105 => [0x01, 0x05],
                Ffd::V12 => [0x01, 0x20],
            };
            let message = self.storage.message(version, now).map_err(ErrorCode)?;
            waiting = message.as_ref().map_or(0, Vec::len);
            self.exchange.reading = message.map(|message| (message, 0));
        }
        let waiting = u16::try_from(waiting).map_err(|_| ErrorCode(code::FAILURE))?;
        Ok(Answer::OfdBuffer(OfdBuffer {
            waiting,
            max_block: BLOCK,
        }))
    }

    /// FF31.
    pub(super) fn read_block(&mut self, asked: &ReadOfdBlock) -> Outcome {
        let (message, read) = self.exchange.reading.as_mut().ok_or(ErrorCode::NO_DATA)?;
        let from = usize::from(asked.offset);
        let to = from + usize::from(asked.count);
        if !(1..=BLOCK).contains(&asked.count) {
            return Err(ErrorCode::BAD_PARAMETERS);
        }
        let block = message.get(from..to).ok_or(ErrorCode::BAD_PARAMETERS)?.to_vec();
        *read = (*read).max(to);
        Ok(Answer::OfdBlock(block))
    }

    /// FF32: an answer of the OFD, or a TLV that is too long for one command. What was in the buffer is gone.
    pub(super) fn begin_write(&mut self, asked: &BeginOfdAnswer) -> Outcome {
        self.exchange.writing = None;
        if !(1..=MOST_WRITTEN).contains(&asked.size) {
            return Err(ErrorCode::BAD_PARAMETERS);
        }
        self.exchange.writing = Some((usize::from(asked.size), Vec::new()));
        Ok(Answer::MaxBlock(BLOCK))
    }

    /// FF33: blocks follow each other; one that was written may come again. The last one of an answer gives it to the
    /// FN, and says what the FN said.
    pub(super) fn write_block(&mut self, asked: &WriteOfdBlock, now: Moment) -> Outcome {
        let (size, written) = self.exchange.writing.as_mut().ok_or(ErrorCode::NO_DATA)?;
        let from = usize::from(asked.offset);
        let to = from + asked.data.len();
        let fits = (1..=usize::from(BLOCK)).contains(&asked.data.len()) && to <= *size && from <= written.len();
        if !fits {
            return Err(ErrorCode::BAD_PARAMETERS);
        }
        if written.len() < to {
            written.resize(to, 0);
        }
        written[from..to].copy_from_slice(&asked.data);
        if written.len() == *size && written.starts_with(&SIGNATURE) {
            let answer = std::mem::take(written);
            self.exchange.writing = None;
            self.take_ofd_answer(&answer, now)?;
        }
        Ok(Answer::Done)
    }

    fn take_ofd_answer(&mut self, answer: &[u8], now: Moment) -> Result<(), ErrorCode> {
        if self.tables.number(OFD_BY_REGISTER) != 0 {
            return Err(ErrorCode(code::NO_TRANSPORT));
        }
        let taken = self.storage.take_answer(answer, now);
        self.exchange.last_answer = match taken {
            Ok(response) => (0, response),
            Err(code) => (code, 0),
        };
        taken.map_err(ErrorCode)?;
        self.exchange.reading = None;
        self.memory.relay = self.storage.relay.clone();
        self.memory_changed = true;
        Ok(())
    }

    /// FF64: the written TLV goes where FF0C would put it.
    pub(super) fn send_long_tlv(&mut self) -> Outcome {
        let whole = self.exchange.writing.take_if(|(size, written)| written.len() == *size);
        let (_, tlv) = whole.ok_or(ErrorCode::NO_DATA)?;
        self.document_tags(&tlv)
    }

    /// After the tables changed: what follows them at once.
    pub(super) fn follow_tables(&mut self, now: Moment) {
        let relayed = self.tables.number(OFD_BY_REGISTER) == 0;
        self.storage.set_relayed(relayed, now);
        if self.memory.relay != self.storage.relay {
            self.memory.relay = self.storage.relay.clone();
            self.memory_changed = true;
        }
    }

    /// Puts the state into the fields of table 20. Its log lines stay empty: there is no network to tell of.
    pub(super) fn show_exchange(&mut self, now: Moment) {
        let state = self.ofd_status(now);
        let place = |field| cell(EXCHANGE_TABLE, 1, field);
        for (field, value) in [
            (1, u64::from(state.exchange)),
            (2, u64::from(state.reading)),
            (3, u64::from(state.queue)),
            (4, u64::from(state.first_fd.0)),
            (6, u64::from(self.exchange.last_answer.0)),
            (7, u64::from(self.exchange.last_answer.1)),
        ] {
            self.tables.set_number(place(field), value);
        }
        let first = state.first_time.map_or_else(
            || "00.00.00 00:00".to_owned(),
            |time| {
                let at = time.calendar();
                format!(
                    "{:02}.{:02}.{:02} {:02}:{:02}",
                    at.day(),
                    u8::from(at.month()),
                    at.year() % 100,
                    at.hour(),
                    at.minute()
                )
            },
        );
        self.tables.set_text(place(5), &first);
    }
}
