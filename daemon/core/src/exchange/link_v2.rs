//! Shtrih-M protocol v2 as the host speaks it (`shtrih-m` 1.4): numbered frames, no ENQ, no ACK, a kept last answer.
//!
//! Owns: the port, the register's count of commands, and whether the last exchange ended cleanly.
//! Must never: use a number for a second command, take another command's answer for ours, carry a count from one
//! connection into the next, wait without end.
//!
//! A count holds inside one connection only: registers begin it anew with each TCP connection and with their power
//! (captures). So every connection begins with the empty frame, which is never a command, and is answered with the last
//! answer and its number. What becomes of an exchange:
//!
//! | what happens | [`Care::Read`] | [`Care::Inside`] | [`Care::Once`] | [`Care::Closing`] |
//! | --- | --- | --- | --- | --- |
//! | the answer is lost, damaged or cut | asked again by the empty frame: the register keeps it, nothing is carried out | the same | the same | the same; what then comes is the answer of this very command, or nothing |
//! | the frame is lost: the empty frame shows that the register still counts the command before | sent again under its number | sent again under its number: the register carries a number out once | not sent again; the documented time runs out and the caller asks the device | not sent again: **doubt**, the FN is read (`exactly-once` C7) |
//! | the first command behind a fresh count (a register that was just switched on counts the same) | sent again | not sent again: a power cut could not be told from a lost frame | not sent again | not sent again |
//! | an answer with the right number and another command's code (captures) | never taken | never taken | never taken | never taken; **doubt** |
//! | the register counts something else | it was restarted, or another program speaks to it: the exchange fails | the attempt ends | the same | **doubt** |
//! | silence to the end | the exchange fails | the attempt ends | the caller asks the device | **doubt** |
//! | the connection ends | the exchange fails; the next connection begins from identity, and no number of this one means anything | the attempt ends | the same | **doubt** |

use super::line::Line;
use super::{Care, DriverTiming, ExchangeFailure, answers, garbled};
use crate::mutants::Mutant;
use kassette_wire::link::shtrih_v2::{Event, FIRST_NUMBER, Frame, FrameScanner, STX, next_number};
use std::time::Duration;
use tokio::time::Instant;

/// Wait for the answer to an empty frame, and the first wait for an answer before it is asked for (captures: 4 and 12 ms
/// for the empty frame, at most 0.9 s for a command).
const TURN_WAIT: Duration = Duration::from_millis(1000);
/// Wait for the next byte inside an answer, as on v1.
const BYTE_WAIT: Duration = Duration::from_millis(500);
/// Empty frames without an answer before the link counts as dead.
const MAX_SYNC: u32 = 10;
/// Times one frame is sent, where sending it again is harmless.
const MAX_FRAMES: u32 = 3;
/// Damaged answers in one exchange.
const MAX_DAMAGED: u32 = 3;
/// Answers of other commands under our number in one exchange, as on v1.
const MAX_STRANGE: u32 = 3;
/// Answers with the number before ours in one exchange. Each empty frame may bring one late.
const MAX_OLD: u32 = 16;
/// Bytes outside frames that one exchange reads before it gives up.
const MAX_NOISE: u32 = 512;
/// Most data of an answer: the models seen announce 1455 (captures, F7). More is not taken, whatever a length says.
pub(super) const MAX_DATA: usize = 4096;
/// The empty frame on the wire (1.4). None of its bytes means anything on v1.
pub(super) const SYNC: [u8; 5] = [STX, 0x00, 0x00, 0x0F, 0x1D];

/// One register's link.
pub(super) struct LinkV2 {
    line: Line,
    timing: DriverTiming,
    scanner: FrameScanner,
    /// Number of the register's last answer.
    number: u16,
    clean: bool,
}

/// What came on the line.
pub(super) enum Heard {
    Frame {
        number: u16,
        data: Vec<u8>,
    },
    /// A frame that cannot be read, or stopped.
    Damaged,
    Noise,
    Silence,
}

