//! One receipt as commands: 8D, FF46 and FF4D for each item, FF0C, FF45; under FFD 1.05 and 1.2 the same commands with
//! the tags of the format.
//!
//! Owns: the plan of the commands, made whole before the first byte is sent, and the one walk through it.
//! Must never: send a command of the plan twice, or go on behind an exchange that did not end cleanly.
//!
//! What becomes of each step if the reply never comes, the power goes, or the device returns under another name. In every
//! row the walk ends at once with [`Made::Broken`]; the actor drains the link, identifies the register by its serial
//! and FN on whatever port it is found, waits for idle, cancels what is open, and reads the FN's last number.
//! A link that counts commands (v2) first asks for a lost answer itself, within the connection, and never sends FF45 again
//! (`exchange/link_v2.rs`); the table is what holds when that did not help.
//!
//! | step | reply never comes | power of the register goes | device returns under another name |
//! | --- | --- | --- | --- |
//! | before 8D | nothing was sent; the last number equals the baseline | the same | the same; the intent names the FN, not the port |
//! | 8D | a document may be open, without items; cancelled, number unchanged. A model that opens the shift by itself in mode 4 made that report: the number moved, the document is read and explained | the open document is lost with the power | the document is open in that register still, and is cancelled there |
//! | FF46, FF4D, FF0C | the item or tag may or may not stand in the open document; it is cancelled whole, never continued | lost | cancelled there |
//! | FF45 | **doubt**: the document stands in the FN, or not, or will in seconds. Nothing is sent again; every document above the baseline is read and compared with the job key | **doubt**: the FN holds it or not; the kept answer is lost, the FN is read | **doubt**: the FN is found by its number and read there; another FN behind the old name proves nothing |
//! | after FF45 | the good answer is in memory alone until the outcome is durable; a crash here is found by reading the FN | the document stands | the document stands |

use super::ShtrihM;
use super::conversation::{Conversation, Failed, Why, link_text, pick};
use super::packing::Pack;
use super::quirks::Quirk;
use super::refusals;
use super::tags::{self, Cannot, Rates};
use crate::domain::attempt::{About, Broken, Made, MadeDocument, ReceiptOrder, Refusal};
use crate::domain::device::{Ffd, Registration};
use crate::drivers::DriverError;
use crate::exchange::Care;
use crate::mutants::Mutant;
use crate::parts::Point;
use kassette_receipts::capability::unsupported_ffd;
use kassette_receipts::model::{Item, Receipt};
use kassette_wire::codes::Code;
use kassette_wire::shtrih::{CloseReceipt, CommandCode, DocumentTlv, OpenReceipt, OperationKind, OperationV2, Request};
use kassette_wire::text::{encode_cp866, encode_cp1251};
use kassette_wire::value::Kopecks;

/// Longest name of FF46 in bytes (`shtrih-m` 3.5).
const NAME_MAX: usize = 128;
/// Largest sum of a receipt or register field (`shtrih-m` section 0).
const SUM_MAX: u64 = 9_999_999_999;
/// Department of every item, as in the worked example (`shtrih-m` 5.2); no tag carries it.
const DEPARTMENT: u8 = 1;

/// What the register states about itself that a plan needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlanFacts<'a> {
    pub(super) quirk: &'a Quirk,
    pub(super) rates: Option<Rates>,
    pub(super) registered: Registered,
}

/// What the registration decides about a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Registered {
    /// Tax systems, bits of tag 1062.
    pub(super) tax_systems: u32,
    /// Format, as the register states it.
    pub(super) ffd: Ffd,
}

impl From<&Registration> for Registered {
    fn from(registration: &Registration) -> Self {
        Self {
            tax_systems: registration.tax_systems,
            ffd: registration.ffd,
        }
    }
}

/// A command of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    request: Request,
    /// What it brings, for the words of a refusal: `item 3`, `tags 2108, 1191 of item 3`, `tags 1192, 1008`.
    what: String,
}

