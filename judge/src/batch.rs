//! A batch: one submission and its tests, from taking it to the report.
//!
//! Steps: plan (is it sound as written) → build (compile, or find it in the cache) → tests (side
//! by side over free slots) → report (in the order of the tests).

mod again;
mod board;
mod build;
mod check;
mod observe;
mod report;
mod run;

use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use sandbox::{Bytes, Cancel, Engine, Sandbox};

use crate::cache::{Cache, CacheError, Flights, KeyBuilder, Turn};
use crate::language::{Host, ProbeError, Table, Toolchain, Versions};
use crate::model::{Report, Submission};
use crate::quiet::Quiet;
use crate::slots::Slots;
use crate::status::chain;
use crate::validate::{Check, Form, Grounds, Invalid, Jury, Plan};
use build::Built;
pub use observe::{Event, Observer};

/// How a judge is made.
#[derive(Debug, Clone)]
pub struct Config {
    /// Boxes that run at once over all submissions; 0 counts as 1.
    pub slots: usize,
    /// Where finished programs and versions are kept; several processes may share it.
    pub cache_dir: PathBuf,
    /// The most that finished programs may take there.
    pub cache_bytes: Bytes,
    /// Where toolchains are looked for.
    pub host: Host,
    /// The most source a program may have, all files together.
    pub max_source: Bytes,
}

impl Config {
    /// The defaults: one slot; 1 GiB of programs, some thousand small ones of C++ or a hundred of
    /// Go; 1 MiB of source, eight times what ICPC packages grant, so that a checker may bring its
    /// library.
    #[must_use]
    pub fn new(cache_dir: PathBuf, host: Host) -> Self {
        let (cache_bytes, max_source) = (Bytes::mib(1024), Bytes::mib(1));
        Self { slots: 1, cache_dir, cache_bytes, host, max_source }
    }
}

/// Judges submissions. Shared by threads: each call of [`Judge::execute_batch`] is one submission,
/// and all calls share the slots and the cache.
#[derive(Debug)]
pub struct Judge {
    sandbox: Arc<dyn Sandbox>,
    table: Arc<Table>,
    host: Host,
    max_source: Bytes,
    slots: Slots,
    quiet: Quiet,
    cache: Cache,
    flights: Flights,
    versions: Versions,
}

