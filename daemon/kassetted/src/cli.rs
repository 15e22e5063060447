//! The command line of `kassetted`.
//!
//! Owns: commands, their help, and what they print.
//! Must never: touch a device, but in `run`.

use crate::config::{Config, ConfigErrors, HostEnvironment};
use crate::exit::{Exit, chain};
use crate::{journal_commands, probe, supervisor, telemetry, version};
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use kassette_core::parts::Faults;
use kassette_wire::codes::Code;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The daemon that turns a rack of cash registers into a service.
#[derive(Debug, Parser)]
#[command(
    name = "kassetted",
    version,
    disable_version_flag = true,
    arg_required_else_help = true,
    after_help = "Examples:\n  \
        kassetted check-config              what is wrong with the configuration, all of it at once\n  \
        kassetted run                       runs with the user's own folders; needs no configuration\n  \
        kassetted probe                     which ports 'run' would drive, and why not the others\n\n\
        What stands in the rack is told to the running daemon: kassettectl rack apply FILE\n\n\
        Exit codes: 0 done or yes, 1 refused or no, 2 cannot tell, 64 wrong command line or configuration,\n\
        75 try again later, 77 no right."
)]
struct Cli {
    /// Prints the version and ends.
    #[arg(short = 'V', long)]
    version: bool,
    /// With --version: prints JSON that also names the journal's schema and whether deliberate faults are compiled in.
    #[arg(long, requires = "version")]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the daemon until SIGTERM or SIGINT; then ends what was begun, and stops.
    ///
    /// Prints one line of JSON on standard output when it is ready; logs go to standard error.
    Run(ConfigFile),
    /// Checks the configuration and tells everything that is wrong with it; changes nothing.
    CheckConfig(Report),
    /// Tells which ports would be driven, which not, and why; opens none of them.
    Probe(Report),
    /// Looks into the journal of this host, as the owner of its state folder.
    Journal {
        #[command(subcommand)]
        command: JournalCommand,
    },
}

#[derive(Debug, Subcommand)]
enum JournalCommand {
    /// Checks the file and the checksums of its rows and, with copies of FNs, every document against its job.
    ///
    /// Changes nothing and works beside a running daemon: then it sees the journal at one instant, and says of what is
    /// in doubt or younger than a copy that it was not compared. Its last line is "N jobs, N documents, 0 lost,
    /// 0 doubled"; before it stands every difference, one on each line, with its code, job, FN and document number.
    #[command(after_long_help = VERIFY_EXAMPLES)]
    Verify(Verify),
    /// Shows what the journal is: its rack, generation, plan and jobs by state.
    Show(Report),
    /// Writes the journal's content as JSON lines (not served yet).
    Export(Report),
    /// Puts a backup in the place of the journal, its archives and keys; the daemon must not run. Without --yes it only shows what it would do.
    ///
    /// What stood there is kept beside it, never deleted. The first start reads the FNs before it works, so that a client
    /// may repeat all its keys.
    Restore(RestoreArgs),
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// Configuration; the folder FILE.d beside it is read as well. Without it the user's own is read if there is one.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Report {
    #[command(flatten)]
    config: ConfigFile,
    /// Prints JSON for programs.
    #[arg(long)]
    json: bool,
}

const VERIFY_EXAMPLES: &str = "Examples:\n  \
        kassetted journal verify                               the journal alone\n  \
        kassette-hw-sim ledger --state DIR > fns.jsonl\n  \
        kassetted journal verify --ledger fns.jsonl            a simulated rack, every FN of it\n  \
        kassetted journal verify --export 9999078900012345.fnc an FN that a field program has read whole\n  \
        kassettectl documents export --format jsonl > d.jsonl\n  \
        kassetted journal verify --state BACKUP --export d.jsonl\n\n\
        Exit codes: 0 everything was compared and agrees, 1 something differs, 2 nothing differs but not everything\n\
        could be compared, 64 wrong command line or configuration.";

#[derive(Debug, Args)]
struct Verify {
    #[command(flatten)]
    report: Report,
    /// State folder with the journal and its keys, instead of the configured one.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Documents of FNs as JSON lines, as 'kassette-hw-sim ledger' prints them; or a folder of such files.
    #[arg(long, value_name = "DIR|FILE")]
    ledger: Vec<PathBuf>,
    /// An FN that was read whole by a field program (.fnc), or 'kassettectl documents export --format jsonl'.
    #[arg(long, value_name = "FILE")]
    export: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct RestoreArgs {
    #[command(flatten)]
    report: Report,
    /// The backup, as 'kassettectl backup' wrote it.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// State folder, instead of the configured one.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Do it.
    #[arg(long)]
    yes: bool,
}

impl RestoreArgs {
    fn run(&self, mut config: Config) -> Said {
        if let Some(state) = &self.state {
            config.keys_dir = state.join("keys");
            config.state_dir.clone_from(state);
        }
        crate::backup::restore(&config, &self.from, self.yes)
    }
}

impl Verify {
    fn run(&self, mut config: Config) -> Said {
        if let Some(state) = &self.state {
            config.keys_dir = state.join("keys");
            config.state_dir.clone_from(state);
        }
        let copies: Vec<&Path> = self.ledger.iter().chain(&self.export).map(PathBuf::as_path).collect();
        journal_commands::verify(&config, &copies)
    }
}

/// What a command has to say, for people and for programs.
pub(crate) struct Said {
    /// How the program ends.
    pub exit: Exit,
    /// For people.
    pub text: String,
    /// For programs.
    pub json: serde_json::Value,
}

/// Runs the program with these arguments (the first is its name) and these faults; the product passes none.
#[must_use]
pub fn run_with(args: impl IntoIterator<Item = OsString>, faults: Arc<dyn Faults>) -> Exit {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, everything else is wrong usage.
            let asked = !error.use_stderr();
            error.print().ok();
            return if asked { Exit::Done } else { Exit::Usage };
        }
    };
    let Some(command) = cli.command.filter(|_| !cli.version) else {
        return version::tell(cli.version, cli.json, Cli::command());
    };
    let host = HostEnvironment::of_this_process();
    match command {
        Command::Run(file) => match Config::load(file.config.as_deref(), &host) {
            Ok(config) => run_daemon(config, faults),
            Err(errors) => {
                eprintln!("{errors}");
                Exit::Usage
            }
        },
        Command::CheckConfig(report) => reported(&report, &host, |config| check_config(&config)),
        Command::Probe(report) => reported(&report, &host, |config| probe::probe(&config)),
        Command::Journal { command } => journal(&command, &host),
    }
}

