//! Verbs, arguments and their help.
//!
//! Owns: the form of the command line. A verb that the daemon does not serve is not here.
//! Must never: have a default that changes anything in the rack.

use crate::receipt_file::EXAMPLE;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

const EXITS: &str = "Exit codes: 0 yes or done, 1 no or refused, 2 cannot tell or no daemon, 64 usage, 75 try later, \
                     77 no right.";

const RACK_EXAMPLE: &str = r#"The file is TOML; it describes the whole rack: what it does not name is removed.

    rack_id = "K1"                 # two of 0-9 A-Z without I L O U; set once, before the first receipt

    [[tenant]]
    inn = "7704358518"
    name = "Shop"
    clients = ["*"]                # who may submit: "uid:1000", or "*" for every client with the provider role
    # ttl_s = 300                  # how long a job may wait for a register
    # queue_max = 100000           # how many jobs may wait
    # submissions_per_second = 0   # how many new jobs it may bring in a second; 0: no limit
    # contact_retention_s = 86400  # how long contacts of ended jobs are kept
    # admission = "open"           # or "cordoned", "draining": new receipts are not taken

    [[slot]]
    label = "R1-S01"
    port = "/dev/serial/by-path/…" # or "tcp:10.0.0.5:7778"

    [[register]]                   # naming a register with its FN is its adoption
    serial = "0000000001"          # as the device states it
    fn = "9999078900000001"
    tenant = "7704358518"
    # zone = "+03:00"              # zone of its registration

Without --yes nothing is changed: the difference is shown."#;

fn submit_help() -> String {
    format!(
        "FILE is JSON: the fields of kassette.v1.Receipt (receipt.proto) by their names. Sums are whole kopecks, \
         quantities whole millionths (one piece is 1000000), days \"YYYY-MM-DD\", bytes base64; where the tax service \
         owns a list the field holds its number ('kassettectl codes --tag 1199' shows one). A name that does not \
         exist is an error. Example:\n\n{EXAMPLE}\n\nThe same key with the same receipt returns the same job: after a \
         broken connection repeat the command as it was. {EXITS}"
    )
}

fn import_help() -> String {
    format!(
        "FILE has one JSON object a line. Without --map a line is a receipt as 'receipt submit' takes it \
         ('kassettectl receipt submit --help'). With --map 2020 it is a receipt of the year 2020 whose field names end \
         in their tag:\n\n{LINE_OF_2020}\n\nWhat the map changes: VAT rate 1 and 3 (20 %, 20/120) become 11 and 12 in \
         what is not a return; a plain rate becomes the calculated one where 1214 is 1 to 3; absent 1199 (from a single \
         VAT total), 1214, 1212 and 2108 (from the text of 1197, which stays) are filled; the VAT of a changed rate is left out, the \
         register computes it; the agent sign of a receipt is given with each item. Nothing else: a receipt that today's law forbids is refused, with its rule.\n\n\
         Such a file names no seller: every receipt is issued for --tenant, with the taxpayer, address and place of the \
         register's registration.\n\n\
         The file is read twice: a line that is no receipt is told with its number before anything is submitted. The \
         key of a line is SERIES-DIGEST-N: the digest of its text, and its number among equal lines. So the same command \
         may be repeated after whatever broke it off, lines may be added or moved, and no line becomes a second \
         document. A changed line is another sale, and so is a line under another --series: to try again what was refused \
         by a register or expired, put those lines alone into a file of their own and give it another series.\n\n\
         Refused lines are printed with line, key, place, rule and text, then the counts by rule. With --json every line \
         of the file is one JSON line {{\"line\", \"key\", and \"job\", \"state\", \"document\" or \"refused\"}}, and the \
         last is {{\"lines\", \"accepted\", \"existing\", \"refused\", \"refused_by\", \"rules_broken\", \"states\", \
         \"complete\", \"dry_run\"}}. 0 means that all were accepted (with --wait: have documents), 1 that some were \
         refused, 75 that it is not finished: repeat the command. {EXITS}"
    )
}

