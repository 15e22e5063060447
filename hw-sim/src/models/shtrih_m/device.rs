//! The register behind its link: state, and the way of a command through the checks.
//!
//! Owns: modes and submodes, operators, printing, paper, and what is lost with the power.
//! Must never: know about frames, faults of the link, or time that a command takes.

use super::access::{Rule, rule_of};
use super::clock::Clock;
use super::config::{Config, Ffd};
use super::defects::Defects;
use super::exchange::ExchangeBuffer;
use super::figures::ShiftFigures;
use super::memory::Memory;
use super::receipt::Receipt;
use super::service::{SERVICE_PASSWORD, STOP_OUTPUT};
use super::tables::{NO_PRINT, Tables, cell};
use crate::chance::Chance;
use crate::fiscal_storage::{Draft, FiscalStorage, Formed, Generation, Habits, Kind, document::Body};
use crate::moment::Moment;
use crate::switches::Printing;
use kassette_wire::shtrih::{Answer, AnswerFrame, CommandCode, DecodeError, DmyDate, ErrorCode, Request};
use kassette_wire::value::LocalTime;
use std::collections::VecDeque;
use std::time::Duration;

/// Outcome of a command: its data, or the error byte.
pub(super) type Outcome = Result<Answer, ErrorCode>;

/// A report that FF41, FF42 or FF37 began.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    pub kind: Kind,
    pub tags: Vec<u8>,
}

/// What the printer does after a document.
#[derive(Debug, Clone, Copy)]
struct Print {
    until: Option<Duration>,
    polls: u32,
    /// Status nibble of the receipt whose mode 8 stays, none for a report.
    receipt: Option<u8>,
}

/// Paper and the printer's need of it (`shtrih-m.md` 2, submodes 1 to 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paper {
    Present,
    Absent,
    RanOut,
    WaitsForContinue,
}

/// The FN was not registered for marked goods: its code 32h as the register passes it on (`shtrih-m.md` 4, A0).
pub(super) const NOT_REGISTERED_FOR_MARKING: ErrorCode = ErrorCode(0xA0);
/// Bit of the extended work mode: sale of marked goods (`fn-ffd-ofd` A.4).
pub(super) const MARKING_MODE: u8 = 0x10;

/// A register without its link.
pub(super) struct Device {
    pub config: Config,
    pub tables: Tables,
    pub clock: Clock,
    pub storage: FiscalStorage,
    pub memory: Memory,
    /// Whether [`Device::memory`] must be stored.
    pub memory_changed: bool,
    pub chance: Chance,
    pub receipt: Option<Receipt>,
    pub figures: ShiftFigures,
    pub exchange: ExchangeBuffer,
    pub defects: Defects,
    pub begun: Option<Begun>,
    pub reading: Option<VecDeque<Vec<u8>>>,
    pub date_to_confirm: Option<DmyDate>,
    pub paper: Paper,
    pub last_error: u8,
    /// Document that the last command made.
    pub made: Option<u32>,
    /// Set by FE F3.
    pub reboot: bool,
    print: Option<Print>,
}

impl Device {
    pub fn new(config: Config, storage: FiscalStorage, memory: Memory, chance: Chance) -> Self {
        let tables = Tables::new(&config, storage.number(), &memory.written_cells());
        let clock = Clock::new(memory.skew_ms, config.registration.zone_minutes);
        Self {
            config,
            tables,
            clock,
            storage,
            memory,
            memory_changed: true,
            chance,
            receipt: None,
            figures: ShiftFigures::default(),
            exchange: ExchangeBuffer::default(),
            defects: Defects::default(),
            begun: None,
            reading: None,
            date_to_confirm: None,
            paper: Paper::Present,
            last_error: 0,
            made: None,
            reboot: false,
            print: None,
        }
    }

    /// Takes the figures of the open shift from its documents, after a start and with another FN.
    pub fn recount(&mut self) {
        let shift = self.storage.shift();
        let documents = if shift.open { shift.documents } else { 0 };
        let last = self.storage.last_fd();
        let storage = &self.storage;
        let records = (last.saturating_sub(documents) + 1..=last).filter_map(|fd| storage.record(fd).ok());
        self.figures = ShiftFigures::of_documents(records, self.closed_shift());
    }