/// A command under way.
struct Asking<'a> {
    payload: &'a [u8],
    frame: &'a [u8],
    number: u16,
    /// Whether the frame may go out again where the register has not counted it.
    repeats: bool,
    wait: Duration,
    until: Instant,
    /// When the register is asked for its last answer, and the wait before the time after.
    ask_at: Instant,
    pause: Duration,
    asked: u32,
    frames: u32,
    damaged: u32,
    /// Answers of another command under our number.
    strange: u32,
    old: u32,
    noise: u32,
}

/// Reads the next frame on the line, at latest at `until`.
pub(super) async fn hear(
    line: &mut Line,
    scanner: &mut FrameScanner,
    until: Instant,
    sent: bool,
) -> Result<Heard, ExchangeFailure> {
    loop {
        while let Some(byte) = line.pop() {
            match scanner.push(byte) {
                Some(Event::Frame(Frame::Numbered { number, data })) => return Ok(Heard::Frame { number, data }),
                // Only hosts send empty frames: this one is our own, come back.
                Some(Event::Frame(Frame::Sync) | Event::Stray(_)) => return Ok(Heard::Noise),
                Some(Event::Damaged(_)) => return Ok(Heard::Damaged),
                None => {}
            }
        }
        let inside = scanner.in_frame();
        let limit = if inside {
            until.min(Instant::now() + BYTE_WAIT)
        } else {
            until
        };
        if line.fill(limit, sent).await? {
            continue;
        }
        if inside {
            scanner.reset();
            return Ok(Heard::Damaged);
        }
        return Ok(Heard::Silence);
    }
}

impl LinkV2 {
    /// A link whose register has just told its count.
    pub(super) const fn begun(line: Line, timing: DriverTiming, number: u16) -> Self {
        Self {
            line,
            timing,
            scanner: FrameScanner::with_max_data(MAX_DATA),
            number,
            clean: true,
        }
    }

    pub(super) fn shared_medium(&self) -> bool {
        self.line.shared_medium()
    }

    /// Asks the register for its count and drops what was under way. An answer that comes with it belongs to an earlier
    /// command.
    ///
    /// # Errors
    /// [`ExchangeFailure::NoLink`], [`ExchangeFailure::Garbled`] or a gone port.
    pub(super) async fn resync(&mut self) -> Result<(), ExchangeFailure> {
        self.clean = false;
        let mut garbled_once = false;
        for _ in 0..MAX_SYNC {
            self.line.discard().await?;
            self.scanner.reset();
            self.line.write(&SYNC, false).await?;
            match self.count().await? {
                Heard::Frame { number, .. } => {
                    self.number = number;
                    self.clean = true;
                    return Ok(());
                }
                Heard::Silence => {}
                Heard::Damaged | Heard::Noise => {
                    garbled_once = true;
                    self.line.calm(self.timing.turn(TURN_WAIT)).await?;
                }
            }
        }
        Err(if garbled_once {
            ExchangeFailure::Garbled {
                sent: false,
                what: "no count of commands in the noise",
            }
        } else {
            ExchangeFailure::NoLink { asked: MAX_SYNC }
        })
    }

    /// The first frame within a turn of the line, over a little noise.
    async fn count(&mut self) -> Result<Heard, ExchangeFailure> {
        let until = Instant::now() + self.timing.turn(TURN_WAIT);
        let mut noise = 0;
        loop {
            match hear(&mut self.line, &mut self.scanner, until, false).await? {
                Heard::Noise if noise < MAX_NOISE => noise += 1,
                other => return Ok(other),
            }
        }
    }