const LINE_OF_2020: &str = r#"{"operation_1054": 1, "taxation_1055": 1, "items": [{"name": "Tea", "price_kopecks": 12000,
 "quantity": "1", "sum_kopecks": 12000, "vat_1199": 1, "method_1214": 4, "subject_1212": 1}],
 "total_1020_kopecks": 12000, "cash_1031_kopecks": 0, "ecash_1081_kopecks": 12000, "date": "2020-09-14"}"#;

/// Looks at a rack of cash registers and works on it, through the daemon kassetted.
#[derive(Debug, Parser)]
#[command(name = "kassettectl", version, after_help = EXITS, disable_help_subcommand = true)]
pub struct Options {
    /// Unix socket of the daemon [default: the user's, else /run/kassette/api.sock]
    #[arg(
        long,
        global = true,
        env = "KASSETTE_SOCKET",
        value_name = "PATH",
        conflicts_with = "address"
    )]
    pub socket: Option<PathBuf>,
    /// Plain loopback address of a test rack's daemon, for example http://127.0.0.1:7070
    #[arg(long, global = true, value_name = "URL")]
    pub address: Option<String>,
    /// Print JSON: the answers of the daemon with the field names of the .proto files
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// The rack on one screen; on an empty host the next three steps
    Status,
    /// Registers with their FN, state and reason
    Registers(Registers),
    /// Tenants with their limits and what they can issue now; get one, or change one
    Tenants {
        /// What to do with one; without it all are listed
        #[command(subcommand)]
        verb: Option<TenantsVerb>,
    },
    /// Jobs, newest first
    Receipts(Receipts),
    /// Submit, get or watch receipts
    #[command(subcommand)]
    Receipt(Receipt),
    /// Fiscal documents, shift and registration reports included
    #[command(subcommand)]
    Documents(Documents),
    /// What stands in the rack
    #[command(subcommand)]
    Rack(Rack),
    /// Whether another package may take the place of this one
    #[command(subcommand)]
    Upgrade(Upgrade),
    /// What nobody knows yet: attempts of which it is unknown whether their document exists
    #[command(subcommand)]
    Doubt(Doubt),
    /// A copy of the journal, its archives and its keys, taken while the daemon works (admins)
    ///
    /// Exit code 1 also when an archive file had to be left out: the rest was written and is whole.
    Backup(Backup),
    /// Codes of errors and reasons with their next steps; catalogues of the tax service
    Codes(Codes),
}

/// Arguments of `backup`.
#[derive(Debug, Args)]
pub struct Backup {
    /// Where to write it; it appears there once it is whole, for its owner alone.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Leave out the tenants' keys: a rack restored from it cannot compare contents or show buyers.
    #[arg(long)]
    pub without_keys: bool,
}

/// Work with doubts.
#[derive(Debug, Subcommand)]
pub enum Doubt {
    /// Those that are open, newest first
    List(ListDoubts),
    /// One doubt: what was seen, and the next steps
    Show {
        /// Its id, from 'doubt list'
        id: String,
    },
    /// Ask the register to read the FN again
    Read {
        /// Its id, from 'doubt list'
        id: String,
        /// Why, recorded with the order
        #[arg(long)]
        reason: Option<String>,
    },
    /// Say with evidence what became of it; without --yes only what that would do. Two persons are needed
    #[command(after_long_help = SETTLE_HELP)]
    Settle(Box<Settle>),
}

const SETTLE_HELP: &str = "A verdict is for an FN that cannot be read in its register any more; while it can, it decides by \
itself.\n\n\
--made      needs --fd, --fp and --time of the document, from the FN on a reader, the OFD's copy or the paper.\n\
--not-made  needs every number accounted for, none of them this document:\n\
            --source fn-reader: --fn-last-fd as the reader shows it, and --first-fd to --last-fd, all read whole, from \
the one after the baseline to that last one;\n\
            --source ofd-copy: --first-fd to --last-fd, all held, from the baseline to a later receipt, and --last-code \
3, 4, 31 or 41 of that last one.\n\
            That the OFD has nothing, or that no paper came out, proves nothing and is refused.\n\n\
The verdict waits 15 minutes for another person (another certificate or another user of this host) with the role \
technician, who repeats the same command with --confirm ID and --fn-digits, the last four or more digits read off the \
FN. Whatever is seen in between makes it void. When the FN is seen again it is read before anything is made on it; if it \
contradicts the verdict its register stands still.\n\n\
Exit codes: 0 done (or --dry-run: it would be taken), 1 nothing was changed or it was refused, 2 no daemon, 64 usage, \
77 no right.";