impl Step {
    fn tags(pack: Pack, of: &str, make: fn(DocumentTlv) -> Request) -> Self {
        let names: Vec<String> = pack.tags.iter().map(ToString::to_string).collect();
        let plural = if names.len() == 1 { "" } else { "s" };
        Self {
            request: make(DocumentTlv {
                password: Conversation::PASSWORD,
                tlv: pack.bytes,
            }),
            what: format!("tag{plural} {}{of}", names.join(", ")),
        }
    }
}

/// Where a walk stopped before the closing command.
struct Stopped<'a> {
    failed: Failed,
    step: Option<&'a Step>,
}

/// The commands of one receipt, every one of them known to have bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReceiptPlan {
    open: Request,
    items: Vec<Vec<Step>>,
    tags: Vec<Step>,
    close: Request,
}

impl ReceiptPlan {
    /// Plans the commands.
    ///
    /// # Errors
    /// The reason why this driver cannot make the receipt.
    pub(super) fn new(order: &ReceiptOrder, facts: PlanFacts<'_>) -> Result<Self, Cannot> {
        let receipt = &order.receipt;
        if let Some(gap) = unsupported_ffd(facts.registered.ffd) {
            return Err((Code::FfdUnsupported, format!("not yet: {}", gap.reason)));
        }
        tags::gaps(receipt)?;
        let (kind, operation) = tags::sign(receipt.sign)?;
        let password = Conversation::PASSWORD;
        let items = receipt.items.iter().enumerate();
        let items = items.map(|(at, item)| item_commands(at, item, operation, facts));
        let document = tags::document_tags(order, facts.registered.ffd)?;
        let plan = Self {
            open: Request::OpenReceipt(OpenReceipt { password, kind }),
            items: items.collect::<Result<_, _>>()?,
            tags: document
                .into_iter()
                .map(|pack| Step::tags(pack, "", Request::DocumentTag))
                .collect(),
            close: Request::CloseReceipt(closing(receipt, facts)?),
        };
        plan.check_bytes()?;
        Ok(plan)
    }

    fn check_bytes(&self) -> Result<(), Cannot> {
        let steps = self.items.iter().flatten().chain(&self.tags);
        for request in steps.map(|step| &step.request).chain([&self.open, &self.close]) {
            let unwritable = |e| {
                (
                    Code::ReceiptNotServedYet,
                    format!("{} has no bytes for it: {e}", request.command()),
                )
            };
            request.encode().map_err(unwritable)?;
        }
        Ok(())
    }
}

/// FF46 with the amount stated, and FF4D where the item has tags that FF46 does not carry.
fn item_commands(at: usize, item: &Item, kind: OperationKind, facts: PlanFacts<'_>) -> Result<Vec<Step>, Cannot> {
    let password = Conversation::PASSWORD;
    let operation = OperationV2 {
        password,
        kind,
        quantity: item.quantity,
        price: sum(item.price, 1079)?,
        sum: Some(sum(item.amount, 1043)?),
        tax: None,
        vat: tags::vat(item.vat_rate, facts.rates, facts.quirk)?,
        department: DEPARTMENT,
        method: tags::method(item.method)?,
        subject: tags::subject(item.subject)?,
        name: name(&item.name)?,
    };
    let number = at + 1;
    let first = Step {
        request: Request::Operation(operation),
        what: format!("item {number}"),
    };
    let packs = tags::item_tags(item, facts.registered.ffd)?;
    let of = format!(" of item {number}");
    let tags = packs
        .into_iter()
        .map(|pack| Step::tags(pack, &of, Request::OperationTag));
    Ok([first].into_iter().chain(tags).collect())
}

/// The register computes the taxes (table 1, field 14 = 0): none are sent.
fn closing(receipt: &Receipt, facts: PlanFacts<'_>) -> Result<CloseReceipt, Cannot> {
    sum(receipt.total, 1020)?;
    Ok(CloseReceipt {
        password: Conversation::PASSWORD,
        payments: tags::payments(&receipt.payments),
        rounding: rounding(receipt)?,
        taxes: [Kopecks::ZERO; 6],
        tax_system: tags::tax_system(receipt.tax_system, Some(facts.registered.tax_systems))?,
        text: Vec::new(),
    })
}