    /// Everything that stands in memory without power is gone.
    pub fn lose_power(&mut self) {
        self.receipt = None;
        self.begun = None;
        self.reading = None;
        self.exchange = ExchangeBuffer::default();
        self.date_to_confirm = None;
        self.print = None;
        self.reboot = false;
        self.last_error = 0;
    }

    /// The FN's family: by its own word, else as the format of the registration needs.
    pub fn generation(&self) -> Generation {
        habits(&self.config).generation
    }

    pub fn local(&self, now: Moment) -> LocalTime {
        self.clock.local(now)
    }

    /// Mode byte of commands 10 and 11.
    pub fn mode(&self, now: Moment) -> u8 {
        if self.date_to_confirm.is_some() {
            return 6;
        }
        if let Some(receipt) = &self.receipt {
            return receipt.status << 4 | 8;
        }
        if let Some(status) = self.printing(now).and_then(|p| p.receipt) {
            return status << 4 | 8;
        }
        if self.reading.is_some() && !self.config.switches.reading_keeps_mode {
            return 1;
        }
        if !self.storage.shift().open {
            return 4;
        }
        if self.shift_expired(now) { 3 } else { 2 }
    }

    /// 24 hours by the register's clock, less the minutes of 17/1/8.
    fn shift_expired(&self, now: Moment) -> bool {
        let early = self.tables.number(cell(17, 1, 8)) as i64 * 60;
        let opened = self.storage.shift().opened;
        opened.is_some_and(|opened| self.local(now).seconds_since(opened) >= 86_400 - early)
    }

    /// Submode byte of commands 10 and 11.
    pub fn submode(&self, now: Moment) -> u8 {
        match self.paper {
            Paper::RanOut => 2,
            Paper::WaitsForContinue => 3,
            _ if self.printing(now).is_some() => 5,
            Paper::Absent => 1,
            Paper::Present => 0,
        }
    }

    fn printing(&self, now: Moment) -> Option<Print> {
        self.print
            .filter(|p| p.polls > 0 || p.until.is_some_and(|until| now.elapsed < until))
    }

    pub fn is_printing(&self, now: Moment) -> bool {
        self.printing(now).is_some()
    }

    /// A state was asked for: printing that is counted in polls goes on by one.
    pub fn count_poll(&mut self) {
        if let Some(print) = &mut self.print {
            print.polls = print.polls.saturating_sub(1);
        }
    }

    /// A document was made: it prints for a while. 17/1/7 = 1 skips one document and resets itself.
    pub fn start_printing(&mut self, receipt: Option<u8>, now: Moment) {
        if self.tables.number(NO_PRINT) == 1 {
            self.tables.set_number(NO_PRINT, 0);
            self.memory.keep_cell(NO_PRINT, vec![0]);
            self.memory_changed = true;
        }
        self.print(receipt, now);
    }

    /// The printer works for a while; a line or a picture is no document.
    pub fn print(&mut self, receipt: Option<u8>, now: Moment) {
        let (low, high) = if receipt.is_some() {
            (1_800, 2_300)
        } else {
            (600, 1_500)
        };
        let realistic = self.config.timing == super::Timing::Realistic;
        // The switch speaks of receipts, which the captures show; reports print only in realistic time.
        let (until, polls) = match self.config.switches.printing.filter(|_| receipt.is_some()) {
            Some(Printing::None) => (None, 0),
            Some(Printing::Polls(polls)) => (None, polls),
            Some(Printing::Millis(ms)) => (Some(ms), 0),
            None if realistic => (Some(self.chance.between(low, high)), 0),
            None => (None, 0),
        };
        let until = until.map(|ms| now.elapsed + Duration::from_millis(ms));
        self.print = Some(Print { until, polls, receipt });
    }