/// Arguments of `doubt list`.
#[derive(Debug, Args)]
pub struct ListDoubts {
    /// Those that were settled too
    #[arg(long)]
    pub all: bool,
    /// Only of this tenant
    #[arg(long, value_name = "INN")]
    pub tenant: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
}

/// Where evidence comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum EvidenceFrom {
    /// The FN was read on a reader
    FnReader,
    /// The OFD's copy of the documents
    OfdCopy,
    /// The printed receipt
    Paper,
}

/// Arguments of `doubt settle`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("verdict").required(true).args(["made", "not_made"]))]
pub struct Settle {
    /// Its id, from 'doubt list'
    pub id: String,
    /// The document exists
    #[arg(long, requires_all = ["fd", "fp"])]
    pub made: bool,
    /// No document exists
    #[arg(long, conflicts_with_all = ["fd", "fp", "time", "shift", "number"])]
    pub not_made: bool,
    /// Where the evidence comes from
    #[arg(long, value_enum)]
    pub source: EvidenceFrom,
    /// The evidence in words: who read what, where, when
    #[arg(long, value_name = "TEXT")]
    pub evidence: String,
    /// Number of the document
    #[arg(long, value_name = "NUMBER")]
    pub fd: Option<u32>,
    /// Its fiscal sign
    #[arg(long, value_name = "NUMBER")]
    pub fp: Option<u32>,
    /// Its local time, as 2026-11-22T15:04
    #[arg(long, value_name = "TIME")]
    pub time: Option<String>,
    /// Zone of that time
    #[arg(long, default_value = "+03:00", value_name = "ZONE", allow_hyphen_values = true)]
    pub zone: String,
    /// Its shift, where it is known
    #[arg(long, value_name = "NUMBER")]
    pub shift: Option<u32>,
    /// Its number in the shift, where it is known
    #[arg(long, value_name = "NUMBER")]
    pub number: Option<u32>,
    /// First of the documents that were read whole or are held
    #[arg(long, value_name = "NUMBER")]
    pub first_fd: Option<u32>,
    /// Last of them
    #[arg(long, value_name = "NUMBER")]
    pub last_fd: Option<u32>,
    /// The FN's last document, as the reader shows it
    #[arg(long, value_name = "NUMBER")]
    pub fn_last_fd: Option<u32>,
    /// Kind of the last document that the OFD holds: 3 is a receipt
    #[arg(long, value_name = "CODE")]
    pub last_code: Option<u32>,
    /// Only from the second person: the shown id
    #[arg(long, value_name = "ID", requires = "fn_digits")]
    pub confirm: Option<String>,
    /// Only from the second person: the last digits of the FN
    #[arg(long, value_name = "DIGITS", requires = "confirm")]
    pub fn_digits: Option<String>,
    /// Why, recorded with the verdict
    #[arg(long)]
    pub reason: Option<String>,
    /// Only say whether it would be taken
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Give the verdict
    #[arg(long)]
    pub yes: bool,
}

/// Arguments of `registers`.
#[derive(Debug, Args)]
pub struct Registers {
    /// Only registers of this tenant
    #[arg(long, value_name = "INN")]
    pub tenant: Option<String>,
    /// Only registers that are not ready
    #[arg(long)]
    pub problems: bool,
}

/// Work with one tenant.
#[derive(Debug, Subcommand)]
pub enum TenantsVerb {
    /// Show one tenant
    Get {
        /// Its INN
        inn: String,
    },
    /// Change its settings; without --yes nothing is changed: the difference is shown
    Set(SetTenant),
    /// Take no new receipts; those it has go on
    Cordon(TenantOrder),
    /// Take new receipts again, after a cordon or a drain
    Uncordon(TenantOrder),
    /// Finish what it has and take no new receipts
    Drain(TenantOrder),
}

