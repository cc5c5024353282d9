//! One engine and all that a case needs to run programs in it.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use sandbox::{Artefact, Cancel, Engine, Job, Outcome, Sandbox};

use crate::invariants::alive;
use crate::programs::Programs;

/// An engine with the programs of the suite.
#[derive(Debug)]
pub(crate) struct Rig {
    sandbox: Box<dyn Sandbox>,
    programs: Arc<Programs>,
    staged: AtomicU32,
    /// How many processes the idle engine keeps in its control groups.
    pub(crate) residents: usize,
    /// How many descriptors this process has when it is idle.
    pub(crate) descriptors: usize,
}

/// A program in an artefact of its own, under a name that no other process of the machine has,
/// so that its processes are found by it.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) mark: String,
    pub(crate) artefact: Arc<Artefact>,
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    /// The whole call.
    pub(crate) took: Duration,
}

impl Rig {
    pub(crate) fn new(sandbox: Box<dyn Sandbox>, programs: Arc<Programs>) -> Self {
        Self { sandbox, programs, staged: AtomicU32::new(0), residents: 0, descriptors: 0 }
    }

    pub(crate) fn engine(&self) -> Engine {
        self.sandbox.engine()
    }

    pub(crate) fn sandbox(&self) -> &dyn Sandbox {
        &*self.sandbox
    }

    /// What the names of all programs that this rig stages start with.
    pub(crate) fn mark(&self) -> String {
        let engine = if self.engine() == Engine::Native { 'n' } else { 'i' };
        format!("evx{:x}{engine}", std::process::id())
    }

    /// A name like that, used by no program yet. At most 15 bytes, which is what the kernel keeps
    /// of a process that is a zombie already (`comm`, proc(5)).
    pub(crate) fn fresh_mark(&self) -> String {
        format!("{}{:x}", self.mark(), self.staged.fetch_add(1, Ordering::Relaxed))
    }

    /// A program of the suite, ready to be run.
    pub(crate) fn program(&self, name: &str) -> Result<Staged, Failed> {
        let built = self.programs.get(name)?;
        let mark = self.fresh_mark();
        let dir = self.programs.folder(&mark)?;
        fs::hard_link(built, dir.join(&mark))?;
        let bytes = fs::metadata(built)?.len();
        Ok(Staged { mark, artefact: Arc::new(Artefact::new(dir, bytes)) })
    }

    /// A program of the suite that runs on the machine itself.
    pub(crate) fn host_program(&self, name: &str) -> Result<&Path, Failed> {
        self.programs.get(name)
    }

    /// An empty folder of this machine.
    pub(crate) fn folder(&self) -> Result<PathBuf, Failed> {
        self.programs.folder(&self.fresh_mark())
    }

    /// Runs a job; afterwards no process that bears `mark` is alive.
    pub(crate) fn run(&self, mark: &str, job: Job) -> Result<Ran, Failed> {
        self.run_until(mark, job, &Cancel::new()?)
    }

    /// As `run`, for as long as `cancel` is not set.
    pub(crate) fn run_until(&self, mark: &str, job: Job, cancel: &Cancel) -> Result<Ran, Failed> {
        let start = Instant::now();
        let outcome = self.sandbox.run(job, cancel).map_err(|e| chain(&e))?;
        let took = start.elapsed();
        let alive = alive(mark);
        if !alive.is_empty() {
            return Err(format!("alive when the call returned: {}", alive.join("; ")).into());
        }
        Ok(Ran { outcome, took })
    }
}

impl Staged {
    /// A run of the program with default limits.
    pub(crate) fn job(&self, args: &[&str]) -> Job {
        let mut argv = vec![format!("/box/{}", self.mark)];
        argv.extend(args.iter().map(|a| (*a).to_owned()));
        Job { artefact: Some(Arc::clone(&self.artefact)), ..Job::new(argv) }
    }
}

/// An error with all its sources.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let _never_fails = write!(text, ": {error}");
        source = error.source();
    }
    text
}
