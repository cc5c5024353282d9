//! `evalx doctor`: whether this machine can judge, and what to do when it cannot.

use std::fs;
use std::path::Path;

use sandbox::cgroup::{self, Discovery};
use sandbox::{Choice, Engine, Parts, Probe};
use serde::Serialize;

use super::languages::{self, Row};
use crate::args::{Format, Machine};
use crate::exit::{self, Exit, Failure};
use crate::output::{self, BOLD, DIM, Voice, clean, mark, styled};

/// `memory.peak` of cgroup v2 came with it (Documentation/admin-guide/cgroup-v2.rst).
const NEWEST_FEATURE: (u32, u32) = (5, 19);

/// Check this machine: kernel, control groups, sandbox engines, toolchains
///
/// Each check that fails comes with its cure. Ends with 4 when nothing can judge.
///
/// Examples:
///   evalx doctor
///   evalx doctor --engine isolate
///   evalx doctor -o json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_long_help = exit::HELP)]
pub(crate) struct Args {
    /// How the findings are printed
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "table")]
    format: Format,
    #[command(flatten)]
    machine: Machine,
}

/// All that was found.
#[derive(Debug, Serialize)]
struct Findings {
    /// The engine that judges; absent when none can.
    engine: Option<String>,
    /// Why this one, or why none.
    why: String,
    machine: Vec<Finding>,
    /// The ten probes of the self-check; none when there is no engine.
    probes: Vec<Finding>,
    languages: Vec<Row>,
}

/// One check.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) name: String,
    pub(crate) ok: bool,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cure: Option<String>,
}

impl Finding {
    pub(crate) fn good(name: &str, detail: impl Into<String>) -> Self {
        Self { name: name.to_owned(), ok: true, detail: detail.into(), cure: None }
    }

    pub(crate) fn bad(name: &str, detail: impl Into<String>, cure: &str) -> Self {
        let cure = Some(cure.to_owned());
        Self { name: name.to_owned(), ok: false, detail: detail.into(), cure }
    }
}

impl From<Probe> for Finding {
    fn from(probe: Probe) -> Self {
        let Probe { name, ok, detail, cure } = probe;
        if ok { Self::good(name, "") } else { Self::bad(name, detail, cure) }
    }
}

/// Checks.
pub(crate) fn run(args: &Args, voice: Voice) -> Result<Exit, Failure> {
    let Args { format, machine } = args;
    let findings = find(machine, voice)?;
    match format {
        Format::Json => output::json(&findings)?,
        Format::Table => output::stdout(&show(&findings))?,
    }
    let judges = findings.engine.is_some() && findings.languages.iter().any(Row::available);
    Ok(if judges { Exit::Ok } else { Exit::Judge })
}

fn find(machine: &Machine, voice: Voice) -> Result<Findings, Failure> {
    let table = machine.table()?;
    let engines = [Engine::Native, Engine::Isolate];
    let parts = machine.parts(&table)?;
    let engines = engines.into_iter().map(|engine| engine_here(engine, &parts));
    let facts = [kernel(), control_groups()].into_iter().chain(engines);
    let facts = facts.chain(shared_files(machine, &parts)).collect();
    let station = machine.open(&table, voice);
    let (engine, why) = match &station {
        Ok(station) => (Some(station.sandbox.engine().to_string()), station.why.clone()),
        Err(failure) => (None, failure.line()),
    };
    let probes = station.as_ref().map(|s| sandbox::probes(&*s.sandbox)).unwrap_or_default();
    let probes = probes.into_iter().map(Finding::from).collect();
    let languages = languages::rows(machine, &table, station.as_ref().ok());
    Ok(Findings { engine, why, machine: facts, probes, languages })
}

fn kernel() -> Finding {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    if kernel_version(release) >= NEWEST_FEATURE {
        return Finding::good("kernel", release);
    }
    let (major, minor) = NEWEST_FEATURE;
    let cure =
        format!("run {major}.{minor} or newer; before it peak memory on cgroup v2 is a guess");
    Finding::bad("kernel", if release.is_empty() { "unknown" } else { release }, &cure)
}

