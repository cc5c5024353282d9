//! The native engine: one slot agent a box, boxes armed ahead of their runs.
//!
//! The worker (this process) never forks: it starts agents from its own binary
//! and talks to them. A slot goes round arming → armed → spent → arming; each step consumes the
//! one before. A slot in which a step of ours failed is dropped with everything in it, and the
//! next run gets a new one.

pub mod agent;
mod check;
mod cpus;
mod error;
pub(crate) mod filter;
mod pool;
mod process;
mod run;
mod slot;
mod socket;
mod switches;
mod termination;
mod uids;
mod views;
mod watch;
mod wire;
mod work;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cgroup::{self, Tree, Version};
use crate::collect;
use crate::seam::{Engine, Sandbox};
use crate::{Artefact, Cancel, Compiled, Job, Mount, Outcome, Termination};
pub use check::{Probe, probes};
pub use cpus::{Pinning, TooFewCpus};
pub use error::{SlotError, StepError};
use pool::{Idle, Pool};
use slot::Agents;
pub use uids::Error as UidsError;
pub use views::{Error as ViewsError, check as check_views};

/// How the engine is made.
#[derive(Debug, Clone)]
pub struct Config {
    /// What every box sees beside the base system.
    pub mounts: Vec<Mount>,
    /// Boxes that may exist at once, 1,024 at most. Default 32: twice the slots of a 16-core machine;
    /// one that was used and is idle costs a process of about a megabyte, one that never was nothing.
    pub boxes: u32,
    /// Where uid ranges are leased, and where an empty folder is. Default `/run/evalx`.
    pub run_dir: PathBuf,
    /// Draws the range, where others on this machine do not see that folder: a pod's own id.
    pub uid_seed: Option<String>,
    /// A CPU for each slot. Default none: the scheduler spreads runs, and a guest whose threads wait
    /// for each other on one CPU takes longer than on two.
    pub pin: Option<Pinning>,
}

impl Default for Config {
    fn default() -> Self {
        let run_dir = PathBuf::from("/run/evalx");
        Self { mounts: Vec::new(), boxes: 32, run_dir, uid_seed: None, pin: None }
    }
}