    /// Paper taken out or put in by a person.
    pub fn set_paper(&mut self, present: bool, now: Moment) {
        self.paper = match (present, self.paper) {
            (false, Paper::Present) if self.is_printing(now) => Paper::RanOut,
            (false, Paper::Present) => Paper::Absent,
            (true, Paper::RanOut) => Paper::WaitsForContinue,
            (true, Paper::Absent) => Paper::Present,
            (_, same) => same,
        };
    }

    /// Whether what a command makes goes to the printer: 17/1/7 = 1 and 2 print nothing, 3 no reports of a shift.
    fn goes_to_printer(&self, command: CommandCode) -> bool {
        use CommandCode as C;
        let report = matches!(
            command,
            C::OPEN_SHIFT | C::FN_OPEN_SHIFT | C::Z_REPORT | C::FN_CLOSE_SHIFT
        );
        match self.tables.number(NO_PRINT) {
            0 => true,
            3 => !report,
            _ => false,
        }
    }

    /// Carries out a command. When a document comes of it, it stands in the FN when this returns.
    pub fn execute(&mut self, payload: &[u8], now: Moment) -> AnswerFrame {
        self.made = None;
        let Some((command, data)) = CommandCode::split_request(payload) else {
            return AnswerFrame::refusal(CommandCode::one(0), ErrorCode::UNSUPPORTED);
        };
        let outcome = self
            .permitted(command, data, now)
            .and_then(|operator| match Request::decode(payload) {
                // The printer takes its commands byte for byte and judges their length itself.
                _ if super::printer::takes(command) => self.other(command, data, operator, now),
                Ok(request) => self.dispatch(request, operator, now),
                Err(error) => Err(code_of(&error)),
            });
        if command != CommandCode::ERROR_TEXT {
            self.last_error = outcome.as_ref().map_or_else(|error| error.0, |_| 0);
        }
        let echo = self.echo(command);
        match outcome {
            // Values come from the register's own state and fit; one that does not is its internal error.
            Ok(answer) => answer.encode().map_or_else(
                |_| AnswerFrame::refusal(echo, ErrorCode(0x39)),
                |data| AnswerFrame::new(echo, ErrorCode::OK, data),
            ),
            Err(error) => AnswerFrame::refusal(echo, error),
        }
    }

    /// The service group is echoed in one byte or two (`shtrih-m.md` 3.1, CONFLICT).
    fn echo(&self, command: CommandCode) -> CommandCode {
        let service = command.is_two_byte() && command.to_bytes().first() == Some(&0xFE);
        let two = self.config.switches.service_echo == Some(crate::switches::ServiceEcho::TwoBytes);
        if service && !two {
            CommandCode::PREFIX_FE
        } else {
            command
        }
    }

    /// Password, mode and printer, in the order in which a register looks: 37, 4F, 58, 50, then the mode.
    fn permitted(&self, command: CommandCode, data: &[u8], now: Moment) -> Result<u8, ErrorCode> {
        let rule = rule_of(command).ok_or(ErrorCode::UNSUPPORTED)?;
        if self.lacks(command) {
            return Err(ErrorCode::UNSUPPORTED);
        }
        let operator = self.operator(rule, data)?;
        if rule.prints && self.paper == Paper::WaitsForContinue {
            return Err(ErrorCode::WAITING_CONTINUE);
        }
        if rule.prints && self.is_printing(now) {
            return Err(ErrorCode::STILL_PRINTING);
        }
        let no_paper = matches!(self.paper, Paper::Absent | Paper::RanOut);
        let needs_none = matches!(command, CommandCode::CANCEL_RECEIPT | CommandCode::BUFFER_Z_REPORT);
        if rule.prints && no_paper && self.goes_to_printer(command) && !needs_none {
            return Err(ErrorCode::NO_PAPER);
        }
        self.mode_permits(command, rule, now)?;
        Ok(operator)
    }

