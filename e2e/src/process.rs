//! Processes that end with whoever started them, even when that is killed.
//!
//! The kernel sends such a process SIGKILL when the *thread* that started it ends (prctl(2),
//! `PR_SET_PDEATHSIG`), so all are started by one thread, which lives as long as its [`Nursery`].

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

type Order = (Command, mpsc::Sender<std::io::Result<Child>>);

/// The thread that starts processes. What it started dies with it.
#[derive(Debug)]
pub struct Nursery {
    /// `None` only while it is dropped.
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Nursery {
    /// Starts the thread.
    pub fn open() -> Result<Self> {
        let (orders, inbox) = mpsc::channel::<Order>();
        let work = move || {
            for (mut command, answer) in inbox {
                // Nobody waits any more: the child is dropped, and dies with this thread.
                drop(answer.send(command.spawn()));
            }
        };
        let thread = std::thread::Builder::new()
            .name("nursery".to_owned())
            .spawn(work)
            .context("no thread can be started")?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Starts a program whose output goes to `log`.
    pub fn spawn(&self, plan: &Plan) -> Result<Process> {
        // util-linux's, which every Debian has.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(&plan.program).args(&plan.arguments);
        command.envs(plan.environment.iter().map(|(key, value)| (key, value)));
        let log = File::options()
            .create(true)
            .append(true)
            .open(&plan.log)
            .with_context(|| format!("{} cannot be written", plan.log.display()))?;
        let copy = log.try_clone().context("the log cannot be shared")?;
        command.stdin(Stdio::null()).stdout(log).stderr(copy);
        let (answer, child) = mpsc::channel();
        let orders = self.orders.as_ref().expect("it is there until it is dropped");
        orders.send((command, answer)).ok().context("the nursery has ended")?;
        let child = child.recv().context("the nursery has ended")?;
        let child = child.context("setpriv cannot be started: apt-get install util-linux")?;
        Ok(Process { child, plan: plan.clone() })
    }
}

impl Drop for Nursery {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// What is to be started.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables beside those that this process has.
    pub environment: Vec<(String, String)>,
    /// Where its output is appended.
    pub log: PathBuf,
}

impl Plan {
    /// That program, with that log.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        let (program, log) = (program.into(), log.into());
        Self { program, arguments: Vec::new(), environment: Vec::new(), log }
    }

    /// With that argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// With these arguments, one a word.
    #[must_use]
    pub fn args<I: Into<String>>(mut self, arguments: impl IntoIterator<Item = I>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// With that variable.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl Into<String>) -> Self {
        self.environment.push((key.to_owned(), value.into()));
        self
    }
}

/// A running program. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    plan: Plan,
}

impl Process {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it was started as.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("{} is lost", self.name()))
    }

    /// An error with the end of its log, if it has ended.
    pub fn expect_alive(&mut self) -> Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => bail!("{} ended, {status}:\n{}", self.name(), self.last_words(30)),
        }
    }

    /// The last lines of its log.
    #[must_use]
    pub fn last_words(&self, lines: usize) -> String {
        let text = std::fs::read_to_string(&self.plan.log).unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        // It is our child and not reaped yet, so the id is its own.
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.context("the process has an odd id")?;
        kill_process(pid, signal).with_context(|| format!("{} takes no signal", self.name()))
    }

    /// Waits for its end.
    pub async fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if Instant::now() > end {
                bail!("{} does not end:\n{}", self.name(), self.last_words(30));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills it and waits for its end.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Its resident memory in bytes.
    pub fn resident(&self) -> Result<u64> {
        self.memory("VmRSS:")
    }

    /// The most that its resident memory has been, in bytes.
    pub fn peak(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, key: &str) -> Result<u64> {
        let path = format!("/proc/{}/status", self.id());
        let text = std::fs::read_to_string(&path).with_context(|| format!("{path} is gone"))?;
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kib: u64 = kib.and_then(|kib| kib.parse().ok()).context("it has no memory")?;
        Ok(kib * 1024)
    }

    fn name(&self) -> String {
        self.plan.program.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
