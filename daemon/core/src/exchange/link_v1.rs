//! Shtrih-M protocol v1 as the host speaks it (`shtrih-m` 1.2): ENQ, frame, ACK, answer.
//!
//! Owns: the port, the bytes read and not yet understood, and whether the last exchange ended cleanly.
//! Must never: take another command's answer for ours, send a frame twice unless told that it is harmless, wait
//! without end.

use super::line::Line;
use super::{Care, DriverTiming, ExchangeFailure, answers, garbled};
use kassette_wire::link::shtrih_v1::{ACK, ENQ, Event, FrameScanner, NAK, TCP_STRAY, encode_frame};
use std::time::Duration;
use tokio::time::Instant;

/// Wait for ACK or NAK to a frame, and for the reply to ENQ (`shtrih-m` 1.2: 100 to 1000 ms, J 1000; captures: ACK
/// after 1 to 18 ms).
const TURN_WAIT: Duration = Duration::from_millis(1000);
/// Wait for the next byte inside an answer. The register's own inter-byte timeout is 50 to 100 ms; a USB bridge may hold
/// bytes longer, so the host is more patient.
const BYTE_WAIT: Duration = Duration::from_millis(500);
/// ENQ sent before the link counts as dead (J 10).
const MAX_ENQ: u32 = 10;
/// Times one frame is sent, where sending it again is harmless.
const MAX_FRAMES: u32 = 3;
/// Damaged answers in one exchange that are asked for again (NAK, ENQ).
const MAX_DAMAGED: u32 = 3;
/// Answers of other commands taken off the line in one exchange (J 3).
const MAX_STALE: u32 = 3;
/// Bytes outside frames that one exchange, or one attempt to reach silence, reads before it gives up.
const MAX_NOISE: u32 = 512;
/// What a frame counts for in that: its longest form.
const LONGEST_FRAME: u32 = 258;
/// Longest wait for a kept answer after ENQ was answered by ACK, before ENQ is sent again.
const KEPT_WAIT: Duration = Duration::from_secs(3);
/// Kept answers dropped in one resync.
const MAX_KEPT: u32 = 16;
/// ENQ sent in one resync, those answered by "busy" included: the bound for a device that answers without end and
/// without taking time.
const MAX_ROUNDS: u32 = 256;
/// Least time that a busy register is given to finish what it does, when the command that keeps it busy is not known.
const BUSY_WAIT: Duration = Duration::from_secs(30);

/// What emptying the link found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Resynced {
    /// ENQ sent.
    pub(super) enqs: u32,
    /// Answers of earlier commands that were acknowledged and dropped.
    pub(super) dropped: u32,
}

/// One register's link.
pub(super) struct LinkV1 {
    line: Line,
    timing: DriverTiming,
    scanner: FrameScanner,
    clean: bool,
    /// How long the command that was given up may keep the register busy.
    unfinished: Duration,
}

enum Heard {
    Event(Event),
    /// A frame began and its next byte did not come.
    Cut,
    Silence,
}

/// Counts of one exchange, each with its bound.
#[derive(Default)]
struct Tally {
    noise: u32,
    damaged: u32,
    stale: u32,
}

impl Tally {
    fn noise(&mut self) -> Result<(), ExchangeFailure> {
        self.noise += 1;
        if self.noise > MAX_NOISE {
            return Err(garbled("noise without end"));
        }
        Ok(())
    }
}

impl LinkV1 {
    /// A link on an open port. The first exchange begins with ENQ: nothing is known of what went before.
    #[must_use]
    pub(super) fn new(line: Line, timing: DriverTiming) -> Self {
        Self {
            line,
            timing,
            scanner: FrameScanner::new(),
            clean: false,
            unfinished: timing.wait(BUSY_WAIT),
        }
    }

    /// Whether another host may reach the same register beside us.
    #[must_use]
    pub(super) fn shared_medium(&self) -> bool {
        self.line.shared_medium()
    }

    /// Sends a payload (command code and what follows) and returns the payload of its answer, command code first.
    ///
    /// `wait` is the documented time of the command, counted from the end of the acknowledgement; the timing scales it.
    /// The frame goes out without ENQ when the exchange before it ended cleanly (captures: works on serial and TCP).
    ///
    /// # Errors
    /// [`ExchangeFailure`]; after it the link is emptied before the next command.
    pub(super) async fn exchange(
        &mut self,
        payload: &[u8],
        wait: Duration,
        care: Care,
    ) -> Result<Vec<u8>, ExchangeFailure> {
        let frame = encode_frame(payload).map_err(|e| ExchangeFailure::NoFrame(e.to_string()))?;
        if !self.clean {
            if care.is_inside() {
                return Err(ExchangeFailure::Unclean);
            }
            self.resync().await?;
        }
        let wait = self.timing.wait(wait);
        // Also when this future is dropped half way, the next exchange must find the link unclean.
        self.clean = false;
        self.unfinished = wait.max(self.timing.wait(BUSY_WAIT));
        self.line.forget();
        self.scanner.reset();
        let mut tally = Tally::default();
        self.send_frame(&frame, care, &mut tally).await?;
        let answer = self.answer(payload, wait, &mut tally).await?;
        // The answer is ours even if its acknowledgement is lost; the link is then unclean, no more.
        self.clean = self.line.write(&[ACK], false).await.is_ok();
        Ok(answer)
    }