    /// Commands of the matrix that this register has not, by its format or because no switch gives them a meaning.
    fn lacks(&self, command: CommandCode) -> bool {
        use CommandCode as C;
        match command {
            C::REBOOT | C::SERVICE_PING | C::LIFETIME_TOTALS => self.config.switches.service_echo.is_none(),
            C::RECEIPT_DISCOUNT => !self.config.switches.receipt_discount,
            // Checking codes came with FFD 1.2. A register that is registered for marking should answer more than that
            // it is not, and the codes are not modelled.
            C::CHECK_MARK
            | C::BIND_MARK
            | C::NOTIFICATION_EXCHANGE
            | C::ACCEPT_MARK
            | C::MARKING_STATE
            | C::NOTIFICATION_QUEUE
            | C::READ_NOTIFICATION
            | C::CONFIRM_NOTIFICATION => {
                self.config.ffd != Ffd::V12 || self.config.registration.extended_mode & MARKING_MODE != 0
            }
            _ => false,
        }
    }

    fn operator(&self, rule: Rule, data: &[u8]) -> Result<u8, ErrorCode> {
        if rule.rank == super::access::Rank::None {
            return Ok(30);
        }
        let password = data.first_chunk::<4>().ok_or(ErrorCode::BAD_LENGTH)?;
        let password = u32::from_le_bytes(*password);
        if rule.rank == super::access::Rank::Service && password == SERVICE_PASSWORD {
            return Ok(30);
        }
        let operator = self.tables.operator(password).ok_or(ErrorCode::WRONG_PASSWORD)?;
        if rule.rank.allows(operator) {
            Ok(operator)
        } else {
            Err(ErrorCode::WRONG_PASSWORD)
        }
    }

    fn mode_permits(&self, command: CommandCode, rule: Rule, now: Moment) -> Result<(), ErrorCode> {
        use CommandCode as C;
        let mode = self.mode(now) & 0x0F;
        let switches = &self.config.switches;
        let by_switch = match (command, mode) {
            (C::OPERATION, 2) => switches.item_opens_receipt,
            (C::OPERATION_DISCOUNTED, 8) => switches.discounted_item_in_receipt,
            _ => false,
        };
        if rule.modes >> mode & 1 == 1 || by_switch {
            let only_4 = command == C::OFD_STATUS && self.config.switches.exchange_state_in_mode_4_only;
            return if only_4 && mode != 4 {
                Err(ErrorCode::WRONG_MODE)
            } else {
                Ok(())
            };
        }
        let opens = matches!(
            command,
            C::OPEN_RECEIPT | C::LEGACY_SALE | C::LEGACY_BUY | C::LEGACY_SALE_RETURN | C::LEGACY_BUY_RETURN
        );
        Err(match mode {
            6 => ErrorCode::CONFIRM_DATE,
            3 if opens || rule.modes == 1 << 8 => ErrorCode::SHIFT_EXPIRED,
            8 if rule.prints => ErrorCode::RECEIPT_OPEN,
            _ => ErrorCode::WRONG_MODE,
        })
    }

    /// Makes a document in the FN; its number is what the command reports as made.
    pub fn form(&mut self, kind: Kind, body: Body, now: Moment) -> Result<Formed, ErrorCode> {
        let draft = Draft {
            kind,
            time: self.local(now),
            body: self.defects.miswrite(body),
        };
        let formed = self.storage.form(&draft, now).map_err(ErrorCode)?;
        self.made = Some(formed.fd);
        if self.begun.as_ref().is_some_and(|begun| begun.kind == kind) {
            self.begun = None;
        }
        Ok(formed)
    }

    /// Name of an operator for tag 1021.
    pub fn cashier(&self, operator: u8) -> String {
        self.tables.text(cell(2, u16::from(operator), 2))
    }