/// Why the engine cannot be, or what failed in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It needs namespaces, mounts and control groups.
    #[error("the native engine needs root; run as root, or in a privileged container")]
    NotRoot,
    /// No control group to put boxes in.
    #[error("no control group for the boxes")]
    Cgroup(#[source] cgroup::Error),
    /// No range of user ids to be had.
    #[error("no user ids for the boxes")]
    Uids(#[source] uids::Error),
    /// The system call policy does not compile.
    #[error("no system call filter for the boxes")]
    Filter(#[source] filter::Error),
    /// A slot failed.
    #[error("slot {slot} failed")]
    Slot {
        /// Its number.
        slot: u32,
        /// The step.
        #[source]
        source: SlotError,
    },
    /// The kernel keeps something of every slot.
    #[error("in each of the {boxes} boxes is a process that was killed and does not die")]
    Wedged {
        /// All there are.
        boxes: u32,
    },
    /// No thread to be had.
    #[error("cannot start the thread that arms boxes")]
    Valet(#[source] std::io::Error),
}

/// The native engine. Dropping it ends every agent and removes every group.
#[derive(Debug)]
pub struct NativeSandbox {
    pool: Arc<Pool>,
    /// Taken when this is dropped.
    valet: Option<JoinHandle<()>>,
}

/// A box takes up to thirty descriptors of this process, and the usual soft limit is 1,024. It may be
/// raised to the hard one by anybody (setrlimit(2)); that it is low is for the sake of select(2),
/// which nothing here calls. Guests have a limit of their own.
fn use_all_descriptors() {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }).ok();
}

impl NativeSandbox {
    /// Finds the machine's control groups, leases user ids and starts the first slot; whether
    /// that works here is known with the first run.
    ///
    /// # Errors
    /// The first step that is not possible on this machine.
    pub fn new(config: Config) -> Result<Self, Error> {
        let Config { mounts, boxes, run_dir, uid_seed, pin } = config;
        if !rustix::process::geteuid().is_root() {
            return Err(Error::NotRoot);
        }
        use_all_descriptors();
        let views = views::Views::new(&run_dir);
        let uids = uids::Uids::take(run_dir, uid_seed).map_err(Error::Uids)?;
        let tree = Tree::open().map_err(Error::Cgroup)?;
        let policy = filter::policy(pin.is_some()).map_err(Error::Filter)?;
        let cpus = pin.map(|pin| Arc::new(cpus::Cpus::new(pin)));
        let agents = Agents::new(tree, mounts, policy, uids, views, cpus)
            .map_err(|source| Error::Slot { slot: 0, source })?;
        let pool = Arc::new(Pool::new(agents, boxes.clamp(1, uids::MOST)));
        pool.warm_up(1)?;
        let attended = Arc::clone(&pool);
        let valet = thread::Builder::new().name("valet".to_owned());
        let valet = valet.spawn(move || attended.attend()).map_err(Error::Valet)?;
        Ok(Self { pool, valet: Some(valet) })
    }

    /// Which generation of control groups holds the boxes.
    #[must_use]
    pub fn cgroup_version(&self) -> Version {
        self.pool.agents().tree().version()
    }

    /// Where the groups of the boxes are.
    #[must_use]
    pub fn cgroup_folders(&self) -> Vec<PathBuf> {
        self.pool.agents().tree().folders()
    }

    /// The boxes that are not used because a process in them was killed and does not die.
    #[must_use]
    pub fn quarantined(&self) -> Vec<u32> {
        self.pool.quarantined()
    }

    /// Processes of an engine that is dead, which do not die: the kernel keeps them in a call. What
    /// is theirs (control groups, user ids) is not used, and the next start looks again.
    #[must_use]
    pub fn left_behind(&self) -> Vec<u32> {
        self.pool.agents().tree().stuck().iter().copied().collect()
    }

    /// Starts slots ahead of need, so that `count` are there.
    ///
    /// # Errors
    /// The step that failed in a new slot.
    pub fn warm_up(&self, count: usize) -> Result<(), Error> {
        self.pool.warm_up(count)
    }

    /// One run: the whole life of a box. `after` looks at the work directory once the box is dead,
    /// unless the run was withdrawn before there was one.
    fn once<T: Default>(
        &self,
        job: Job,
        cancel: &Cancel,
        after: impl FnOnce(&Outcome, &work::WorkFs) -> Result<T, SlotError>,
    ) -> Result<(Outcome, T), Error> {
        let Some(slot) = self.pool.take(cancel)? else {
            return Ok((run::withdrawn(job), T::default()));
        };
        let number = slot.number();
        let ran = match slot.armed(cancel) {
            Ok(Idle::Armed(slot)) if !cancel.is_cancelled() => run::run(slot, job, cancel, after),
            Ok(idle) => {
                self.pool.end(number, Some(idle));
                return Ok((run::withdrawn(job), T::default()));
            }
            Err(source) => Err(source),
        };
        match ran {
            Ok((outcome, extra, slot)) => {
                self.pool.leave(slot);
                Ok((outcome, extra))
            }
            Err(source) => {
                self.pool.end(number, None);
                Err(Error::Slot { slot: number, source })
            }
        }
    }
}

fn failed(source: Error) -> crate::Error {
    crate::Error::Engine { engine: Engine::Native, source: Box::new(source) }
}

impl Drop for NativeSandbox {
    fn drop(&mut self) {
        self.pool.close();
        if let Some(valet) = self.valet.take() {
            // It does not panic.
            let _ended = valet.join();
        }
    }
}

impl Sandbox for NativeSandbox {
    fn engine(&self) -> Engine {
        Engine::Native
    }

    fn compile(&self, job: Job, into: &Path, cancel: &Cancel) -> Result<Compiled, crate::Error> {
        job.check().map_err(crate::Error::Job)?;
        let budget = job.limits.disk;
        let gather = |outcome: &Outcome, work: &work::WorkFs| match outcome.termination {
            Termination::Exited(0) => {
                collect::tree(work.mount(), into, budget).map(Some).map_err(SlotError::Artefact)
            }
            _ => Ok(None),
        };
        let (outcome, bytes) = self.once(job, cancel, gather).map_err(failed)?;
        let artefact = bytes.map(|bytes| Artefact::new(into.to_owned(), bytes));
        Ok(Compiled { outcome, artefact })
    }

    fn run(&self, job: Job, cancel: &Cancel) -> Result<Outcome, crate::Error> {
        job.check().map_err(crate::Error::Job)?;
        let (outcome, ()) = self.once(job, cancel, |_, _| Ok(())).map_err(failed)?;
        Ok(outcome)
    }
}