    /// Empties the link: drops what is under way, then ENQ until the register says that it waits for a command.
    /// Answers that come are those of earlier commands: acknowledged, counted, dropped.
    ///
    /// # Errors
    /// [`ExchangeFailure::NoLink`], [`ExchangeFailure::StillBusy`], [`ExchangeFailure::Garbled`] or a gone port.
    pub(super) async fn resync(&mut self) -> Result<Resynced, ExchangeFailure> {
        self.clean = false;
        let limit = self.unfinished + self.timing.turn(TURN_WAIT) * MAX_ENQ;
        let end = Instant::now() + limit;
        self.line.discard().await?;
        self.scanner.reset();
        let mut found = Resynced::default();
        let mut unheard = 0;
        let mut noisy = false;
        while unheard < MAX_ENQ {
            if Instant::now() >= end || found.dropped > MAX_KEPT || found.enqs > MAX_ROUNDS {
                return Err(ExchangeFailure::StillBusy { waited: limit });
            }
            found.enqs += 1;
            self.line.write(&[ENQ], false).await?;
            match self.reply_to_enq(end).await? {
                EnqReply::Idle => {
                    if unheard > 0 {
                        // Late NAKs to the earlier ENQs would be read as a verdict on the next frame.
                        self.calm().await?;
                    }
                    self.clean = true;
                    self.unfinished = self.timing.wait(BUSY_WAIT);
                    return Ok(found);
                }
                EnqReply::Busy => found.dropped += u32::from(self.drop_kept(end).await?),
                EnqReply::Nothing => unheard += 1,
                EnqReply::Noise => {
                    unheard += 1;
                    noisy = true;
                    self.calm().await?;
                }
            }
        }
        Err(if noisy {
            ExchangeFailure::Garbled {
                sent: false,
                what: "no reply to ENQ in the noise",
            }
        } else {
            ExchangeFailure::NoLink { asked: found.enqs }
        })
    }
}

enum EnqReply {
    Idle,
    Busy,
    Nothing,
    Noise,
}

/// What became of an attempt to read the answer in the line.
enum Step {
    Again,
    Ours(Vec<u8>),
}

impl LinkV1 {
    async fn reply_to_enq(&mut self, end: Instant) -> Result<EnqReply, ExchangeFailure> {
        let until = (Instant::now() + self.timing.turn(TURN_WAIT)).min(end);
        let mut strays = 0;
        loop {
            match self.hear(until, false).await? {
                Heard::Event(Event::Nak) => return Ok(EnqReply::Idle),
                Heard::Event(Event::Ack) => return Ok(EnqReply::Busy),
                // A frame without ACK before it: an answer that was on its way when the line was emptied.
                Heard::Event(Event::Frame(_)) if strays < MAX_NOISE => {
                    strays += LONGEST_FRAME;
                    self.line.write(&[ACK], false).await?;
                }
                Heard::Event(Event::Stray(TCP_STRAY)) if strays < MAX_NOISE => strays += 1,
                Heard::Event(_) | Heard::Cut => return Ok(EnqReply::Noise),
                Heard::Silence => return Ok(EnqReply::Nothing),
            }
        }
    }

    /// Reads and acknowledges the answer announced by ACK; whether one came.
    async fn drop_kept(&mut self, end: Instant) -> Result<bool, ExchangeFailure> {
        let until = (Instant::now() + self.timing.turn(KEPT_WAIT)).min(end);
        let mut noise = 0;
        loop {
            match self.hear(until, false).await? {
                Heard::Event(Event::Frame(_)) => {
                    self.line.write(&[ACK], false).await?;
                    return Ok(true);
                }
                Heard::Event(Event::BadLrc) | Heard::Cut => {
                    self.calm().await?;
                    self.line.write(&[NAK], false).await?;
                    return Ok(false);
                }
                Heard::Event(_) if noise < MAX_NOISE => noise += 1,
                Heard::Event(_) | Heard::Silence => return Ok(false),
            }
        }
    }

    /// Sends the frame and waits for its acknowledgement.
    async fn send_frame(&mut self, frame: &[u8], care: Care, tally: &mut Tally) -> Result<(), ExchangeFailure> {
        let turn = self.timing.turn(TURN_WAIT);
        let mut times = 0;
        loop {
            times += 1;
            self.line.write(frame, true).await?;
            if self.acknowledged(Instant::now() + turn, tally).await? {
                return Ok(());
            }
            if care != Care::Read || times == MAX_FRAMES {
                return Err(ExchangeFailure::RefusedFrame { times });
            }
        }
    }