/// A judge that cannot be made, or a submission that cannot be judged as written. Trying again
/// does not help.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of the submission is wrong.
    #[error(transparent)]
    Invalid(Invalid),
    /// The toolchain is there but does not work.
    #[error(transparent)]
    Toolchain(ProbeError),
    /// The checker or interactor does not compile.
    #[error("checker.program does not compile ({status}); mend it: {output}")]
    Checker {
        /// How its compiler ended.
        status: String,
        /// The beginning of what its compiler wrote.
        output: String,
    },
    /// The cache folder cannot be used.
    #[error("the cache is not usable; name another folder")]
    Cache(#[source] CacheError),
    /// The versions folder cannot be made.
    #[error("cannot make {path:?} in the cache folder; name another folder")]
    Versions {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Whether a submission can be judged as written, on this host and before there is an engine:
/// looks at files only.
///
/// # Errors
/// The field at fault and the cure.
pub fn check(submission: &Submission, table: &Table, config: &Config) -> Result<(), Error> {
    let grounds = Grounds { table, host: &config.host, max_source: config.max_source };
    grounds.plan(submission).map(|_| ()).map_err(Error::Invalid)
}

/// Whether a submission can be judged as written, wherever its toolchains are: for whoever takes
/// submissions and leaves judging to others.
///
/// # Errors
/// The field at fault and the cure.
pub fn check_form(
    submission: &Submission,
    table: &Table,
    max_source: Bytes,
) -> Result<(), Invalid> {
    Form { table, max_source }.check(submission)
}

impl Judge {
    /// Opens the cache and removes what killed processes left in it.
    ///
    /// # Errors
    /// When the cache folder cannot be used.
    pub fn new(
        sandbox: Arc<dyn Sandbox>,
        table: Arc<Table>,
        config: Config,
    ) -> Result<Self, Error> {
        let Config { slots, cache_dir, cache_bytes, host, max_source } = config;
        let cache = Cache::open(&cache_dir, cache_bytes).map_err(Error::Cache)?;
        let path = cache_dir.join("versions");
        let versions = Versions::at(&path).map_err(|source| Error::Versions { path, source })?;
        let slots = Slots::new(NonZeroUsize::new(slots).unwrap_or(NonZeroUsize::MIN));
        let (quiet, flights) = (Quiet::new(), Flights::default());
        Ok(Self { sandbox, table, host, max_source, slots, quiet, cache, flights, versions })
    }

    /// The slots, to be resized or looked at.
    #[must_use]
    pub fn slots(&self) -> &Slots {
        &self.slots
    }

    /// The engine that runs the boxes.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.sandbox.engine()
    }

    /// The languages.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Of each language that is here, the host's files and folders that its runs begin with.
    #[must_use]
    pub fn reads(&self) -> Vec<Vec<PathBuf>> {
        let here = self.table.iter().filter_map(|language| language.locate(&self.host).ok());
        here.map(|toolchain| toolchain.reads(&self.host)).collect()
    }

    /// The version of a toolchain; known versions are on disk, others are asked for in a box, once
    /// for simultaneous callers.
    ///
    /// # Errors
    /// When the sandbox fails, or the toolchain does not work.
    pub fn version(&self, toolchain: &Toolchain, cancel: &Cancel) -> Result<String, ProbeError> {
        let wait = |source| ProbeError::Wait { language: toolchain.language().to_owned(), source };
        let withdrawn = || ProbeError::Cancelled { language: toolchain.language().to_owned() };
        let key = KeyBuilder::new().part("version").part(&toolchain.fingerprint).finish();
        loop {
            if let Some(known) = self.versions.get(&toolchain.fingerprint) {
                return Ok(known);
            }
            match self.flights.turn(&key, cancel).map_err(wait)? {
                Turn::Over | Turn::Refused(_) => {}
                Turn::Cancelled => return Err(withdrawn()),
                Turn::Mine(_leader) => {
                    // Between the look and the turn another one may have found out.
                    if let Some(known) = self.versions.get(&toolchain.fingerprint) {
                        return Ok(known);
                    }
                    let slot = self.slots.acquire(NonZeroUsize::MIN, cancel).map_err(wait)?;
                    let Some(_slot) = slot else { return Err(withdrawn()) };
                    let version = toolchain.probe(&*self.sandbox, cancel)?;
                    let scratch = self.cache.scratch("version");
                    self.versions.put(&toolchain.fingerprint, &version, &scratch);
                    return Ok(version);
                }
            }
        }
    }

    /// Judges a submission: compiles it once, runs its tests side by side over free slots, and
    /// reports them in their order. Under [`crate::model::StopRule::FirstFailure`] the tests after
    /// the first failure are withdrawn, the ones before it are not, so that the reported first
    /// failure is the same whatever finishes first. A test whose time is in doubt is run again, alone
    /// and within bounds (`again` in its report). When `cancel` is set, what has not finished
    /// is `SKIPPED`. A sandbox that fails is tried once more, then the verdict is `IE` and
    /// `report.error` says why.
    ///
    /// # Errors
    /// The submission cannot be judged as written.
    pub fn execute_batch(
        &self,
        submission: &Submission,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<Report, Error> {
        let start = Instant::now();
        let grounds = Grounds { table: &self.table, host: &self.host, max_source: self.max_source };
        let plan = grounds.plan(submission).map_err(Error::Invalid)?;
        let mut report = self.blank(&plan);
        match self.version(&plan.program.toolchain, cancel) {
            Ok(version) => report.toolchain = version,
            Err(error @ ProbeError::Broken { .. }) => return Err(Error::Toolchain(error)),
            Err(_) if cancel.is_cancelled() => return Ok(report.cancelled(start)),
            Err(error) => return Ok(report.failed(chain(&error), start)),
        }
        if plan.program.language.compile.is_some() {
            observer.on(Event::Compiling);
        }
        let program = match self.build(&plan.program, cancel) {
            Err(error) => return Ok(report.failed(chain(&error), start)),
            Ok(built) => built,
        };
        report.times.compile_ms = report::ms(start.elapsed());
        report.compile = program.report();
        if let Some(compile) = &report.compile {
            observer.on(Event::Compiled(compile));
        }
        let program = match program {
            Built::Ready(program) => program,
            Built::Refused(_) => return Ok(report.refused(start)),
            Built::Cancelled => return Ok(report.cancelled(start)),
        };
        let jury = match self.jury(&plan, cancel)? {
            Court::Ready(jury) => jury,
            Court::Cancelled => return Ok(report.cancelled(start)),
            Court::Failed(error) => return Ok(report.failed(error, start)),
        };
        let again = AtomicUsize::new(0);
        let batch = run::Batch { judge: self, plan: &plan, program: &program, jury, again };
        let tests = board::run_all(&batch, observer, cancel);
        Ok(report.finished(submission, tests, start))
    }

    /// Builds the checker or interactor, if there is one.
    fn jury<'a>(&self, plan: &'a Plan<'a>, cancel: &Cancel) -> Result<Court<'a>, Error> {
        let jury = match &plan.check {
            Check::Compare(_) => return Ok(Court::Ready(None)),
            Check::Custom(jury) | Check::Interactive(jury) => jury,
        };
        match self.build(&jury.program, cancel) {
            Ok(Built::Ready(ready)) => Ok(Court::Ready(Some((jury, ready)))),
            Ok(Built::Cancelled) => Ok(Court::Cancelled),
            Err(error) => Ok(Court::Failed(chain(&error))),
            Ok(Built::Refused(report)) => {
                let output = report.output.read().unwrap_or_else(|_| Arc::from([]));
                let output = String::from_utf8_lossy(&output).chars().take(2000).collect();
                Err(Error::Checker { status: report.status, output })
            }
        }
    }
}

/// The jury's program, or why there is none.
enum Court<'a> {
    /// Built, if the checker is a program.
    Ready(Option<(&'a Jury<'a>, build::Ready)>),
    Cancelled,
    Failed(String),
}

#[cfg(test)]
mod tests;
