//! Another process with an engine in it, to be killed: this binary, started again.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;

use libtest_mimic::Failed;
use sandbox::{Artefact, Cancel, Engine, Job, Termination};
use serde::{Deserialize, Serialize};

use crate::engines;
use crate::rig::Staged;

/// The argument that makes this binary a victim.
pub(crate) const MODE: &str = "victim";

/// From the killer's side.
#[derive(Debug)]
pub(crate) struct Victim(Child);

/// What it is to run. Sent through its standard input, not its arguments, where it would be taken
/// for a guest: those are found by the program's name.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    isolate: bool,
    folder: PathBuf,
    argv: Vec<String>,
}

impl Victim {
    /// Starts an engine in another process and runs a program in it.
    pub(crate) fn start(engine: Engine, program: &Staged, args: &[&str]) -> Result<Self, Failed> {
        let request = Request {
            isolate: engine == Engine::Isolate,
            folder: program.artefact.dir().to_owned(),
            argv: program.job(args).argv,
        };
        #[expect(clippy::disallowed_methods, reason = "this binary itself, to be killed")]
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg(MODE).stdin(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().ok_or("the victim has no standard input")?;
        writeln!(stdin, "{}", serde_json::to_string(&request)?)?;
        Ok(Self(child))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn kill(&mut self) -> Result<(), Failed> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Waits for it; whether it ran its program as it should.
    pub(crate) fn ends_well(&mut self) -> Result<bool, Failed> {
        Ok(self.0.wait()?.success())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // It has ended and been waited for already, unless the killer failed midway.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// From the victim's side: runs what it is told on standard input.
pub(crate) fn main() -> ExitCode {
    match run() {
        Ok(Termination::Exited(0)) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(failed) => {
            report(failed.message().unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Termination, Failed> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let Request { isolate, folder, argv } = serde_json::from_str(&line)?;
    let sandbox = engines::new(if isolate { Engine::Isolate } else { Engine::Native })?;
    let job = Job { artefact: Some(Arc::new(Artefact::new(folder, 0))), ..Job::new(argv) };
    Ok(sandbox.run(job, &Cancel::new()?)?.termination)
}

#[expect(clippy::print_stderr, reason = "what went wrong in another process than the suite's")]
fn report(text: &str) {
    eprintln!("victim: {text}");
}