/// What the total lacks of the items: the register makes 1020 of its own sum and takes only kopecks off (3.5).
fn rounding(receipt: &Receipt) -> Result<u8, Cannot> {
    let amounts = receipt.items.iter().map(|item| item.amount.get());
    let off = amounts
        .fold(0, u64::saturating_add)
        .checked_sub(receipt.total.get())
        .and_then(|off| u8::try_from(off).ok());
    off.filter(|off| *off < 100).ok_or_else(|| {
        let text = format!("tag 1020: {} is not the sum of the items less kopecks", receipt.total);
        (Code::ReceiptInvalid, text)
    })
}

fn sum(sum: Kopecks, tag: u16) -> Result<Kopecks, Cannot> {
    let too_large = || {
        (
            Code::ReceiptNotServedYet,
            format!("the register cannot hold {sum} in tag {tag}"),
        )
    };
    if sum.get() > SUM_MAX { Err(too_large()) } else { Ok(sum) }
}

/// The name in windows-1251, which the register turns into the CP866 of tag 1030: it must exist in both.
fn name(text: &str) -> Result<Vec<u8>, Cannot> {
    let refused = |why: String| (Code::ReceiptNotServedYet, format!("tag 1030: {why}"));
    if text.starts_with("//") {
        // "Do not print"; whether the slashes stand in the document is not said (3.5).
        return Err((
            Code::ModelUndecided,
            "tag 1030: a name that begins with // is a mark for the register".to_owned(),
        ));
    }
    encode_cp866(text).map_err(|e| refused(e.to_string()))?;
    let bytes = encode_cp1251(text).map_err(|e| refused(e.to_string()))?;
    if bytes.is_empty() || bytes.len() > NAME_MAX || bytes.contains(&0) {
        return Err(refused(format!(
            "the register takes 1 to {NAME_MAX} characters without NUL"
        )));
    }
    Ok(bytes)
}

/// What a failed command on the way to a document means. `closing`: it was the one that makes the document.
pub(super) fn not_made(failed: Failed, closing: bool, document_open: bool) -> Made {
    let command = failed.command;
    let broken = |closing_sent, code, text| {
        Made::Broken(Broken {
            command: command.to_string(),
            closing_sent,
            code,
            text,
        })
    };
    match failed.why {
        Why::Refused(code) => Made::Refused(refusals::refusal(command, code, document_open)),
        Why::Link(failure) => {
            let sent = closing && failure.may_have_run();
            broken(sent, failure.code(), format!("{command}: {}", link_text(&failure)))
        }
        Why::Nonsense(text) => broken(
            closing,
            Code::RegisterGarbled,
            format!("{command} was answered with something else: {text}; the FN is read"),
        ),
        Why::NoBytes(text) => broken(
            false,
            Code::InternalFault,
            format!("{command} cannot be written: {text}; nothing was sent"),
        ),
    }
}

/// A receipt that has no plan: nothing was sent. The actor asks `cannot_make` first, so that this is a second net. What
/// this model cannot decide is the device's, and another unit may take it.
fn refused_unsent((code, text): Cannot) -> Made {
    let about = match code {
        Code::ReceiptInvalid | Code::ReceiptNotServedYet => About::Document,
        _ => About::Device,
    };
    Made::Refused(Refusal {
        command: CommandCode::OPEN_RECEIPT.to_string(),
        device_code: 0,
        before_signing: true,
        about,
        code,
        text: format!("{text}; nothing was sent to the register"),
    })
}

/// The register could not tell what a plan needs: no command of the document was sent.
fn unlearned(error: &DriverError) -> Made {
    Made::Broken(Broken {
        command: CommandCode::READ_TABLE.to_string(),
        closing_sent: false,
        code: error.code(),
        text: format!("before the receipt: {error}; nothing of it was sent"),
    })
}

