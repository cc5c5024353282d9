//! The cases: one C file each below `cases/`, run as its head comment says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libtest_mimic::Failed;
use sandbox::{Collect, Contents, Engine, InputFile, Job, Stdin};

use crate::header::{Given, Header, Input};
use crate::rig::{Ran, Rig};

/// One program and what is expected of it.
#[derive(Debug)]
pub(crate) struct Case {
    /// The file's name without `.c`.
    pub(crate) id: String,
    pub(crate) source: PathBuf,
    /// An error fails the case, not the suite.
    pub(crate) header: Result<Header, String>,
}

impl Case {
    /// Every case, by name.
    pub(crate) fn all() -> Result<Vec<Self>, Failed> {
        let load = |(id, source): (String, PathBuf)| -> Result<Self, Failed> {
            let text = fs::read_to_string(&source)?;
            let header = Header::parse(&text).map_err(|e| format!("{source:?}: {e}"));
            Ok(Self { id, source, header })
        };
        sources("cases")?.into_iter().map(load).collect()
    }

    /// Runs it in the engine of `rig`.
    pub(crate) fn run(&self, rig: &Rig) -> Result<(), Failed> {
        let header = self.header.as_ref()?;
        let program = rig.program(&self.id)?;
        let job = header.given.job(program.job(&[]));
        let Ran { outcome, took } = rig.run(&program.mark, job)?;
        let expect = match rig.engine() {
            Engine::Native => &header.native,
            Engine::Isolate => &header.isolate,
        };
        let unmet = expect.unmet(&outcome, took);
        if unmet.is_empty() {
            return Ok(());
        }
        let text =
            |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(2000)]).into_owned();
        Err(format!(
            "{}\n{:?} {:?} took {took:?}\nstandard output: {}\nstandard error: {}",
            unmet.join("\n"),
            outcome.termination,
            outcome.usage,
            text(&outcome.stdout.bytes),
            text(&outcome.stderr.bytes),
        )
        .into())
    }
}

impl Given {
    /// Shapes `job`, a plain run of the case's program.
    fn job(&self, mut job: Job) -> Job {
        let Self { limits, argv, env, stdin, files, collect, proc } = self;
        job.limits = limits.clone();
        job.argv.extend(argv.iter().cloned());
        job.env.clone_from(env);
        job.stdin = match stdin {
            Input::Empty => Stdin::Empty,
            Input::Closed => Stdin::Closed,
            Input::Text(text) => Stdin::Contents(memory(text)),
        };
        let file = |(name, text): (&String, &String)| InputFile {
            path: name.into(),
            contents: memory(text),
            executable: false,
        };
        job.files = files.iter().map(file).collect();
        job.collect =
            collect.iter().map(|(name, max)| Collect { path: name.into(), max: *max }).collect();
        job.proc = *proc;
        job
    }
}

/// The C files of a folder of the suite, by name.
pub(crate) fn sources(folder: &str) -> Result<BTreeMap<String, PathBuf>, Failed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract").join(folder);
    let mut found = BTreeMap::new();
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "c")
            && let Some(name) = path.file_stem()
        {
            found.insert(name.to_string_lossy().into_owned(), path);
        }
    }
    Ok(found)
}

fn memory(text: &str) -> Contents {
    Contents::Memory(Arc::from(text.as_bytes()))
}
