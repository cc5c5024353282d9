//! `evalx calibrate`: how much times on this machine can be trusted when it is busy.

use anyhow::Context as _;
use comfy_table::{Attribute, Cell, Color};
use serde::Serialize;

use super::doctor::{Finding, section};
use crate::args::{Format, Machine};
use crate::calibrate::{Bench, Figures, Flips, Roots, Row, check, machine, runs};
use crate::exit::{self, Exit, Failure};
use crate::interrupt::Interrupt;
use crate::output::{self, DIM, Voice, mark, styled};
use crate::progress::Progress;
use crate::report::{empty, right, time, trimmed};

/// Measure how much CPU times grow when all slots are busy
///
/// Seven C programs, each bound by something else, run alone and then in a mix on
/// every slot: how much longer they take, and how many runs would change sides of
/// a limit. Takes about a minute, on a machine that does nothing else. Ends with 1
/// when times move too much; each cause comes with its cure.
///
/// Examples:
///   evalx calibrate
///   evalx calibrate --slots 8 --rounds 100
///   evalx calibrate -o json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_long_help = exit::HELP)]
pub(crate) struct Args {
    /// Runs of each program alone, and at least as many beside others
    #[arg(long, value_name = "N", default_value = "30",
          value_parser = clap::value_parser!(u16).range(2..=1000))]
    rounds: u16,
    /// How the figures are printed
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "table")]
    format: Format,
    #[command(flatten)]
    machine: Machine,
}

/// All that came of it.
#[derive(Debug, Serialize)]
struct Calibration {
    engine: String,
    slots: usize,
    rounds: usize,
    #[serde(flatten)]
    figures: Figures,
    machine: Vec<Finding>,
}

/// Measures.
pub(crate) fn run(args: &Args, voice: Voice) -> Result<Exit, Failure> {
    let Args { rounds, format, machine: flags } = args;
    let (rounds, slots) = (usize::from(*rounds), flags.slots());
    let table = flags.table()?;
    check(&table, &flags.config())?;
    let station = flags.open(&table, voice)?;
    let interrupt =
        Interrupt::watch().context("cannot watch for signals").map_err(Failure::judge)?;
    let progress = Progress::new(voice, runs(rounds, slots));
    let judge = &station.judge;
    let bench = Bench { judge, slots, rounds, progress: &progress, cancel: interrupt.cancel() };
    let measured = bench.measure();
    drop(progress);
    if let Some(exit) = interrupt.ended(voice) {
        return Ok(exit);
    }
    let calibration = Calibration {
        engine: station.sandbox.engine().to_string(),
        slots,
        rounds,
        figures: Figures::of(&measured?),
        machine: machine(Roots::here(), slots),
    };
    match format {
        Format::Json => output::json(&calibration)?,
        Format::Table => output::stdout(&show(&calibration, voice))?,
    }
    Ok(if calibration.figures.ok { Exit::Ok } else { Exit::NotAccepted })
}

fn show(calibration: &Calibration, voice: Voice) -> String {
    let Calibration { engine, slots, rounds: _, figures, machine } = calibration;
    let mut out = String::new();
    if !voice.quiet() {
        let mut table = empty(&[
            "", "program", "alone", "spread", "busy", "p95", "at most", "0.9", "1.0", "1.1",
            "bound by",
        ]);
        for row in &figures.programs {
            table.add_row(cells(row));
        }
        for column in 2..10 {
            right(&mut table, column);
        }
        out.push_str(&trimmed(&table));
        let legend = format!(
            "busy, p95: median and 95th percentile with {slots} slots busy, over the median alone\n\
             0.9, 1.0, 1.1: runs that change sides when it needs so much of its limit alone\n"
        );
        out.push_str(&format!("{}\n", styled(DIM, legend)));
        out.push_str(&section("Machine", machine));
    }
    let Figures { programs: _, ratio_mean, ratio_max, ok } = figures;
    let verdict = if *ok { "can be trusted" } else { "move too much" };
    out.push_str(&format!(
        "{} times {verdict} with {slots} slots busy ({engine} engine): {ratio_mean:.2} times as long \
         on average, {ratio_max:.2} at most\n",
        mark(*ok)
    ));
    for cure in figures.cures() {
        out.push_str(&format!("  {} {cure}\n", styled(output::BOLD, "cure:")));
    }
    out
}

fn cells(row: &Row) -> Vec<Cell> {
    let Row { name, what, alone_ms, alone_spread, ratio, ratio_p95, ratio_most, .. } = row;
    let Flips { below, at, above } = row.flips;
    let sign = if row.ok {
        Cell::new("✓").fg(Color::DarkGreen)
    } else {
        Cell::new("✗").fg(Color::DarkRed)
    };
    let percent = |share: f64| Cell::new(format!("{:.0} %", share * 100.0));
    vec![
        sign.add_attribute(Attribute::Bold),
        Cell::new(name),
        Cell::new(time(*alone_ms)),
        percent(*alone_spread),
        Cell::new(format!("{ratio:.2}")),
        Cell::new(format!("{ratio_p95:.2}")),
        Cell::new(ratio_most.map_or_else(String::new, |most| format!("{most:.2}"))),
        percent(below),
        percent(at),
        percent(above),
        Cell::new(what).add_attribute(Attribute::Dim),
    ]
}
