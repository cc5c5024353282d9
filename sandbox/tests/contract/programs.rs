//! The programs of the suite, compiled by the host's gcc: once a run, in parallel, each from one
//! file, linked statically so that a case needs nothing of the box. A slow machine (the guest of
//! `make test-v2`) gets them from a fast one: [`MODE`] fills a folder there, and [`KEPT`] names it
//! here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::thread;

use libtest_mimic::Failed;
use tempfile::TempDir;

use crate::cases::sources;

const FLAGS: [&str; 10] = [
    "-std=gnu11",
    "-O1",
    "-g0",
    "-static",
    "-pthread",
    "-s",
    "-D_GNU_SOURCE",
    "-Wall",
    "-Werror",
    "-Wno-infinite-recursion",
];

/// The argument that makes this binary compile every program into the folder that follows.
pub(crate) const MODE: &str = "programs";

/// Names a folder of programs that are compiled already.
const KEPT: &str = "EVALX_TEST_PROGRAMS";

/// Compiled programs by name, and where they are.
#[derive(Debug)]
pub(crate) struct Programs {
    dir: TempDir,
    built: BTreeMap<String, Result<PathBuf, String>>,
}

impl Programs {
    /// Compiles `sources`; a failure is kept for the cases that want the program.
    pub(crate) fn build(sources: &BTreeMap<String, PathBuf>) -> Result<Self, Failed> {
        let dir = tempfile::Builder::new().prefix("evalx-contract-").tempdir()?;
        let kept = std::env::var_os(KEPT).map(PathBuf::from);
        let program = |name: &str, source: &Path| match &kept {
            Some(kept) => Ok(kept.join(name)),
            None => compile(source, &dir.path().join(name)),
        };
        let built = in_parallel(sources, program)?;
        Ok(Self { dir, built })
    }

    /// The compiled program.
    pub(crate) fn get(&self, name: &str) -> Result<&Path, Failed> {
        match self.built.get(name) {
            Some(Ok(path)) => Ok(path),
            Some(Err(why)) => Err(why.into()),
            None => Err(format!("no file of the suite is named {name}.c").into()),
        }
    }

    /// A folder of this run, removed at its end.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, Failed> {
        let path = self.dir.path().join("folders").join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    }
}

/// What this binary does when it is started with [`MODE`].
pub(crate) fn main(folder: &Path) -> ExitCode {
    let all = sources("cases").and_then(|mut all| {
        all.extend(sources("scenarios/programs")?);
        in_parallel(&all, |name, source| compile(source, &folder.join(name)))
    });
    let failed = match all {
        Ok(built) => built.into_values().filter_map(Result::err).collect(),
        Err(why) => vec![format!("its sources: {}", why.message().unwrap_or_default())],
    };
    failed.iter().for_each(|why| report(why));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::print_stderr, reason = "whoever calls it in this mode is a script")]
fn report(text: &str) {
    eprintln!("programs of the suite: {text}");
}

/// Calls `build` with each of `sources`, as many at once as there are CPUs.
fn in_parallel(
    sources: &BTreeMap<String, PathBuf>,
    build: impl Fn(&str, &Path) -> Result<PathBuf, String> + Sync,
) -> Result<BTreeMap<String, Result<PathBuf, String>>, Failed> {
    let left = Mutex::new(sources.iter());
    let built = Mutex::new(BTreeMap::new());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let next = || left.lock().ok()?.next();
                while let Some((name, source)) = next() {
                    let program = build(name, source);
                    if let Ok(mut built) = built.lock() {
                        built.insert(name.clone(), program);
                    }
                }
            });
        }
    });
    Ok(built.into_inner().map_err(|_| "a compiling thread panicked")?)
}

fn compile(source: &Path, program: &Path) -> Result<PathBuf, String> {
    #[expect(clippy::disallowed_methods, reason = "a compiler of the host, for our own programs")]
    let mut gcc = Command::new("gcc");
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/include");
    gcc.args(FLAGS).arg("-I").arg(include).arg("-o").arg(program).arg(source);
    let output = gcc.output().map_err(|e| {
        format!("cannot start gcc ({e}); the suite needs it: apt-get install gcc libc6-dev")
    })?;
    if output.status.success() {
        return Ok(program.to_owned());
    }
    Err(format!("gcc refuses {source:?}:\n{}", String::from_utf8_lossy(&output.stderr)))
}