/// The words of a failure with what its command brought.
fn naming(made: Made, step: Option<&Step>) -> Made {
    let Some(step) = step else { return made };
    let add = |text: String| format!("{text}; the command brought {}", step.what);
    match made {
        Made::Refused(refusal) => Made::Refused(Refusal {
            text: add(refusal.text),
            ..refusal
        }),
        Made::Broken(broken) => Made::Broken(Broken {
            text: add(broken.text),
            ..broken
        }),
        Made::Good(good) => Made::Good(good),
    }
}

impl ShtrihM {
    /// Reads what a plan needs and this connection does not know yet; after `identify` and `registration` it is nothing.
    async fn learn(&mut self) -> Result<(), DriverError> {
        self.known().await?;
        if self.registered.is_none() {
            self.read_registration().await?;
        }
        if self.rates.is_none() {
            self.read_rates().await?;
        }
        Ok(())
    }

    /// The facts a plan needs; of the given registration, else of the one read last.
    pub(super) fn plan_facts(&self, given: Option<&Registration>) -> Result<PlanFacts<'_>, Cannot> {
        let unread = || {
            (
                Code::RegisterIdentifying,
                "the register was not identified yet".to_owned(),
            )
        };
        let facts = self.facts.as_ref().ok_or_else(unread)?;
        let registered = given.map(Registered::from).or(self.registered);
        Ok(PlanFacts {
            quirk: &facts.quirk,
            rates: self.rates,
            registered: registered.ok_or_else(unread)?,
        })
    }

    /// The walk; see the table above.
    pub(super) async fn walk_receipt(&mut self, order: &ReceiptOrder) -> Made {
        if let Err(error) = self.learn().await {
            return unlearned(&error);
        }
        let plan = self.plan_facts(None).and_then(|facts| ReceiptPlan::new(order, facts));
        let plan = match plan {
            Ok(plan) => plan,
            Err(cannot) => return refused_unsent(cannot),
        };
        match self.fill(&plan).await {
            Ok(()) => self.close(&plan.close).await,
            Err(Stopped { failed, step }) => naming(not_made(failed, false, step.is_some()), step),
        }
    }

    async fn fill<'a>(&mut self, plan: &'a ReceiptPlan) -> Result<(), Stopped<'a>> {
        self.faults.reach(Point::DocumentOpening).await;
        let opened = self.talk.order(&plan.open, Care::Once).await;
        opened.map_err(|failed| Stopped { failed, step: None })?;
        self.faults.reach(Point::DocumentOpened).await;
        for item in &plan.items {
            self.bring(item).await?;
            self.faults.reach(Point::ItemTaken).await;
        }
        self.bring(&plan.tags).await?;
        self.faults.reach(Point::TagsTaken).await;
        Ok(())
    }

    async fn bring<'a>(&mut self, steps: &'a [Step]) -> Result<(), Stopped<'a>> {
        for step in steps {
            let mut done = self.talk.order(&step.request, Care::Inside).await;
            // Naive: NAK says that the line was not taken.
            if self.faults.mutant(Mutant::ItemAgainAfterNak) && done.as_ref().is_err_and(Failed::is_nak) {
                self.empty_link().await.ok();
                done = self.talk.order(&step.request, Care::Inside).await;
            }
            done.map_err(|failed| Stopped {
                failed,
                step: Some(step),
            })?;
        }
        Ok(())
    }

    async fn close(&mut self, close: &Request) -> Made {
        self.faults.reach(Point::ClosingBefore).await;
        match self
            .talk
            .ask(close, Care::Closing, |answer| pick!(answer, CloseReceipt))
            .await
        {
            Ok(done) => {
                self.faults.reach(Point::ClosingAnswered).await;
                Made::Good(MadeDocument {
                    fd: done.fd,
                    fp: done.fp,
                    time: done.time,
                    shift: None,
                })
            }
            Err(failed) => not_made(failed, true, true),
        }
    }
}