fn run_daemon(config: Config, faults: Arc<dyn Faults>) -> Exit {
    telemetry::start(&config.log);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return Exit::TryLater;
        }
    };
    let ended = runtime.block_on(Box::pin(supervisor::run(config, faults)));
    // Threads that still ask something slow (names of groups, a dying port) must not hold the end of the process.
    runtime.shutdown_background();
    ended.unwrap_or_else(|error| {
        let code = error.code();
        let causes = chain(&error);
        tracing::error!(%code, next = code.next_step_en(), "{causes}");
        error.exit()
    })
}

/// Runs a command that needs the configuration and prints what it says.
fn reported(report: &Report, host: &HostEnvironment, run: impl FnOnce(Config) -> Said) -> Exit {
    let said = match Config::load(report.config.config.as_deref(), host) {
        Ok(config) => run(config),
        Err(errors) => wrong_config(&errors),
    };
    let text = if report.json {
        format!("{:#}", said.json)
    } else {
        said.text
    };
    let mut out = std::io::stdout().lock();
    // A reader that is gone (`| head`) is not an error of ours.
    drop(std::io::Write::write_all(
        &mut out,
        format!("{}\n", text.trim_end()).as_bytes(),
    ));
    said.exit
}

fn wrong_config(errors: &ConfigErrors) -> Said {
    let json = serde_json::json!({ "ok": false, "errors": errors.0 });
    Said {
        exit: Exit::Usage,
        text: errors.to_string(),
        json,
    }
}

fn check_config(config: &Config) -> Said {
    let files: Vec<String> = config.sources.iter().map(|file| file.display().to_string()).collect();
    let read = if files.is_empty() {
        "no file: the defaults hold".to_owned()
    } else {
        files.join(", ")
    };
    let (kind, state) = (config.rack.kind.as_str(), config.state_dir.display());
    let (socket, locks) = (config.api.socket.display(), config.locks_dir.display());
    let text = format!(
        "the configuration is good ({read})\n  kind of rack  {kind}\n  state         {state}\n  socket        {socket}\n  locks         {locks}"
    );
    let json = serde_json::json!({
        "ok": true, "errors": [], "files": files, "rack_kind": kind, "state_dir": state.to_string(),
        "socket": socket.to_string(), "locks_dir": locks.to_string(),
        "plain_tcp": config.api.plain_tcp.map(|address| address.to_string()),
    });
    Said {
        exit: Exit::Done,
        text,
        json,
    }
}

fn journal(command: &JournalCommand, host: &HostEnvironment) -> Exit {
    match command {
        JournalCommand::Verify(verify) => reported(&verify.report, host, |config| verify.run(config)),
        JournalCommand::Show(report) => reported(report, host, |config| journal_commands::show(&config)),
        JournalCommand::Export(report) => reported(report, host, |_| not_served("journal export")),
        JournalCommand::Restore(given) => reported(&given.report, host, |config| given.run(config)),
    }
}

fn not_served(what: &str) -> Said {
    let code = Code::NotServedYet;
    let text = format!(
        "kassetted {what}: not served by this version yet [{code}]\n  next: {}",
        code.next_step_en()
    );
    let json = serde_json::json!({ "ok": false, "code": code.as_str(), "text": text });
    Said {
        exit: Exit::Refused,
        text,
        json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kassette_core::parts::NoFaults;

    fn end_of(args: &[&str]) -> Exit {
        run_with(args.iter().map(OsString::from), Arc::new(NoFaults))
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_end_tells_help_from_wrong_usage_and_from_what_is_not_served() {
        assert_eq!(end_of(&["kassetted", "--version"]), Exit::Done);
        assert_eq!(end_of(&["kassetted", "--version", "--json"]), Exit::Done);
        assert_eq!(end_of(&["kassetted", "--json"]), Exit::Usage);
        assert_eq!(end_of(&["kassetted", "run", "--help"]), Exit::Done);
        assert_eq!(end_of(&["kassetted"]), Exit::Usage);
        assert_eq!(end_of(&["kassetted", "run", "--colour"]), Exit::Usage);
        assert_eq!(
            end_of(&["kassetted", "check-config", "--config", "/nonexistent.toml"]),
            Exit::Usage
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display().to_string();
        assert_eq!(
            end_of(&["kassetted", "journal", "export", "--config", &path]),
            Exit::Refused
        );
    }
}
