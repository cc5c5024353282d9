//! The isolate engine: runs each job in a fresh box of the `isolate` program.
//!
//! A run is: take a box id, `--init`, make the work folder, `--run`, judge what isolate reported,
//! collect, `--cleanup`. What isolate leaves open we close around it: memory, processes and CPU
//! time of the whole box are held by a control group of ours that isolate is started in, the work
//! folder is a tmpfs of ours, and a filter denies the system calls that reach into other boxes.
//!
//! Nothing outlives us: isolate gets SIGTERM when the thread that waits for it dies, and kills its
//! box; mounts are private to isolate's own namespace; the next start removes the folders.

mod argv;
mod boxes;
mod command;
mod error;
mod layout;
mod meta;
mod probe;
mod run;
mod streams;
mod survivors;
mod verdict;
mod workdir;

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use syscalls::Sysno;

use boxes::{Pool, Slot};
use layout::Layout;
use run::{Overhead, Ran, Run};
use streams::Streams;
use verdict::{Evidence, Exit};
use workdir::{Owner, Work};

use crate::cgroup::Tree;
use crate::choose::chain;
use crate::collect;
use crate::native::filter::{self, Op};
use crate::{
    Artefact, Bytes, Cancel, Compiled, Engine, Job, Limits, Mount, Outcome, Sandbox, Termination,
    Usage,
};
pub use error::Error;
pub use probe::{Features, Holding};

/// What isolate does itself after the filter was loaded, all of which takes capabilities or a
/// namespace that its guest does not have: it makes processes in new namespaces, mounts, changes
/// the root, sets the loopback device up, and loads a filter of its own.
pub(crate) const CALLS: &[Sysno] =
    &[Sysno::clone, Sysno::clone3, Sysno::mount, Sysno::chroot, Sysno::socket, Sysno::seccomp];

/// How those are refused nevertheless.
pub(crate) const POLICY: &str = include_str!("isolate/policy.json");

/// Boxes tried when an engine is made.
const TRIALS: u32 = 3;

/// What /bin/true needs for itself: an exec, its few pages and their tables.
const TRIVIAL: Overhead = Overhead { cpu: Duration::from_millis(1), memory: Bytes::kib(256) };

/// What isolate returns for a program that it could not start, and a shell for one it could not
/// find.
const NOT_STARTED: i32 = 127;

/// What an isolate engine is made with.
#[derive(Debug, Clone)]
pub struct Config {
    /// What every box sees beside the base system. Default none.
    pub mounts: Vec<Mount>,
    /// Boxes that may exist at once. Default 128, more than a machine runs at once; a box that is
    /// not in use costs nothing.
    pub boxes: u32,
    /// The box ids of this engine. They are disjoint from those that other users of isolate on
    /// this machine take; other evalX processes may share them. Default: the last `boxes` ones that
    /// isolate is configured for, because people begin at 0.
    pub ids: Option<Range<u32>>,
    /// Folders to find `isolate` in, as `PATH` has them.
    pub path: OsString,
    /// The folder for locks and for what boxes see, writable for root only. Default
    /// `/run/evalx/isolate`.
    pub state: PathBuf,
}

impl Config {
    /// The defaults, with `isolate` looked for in `path`.
    #[must_use]
    pub fn new(path: OsString) -> Self {
        Self { mounts: Vec::new(), boxes: 128, ids: None, path, state: "/run/evalx/isolate".into() }
    }
}

/// The isolate engine.
#[derive(Debug)]
pub struct IsolateSandbox {
    features: Features,
    layout: Layout,
    pool: Pool,
    filter: Vec<Op>,
    overhead: Overhead,
}

/// What is made of a work folder once its box is dead.
type Make<'a, T> = &'a dyn Fn(&Work, Termination) -> Result<T, collect::Error>;

/// A run that is over.
struct Finished<T> {
    outcome: Outcome,
    made: T,
    /// Whether it looks like isolate's own failure to start the program.
    doubtful: bool,
}

impl IsolateSandbox {
    /// Finds isolate, asks what it can do, removes what dead engines left, and tries a box.
    ///
    /// # Errors
    /// What is missing, with its cure where there is one.
    pub fn new(config: Config) -> Result<Self, Error> {
        let Config { mounts, boxes, ids, path, state } = config;
        let program = probe::find(Path::new(&path)).map_err(Error::Probe)?;
        if !rustix::process::geteuid().is_root() {
            return Err(Error::Probe(probe::Error::NotRoot));
        }
        let tree = Tree::open();
        let group = tree.as_ref().map(Tree::version).map_err(|why| chain(why));
        let features = Features::ask(program, group).map_err(Error::Probe)?;
        let ids = ids.unwrap_or_else(|| features.boxes.saturating_sub(boxes)..features.boxes);
        if ids.is_empty() || ids.end > features.boxes {
            return Err(Error::Range { given: ids, known: features.boxes });
        }
        let users = features.first_uid + ids.start..features.first_uid + ids.end;
        let layout = Layout::make(&state, &mounts, users).map_err(Error::Layout)?;
        let pool = Pool::new(ids, layout.locks(), tree.ok());
        let filter = filter::compile_with(CALLS, POLICY).map_err(Error::Filter)?;
        let mut engine = Self { features, layout, pool, filter, overhead: Overhead::NONE };
        engine.sweep()?;
        engine.overhead = engine.measured()?;
        Ok(engine)
    }

