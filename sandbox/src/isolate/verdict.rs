//! From what isolate reported and what we measured to how the run ended; no I/O.

use std::time::Duration;

use super::meta::{self, Meta, Status};
use crate::{Limits, Termination};

/// Why we ended a run ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The box reached its CPU limit.
    Cpu,
    /// The clock ran out.
    Wall,
    /// The kernel killed a process of the box for want of memory.
    Memory,
    /// Standard output grew beyond its limit.
    Output,
    /// The caller withdrew the run.
    Cancel,
}

/// How the isolate process itself ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// 0: the program returned 0; 1: it failed; 2: isolate failed.
    Code(i32),
    /// Something killed isolate.
    Signal(i32),
}

/// All that is known about a run that is over.
#[derive(Debug)]
pub(super) struct Evidence {
    /// How isolate ended.
    pub(super) exit: Exit,
    /// What it wrote down.
    pub(super) meta: Result<Meta, meta::Error>,
    /// What we ended the run for, if we did.
    pub(super) stopped: Option<Stop>,
    /// Whether the kernel killed a process of the box in this very run for want of memory.
    pub(super) out_of_memory: bool,
    /// CPU time of the whole box by our own account; `None` where isolate keeps the only one.
    pub(super) cpu: Option<Duration>,
    /// Time on the clock as we saw it pass.
    pub(super) wall: Duration,
}

/// Why what isolate reported is no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The meta file does not say how the run ended.
    #[error("isolate left no account of the run ({exit})")]
    Meta {
        /// How isolate ended.
        exit: String,
        /// What is wrong with the file.
        #[source]
        source: meta::Error,
    },
    /// isolate failed (status XX, or exit code 2 and above).
    #[error("isolate failed ({exit}): {message:?}")]
    Internal {
        /// How isolate ended.
        exit: String,
        /// What it said.
        message: String,
    },
    /// Someone but us had isolate kill the program.
    #[error("isolate was told by someone else to end the run: {message:?}")]
    Interrupted {
        /// What it said.
        message: String,
    },
    /// Exit code and meta file do not fit together.
    #[error("isolate contradicts itself: {exit}, but its meta file says {meta}")]
    Contradiction {
        /// How isolate ended.
        exit: String,
        /// What the file says.
        meta: String,
    },
}

/// How the run ended, or why nobody can tell. Limits win over what the kill they cause looks like.
pub(super) fn judge(evidence: &Evidence, limits: &Limits) -> Result<Termination, Error> {
    let Evidence { exit, meta, stopped, out_of_memory, cpu, wall } = evidence;
    match stopped {
        Some(Stop::Cancel) => return Ok(Termination::Cancelled),
        Some(Stop::Output) => return Ok(Termination::OutputLimit),
        _ if *out_of_memory => return Ok(Termination::MemoryLimit),
        Some(Stop::Memory) => return Ok(Termination::MemoryLimit),
        Some(Stop::Cpu) => return Ok(Termination::CpuLimit),
        Some(Stop::Wall) => return Ok(clock_ran_out(*cpu, limits)),
        None => {}
    }
    let no_account = |source: meta::Error| Error::Meta { exit: exit.to_string(), source };
    let meta = consistent(*exit, meta.as_ref().map_err(|source| no_account(source.clone()))?)?;
    meta.accounted().map_err(no_account)?;
    let failed = matches!(meta.status, Some(Status::RuntimeError | Status::Signal));
    let cpu = cpu.or(meta.time);
    if failed && meta.cg_oom_killed {
        return Ok(Termination::MemoryLimit);
    }
    // isolate looks at its clocks ten times a second only, so both limits are checked again.
    if cpu.is_some_and(|cpu| cpu > limits.cpu) {
        return Ok(Termination::CpuLimit);
    }
    if meta.wall.unwrap_or(*wall) > limits.wall {
        return Ok(Termination::WallLimit);
    }
    match (meta.status, meta.exit_code, meta.exit_signal) {
        (Some(Status::TimedOut), ..) => Ok(clock_ran_out(cpu, limits)),
        (Some(Status::Signal), _, Some(libc::SIGXFSZ)) => Ok(Termination::OutputLimit),
        (Some(Status::Signal), _, Some(libc::SIGSYS)) => Ok(Termination::ForbiddenCall),
        (Some(Status::Signal), _, Some(signal)) => Ok(Termination::Signalled(signal)),
        (_, Some(code), _) => Ok(Termination::Exited(code)),
        _ => Err(contradiction(*exit, meta)),
    }
}

