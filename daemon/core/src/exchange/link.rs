//! Which low level the register behind a port speaks, found out once for each connection.
//!
//! Owns: the question that both levels answer, and the link that follows from it.
//! Must never: switch a register from one level to the other, or carry what one connection said into the next.
//!
//! A register that has both takes the level of the first byte after its power came, and keeps it (`shtrih-m` 1.4, "not
//! switchable on the fly"). So the question is the empty frame of v2 with ENQ behind it, in one write: a register that has
//! v2 and is still free to choose takes v2 and passes the ENQ over; one that speaks v1, by its nature or because another
//! program spoke v1 to it first, passes the five bytes over (none of them is STX, ENQ, ACK or NAK) and answers ENQ. Nothing
//! of it is a command.

use super::line::Line;
use super::link_v1::LinkV1;
use super::link_v2::{self, LinkV2, MAX_DATA, SYNC};
use super::{Care, DriverTiming, ExchangeFailure};
use crate::domain::plan::LinkChoice;
use crate::mutants::Mutant;
use crate::parts::{FaultPoints, Port};
use kassette_wire::link::shtrih_v1::{ACK, ENQ, NAK, STX};
use kassette_wire::link::shtrih_v2::{self, FrameScanner};
use std::time::Duration;
use tokio::time::Instant;

/// Wait for the answer to the question.
const TURN_WAIT: Duration = Duration::from_millis(1000);
/// Questions before the register counts as silent; as many as ENQ on v1.
const MAX_QUESTIONS: u32 = 10;
/// Bytes that mean nothing on either level, within one question.
const MAX_NOISE: u32 = 512;

/// One register's link.
pub struct Link(Inner);

enum Inner {
    /// `None` only while the line goes over to the level that was found.
    Unasked(Option<Unasked>),
    V1(LinkV1),
    V2(LinkV2),
}

struct Unasked {
    line: Line,
    timing: DriverTiming,
}

/// What the register speaks.
enum Spoken {
    V1,
    /// With the number of its last answer.
    V2(u16),
    Noise,
    Nothing,
}

impl Link {
    /// A link on an open port. Nothing is sent before the first exchange.
    #[must_use]
    pub fn new(port: Box<dyn Port>, points: FaultPoints, timing: DriverTiming, choice: LinkChoice) -> Self {
        let line = Line::new(port, points);
        Self(match choice {
            LinkChoice::V1 => Inner::V1(LinkV1::new(line, timing)),
            LinkChoice::Auto => Inner::Unasked(Some(Unasked { line, timing })),
        })
    }

    /// Whether another host may reach the same register beside us.
    #[must_use]
    pub fn shared_medium(&self) -> bool {
        match &self.0 {
            Inner::Unasked(unasked) => unasked.as_ref().is_some_and(|unasked| unasked.line.shared_medium()),
            Inner::V1(link) => link.shared_medium(),
            Inner::V2(link) => link.shared_medium(),
        }
    }

    /// Whether numbered frames are in use: an answer that was lost can be asked for within this connection.
    #[must_use]
    pub const fn is_numbered(&self) -> bool {
        matches!(self.0, Inner::V2(_))
    }

    /// Sends a payload (command code and what follows) and returns the payload of its answer, command code first.
    ///
    /// `wait` is the documented time of the command; the timing scales it.
    ///
    /// # Errors
    /// [`ExchangeFailure`]; after it the link is emptied before the next command.
    pub async fn exchange(&mut self, payload: &[u8], wait: Duration, care: Care) -> Result<Vec<u8>, ExchangeFailure> {
        if matches!(self.0, Inner::Unasked(_)) {
            if care.is_inside() {
                return Err(ExchangeFailure::Unclean);
            }
            self.find_out().await?;
        }
        match &mut self.0 {
            Inner::V1(link) => link.exchange(payload, wait, care).await,
            Inner::V2(link) => link.exchange(payload, wait, care).await,
            Inner::Unasked(_) => Err(ExchangeFailure::Unclean),
        }
    }

    /// Empties the link: drops what is under way until the register shows that it waits for a command.
    ///
    /// # Errors
    /// [`ExchangeFailure::NoLink`], [`ExchangeFailure::StillBusy`], [`ExchangeFailure::Garbled`] or a gone port.
    pub async fn resync(&mut self) -> Result<(), ExchangeFailure> {
        if matches!(self.0, Inner::Unasked(_)) {
            self.find_out().await?;
        }
        match &mut self.0 {
            Inner::V1(link) => link.resync().await.map(|_| ()),
            Inner::V2(link) => link.resync().await,
            Inner::Unasked(_) => Err(ExchangeFailure::Unclean),
        }
    }

    async fn find_out(&mut self) -> Result<(), ExchangeFailure> {
        let Inner::Unasked(place) = &mut self.0 else {
            return Ok(());
        };
        let Some(unasked) = place else {
            return Err(ExchangeFailure::Unclean);
        };
        let count = unasked.ask().await?;
        let Some(Unasked { line, timing }) = place.take() else {
            return Err(ExchangeFailure::Unclean);
        };
        self.0 = match count {
            Some(number) => Inner::V2(LinkV2::begun(line, timing, number)),
            None => Inner::V1(LinkV1::new(line, timing)),
        };
        Ok(())
    }
}

impl Unasked {
    /// The register's count on v2; `None` where it speaks v1.
    async fn ask(&mut self) -> Result<Option<u16>, ExchangeFailure> {
        let points = &self.line.points;
        // Naive: we know how many commands the register has counted.
        if let Some(known) = points
            .count_known()
            .filter(|_| points.mutant(Mutant::NumberAcrossReconnect))
        {
            return Ok(Some(known));
        }
        let mut question = [ENQ; SYNC.len() + 1];
        question[..SYNC.len()].copy_from_slice(&SYNC);
        let mut noisy = false;
        for _ in 0..MAX_QUESTIONS {
            self.line.discard().await?;
            self.line.write(&question, false).await?;
            match self.reply().await? {
                Spoken::V1 => return Ok(None),
                Spoken::V2(number) => return Ok(Some(number)),
                Spoken::Nothing => {}
                Spoken::Noise => {
                    noisy = true;
                    self.line.calm(self.timing.turn(TURN_WAIT)).await?;
                }
            }
        }
        Err(if noisy {
            ExchangeFailure::Garbled {
                sent: false,
                what: "no reply on either level in the noise",
            }
        } else {
            ExchangeFailure::NoLink { asked: MAX_QUESTIONS }
        })
    }

    /// The first byte that means something on one of the levels decides.
    async fn reply(&mut self) -> Result<Spoken, ExchangeFailure> {
        let until = Instant::now() + self.timing.turn(TURN_WAIT);
        let mut noise = 0;
        loop {
            match self.line.peek() {
                Some(shtrih_v2::STX) => {
                    let mut scanner = FrameScanner::with_max_data(MAX_DATA);
                    let heard = link_v2::hear(&mut self.line, &mut scanner, until, false).await?;
                    return Ok(match heard {
                        link_v2::Heard::Frame { number, .. } => Spoken::V2(number),
                        _ => Spoken::Noise,
                    });
                }
                // STX: an answer that was under way. The link on v1 begins by dropping it.
                Some(NAK | ACK | STX) => return Ok(Spoken::V1),
                Some(_) if noise < MAX_NOISE => {
                    noise += 1;
                    self.line.pop();
                }
                Some(_) => return Ok(Spoken::Noise),
                None if self.line.fill(until, false).await? => {}
                None if noise > 0 => return Ok(Spoken::Noise),
                None => return Ok(Spoken::Nothing),
            }
        }
    }
}