    /// What the installed isolate can do, and who holds its boxes to their limits.
    #[must_use]
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// Boxes that could not be cleaned up and are not used any more.
    #[must_use]
    pub fn quarantined(&self) -> Vec<u32> {
        self.pool.quarantined()
    }

    /// Runs `job` and, when that fails through no fault of the guest's, once more in another box.
    fn execute<T>(
        &self,
        mut job: Job,
        cancel: &Cancel,
        make: Make<'_, T>,
    ) -> Result<(Outcome, T), Error> {
        if let Some(program) = job.argv.first().filter(|p| !self.layout.has_program(&job, p)) {
            return Err(Error::Program { program: program.clone() });
        }
        let mut streams = Streams::of(&mut job).map_err(Error::Streams)?;
        let first = self.attempt(&job, &mut streams, cancel, make);
        let finished = match first {
            Ok(finished) if !finished.doubtful => finished,
            // A guest that has had a pipe of the caller's cannot be run again.
            other if streams.spent() => other?,
            Err(e) if !e.may_differ_elsewhere() => return Err(e),
            _ => self.attempt(&job, &mut streams, cancel, make)?,
        };
        if finished.doubtful {
            // Either the machine cannot start programs, or the guest wrote what isolate writes
            // then and returned 127, to be taken for our failure.
            self.trial()?;
        }
        Ok((finished.outcome, finished.made))
    }

    /// One life of a box.
    fn attempt<T>(
        &self,
        job: &Job,
        streams: &mut Streams,
        cancel: &Cancel,
        make: Make<'_, T>,
    ) -> Result<Finished<T>, Error> {
        let mut slot = self.init(cancel)?;
        let finished = self.in_box(&mut slot, job, streams, cancel, make);
        let clean = self.command("--cleanup", &slot);
        let clean = clean.is_ok()
            && (finished.is_ok() || survivors::processes_of(self.uid(&slot)).is_empty());
        match (clean, &finished) {
            (true, Ok(_)) => self.pool.give_back(slot),
            (true, Err(_)) => self.pool.postpone(slot),
            (false, _) => self.pool.quarantine(slot),
        }
        finished
    }

    /// A box that was just made. Boxes in which another isolate is busy are passed over.
    fn init(&self, cancel: &Cancel) -> Result<Slot, Error> {
        for _ in 0..self.pool.len() {
            let slot = self.pool.take(cancel).map_err(Error::Box)?;
            match self.command("--init", &slot) {
                Ok(()) => return Ok(slot),
                Err(Error::Said { said, .. }) if said.contains("currently in use") => {
                    self.pool.postpone(slot);
                }
                Err(e) => {
                    self.pool.quarantine(slot);
                    return Err(e);
                }
            }
        }
        Err(Error::AllBusy)
    }

    fn in_box<T>(
        &self,
        slot: &mut Slot,
        job: &Job,
        streams: &mut Streams,
        cancel: &Cancel,
        make: Make<'_, T>,
    ) -> Result<Finished<T>, Error> {
        let (id, uid) = (slot.id, self.uid(slot));
        let owner = Owner { uid, gid: self.features.first_gid + id };
        let work = Work::make(&job.limits, owner).map_err(Error::Work)?;
        work.put(&job.files).map_err(Error::Work)?;
        let rules = self.layout.rules(job).map_err(Error::Artefact)?;
        let run = Run {
            program: &self.features.program,
            command: &argv::run(&self.features, id, job, &rules),
            limits: &job.limits,
            work: &work,
            at: &self.layout.work(),
            filter: &self.filter,
            cancel,
            overhead: self.overhead,
            uid,
        };
        let streams = streams.open(uid).map_err(Error::Streams)?;
        let ran =
            run.make(slot.group.as_mut(), streams).map_err(|source| Error::Run { id, source })?;
        let doubtful = not_started(&ran, &job.argv);
        let mut outcome =
            self.outcome(ran, &job.limits).map_err(|source| Error::Verdict { id, source })?;
        outcome.files = collect::files(work.mount(), &job.collect).map_err(Error::Collect)?;
        let made = make(&work, outcome.termination).map_err(Error::Collect)?;
        let doubtful = doubtful && outcome.termination == Termination::Exited(NOT_STARTED);
        Ok(Finished { outcome, made, doubtful })
    }

