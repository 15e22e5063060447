//! `cargo bench-rack`: the figures of design section 7, each beside its limit.
//!
//! Exit code: 0 when everything that was asked for was measured, whether or not the targets were met (each row says
//! `"met"`); 1 when something could not be measured, or with `--strict` a target was missed; 64 for wrong arguments.
//!
//! Owns: which figures are taken, and the table.
//! Must never: print a figure that was not measured in this run.

use clap::Parser;
use comfy_table::{CellAlignment, Table, presets};
use kassette_tests::bench::row::{Figure, Row};
use kassette_tests::bench::{Effort, measure, rack};
use std::process::ExitCode;
use std::time::Instant;

#[derive(Parser)]
#[command(about = "Figures of the real daemon on a simulated rack, each beside a limit taken in the same run")]
struct Arguments {
    /// Only these figures, e.g. B1,B5
    #[arg(long, value_delimiter = ',')]
    only: Vec<Figure>,
    /// Shorter runs: all figures within two minutes
    #[arg(long)]
    quick: bool,
    /// One JSON object a line instead of the table
    #[arg(long)]
    json: bool,
    /// End with code 1 when a target is missed
    #[arg(long)]
    strict: bool,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help goes to standard output and is no fault.
            let code = if error.use_stderr() { 64 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    if let Err(error) = rack::prepare() {
        eprintln!("bench-rack: {error:#}");
        return ExitCode::FAILURE;
    }
    let (rows, failed) = run(&arguments);
    if !arguments.json {
        println!("{}", table(&rows));
    }
    let missed = arguments.strict && rows.iter().any(|row| !row.met());
    ExitCode::from(u8::from(failed || missed))
}

/// Measures what was asked for; whether something could not be measured.
fn run(arguments: &Arguments) -> (Vec<Row>, bool) {
    let effort = if arguments.quick { Effort::Quick } else { Effort::Full };
    let wanted = |figure: &Figure| arguments.only.is_empty() || arguments.only.contains(figure);
    let (mut rows, mut failed) = (Vec::new(), false);
    for figure in Figure::ALL.into_iter().filter(wanted) {
        let begin = Instant::now();
        match measure(figure, effort, &rows) {
            Ok(measured) => {
                if arguments.json {
                    measured.iter().for_each(|row| println!("{}", row.json()));
                }
                rows.extend(measured);
            }
            Err(error) => {
                eprintln!("bench-rack: {} could not be measured: {error:#}", figure.id());
                failed = true;
            }
        }
        eprintln!("{} took {:.0} s", figure.id(), begin.elapsed().as_secs_f64());
    }
    (rows, failed)
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    let header = ["id", "what", "value", "limit", "unit", "ratio", "target", "met", "more"];
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_header(header);
    for column in [2, 3, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for row in rows {
        let notes: Vec<String> = row
            .notes
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        table.add_row([
            row.figure.id().to_owned(),
            row.part.unwrap_or(row.figure.about()).to_owned(),
            format!("{:.2}", row.value),
            format!("{:.2}", row.limit),
            row.unit.to_owned(),
            format!("{:.3}", row.ratio()),
            row.target_text(),
            if row.met() { "yes" } else { "NO" }.to_owned(),
            notes.join("\n"),
        ]);
    }
    table
}