/// A guest that the clock stopped is idle, unless it had used up its CPU time by then.
fn clock_ran_out(cpu: Option<Duration>, limits: &Limits) -> Termination {
    if cpu.is_some_and(|cpu| cpu >= limits.cpu) {
        Termination::CpuLimit
    } else {
        Termination::WallLimit
    }
}

/// Requires that the meta file explains isolate's own exit code.
fn consistent(exit: Exit, meta: &Meta) -> Result<&Meta, Error> {
    let message = || meta.message.clone().unwrap_or_default();
    let internal = Error::Internal { exit: exit.to_string(), message: message() };
    match (exit, meta.status) {
        (_, Some(Status::Internal)) | (Exit::Signal(_), _) => Err(internal),
        (Exit::Code(code), _) if !matches!(code, 0 | 1) => Err(internal),
        (Exit::Code(0), None) if meta.exit_code == Some(0) => Ok(meta),
        (Exit::Code(1), Some(Status::Signal)) if meta.killed => {
            Err(Error::Interrupted { message: message() })
        }
        (Exit::Code(1), Some(Status::RuntimeError))
            if !matches!(meta.exit_code, None | Some(0)) =>
        {
            Ok(meta)
        }
        (Exit::Code(1), Some(Status::Signal)) if meta.exit_signal.is_some() => Ok(meta),
        (Exit::Code(1), Some(Status::TimedOut)) => Ok(meta),
        _ => Err(contradiction(exit, meta)),
    }
}