/// The first two numbers of a release.
pub(crate) fn kernel_version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(['.', '-']).map_while(|n| n.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn control_groups() -> Finding {
    const NAME: &str = "control groups";
    let path = |p: &Path| p.display().to_string();
    match cgroup::discover(Path::new("/proc/self")) {
        Ok(Discovery::V2 { base }) => Finding::good(NAME, format!("v2 below {}", path(&base))),
        Ok(Discovery::V1 { memory, pids, cpuacct }) => {
            let controllers = [memory, pids, cpuacct].map(|p| path(&p)).join(", ");
            Finding::good(NAME, format!("v1 below {controllers}"))
        }
        Err(error) => {
            let cure = "start evalx with `systemd-run --scope -p Delegate=yes`, or in a container";
            Finding::bad(NAME, Failure::judge(error).line(), cure)
        }
    }
}

/// Whether each box of the native engine sees the machine's files by inodes of its own. It works
/// without, too.
fn shared_files(machine: &Machine, parts: &Parts) -> Option<Finding> {
    const NAME: &str = "files of the machine";
    if machine.choice() == Choice::Only(Engine::Isolate) {
        return None;
    }
    let sandbox::native::Config { run_dir, .. } = sandbox::native::Config::default();
    Some(match sandbox::native::check_views(&run_dir, &parts.mounts) {
        Err(sandbox::native::ViewsError::NotRoot) => return None,
        Ok(()) => Finding::good(NAME, "shown to each box by an overlay of its own"),
        Err(error) => {
            let why = output::chain(&error);
            let detail = format!(
                "{why}; boxes see the folder itself: by locks and watches on the files in it two \
                 programs can tell each other something, or hold up a program of the machine"
            );
            let cure = "a kernel with overlayfs (`modprobe overlay`), /usr and the toolchains not on \
                        an overlay that lies on another one (a container in a container), and nothing \
                        in /run/evalx/empty";
            Finding::bad(NAME, detail, cure)
        }
    })
}

fn engine_here(engine: Engine, parts: &Parts) -> Finding {
    let name = format!("{engine} engine");
    match sandbox::choose(Choice::Only(engine), parts) {
        Ok(chosen) => Finding::good(&name, chosen.why),
        Err(error) => {
            let reasons = error.reasons().iter();
            let reasons: Vec<_> = reasons.map(|(_, why)| output::chain(&**why)).collect();
            let cure = match engine {
                Engine::Native => "run evalx as root of the machine or of a privileged container",
                Engine::Isolate => {
                    "install isolate on the PATH (github.com/ioi/isolate), as root, and configure it \
                     until `isolate --check-config` is content"
                }
            };
            Finding::bad(&name, reasons.join("; "), cure)
        }
    }
}

fn show(findings: &Findings) -> String {
    let Findings { engine, why, machine, probes, languages } = findings;
    let mut out = section("Machine", machine);
    if !probes.is_empty() {
        out.push_str(&section("Self-check", probes));
    }
    out.push_str(&format!("{}\n", styled(BOLD, "Languages")));
    let width = languages.iter().map(|r| r.id.chars().count()).max().unwrap_or(0);
    for row in languages {
        let state = match (&row.version, &row.unavailable) {
            (Some(version), _) => clean(version),
            (None, Some(reason)) => styled(DIM, clean(reason)),
            (None, None) => styled(DIM, "found; its version needs an engine"),
        };
        out.push_str(&format!("  {} {:width$}  {state}\n", mark(row.available()), row.id));
    }
    let verdict = match engine {
        Some(engine) => format!("the {engine} engine judges: {}", clean(why)),
        None => clean(why),
    };
    out.push_str(&format!("\n{} {verdict}\n", mark(engine.is_some())));
    out
}

pub(super) fn section(title: &str, findings: &[Finding]) -> String {
    let mut out = format!("{}\n", styled(BOLD, title));
    let width = findings.iter().map(|f| f.name.chars().count()).max().unwrap_or(0);
    for Finding { name, ok, detail, cure } in findings {
        let line = format!("  {} {name:width$}  {}", mark(*ok), clean(detail));
        out.push_str(&format!("{}\n", line.trim_end()));
        if let Some(cure) = cure {
            out.push_str(&format!(
                "    {:width$}  {} {}\n",
                "",
                styled(BOLD, "cure:"),
                clean(cure)
            ));
        }
    }
    out.push('\n');
    out
}
