//! What is printed and kept: how times are spread, and each promised figure beside its limit.

use std::fs;
use std::path::PathBuf;

use serde::Serialize;

use crate::samples::{Rounds, Samples};

/// All of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    machine: Machine,
    spreads: Vec<Spread>,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Machine {
    kernel: String,
    processor: String,
    cpus: usize,
    load_before: String,
    load_after: String,
}

/// Times of the same thing, in milliseconds.
#[derive(Debug, Serialize)]
struct Spread {
    what: String,
    runs: usize,
    p50_ms: f64,
    p99_ms: f64,
    most_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    a_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    machine_cpu_ms: Option<f64>,
}

/// A figure that is promised.
#[derive(Debug, Serialize)]
struct Row {
    what: String,
    /// Absent when it could not be measured.
    value: Option<f64>,
    unit: &'static str,
    limit: String,
    met: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// What a figure must reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Table {
    pub(crate) fn new() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let machine = Machine {
            kernel: kernel.trim().to_owned(),
            processor: model.unwrap_or_default().trim_start_matches([' ', '\t', ':']).to_owned(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            load_before: load(),
            load_after: String::new(),
        };
        println!(
            "Linux {}, {} CPUs, {}; load average {}",
            machine.kernel, machine.cpus, machine.processor, machine.load_before
        );
        println!("{:<66} {:>6} {:>9} {:>9} {:>9}", "ms", "runs", "p50", "p99", "most");
        Self { machine, spreads: Vec::new(), rows: Vec::new() }
    }

    /// Prints and keeps how times are spread.
    pub(crate) fn spread(&mut self, what: impl Into<String>, samples: &Samples) {
        self.keep_spread(what.into(), samples, None, None);
    }

    /// The same of rounds with all CPUs busy.
    pub(crate) fn rounds(&mut self, what: impl Into<String>, rounds: &Rounds) {
        let (a_second, cpu) = (rounds.a_second(), rounds.cpu());
        self.keep_spread(what.into(), &rounds.each(), Some(a_second), Some(cpu));
    }

    fn keep_spread(
        &mut self,
        what: String,
        samples: &Samples,
        a_second: Option<f64>,
        cpu: Option<f64>,
    ) {
        let [p50_ms, p99_ms, most_ms] = [50, 99, 100].map(|percent| samples.at(percent));
        let runs = samples.count();
        print!("{what:<66} {runs:>6} {p50_ms:>9.3} {p99_ms:>9.3} {most_ms:>9.3}");
        if let (Some(a_second), Some(cpu)) = (a_second, cpu) {
            print!("  {a_second:.0} a second, {cpu:.2} ms of the machine's CPU each");
        }
        println!();
        let machine_cpu_ms = cpu;
        self.spreads.push(Spread { what, runs, p50_ms, p99_ms, most_ms, a_second, machine_cpu_ms });
    }

    /// A figure and what it must reach.
    pub(crate) fn row(&mut self, what: &str, value: f64, unit: &'static str, limit: Limit) {
        let met = match limit {
            Limit::AtMost(most) => value <= most,
            Limit::AtLeast(least) => value >= least,
        };
        self.rows.push(Row {
            what: what.to_owned(),
            value: Some(value),
            unit,
            limit: limit.to_string(),
            met: Some(met),
            why: None,
        });
    }

    /// A figure that nothing is promised of.
    pub(crate) fn figure(&mut self, what: &str, value: f64, unit: &'static str) {
        let (what, limit) = (what.to_owned(), String::new());
        self.rows.push(Row { what, value: Some(value), unit, limit, met: None, why: None });
    }

    /// A figure that could not be measured.
    pub(crate) fn skip(&mut self, what: &str, unit: &'static str, limit: Limit, why: &str) {
        let (what, limit) = (what.to_owned(), limit.to_string());
        self.rows.push(Row {
            what,
            value: None,
            unit,
            limit,
            met: None,
            why: Some(why.to_owned()),
        });
    }

    /// Prints the table and keeps it.
    pub(crate) fn finish(mut self) {
        self.machine.load_after = load();
        println!();
        for Row { what, value, unit, limit, met, why } in &self.rows {
            let value = value.map_or("-".to_owned(), |value| format!("{value:.2}"));
            let met = match (met, why) {
                (Some(true), _) => "met".to_owned(),
                (Some(false), _) => "NOT MET".to_owned(),
                (None, Some(why)) => format!("not measured: {why}"),
                (None, None) => String::new(),
            };
            println!("{what:<78} {value:>8} {unit:<9} {limit:>7}  {met}");
        }
        println!("load average {}", self.machine.load_after);
        let path = json();
        let text = serde_json::to_string_pretty(&self).expect("numbers and words");
        let kept = path.parent().map_or(Ok(()), fs::create_dir_all);
        match kept.and_then(|()| fs::write(&path, text + "\n")) {
            Ok(()) => println!("kept in {}", path.display()),
            Err(error) => println!("not kept in {}: {error}", path.display()),
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "≤ {most}"),
            Self::AtLeast(least) => write!(f, "≥ {least}"),
        }
    }
}

/// Of one, five and fifteen minutes.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn json() -> PathBuf {
    if let Some(path) = std::env::var_os("EVALX_BENCH_JSON").filter(|path| !path.is_empty()) {
        return path.into();
    }
    built().join("../bench/sandbox.json")
}

/// Where cargo puts programs of this build: `target/release`. This one is in `deps` below it.
pub(crate) fn built() -> PathBuf {
    let own = std::env::current_exe().expect("this program has a path");
    own.ancestors().nth(2).expect("target/release/deps/overhead-…").to_owned()
}