/// What is done to whether a tenant's new receipts are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantAction {
    /// They are not.
    Cordon,
    /// They are.
    Uncordon,
    /// They are not, and it leaves.
    Drain,
}

/// What every order on a tenant says.
#[derive(Debug, Args)]
pub struct TenantOrder {
    /// Its INN
    pub inn: String,
    /// Make the change
    #[arg(long)]
    pub yes: bool,
    /// Why, recorded with the order
    #[arg(long)]
    pub reason: Option<String>,
}

/// Arguments of `tenants set`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("setting").required(true).multiple(true)
          .args(["name", "ttl", "queue", "rate", "retention"]))]
pub struct SetTenant {
    /// The tenant, and whether to make it so
    #[command(flatten)]
    pub order: TenantOrder,
    /// Its name for people
    #[arg(long)]
    pub name: Option<String>,
    /// How many seconds a job waits for a register by default
    #[arg(long, value_name = "SECONDS")]
    pub ttl: Option<u64>,
    /// How many jobs may wait
    #[arg(long, value_name = "JOBS")]
    pub queue: Option<u64>,
    /// How many new jobs it may bring in a second; 0: no limit
    #[arg(long, value_name = "JOBS")]
    pub rate: Option<u32>,
    /// How many seconds contacts of ended jobs are kept
    #[arg(long, value_name = "SECONDS")]
    pub retention: Option<u64>,
}

/// Arguments of `receipts`.
#[derive(Debug, Args)]
pub struct Receipts {
    /// Only jobs of this tenant
    #[arg(long, value_name = "INN", default_value = "-", hide_default_value = true)]
    pub tenant: String,
    /// Only jobs in this state; may be repeated
    #[arg(long, value_enum)]
    pub state: Vec<State>,
    /// Only jobs that need a person
    #[arg(long)]
    pub needs_person: bool,
    /// Only jobs with this label; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub label: Vec<(String, String)>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
}

/// State of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum State {
    /// Waits for a register
    Accepted,
    /// On a register now
    Running,
    /// Not known whether the document exists
    InDoubt,
    /// The document exists
    Completed,
    /// Refused because of its content
    Refused,
    /// Cancelled before any attempt
    Cancelled,
    /// Its time ran out before any document
    Expired,
}

/// Work with single receipts.
#[derive(Debug, Subcommand)]
pub enum Receipt {
    /// Submit one receipt
    #[command(after_long_help = submit_help())]
    Submit(Submit),
    /// Show one job: by its name, by its key, or by its document
    Get(Get),
    /// Submit the receipts of a file, each once however often it is repeated
    #[command(after_long_help = import_help())]
    Import(Import),
    /// Follow jobs as they change
    Watch(Watch),
}

/// Arguments of `receipt submit`.
#[derive(Debug, Args)]
pub struct Submit {
    /// The receipt as JSON; - reads standard input (see --help for the form)
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The taxpayer whose receipt it is
    #[arg(long, value_name = "INN")]
    pub tenant: String,
    /// Your key of this sale, unique for ever
    #[arg(long)]
    pub key: String,
    /// Wait so many seconds for the document
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "30",
          value_parser = clap::value_parser!(u32).range(0..=60))]
    pub wait: Option<u32>,
    /// Only say what is wrong; nothing is stored
    #[arg(long, conflicts_with_all = ["wait", "ttl", "label"])]
    pub check: bool,
    /// How many seconds the job may wait for a register
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub ttl: Option<u32>,
    /// A label; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub label: Vec<(String, String)>,
}

/// Arguments of `receipt import`.
#[derive(Debug, Args)]
pub struct Import {
    /// The receipts, one JSON object a line (see --help for the form)
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What the lines are; without it they are receipts of today
    #[arg(long, value_enum)]
    pub map: Option<Map>,
    /// The taxpayer for whom the receipts are issued
    #[arg(long, value_name = "INN")]
    pub tenant: String,
    /// Only say what would become of each; nothing is stored
    #[arg(long, conflicts_with_all = ["wait", "ttl", "label"])]
    pub dry_run: bool,
    /// Wait for the documents, at most so many seconds for each
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "300",
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub wait: Option<u32>,
    /// How many seconds a job may wait for a register
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400,
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub ttl: u32,
    /// First part of every key; the same line in another series is another sale
    #[arg(long, value_name = "NAME", default_value = "import", value_parser = series)]
    pub series: String,
    /// A label of every job; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub label: Vec<(String, String)>,
}