    /// As [`Link::exchange`](super::Link::exchange).
    pub(super) async fn exchange(
        &mut self,
        payload: &[u8],
        wait: Duration,
        care: Care,
    ) -> Result<Vec<u8>, ExchangeFailure> {
        if !self.clean {
            if care.is_inside() {
                return Err(ExchangeFailure::Unclean);
            }
            self.resync().await?;
        }
        let number = next_number(self.number);
        let frame = Frame::numbered(number, payload.to_vec()).encode();
        let frame = frame.map_err(|error| ExchangeFailure::NoFrame(error.to_string()))?;
        // Also when this future is dropped half way, the next exchange must find the link unclean.
        self.clean = false;
        self.line.forget();
        self.scanner.reset();
        let now = Instant::now();
        let turn = self.timing.turn(TURN_WAIT);
        // A register that was just switched on counts the first command as we would count this one.
        let fresh = number == next_number(FIRST_NUMBER);
        let mut asking = Asking {
            payload,
            frame: &frame,
            number,
            repeats: care == Care::Read || (care == Care::Inside && !fresh),
            wait: self.timing.wait(wait),
            until: now + self.timing.wait(wait),
            ask_at: now + turn,
            pause: turn,
            asked: 0,
            frames: 1,
            damaged: 0,
            strange: 0,
            old: 0,
            noise: 0,
        };
        self.line.write(&frame, true).await?;
        let answer = self.answer(&mut asking).await?;
        self.number = number;
        self.line.points.counted(number);
        self.clean = true;
        Ok(answer)
    }

    /// Waits for the answer, asking for it again by the empty frame.
    async fn answer(&mut self, asking: &mut Asking<'_>) -> Result<Vec<u8>, ExchangeFailure> {
        loop {
            let limit = asking.until.min(asking.ask_at);
            match hear(&mut self.line, &mut self.scanner, limit, true).await? {
                Heard::Frame { number, data } if number == asking.number => {
                    // Naive: the number is ours, so the answer is.
                    if answers(asking.payload, &data) || self.line.points.mutant(Mutant::StaleRightNumber) {
                        return Ok(data);
                    }
                    asking.strange()?;
                }
                Heard::Frame { number, .. } => self.other_number(number, asking).await?,
                Heard::Damaged => asking.damaged()?,
                Heard::Noise => asking.noise()?,
                Heard::Silence if Instant::now() >= asking.until => return Err(asking.gave_up()),
                Heard::Silence => {
                    self.line.write(&SYNC, true).await?;
                    asking.asked += 1;
                    asking.pause *= 2;
                    asking.ask_at = Instant::now() + asking.pause;
                }
            }
        }
    }

    /// A frame that is no answer to ours: an old answer again, or what the register last counted.
    async fn other_number(&mut self, number: u16, asking: &mut Asking<'_>) -> Result<(), ExchangeFailure> {
        if number != self.number {
            return Err(ExchangeFailure::OutOfStep {
                ours: asking.number,
                theirs: number,
            });
        }
        asking.old()?;
        if asking.asked > 0 && asking.repeats && asking.frames < MAX_FRAMES {
            asking.frames += 1;
            self.line.write(asking.frame, true).await?;
        }
        Ok(())
    }
}

impl Asking<'_> {
    /// Another command's answer under our number. One that comes by itself may be an old one with the true one behind it;
    /// when the register says so on being asked, our frame was taken for a repeated one.
    fn strange(&mut self) -> Result<(), ExchangeFailure> {
        self.strange += 1;
        if self.asked > 0 || self.strange > MAX_STRANGE {
            return Err(ExchangeFailure::StaleOnly { count: self.strange });
        }
        Ok(())
    }

    fn old(&mut self) -> Result<(), ExchangeFailure> {
        self.old += 1;
        if self.old > MAX_OLD {
            return Err(ExchangeFailure::StaleOnly { count: self.old });
        }
        Ok(())
    }

    /// A damaged answer is kept by the register: it is asked for at once.
    fn damaged(&mut self) -> Result<(), ExchangeFailure> {
        self.damaged += 1;
        if self.damaged > MAX_DAMAGED {
            return Err(garbled("the answer came damaged"));
        }
        self.ask_at = Instant::now();
        Ok(())
    }

    fn noise(&mut self) -> Result<(), ExchangeFailure> {
        self.noise += 1;
        if self.noise > MAX_NOISE {
            return Err(garbled("noise without end"));
        }
        Ok(())
    }

    fn gave_up(&self) -> ExchangeFailure {
        if self.damaged > 0 {
            garbled("the answer came damaged")
        } else if self.strange > 0 {
            ExchangeFailure::StaleOnly { count: self.strange }
        } else {
            ExchangeFailure::NoAnswer { waited: self.wait }
        }
    }
}