fn contradiction(exit: Exit, meta: &Meta) -> Error {
    Error::Contradiction {
        exit: exit.to_string(),
        meta: format!(
            "status {:?}, exit code {:?}, signal {:?}",
            meta.status, meta.exit_code, meta.exit_signal
        ),
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;

    use super::*;

    /// A recorded meta file: what we knew beside it in `# key: value` lines, then its text.
    struct Recorded {
        facts: BTreeMap<String, String>,
        text: String,
    }

    impl Recorded {
        fn read(path: &Path) -> Self {
            let all = fs::read_to_string(path).unwrap();
            let (head, text): (Vec<_>, Vec<_>) =
                all.split_inclusive('\n').partition(|line| line.starts_with("# "));
            let fact = |line: &&str| {
                let (key, value) = line[2..].trim_end().split_once(": ").unwrap();
                (key.to_owned(), value.to_owned())
            };
            Self { facts: head.iter().map(fact).collect(), text: text.concat() }
        }

        fn fact(&self, key: &str) -> Option<&str> {
            self.facts.get(key).map(String::as_str)
        }

        fn millis(&self, key: &str) -> Option<Duration> {
            self.fact(key).map(|v| Duration::from_millis(v.parse().unwrap()))
        }

        fn judged(&self) -> String {
            self.judged_by(&self.text)
        }

        /// What would come of another meta file.
        fn judged_by(&self, text: &str) -> String {
            let evidence = Evidence {
                exit: match self.fact("exit").unwrap().split_once(' ').unwrap() {
                    ("code", n) => Exit::Code(n.parse().unwrap()),
                    (_, n) => Exit::Signal(n.parse().unwrap()),
                },
                meta: Meta::parse(text),
                stopped: self.fact("stopped").map(|s| match s {
                    "cpu" => Stop::Cpu,
                    "wall" => Stop::Wall,
                    "memory" => Stop::Memory,
                    "output" => Stop::Output,
                    _ => Stop::Cancel,
                }),
                out_of_memory: self.fact("out of memory").is_some(),
                cpu: self.millis("cpu"),
                wall: self.millis("wall").unwrap_or_default(),
            };
            match judge(&evidence, &limits()) {
                Ok(termination) => format!("{termination:?}"),
                Err(Error::Meta { .. }) => "no account".to_owned(),
                Err(Error::Internal { .. }) => "isolate failed".to_owned(),
                Err(Error::Interrupted { .. }) => "interrupted".to_owned(),
                Err(Error::Contradiction { .. }) => "contradiction".to_owned(),
            }
        }
    }

    fn limits() -> Limits {
        let (cpu, wall) = (Duration::from_secs(1), Duration::from_secs(2));
        Limits { cpu, wall, ..Limits::default() }
    }

    fn recorded() -> Vec<(PathBuf, Recorded)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/isolate/meta");
        let files = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
        let mut files: Vec<_> = files.map(|path| (path.clone(), Recorded::read(&path))).collect();
        files.sort_by(|a, b| a.0.cmp(&b.0));
        assert!(files.len() >= 20, "recorded files are missing: {}", files.len());
        files
    }

    #[test]
    fn each_recorded_meta_file_is_judged_as_it_says() {
        let wrong: Vec<_> = recorded()
            .into_iter()
            .filter(|(_, r)| r.fact("expect") != Some(r.judged().as_str()))
            .map(|(path, r)| format!("{path:?}: {:?}, not {}", r.fact("expect"), r.judged()))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn a_meta_file_that_is_cut_short_is_judged_as_the_whole_one_or_not_at_all() {
        for (path, recorded) in recorded() {
            let whole = recorded.judged();
            for (cut, _) in recorded.text.char_indices() {
                let judged = recorded.judged_by(&recorded.text[..cut]);
                let none = ["no account", "isolate failed", "interrupted", "contradiction"];
                let right = judged == whole || none.contains(&judged.as_str());
                assert!(right, "{path:?} cut at {cut}: {judged}, not {whole}");
            }
        }
    }

    /// Whether the meta file says that the run ended so.
    fn explains(meta: &Meta, exit: Exit, termination: Termination) -> bool {
        let limits = limits();
        let failed = matches!(meta.status, Some(Status::RuntimeError | Status::Signal));
        let timed_out = meta.status == Some(Status::TimedOut);
        let signal = |n| {
            let by = meta.status == Some(Status::Signal) && !meta.killed;
            by && meta.exit_signal == Some(n) && exit == Exit::Code(1)
        };
        match termination {
            Termination::Exited(0) => exit == Exit::Code(0) && meta.exit_code == Some(0),
            Termination::Exited(code) => exit == Exit::Code(1) && meta.exit_code == Some(code),
            Termination::OutputLimit => signal(libc::SIGXFSZ),
            Termination::ForbiddenCall => signal(libc::SIGSYS),
            Termination::Signalled(n) => signal(n),
            Termination::CpuLimit => meta.time >= Some(limits.cpu),
            Termination::WallLimit => timed_out || meta.wall > Some(limits.wall),
            Termination::MemoryLimit => failed && meta.cg_oom_killed,
            // Nobody has withdrawn it.
            Termination::Cancelled => false,
        }
    }

    proptest! {
        #[test]
        fn any_meta_file_explains_its_verdict_or_there_is_none(
            text in meta::tests::texts(),
            code in prop_oneof![8 => 0..=1, 1 => Just(2), 1 => any::<i32>()],
            killed in prop::bool::weighted(0.1),
        ) {
            let exit = if killed { Exit::Signal(code) } else { Exit::Code(code) };
            let evidence = Evidence {
                exit,
                meta: Meta::parse(&text),
                stopped: None,
                out_of_memory: false,
                cpu: None,
                wall: Duration::ZERO,
            };
            match judge(&evidence, &limits()) {
                Ok(termination) => {
                    let meta = evidence.meta.expect("there is no verdict without an account");
                    let there = meta.time.is_some() && meta.wall.is_some();
                    let right = there && explains(&meta, exit, termination);
                    prop_assert!(right, "{termination:?} comes of {text:?}");
                }
                Err(error) => {
                    let said = crate::choose::chain(&error);
                    prop_assert!(!said.contains(char::is_control), "{said:?}");
                    let named = said.contains(&exit.to_string()) || matches!(error, Error::Interrupted { .. });
                    prop_assert!(named, "{said}");
                }
            }
        }
    }
}
