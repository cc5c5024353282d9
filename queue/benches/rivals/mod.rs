//! BullMQ and asynq, by small programs of ours that do with them what the bench does with our
//! queue. They are installed into a cache folder outside of the checkout.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/rivals");

/// A queue to be measured beside ours.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rival {
    BullMq,
    Asynq,
}

/// Seconds that it took.
#[derive(Debug)]
pub(crate) struct Took {
    pub(crate) adding: f64,
    pub(crate) doing: f64,
}

impl Rival {
    pub(crate) const ALL: [Self; 2] = [Self::BullMq, Self::Asynq];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BullMq => "BullMQ",
            Self::Asynq => "asynq",
        }
    }

    /// Makes it ready; what runs it, or why there is nothing to run.
    pub(crate) fn install(self) -> Result<Vec<PathBuf>, String> {
        let folder = cache().join(self.name().to_lowercase());
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        match self {
            Self::BullMq => bullmq(&folder),
            Self::Asynq => asynq(&folder),
        }
    }

    /// The full life of `jobs` jobs, with payloads and results of so many bytes.
    pub(crate) fn run(words: &[PathBuf], socket: &Path, sizes: [usize; 3]) -> Result<Took, String> {
        let mut command = command(&words[0]);
        command.args(&words[1..]).arg(socket).args(sizes.map(|size| size.to_string()));
        let printed = output(&mut command)?;
        let mut numbers = printed.split_whitespace().map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(adding)), Some(Ok(doing))) => Ok(Took { adding, doing }),
            _ => Err(format!("it printed {printed:?}")),
        }
    }
}

fn cache() -> PathBuf {
    let given = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = given("XDG_CACHE_HOME").or_else(|| given("HOME").map(|home| home.join(".cache")));
    cache.unwrap_or_else(std::env::temp_dir).join("evalx-bench")
}

fn bullmq(folder: &Path) -> Result<Vec<PathBuf>, String> {
    for program in ["node", "npm"] {
        is_there(program, "--version")?;
    }
    let lock = |folder: &Path| std::fs::read(folder.join("package-lock.json")).ok();
    let source = Path::new(PROGRAMS).join("bullmq");
    let installed = folder.join("node_modules").exists() && lock(folder) == lock(&source);
    for file in ["package.json", "package-lock.json", "bench.js"] {
        let from = source.join(file);
        std::fs::copy(&from, folder.join(file)).map_err(|e| format!("{}: {e}", from.display()))?;
    }
    let words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    if !installed {
        output(command("npm").args(words).current_dir(folder))?;
    }
    Ok(vec!["node".into(), folder.join("bench.js")])
}

fn asynq(folder: &Path) -> Result<Vec<PathBuf>, String> {
    is_there("go", "version")?;
    let program = folder.join("bench");
    let mut build = command("go");
    build.args(["build", "-mod=readonly", "-modcacherw", "-o"]).arg(&program).arg(".");
    build.env("GOMODCACHE", folder.join("modules")).env("GOCACHE", folder.join("build"));
    output(build.current_dir(Path::new(PROGRAMS).join("asynq")))?;
    Ok(vec![program])
}

fn is_there(program: &str, flag: &str) -> Result<(), String> {
    output(command(program).arg(flag)).map(drop).map_err(|_| format!("{program} is not on PATH"))
}

#[expect(clippy::disallowed_methods, reason = "no guest: what the bench compares with")]
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("").to_owned();
        return Err(format!(
            "{} ended with {}: {last}",
            command.get_program().display(),
            output.status
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
