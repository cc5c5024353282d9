//! A process with a native engine in it, in a pod: this binary, started again. Both sides of it,
//! and what they say to each other: one JSON value a line.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, PipeWriter, Write, pipe, stdin, stdout};
use std::process::{Child, ChildStdin, ChildStdout, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use libtest_mimic::Failed;
use sandbox::{Bytes, Cancel, Job, Limits, NativeSandbox, Sandbox, native};
use serde::{Deserialize, Serialize};

use crate::pod::Pod;

/// The argument that makes this binary a worker.
pub(crate) const MODE: &str = "worker";

/// No case is about time.
const PATIENCE: Duration = Duration::from_secs(120);

/// To a worker.
#[derive(Debug, Serialize, Deserialize)]
enum Ask {
    /// Make the engine.
    Open,
    /// Start a shell script in a box; its standard input stays open until it is released.
    Run {
        id: u32,
        script: String,
        env: usize,
        mib: u64,
    },
    Release {
        id: u32,
    },
}

/// From a worker.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    /// It is in its group.
    Here,
    Up {
        version: String,
    },
    Failed {
        why: String,
    },
    Ended {
        id: u32,
        ran: Ran,
    },
}

/// What came of a run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ran {
    /// The termination, or `error:` and why.
    pub(crate) ends: String,
    pub(crate) memory: u64,
    pub(crate) says: String,
}

/// From the test's side. Killed on drop.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    ended: BTreeMap<u32, Ran>,
    next: u32,
}

impl Worker {
    /// Starts one in the pod's own group and waits until its engine is up.
    pub(crate) fn start(pod: &Pod) -> Result<Self, Failed> {
        Self::start_within(pod, "")
    }

    /// The same in the group `within` of the pod.
    pub(crate) fn start_within(pod: &Pod, within: &str) -> Result<Self, Failed> {
        let mut worker = Self::launch(pod, within)?;
        worker.open()?;
        worker.is_up()?;
        Ok(worker)
    }

    /// Starts one that does not make its engine yet.
    pub(crate) fn launch(pod: &Pod, within: &str) -> Result<Self, Failed> {
        let mut command = pod.command(within, &std::env::current_exe()?);
        let mut child = command.arg(MODE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let asks = child.stdin.take();
        let answers = child.stdout.take().ok_or("the worker has no standard output")?;
        let answers = BufReader::new(answers);
        let mut worker = Self { child, asks, answers, ended: BTreeMap::new(), next: 0 };
        match worker.hear()? {
            Answer::Here => Ok(worker),
            other => Err(format!("the worker starts with {other:?}").into()),
        }
    }

    /// Lets it make its engine.
    pub(crate) fn open(&mut self) -> Result<(), Failed> {
        self.ask(&Ask::Open)
    }

    /// Waits until its engine is up, on cgroup v2.
    pub(crate) fn is_up(&mut self) -> Result<(), Failed> {
        match self.hear()? {
            Answer::Up { version } if version == "v2" => Ok(()),
            Answer::Failed { why } => Err(why.into()),
            other => Err(format!("the worker opens with {other:?}").into()),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Starts a script in a box that may use `mib` MiB.
    pub(crate) fn begin(&mut self, script: &str, mib: u64) -> Result<u32, Failed> {
        self.begin_with(script, mib, 0)
    }

    /// The same with an environment of so many bytes.
    pub(crate) fn begin_with(&mut self, script: &str, mib: u64, env: usize) -> Result<u32, Failed> {
        self.next += 1;
        self.ask(&Ask::Run { id: self.next, script: script.to_owned(), env, mib })?;
        Ok(self.next)
    }

    /// Ends the standard input of a run.
    pub(crate) fn release(&mut self, id: u32) -> Result<(), Failed> {
        self.ask(&Ask::Release { id })
    }

    /// Waits for the end of a run.
    pub(crate) fn end(&mut self, id: u32) -> Result<Ran, Failed> {
        loop {
            if let Some(ran) = self.ended.remove(&id) {
                return Ok(ran);
            }
            match self.hear()? {
                Answer::Ended { id, ran } => _ = self.ended.insert(id, ran),
                other => {
                    return Err(format!("in the middle of runs the worker says {other:?}").into());
                }
            }
        }
    }

    /// Runs a script to its end.
    pub(crate) fn run(&mut self, script: &str, mib: u64) -> Result<Ran, Failed> {
        let id = self.begin(script, mib)?;
        self.end(id)
    }

    /// Lets it drop its engine, and waits for that.
    pub(crate) fn leave(mut self) -> Result<(), Failed> {
        self.asks = None;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the worker ends with {status}").into()) }
    }

    fn ask(&mut self, ask: &Ask) -> Result<(), Failed> {
        let to = self.asks.as_mut().ok_or("the worker is leaving")?;
        Ok(writeln!(to, "{}", serde_json::to_string(ask)?)?)
    }

    fn hear(&mut self) -> Result<Answer, Failed> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(format!("the worker is gone: {:?}", self.child.wait()).into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// From the worker's side: does what it is told on standard input.
pub(crate) fn main() -> ExitCode {
    say(&Answer::Here);
    let mut asks = stdin().lock().lines().map_while(Result::ok);
    match asks.next().map(|line| serde_json::from_str(&line)) {
        Some(Ok(Ask::Open)) => {}
        _ => return ExitCode::FAILURE,
    }
    let sandbox = match NativeSandbox::new(native::Config::default()) {
        Ok(sandbox) => sandbox,
        Err(e) => {
            say(&Answer::Failed { why: chain(&e) });
            return ExitCode::FAILURE;
        }
    };
    say(&Answer::Up { version: sandbox.cgroup_version().to_string() });
    let mut held: BTreeMap<u32, PipeWriter> = BTreeMap::new();
    thread::scope(|scope| {
        for line in asks {
            match serde_json::from_str(&line) {
                Ok(Ask::Run { id, script, env, mib }) => {
                    let Ok((from, to)) = pipe() else { return };
                    held.insert(id, to);
                    let mut job = Job::new(["/bin/sh", "-c", &script].map(str::to_owned).to_vec());
                    job.stdin = sandbox::Stdin::Pipe(from.into());
                    job.limits = Limits {
                        cpu: PATIENCE,
                        wall: PATIENCE,
                        memory: Bytes::mib(mib),
                        ..Limits::default()
                    };
                    job.env = vec![
                        ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
                        ("LARGE".to_owned(), "x".repeat(env)),
                    ];
                    let sandbox = &sandbox;
                    scope.spawn(move || say(&Answer::Ended { id, ran: ran(sandbox, job) }));
                }
                Ok(Ask::Release { id }) => drop(held.remove(&id)),
                Ok(Ask::Open) | Err(_) => return,
            }
        }
        held.clear();
    });
    ExitCode::SUCCESS
}

fn ran(sandbox: &NativeSandbox, job: Job) -> Ran {
    let done = Cancel::new()
        .map_err(|e| chain(&e))
        .and_then(|cancel| sandbox.run(job, &cancel).map_err(|e| chain(&e)));
    match done {
        Ok(outcome) => Ran {
            ends: format!("{:?}", outcome.termination),
            memory: outcome.usage.memory,
            says: String::from_utf8_lossy(&outcome.stdout.bytes).into_owned(),
        },
        Err(why) => Ran { ends: format!("error: {why}"), memory: 0, says: String::new() },
    }
}

fn say(answer: &Answer) {
    let line = serde_json::to_string(answer).unwrap_or_default();
    let mut out = stdout().lock();
    // The test is gone: then nobody wants to know.
    let _gone = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