/// What the lines of an import are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Map {
    /// Receipts of the year 2020
    #[value(name = "2020")]
    Of2020,
}

/// Arguments of `receipt get`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["name", "key", "fd"]))]
pub struct Get {
    /// The job's name: tenants/INN/receipts/JOB
    pub name: Option<String>,
    /// The client's key
    #[arg(long, requires = "tenant")]
    pub key: Option<String>,
    /// The tenant of the key
    #[arg(long, value_name = "INN")]
    pub tenant: Option<String>,
    /// The FN that holds the document
    #[arg(long = "fn", value_name = "NUMBER")]
    pub fn_number: Option<String>,
    /// The document's number
    #[arg(long, value_name = "NUMBER", requires = "fn_number")]
    pub fd: Option<u32>,
    /// Wait so many seconds for the job's end
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "30",
          value_parser = clap::value_parser!(u32).range(0..=60))]
    pub wait: Option<u32>,
}

/// Arguments of `receipt watch`.
#[derive(Debug, Args)]
pub struct Watch {
    /// Only jobs of this tenant
    #[arg(long, value_name = "INN", default_value = "-", hide_default_value = true)]
    pub tenant: String,
    /// Where to begin: now, oldest, or the cursor that an earlier watch ended with
    #[arg(long, default_value = "now", value_name = "now|oldest|CURSOR")]
    pub from: String,
}

/// Work with fiscal documents.
#[derive(Debug, Subcommand)]
pub enum Documents {
    /// Write all documents to standard output, one on each line
    Export(Export),
}

/// Arguments of `documents export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The form of a line
    #[arg(long, value_enum)]
    pub format: Format,
    /// Only documents of this tenant
    #[arg(long, value_name = "INN", default_value = "-", hide_default_value = true)]
    pub tenant: String,
}

/// Form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A header and comma-separated values (RFC 4180)
    Csv,
    /// The fields of kassette.v1.FiscalDocument as JSON
    Jsonl,
}

/// Work before a change of the package.
#[derive(Debug, Subcommand)]
pub enum Upgrade {
    /// Tell everything that stands in the way of another package: 0 nothing does, 1 something does
    #[command(after_long_help = UPGRADE_EXAMPLE)]
    Check {
        /// What the other package says of itself as JSON; - reads standard input
        #[arg(value_name = "FILE")]
        package: PathBuf,
    },
}

/// How the other package is named.
const UPGRADE_EXAMPLE: &str = "Unpack the other package without installing it, and let its own program say what it is:\n\n  \
    dpkg -x kassette_NEW.deb /tmp/new\n  \
    /tmp/new/usr/bin/kassetted --version --json | kassettectl upgrade check -\n\n\
    Nothing is changed. An older package is checked in the same way: rolling back is installing it.";

/// Work with the description of the rack.
#[derive(Debug, Subcommand)]
pub enum Rack {
    /// Compare a file with what stands; change it only with --yes
    #[command(after_long_help = RACK_EXAMPLE)]
    Apply(Apply),
    /// Write what stands as one file
    Export,
}

/// Arguments of `rack apply`.
#[derive(Debug, Args)]
pub struct Apply {
    /// The description as TOML; - reads standard input (see --help for the form)
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Make the changes
    #[arg(long)]
    pub yes: bool,
    /// Why, recorded with the order
    #[arg(long)]
    pub reason: Option<String>,
}

/// Arguments of `codes`.
#[derive(Debug, Args)]
pub struct Codes {
    /// One code, with everything about it
    pub code: Option<String>,
    /// The tax service's catalogue of this tag instead
    #[arg(long, conflicts_with = "code")]
    pub tag: Option<u32>,
}

/// Together with digest and number it must fit a key of 128 characters.
fn series(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    Err("must be 1 to 64 letters, digits or . _ : -".to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("must be NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests;
