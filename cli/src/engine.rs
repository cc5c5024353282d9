//! Opens the machine: the language table, the engine that runs the boxes, the judge over both.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;

use anyhow::{Context as _, anyhow};
use judge::language::{Host, Language, Table};
use judge::model::SourceFile;
use judge::{Config, Invalid, Judge, Reason};
use sandbox::{Choice, Chosen, Engine, Mount, Parts, Pinning, Sandbox};
use worker::Warming;

use crate::args::{EngineName, Machine};
use crate::exit::Failure;
use crate::output::Voice;

/// A machine that can judge.
#[derive(Debug)]
pub(crate) struct Station {
    /// Runs the boxes.
    pub(crate) sandbox: Arc<dyn Sandbox>,
    /// Why this engine.
    pub(crate) why: String,
    /// From a submission to a report.
    pub(crate) judge: Judge,
}

impl Station {
    /// Reads ahead what runs begin with, until what it returns is dropped: for whoever judges for long.
    pub(crate) fn warm_up(&self) -> Result<Warming, Failure> {
        Warming::begin(self.judge.reads()).context("cannot read ahead").map_err(Failure::judge)
    }
}

impl Machine {
    /// The languages.
    pub(crate) fn table(&self) -> Result<Arc<Table>, Failure> {
        let table = match &self.languages {
            None => Table::builtin(),
            Some(dir) => Table::extended(dir)
                .with_context(|| format!("cannot read --languages {dir:?}"))
                .map_err(Failure::usage)?,
        };
        Ok(Arc::new(table))
    }

    /// How the judge is made: where toolchains are, what is kept and how much runs at once.
    pub(crate) fn config(&self) -> Config {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let config = Config::new(self.cache_dir.clone(), Host::new(home));
        Config { slots: self.slots(), ..config }
    }

    /// How many boxes run at once.
    pub(crate) fn slots(&self) -> usize {
        // Knows affinity and the CPU quota of the control group.
        self.slots.or_else(|| available_parallelism().ok()).map_or(1, NonZeroUsize::get)
    }

    /// Chooses an engine and opens the judge. Everything that could be wrong with the input has
    /// been said before: this is where the machine starts to change.
    pub(crate) fn open(&self, table: &Arc<Table>, voice: Voice) -> Result<Station, Failure> {
        let Chosen { sandbox, why } = sandbox::choose(self.choice(), &self.parts(table)?)
            .context("cannot judge on this machine (`evalx doctor` tells more)")
            .map_err(Failure::judge)?;
        voice.detail(&format!("engine {}: {why}", sandbox.engine()));
        let judge = Judge::new(Arc::clone(&sandbox), Arc::clone(table), self.config())
            .map_err(|error| refused(error).context(format!("--cache-dir {:?}", self.cache_dir)))?;
        Ok(Station { sandbox, why, judge })
    }

    /// Why the engine of `station` was chosen, and whether the other one works here as well.
    pub(crate) fn engines(&self, table: &Table, station: &Station) -> Result<String, Failure> {
        let Station { sandbox, why, judge: _ } = station;
        let other = sandbox::other(self.choice(), sandbox.engine(), &self.parts(table)?);
        Ok([Some(why.clone()), other].into_iter().flatten().collect::<Vec<_>>().join("; "))
    }

    /// The engine asked for.
    pub(crate) fn choice(&self) -> Choice {
        match self.engine {
            EngineName::Auto => Choice::Auto,
            EngineName::Native => Choice::Only(Engine::Native),
            EngineName::Isolate => Choice::Only(Engine::Isolate),
        }
    }

    /// What an engine is made of. Every toolchain found is mounted, since a box cannot get more
    /// mounts later. There may be as many boxes as a worker may have slots, which change while it
    /// runs; those that are never used cost nothing. An interactive test takes two slots at once, so
    /// a single slot has two boxes.
    pub(crate) fn parts(&self, table: &Table) -> Result<Parts, Failure> {
        let host = self.config().host;
        let found = table.iter().filter_map(|language| language.locate(&host).ok());
        let mut mounts: Vec<Mount> = found.flat_map(|toolchain| toolchain.mounts).collect();
        mounts.sort();
        mounts.dedup();
        let warm = self.slots();
        let boxes = warm.saturating_mul(2).max(worker::slots::BOXES);
        let boxes = u32::try_from(boxes).unwrap_or(u32::MAX);
        let pin = self.pin.then(|| Pinning::of(warm)).transpose().map_err(Failure::usage)?;
        let uid_seed = self.uid_seed.clone().filter(|seed| !seed.is_empty());
        Ok(Parts { mounts, boxes, warm, uid_seed, pin })
    }
}

/// The language of a submission: the one named, else the one that a file's extension tells.
pub(crate) fn language<'t>(
    table: &'t Table,
    named: Option<&str>,
    files: &[SourceFile],
) -> Result<&'t Language, Failure> {
    if let Some(name) = named {
        return table.get(name).map_err(Failure::usage);
    }
    guess(table, files).ok_or_else(|| {
        let names: Vec<_> = files.iter().map(|f| f.name.as_str()).collect();
        let names = names.join(", ");
        let cure = "name it with --lang (`evalx languages` lists them)";
        Failure::usage(anyhow!("cannot tell the language of {names}; {cure}"))
    })
}

/// A submission or cache that the judge does not take. A toolchain that is not here, or broken, is
/// no fault of who typed the command.
pub(crate) fn refused(error: judge::Error) -> Failure {
    match error {
        judge::Error::Invalid(Invalid { field, reason }) => {
            let failure = match *reason {
                Reason::Unavailable(missing) => Failure::judge(missing),
                reason => Failure::usage(reason),
            };
            match field.split(['[', '.']).next() {
                // The command line has no fields; these reasons say themselves what they are of.
                Some("language" | "limits" | "entry") => failure,
                Some("files") => failure.context("source".to_owned()),
                _ => failure.context(field),
            }
        }
        error @ judge::Error::Toolchain(_) => Failure::judge(error),
        error @ (judge::Error::Checker { .. }
        | judge::Error::Cache(_)
        | judge::Error::Versions { .. }) => Failure::usage(error),
    }
}

fn guess<'t>(table: &'t Table, files: &[SourceFile]) -> Option<&'t Language> {
    files.iter().find_map(|f| table.by_extension(f.name.rsplit_once('.')?.1))
}