    /// ACK: true, NAK: false. An answer that comes before the ACK is that of an earlier command, also when the code is
    /// the same: acknowledged and dropped.
    async fn acknowledged(&mut self, until: Instant, tally: &mut Tally) -> Result<bool, ExchangeFailure> {
        loop {
            match self.hear(until, true).await? {
                Heard::Event(Event::Ack) => return Ok(true),
                Heard::Event(Event::Nak) => return Ok(false),
                Heard::Event(Event::Frame(_)) => self.drop_stale(tally).await?,
                Heard::Event(Event::Stray(_) | Event::Enq) => tally.noise()?,
                Heard::Event(Event::BadLrc) | Heard::Cut => {
                    tally.damaged += 1;
                    if tally.damaged > MAX_DAMAGED {
                        return Err(garbled("damaged frames instead of an acknowledgement"));
                    }
                }
                Heard::Silence => {
                    let waited = self.timing.turn(TURN_WAIT);
                    return Err(ExchangeFailure::NotAcked { waited });
                }
            }
        }
    }

    /// Waits for the answer to `sent`, taking off the line what is not.
    async fn answer(&mut self, sent: &[u8], wait: Duration, tally: &mut Tally) -> Result<Vec<u8>, ExchangeFailure> {
        let until = Instant::now() + wait;
        loop {
            let step = match self.hear(until, true).await? {
                Heard::Event(Event::Frame(payload)) if answers(sent, &payload) => Step::Ours(payload),
                Heard::Event(Event::Frame(_)) => {
                    self.drop_stale(tally).await?;
                    Step::Again
                }
                Heard::Event(Event::BadLrc) | Heard::Cut => {
                    self.ask_kept_answer(until, tally).await?;
                    Step::Again
                }
                Heard::Event(Event::Stray(_) | Event::Enq | Event::Ack | Event::Nak) => {
                    tally.noise()?;
                    Step::Again
                }
                Heard::Silence if tally.stale > 0 => return Err(ExchangeFailure::StaleOnly { count: tally.stale }),
                Heard::Silence if tally.damaged > 0 => return Err(garbled("the answer came damaged")),
                Heard::Silence => return Err(ExchangeFailure::NoAnswer { waited: wait }),
            };
            if let Step::Ours(payload) = step {
                return Ok(payload);
            }
        }
    }

    async fn drop_stale(&mut self, tally: &mut Tally) -> Result<(), ExchangeFailure> {
        tally.stale += 1;
        if tally.stale > MAX_STALE {
            return Err(ExchangeFailure::StaleOnly { count: tally.stale });
        }
        self.line.write(&[ACK], true).await
    }

    /// A damaged answer: NAK makes the register keep it, ENQ makes it send it again. The command itself is not sent.
    async fn ask_kept_answer(&mut self, end: Instant, tally: &mut Tally) -> Result<(), ExchangeFailure> {
        tally.damaged += 1;
        if tally.damaged > MAX_DAMAGED {
            return Err(garbled("the answer came damaged"));
        }
        self.calm().await.map_err(sent)?;
        self.line.write(&[NAK], true).await?;
        self.line.write(&[ENQ], true).await?;
        match self.reply_to_enq(end).await.map_err(sent)? {
            EnqReply::Idle => Err(garbled("the damaged answer was not kept")),
            EnqReply::Busy | EnqReply::Noise => Ok(()),
            EnqReply::Nothing => Err(garbled("no reply after a damaged answer")),
        }
    }

    /// Reads and drops until the line is quiet, no longer than a turn of the line.
    async fn calm(&mut self) -> Result<(), ExchangeFailure> {
        self.scanner.reset();
        self.line.calm(self.timing.turn(TURN_WAIT)).await
    }

    /// The next thing on the line, at latest at `until`.
    async fn hear(&mut self, until: Instant, sent: bool) -> Result<Heard, ExchangeFailure> {
        loop {
            while let Some(byte) = self.line.pop() {
                if let Some(event) = self.scanner.push(byte) {
                    return Ok(Heard::Event(event));
                }
            }
            let inside = self.scanner.in_frame();
            let limit = if inside {
                until.min(Instant::now() + BYTE_WAIT)
            } else {
                until
            };
            if self.line.fill(limit, sent).await? {
                continue;
            }
            if inside {
                self.scanner.reset();
                return Ok(Heard::Cut);
            }
            return Ok(Heard::Silence);
        }
    }
}

/// The same failure, met after the command had been sent.
fn sent(failure: ExchangeFailure) -> ExchangeFailure {
    match failure {
        ExchangeFailure::PortGone { reason, .. } => ExchangeFailure::PortGone { sent: true, reason },
        ExchangeFailure::Stuck { waited, .. } => ExchangeFailure::Stuck { sent: true, waited },
        ExchangeFailure::Garbled { what, .. } => ExchangeFailure::Garbled { sent: true, what },
        other => other,
    }
}