    /// An outcome without files.
    fn outcome(&self, ran: Ran, limits: &Limits) -> Result<Outcome, verdict::Error> {
        let Ran { exit, meta, stopped, wall, group, pressure, output, errors } = ran;
        let known = meta.as_ref().ok().cloned().unwrap_or_default();
        let evidence = Evidence {
            exit,
            meta,
            stopped,
            out_of_memory: group.is_some_and(|account| account.out_of_memory),
            cpu: group.map(|account| account.cpu),
            wall,
        };
        let termination = match verdict::judge(&evidence, limits) {
            Err(verdict::Error::Internal { exit, message }) if message.is_empty() => {
                // What isolate has to say before it has its meta file goes to the guest's errors.
                let message = String::from_utf8_lossy(&errors.bytes).trim().to_owned();
                return Err(verdict::Error::Internal { exit, message });
            }
            other => other?,
        };
        let kib = known.cg_mem.or(known.max_rss).unwrap_or_default();
        let memory = match group {
            Some(account) => account.memory.0,
            None => kib << 10,
        };
        let usage = Usage {
            cpu: evidence.cpu.or(known.time).unwrap_or_default(),
            // isolate's clock starts with the guest; ours stops it.
            wall: known.wall.filter(|_| stopped.is_none()).unwrap_or(wall),
            memory,
            switches_voluntary: known.switches_voluntary,
            switches_forced: known.switches_forced,
            pressure,
        };
        Ok(Outcome { termination, usage, stdout: output, stderr: errors, files: Vec::new() })
    }

    /// `--init` or `--cleanup`.
    fn command(&self, name: &'static str, slot: &Slot) -> Result<(), Error> {
        let id = slot.id;
        let said = command::run(&self.features.program, &argv::simple(&self.features, id, name))
            .map_err(|source| Error::Command { id, source })?;
        if said.exit == Exit::Code(0) {
            return Ok(());
        }
        Err(Error::Said { command: name, id, exit: said.exit.to_string(), said: said.text })
    }

    /// Removes the boxes of engines that died; those of living ones are locked.
    fn sweep(&self) -> Result<(), Error> {
        for slot in self.pool.left_behind().map_err(Error::Box)? {
            match self.command("--cleanup", &slot) {
                Ok(()) => self.pool.give_back(slot),
                // isolate takes a moment to notice that the engine died.
                Err(_) => self.pool.postpone(slot),
            }
        }
        Ok(())
    }

    /// What a box uses with next to nothing in it: the least of a few, because the first one also
    /// warms caches.
    fn measured(&self) -> Result<Overhead, Error> {
        let mut least = self.trial()?;
        for _ in 1..TRIALS {
            let Usage { cpu, memory, .. } = self.trial()?;
            least.cpu = least.cpu.min(cpu);
            least.memory = least.memory.min(memory);
        }
        Ok(match self.features.holding {
            Holding::Group { .. } => Overhead {
                cpu: least.cpu.saturating_sub(TRIVIAL.cpu),
                memory: Bytes(least.memory.saturating_sub(TRIVIAL.memory.0)),
            },
            // isolate's own account leaves isolate out.
            _ => Overhead::NONE,
        })
    }

    /// Proves that boxes work.
    fn trial(&self) -> Result<Usage, Error> {
        let mut job = Job::new(vec!["/bin/true".to_owned()]);
        let mut streams = Streams::of(&mut job).map_err(Error::Streams)?;
        let never = Cancel::new().map_err(|source| Error::Streams(streams::Error::of(source)))?;
        let finished = self.attempt(&job, &mut streams, &never, &|_, _| Ok(()))?;
        let Outcome { termination, usage, stderr, .. } = finished.outcome;
        match termination {
            Termination::Exited(0) => Ok(usage),
            _ => {
                let errors = String::from_utf8_lossy(&stderr.bytes).trim().to_owned();
                Err(Error::Trial { termination, errors })
            }
        }
    }

    fn uid(&self, slot: &Slot) -> u32 {
        self.features.first_uid + slot.id
    }
}

/// Whether the run looks like a program that isolate could not start: it says so on the guest's
/// standard error, and nothing else, and ends like a program that returned 127.
fn not_started(ran: &Ran, argv: &[String]) -> bool {
    let program = argv.first().map_or("", String::as_str);
    let said = format!("execve(\"{program}\"): ");
    ran.output.bytes.is_empty() && ran.errors.bytes.starts_with(said.as_bytes())
}

fn failed(error: Error) -> crate::Error {
    crate::Error::Engine { engine: Engine::Isolate, source: Box::new(error) }
}

impl Sandbox for IsolateSandbox {
    fn engine(&self) -> Engine {
        Engine::Isolate
    }

    fn compile(&self, job: Job, into: &Path, cancel: &Cancel) -> Result<Compiled, crate::Error> {
        job.check().map_err(crate::Error::Job)?;
        let budget = job.limits.disk;
        let gather = |work: &Work, termination: Termination| match termination {
            Termination::Exited(0) => collect::tree(work.mount(), into, budget).map(Some),
            _ => Ok(None),
        };
        let (outcome, bytes) = self.execute(job, cancel, &gather).map_err(failed)?;
        let artefact = bytes.map(|bytes| Artefact::new(into.to_owned(), bytes));
        Ok(Compiled { outcome, artefact })
    }

    fn run(&self, job: Job, cancel: &Cancel) -> Result<Outcome, crate::Error> {
        job.check().map_err(crate::Error::Job)?;
        let (outcome, ()) = self.execute(job, cancel, &|_, _| Ok(())).map_err(failed)?;
        Ok(outcome)
    }
}
