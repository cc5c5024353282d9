//! Second step of a batch: from sources to an artefact, through the cache.

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use sandbox::{
    Artefact, ArtefactError, Bytes, Cancel, Captured, Compiled, Job, Limits, Outcome, Termination,
};

use super::Judge;
use super::report::ms;
use crate::cache::{CacheError, Draft, Entry, Key, KeyBuilder, Turn};
use crate::language::{Compile, Context, expand};
use crate::model::{Blob, CompileReport};
use crate::status;
use crate::validate::ProgramPlan;

/// What is kept of what a compiler writes, standard output and error together.
const OUTPUT: usize = 64 << 10;

/// How building ended.
#[derive(Debug)]
pub(super) enum Built {
    Ready(Ready),
    /// The compiler refused: a compile error.
    Refused(CompileReport),
    Cancelled,
}

/// A program that can be run, for as long as this lives.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) entry: Entry,
    cached: bool,
}

/// Building failed for no fault of the program.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildError {
    #[error("cannot use the cache")]
    Cache(#[source] CacheError),
    #[error("cannot wait")]
    Wait(#[source] io::Error),
    #[error("cannot compile")]
    Sandbox(#[source] sandbox::Error),
    #[error("the engine says that the compiler succeeded but has nothing of it")]
    Nothing,
    #[error("cannot keep the sources")]
    Sources(#[source] ArtefactError),
}

impl Built {
    pub(super) fn report(&self) -> Option<CompileReport> {
        match self {
            Self::Refused(report) => Some(report.clone()),
            Self::Cancelled => None,
            Self::Ready(Ready { entry, cached }) => {
                entry.compile.clone().map(|report| CompileReport { cached: *cached, ..report })
            }
        }
    }
}

impl Judge {
    /// Finds the program in the cache or makes it; simultaneous equal requests make it once.
    pub(super) fn build(
        &self,
        program: &ProgramPlan<'_>,
        cancel: &Cancel,
    ) -> Result<Built, BuildError> {
        let key = key(program);
        loop {
            let found = |entry| Ok(Built::Ready(Ready { entry, cached: true }));
            if let Some(entry) = self.cache.get(&key) {
                return found(entry);
            }
            match self.flights.turn(&key, cancel).map_err(BuildError::Wait)? {
                Turn::Over => {}
                Turn::Refused(report) => return Ok(Built::Refused(report)),
                Turn::Cancelled => return Ok(Built::Cancelled),
                Turn::Mine(leader) => {
                    // Put in between the look and the turn.
                    if let Some(entry) = self.cache.get(&key) {
                        return found(entry);
                    }
                    let built = self.make(&key, program, cancel)?;
                    if let Built::Refused(report) = &built {
                        leader.refuse(report.clone());
                    }
                    return Ok(built);
                }
            }
        }
    }

    fn make(
        &self,
        key: &Key,
        program: &ProgramPlan<'_>,
        cancel: &Cancel,
    ) -> Result<Built, BuildError> {
        let Some(compile) = &program.language.compile else {
            let draft = self.cache.draft().map_err(BuildError::Cache)?;
            let files: Vec<_> = program.sources.all().cloned().collect();
            Artefact::from_files(&draft.artefact_dir(), &files).map_err(BuildError::Sources)?;
            return self.keep(key, draft, None);
        };
        let slot = self.slots.acquire(NonZeroUsize::MIN, cancel).map_err(BuildError::Wait)?;
        let Some(_slot) = slot else { return Ok(Built::Cancelled) };
        let mut draft = self.cache.draft().map_err(BuildError::Cache)?;
        let mut again = true;
        let compiled = loop {
            let job = job(program, compile);
            match self.sandbox.compile(job, &draft.artefact_dir(), cancel) {
                Ok(compiled) => break compiled,
                Err(_) if cancel.is_cancelled() => return Ok(Built::Cancelled),
                Err(sandbox::Error::Engine { .. }) if again => {
                    again = false;
                    // What the failed one left is not in the way.
                    draft = self.cache.draft().map_err(BuildError::Cache)?;
                }
                Err(error) => return Err(BuildError::Sandbox(error)),
            }
        };
        let Compiled { outcome, artefact } = compiled;
        match outcome.termination {
            Termination::Cancelled => Ok(Built::Cancelled),
            Termination::Exited(0) if artefact.is_none() => Err(BuildError::Nothing),
            Termination::Exited(0) if !has_program(program, &draft) => {
                // A library, a unit, a module without a main: compilers are content with those.
                let status = "left no program to run; is there a main?".to_owned();
                Ok(Built::Refused(CompileReport { ok: false, status, ..report(outcome) }))
            }
            Termination::Exited(0) => self.keep(key, draft, Some(report(outcome))),
            _ => Ok(Built::Refused(report(outcome))),
        }
    }

    fn keep(
        &self,
        key: &Key,
        draft: Draft,
        report: Option<CompileReport>,
    ) -> Result<Built, BuildError> {
        let entry = self.cache.put(key, draft, report).map_err(BuildError::Cache)?;
        Ok(Built::Ready(Ready { entry, cached: false }))
    }
}

/// What a compiler may use unless its language says otherwise.
fn compile_limits() -> Limits {
    Limits {
        cpu: Duration::from_secs(30),
        wall: Duration::from_secs(60),
        memory: Bytes::mib(1024),
        processes: 64,
        file_size: Bytes::mib(256),
        // More than is kept: a compiler that talks a lot may still succeed.
        output: Bytes::mib(1),
        stderr: Bytes(OUTPUT as u64),
        open_files: 1024,
        inodes: 16_384,
        disk: Bytes::mib(512),
        ..Limits::default()
    }
}

fn command(program: &ProgramPlan<'_>, compile: &Compile, limits: &Limits) -> Vec<String> {
    let context = Context {
        files: &program.sources.names,
        entry: &program.sources.entry,
        options: &program.sources.options,
        args: &[],
        memory_mib: limits.memory.0 >> 20,
    };
    program.toolchain.resolve(expand(&compile.argv, &context))
}

/// Whether the program that is to be run is there, should it be one from the artefact.
fn has_program(program: &ProgramPlan<'_>, draft: &Draft) -> bool {
    let Some(start) = program.language.run.argv.first() else { return false };
    let Some(name) = start.strip_prefix("{box}/") else { return true };
    fs::symlink_metadata(draft.artefact_dir().join(name))
        .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

fn job(program: &ProgramPlan<'_>, compile: &Compile) -> Job {
    let limits = compile.limits.over(compile_limits());
    let mut job = Job::new(command(program, compile, &limits));
    job.env = program.toolchain.env(&compile.env);
    job.limits = limits;
    job.files = program.sources.all().cloned().collect();
    job.proc = program.language.proc || compile.proc;
    job.aside = true;
    job
}

/// Everything that the artefact depends on.
fn key(program: &ProgramPlan<'_>) -> Key {
    let ProgramPlan { language, toolchain, sources, limits: _ } = program;
    let mut key = KeyBuilder::new().part(&language.id).part(&toolchain.fingerprint);
    if let Some(compile) = &language.compile {
        let limits = compile.limits.over(compile_limits());
        let env = toolchain.env(&compile.env);
        key = key
            .list(command(program, compile, &limits).iter())
            .list(env.iter().map(|(k, v)| format!("{k}={v}")))
            .part(format!("{limits:?}"));
    }
    for file in sources.files.iter().chain(&sources.beside) {
        key = key.part(file.path.as_os_str().as_encoded_bytes());
        if file.executable {
            // No file has an absolute path.
            key = key.part("/executable");
        }
        key = match &file.contents {
            sandbox::Contents::Memory(bytes) => key.part(bytes),
            sandbox::Contents::File(path) => key.part(path.as_os_str().as_encoded_bytes()),
        };
    }
    key.finish()
}

fn report(outcome: Outcome) -> CompileReport {
    let Outcome { termination, usage, stdout, stderr, files: _ } = outcome;
    let (output, output_truncated) = both(&stdout, &stderr);
    CompileReport {
        ok: termination == Termination::Exited(0),
        cached: false,
        output,
        output_truncated,
        status: status::words(termination),
        cpu_ms: ms(usage.cpu),
        memory_bytes: usage.memory,
    }
}

/// Both streams, one after the other; neither takes more than half when the other needs it.
fn both(stdout: &Captured, stderr: &Captured) -> (Blob, bool) {
    let (out, err) = (&stdout.bytes, &stderr.bytes);
    let of_out = out.len().min(OUTPUT - err.len().min(OUTPUT / 2));
    let of_err = err.len().min(OUTPUT - of_out);
    let cut = of_out < out.len() || of_err < err.len();
    let kept = [&out[..of_out], &err[..of_err]].concat();
    (Blob::from(kept), cut || stdout.truncated || stderr.truncated)
}