    fn dispatch(&mut self, request: Request, operator: u8, now: Moment) -> Outcome {
        use Request as R;
        match request {
            R::DeviceType
            | R::ModelParameters(_)
            | R::ShortState(_)
            | R::FullState(_)
            | R::Beep(_)
            | R::ErrorText(_)
            | R::FontInfo(_)
            | R::Reboot(_)
            | R::ContinuePrint(_) => self.identity(&request, operator, now),
            R::SetTime(_)
            | R::SetDate(_)
            | R::ConfirmDate(_)
            | R::WriteTable(_)
            | R::ReadTable(_)
            | R::TableStructure(_)
            | R::FieldStructure(_) => self.settings(request, now),
            R::OpenShift(_)
            | R::BeginOpenShift(_)
            | R::FnOpenShift(_)
            | R::BeginCloseShift(_)
            | R::FnCloseShift(_)
            | R::ZReport(_)
            | R::XReport(_)
            | R::ShiftState(_)
            | R::BeginCalculationReport(_)
            | R::CalculationReport(_)
            | R::BufferZReport(_)
            | R::PrintZReport(_)
            | R::SyncShift(_) => self.shift_command(&request, operator, now),
            R::FnStatus(_)
            | R::FnNumber(_)
            | R::FnExpiry(_)
            | R::FnVersion(_)
            | R::FnRegistration(_)
            | R::FnDocument(_)
            | R::OpenDocument(_)
            | R::ReadDocument(_)
            | R::OfdStatus(_)
            | R::UnconfirmedCount(_)
            | R::FnResource(_) => self.fn_read(&request, now),
            R::FnTicket(_) | R::RegistrationByNumber(_) | R::RegistrationReportTag(_) | R::RegistrationTag(_) => {
                self.fn_archive(&request, now)
            }
            R::OfdBuffer(_) => self.ofd_buffer(now),
            R::ReadOfdBlock(asked) => self.read_block(&asked),
            R::BeginOfdAnswer(asked) => self.begin_write(&asked),
            R::WriteOfdBlock(asked) => self.write_block(&asked, now),
            R::SendLongTlv(_) => self.send_long_tlv(),
            R::ServicePing(_) => Ok(Answer::Service(Vec::new())),
            R::LifetimeTotals(_) => self.lifetime_totals(),
            R::ResetTables(_) => self.reset_tables(now),
            // The matrix lets it through in mode 9 alone.
            R::TechnologicalReset => Err(ErrorCode::WRONG_MODE),
            R::BeginRegistration(asked) => self.begin_registration(asked.report, now),
            R::Register(asked) => self.register(&asked, now),
            R::Reregister(asked) => self.reregister(&asked, now),
            R::BeginFnClose(_) => self.begin(Kind::Closing, now),
            R::FnClose(_) => self.close_fn(operator, now),
            R::BeginCorrection(_) => self.begin_correction(operator, now),
            R::Correction(_) => Err(ErrorCode::ILLEGAL_WITH_SETTINGS),
            R::CorrectionV2(asked) => self.correction(&asked, operator, now),
            R::CheckMark(_)
            | R::BindMark(_)
            | R::NotificationExchange(_)
            | R::AcceptMark(_)
            | R::MarkingState(_)
            | R::NotificationQueue(_)
            | R::ReadNotification(_)
            | R::ConfirmNotification(_) => Err(NOT_REGISTERED_FOR_MARKING),
            R::MoneyRegister(asked) => self.money_register(asked.number, operator),
            R::OperationRegister(asked) => self.operation_register(asked.number, operator),
            R::Other { command, data } if command == STOP_OUTPUT => self.stop_output(&data),
            R::Other { command, data } => self.other(command, &data, operator, now),
            sale => self.sale_command(sale, operator, now),
        }
    }
}

/// How the FN of a configuration behaves: by its switches, else as the format of the registration needs.
pub(super) fn habits(config: &Config) -> Habits {
    let by_format = match config.ffd {
        Ffd::V105 => Generation::First,
        Ffd::V12 => Generation::Fn12,
    };
    Habits {
        generation: config.switches.fn_generation.unwrap_or(by_format),
        open_may_lag_close: config.switches.open_may_lag_close,
    }
}

/// What a register says to a request that it cannot read.
const fn code_of(error: &DecodeError) -> ErrorCode {
    match error {
        DecodeError::Empty | DecodeError::Short { .. } | DecodeError::Trailing { .. } => ErrorCode::BAD_LENGTH,
        DecodeError::Value { .. } | DecodeError::Time { .. } => ErrorCode::BAD_PARAMETERS,
    }
}
