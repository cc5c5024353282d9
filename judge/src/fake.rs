//! A sandbox that plays a script, and a host that has every toolchain.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use sandbox::{
    Artefact, BoxedError, Cancel, Captured, Compiled, Engine, Error, Job, Outcome, Sandbox,
    Termination, Usage,
};

use crate::language::{Host, Table};
use crate::{Config, Judge};

/// A box that is asked for.
pub(crate) struct Call<'a> {
    pub(crate) compile: bool,
    pub(crate) job: Job,
    pub(crate) cancel: &'a Cancel,
}

impl Call<'_> {
    /// Standard input, when it is in memory.
    pub(crate) fn stdin(&self) -> String {
        match &self.job.stdin {
            sandbox::Stdin::Contents(sandbox::Contents::Memory(bytes)) => {
                String::from_utf8_lossy(bytes).into_owned()
            }
            _ => String::new(),
        }
    }

    /// Blocks until the run is withdrawn.
    pub(crate) fn until_cancelled(&self) -> Result<Outcome, Error> {
        Cancel::wait_any(&[self.cancel]).unwrap();
        Ok(ended(Termination::Cancelled))
    }
}

type Script = dyn Fn(Call<'_>) -> Result<Outcome, Error> + Send + Sync;

/// Plays a script for every box but the version probes, which it answers itself.
pub(crate) struct Fake {
    script: Box<Script>,
    probes: Mutex<usize>,
}

impl Fake {
    pub(crate) fn new(
        script: impl Fn(Call<'_>) -> Result<Outcome, Error> + Send + Sync + 'static,
    ) -> Self {
        Self { script: Box::new(script), probes: Mutex::new(0) }
    }

    pub(crate) fn probes(&self) -> usize {
        *self.probes.lock().unwrap()
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fake")
    }
}

impl Sandbox for Fake {
    fn engine(&self) -> Engine {
        Engine::Native
    }

    fn compile(&self, job: Job, into: &Path, cancel: &Cancel) -> Result<Compiled, Error> {
        job.check().map_err(Error::Job)?;
        assert_eq!(std::fs::read_dir(into).unwrap().count(), 0, "an empty folder");
        let outcome = (self.script)(Call { compile: true, job, cancel })?;
        let artefact = (outcome.termination == Termination::Exited(0)).then(|| {
            let main = into.join("main");
            std::fs::write(&main, "program").unwrap();
            // A compiler that says so leaves no program.
            let mode = if outcome.stdout.bytes == b"a library" { 0o644 } else { 0o755 };
            std::fs::set_permissions(&main, PermissionsExt::from_mode(mode)).unwrap();
            Artefact::new(into.to_owned(), 7)
        });
        Ok(Compiled { outcome, artefact })
    }

    fn run(&self, job: Job, cancel: &Cancel) -> Result<Outcome, Error> {
        job.check().map_err(Error::Job)?;
        if job.argv.last().is_some_and(|a| a == "--version") {
            *self.probes.lock().unwrap() += 1;
            return Ok(said("Fake\nversion 1.0\n"));
        }
        (self.script)(Call { compile: false, job, cancel })
    }
}

pub(crate) fn ended(termination: Termination) -> Outcome {
    Outcome {
        termination,
        usage: Usage::default(),
        stdout: Captured::default(),
        stderr: Captured::default(),
        files: Vec::new(),
    }
}

pub(crate) fn said(text: &str) -> Outcome {
    let stdout = Captured { bytes: text.into(), truncated: false };
    Outcome { stdout, ..ended(Termination::Exited(0)) }
}

pub(crate) fn broken() -> Error {
    Error::Engine { engine: Engine::Native, source: BoxedError::from("the slot is gone") }
}

/// A host in a folder, with the programs of the core languages.
pub(crate) fn host() -> Host {
    static ROOT: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("usr/bin")).unwrap();
        for program in ["gcc", "g++", "python3"] {
            let path = dir.path().join("usr/bin").join(program);
            std::fs::write(&path, program).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        dir
    });
    Host { home: None, root: ROOT.path().to_owned() }
}

/// The languages that the tests' expectations are written for.
pub(crate) fn table() -> Table {
    Table::of(include_str!("fake.yaml"))
}

/// A judge over `fake` with its cache in `dir`.
pub(crate) fn judge(fake: &Arc<Fake>, slots: usize, dir: &Path) -> Judge {
    let config = Config { slots, ..Config::new(dir.to_owned(), host()) };
    let sandbox: Arc<dyn Sandbox> = Arc::<Fake>::clone(fake);
    Judge::new(sandbox, Arc::new(table()), config).unwrap()
}
