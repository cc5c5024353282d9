//! Cases that share a cluster: each with a scene of its own, told about when it fails, counted.
//!
//! Where nothing can build the control plane every case is skipped by name; with `CI=true` a skip
//! is a failure.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

use crate::audit;
use crate::cluster::Cluster;
use crate::machine;
use crate::operator::{self, Operator};
use crate::programs::{self, ControlPlane, Profile};
use crate::scene::{self, Scene};

type Act = Pin<Box<dyn Future<Output = ()>>>;

/// One case: its sentence and what it does.
pub struct Case {
    name: &'static str,
    /// What it alone needs and is not here.
    lack: Option<String>,
    act: Box<dyn Fn(Arc<Scene>) -> Act + Send + Sync>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Case {
    /// A case of that name.
    pub fn new<F, A>(name: &'static str, act: A) -> Self
    where
        A: Fn(Arc<Scene>) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + 'static,
    {
        Self { name, lack: None, act: Box::new(move |scene| Box::pin(act(scene))) }
    }

    /// The same, which lacks that: it is skipped as a suite is that lacks something.
    #[must_use]
    pub fn lacking(self, lack: Option<String>) -> Self {
        Self { lack, ..self }
    }
}

/// What a suite needs beside a cluster.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// The resource and the rights of that file; cases start operators themselves.
    Installed(&'static str),
    /// The resource, the namespace [`operator::JUDGES`] and the rights in it. Cases start operators
    /// themselves, and take rights away: it is no fault when one is refused something.
    Namespaced,
    /// One operator for all cases, with the rights of that file.
    Operator(&'static str),
    /// A true node, and all of evalX in its pods, as users install it.
    Machine,
}

impl Need {
    /// What this machine lacks for it.
    fn lack(self, found: &Result<ControlPlane>) -> Option<String> {
        if let Ok(ControlPlane::NoGo) = found {
            return Some("the control plane is built by Go: apt-get install golang-go".to_owned());
        }
        matches!(self, Self::Machine).then(machine::lack).flatten()
    }
}

/// How many cases run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As many as the command line says, or [`AT_ONCE`].
    Together,
    /// One after the other: they break the cluster that they share.
    Apart,
}

/// Cases wait for Kubernetes most of the time, however few cores there are.
const AT_ONCE: usize = 6;

/// How long a case may take: a request to a server that has gone may wait for ever.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs a suite as the command line says.
pub fn run(need: Need, pace: Pace, cases: Vec<Case>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = match pace {
        Pace::Apart => Some(1),
        Pace::Together => arguments.test_threads.or(Some(AT_ONCE)),
    };
    // Who only lists wants no control plane.
    let found = if arguments.list { Ok(ControlPlane::NoGo) } else { ControlPlane::find() };
    let strict = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    let lack = need.lack(&found).filter(|_| !arguments.list);
    let skipped = lack.is_some() && !strict;
    let kind = lack.as_ref().filter(|_| skipped).map(|lack| format!("skipped: {lack}"));
    let stage = Arc::new(Stage::new(
        need,
        found.and_then(|found| match lack {
            Some(lack) => Err(anyhow::anyhow!(lack)),
            None => Ok(found),
        }),
    ));
    let trials = cases.into_iter().map(|case| {
        let stage = Arc::clone(&stage);
        let own = case.lack.as_ref().filter(|_| !strict).map(|lack| format!("skipped: {lack}"));
        let kind = kind.clone().or(own).unwrap_or_default();
        let skipped = !kind.is_empty();
        Trial::test(case.name, move || stage.play(&case)).with_kind(kind).with_ignored_flag(skipped)
    });
    let trials = trials.collect();
    let outcome = libtest_mimic::run(&arguments, trials);
    match stage.finish() {
        Ok(()) => outcome.exit_code(),
        Err(error) => {
            tell(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The cluster that cases share, started by the first of them.
struct Stage {
    need: Need,
    found: Result<ControlPlane, String>,
    runtime: Runtime,
    set: tokio::sync::Mutex<Option<Result<Arc<Set>, String>>>,
}

struct Set {
    operator: Mutex<Option<Operator>>,
    cluster: Arc<Cluster>,
}

impl Stage {
    fn new(need: Need, found: Result<ControlPlane>) -> Self {
        let runtime = Runtime::new().expect("a runtime can be made");
        let found = found.map_err(|error| format!("{error:#}"));
        Self { need, found, runtime, set: tokio::sync::Mutex::default() }
    }

    fn play(&self, case: &Case) -> Result<(), Failed> {
        if let Some(lack) = &case.lack {
            return Err(lack.into());
        }
        let set = self.runtime.block_on(self.set())?;
        let operator = set.operator.lock().unwrap_or_else(PoisonError::into_inner);
        let address = operator.as_ref().map(Operator::address);
        drop(operator);
        let scene = self.runtime.block_on(Scene::open(Arc::clone(&set.cluster), address));
        let scene = Arc::new(scene.map_err(|error| format!("{error:#}"))?);
        let act = async {
            let act = (case.act)(Arc::clone(&scene));
            tokio::time::timeout(LIMIT, act).await.expect("a case ends in time");
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(act)));
        if outcome.is_err() {
            tell(&format!("{}:\n{}{}", case.name, scene.dump(), set.last_words()));
        }
        let closed = self.runtime.block_on(scene.close());
        if let Err(panic) = outcome {
            resume_unwind(panic);
        }
        closed.map_err(|error| Failed::from(format!("{error:#}")))
    }

    /// The cluster. What could not be started once is not tried again.
    async fn set(&self) -> Result<Arc<Set>, String> {
        let mut set = self.set.lock().await;
        if set.is_none() {
            let made = match &self.found {
                Ok(ControlPlane::Built(programs)) => self.start(programs.clone()).await,
                Ok(ControlPlane::NoGo) => Err(anyhow::anyhow!("nothing was to be run")),
                Err(error) => Err(anyhow::anyhow!(error.clone())),
            };
            let told = "nothing could be started, as the first case says".to_owned();
            let (kept, answer) = match made.map(Arc::new) {
                Ok(made) => (Ok(Arc::clone(&made)), Ok(made)),
                Err(error) => (Err(told), Err(format!("{error:#}"))),
            };
            *set = Some(kept);
            return answer;
        }
        set.clone().expect("it has been set")
    }

    async fn start(&self, programs: PathBuf) -> Result<Set> {
        if let Need::Machine = self.need {
            let cluster = match Self::start_machine(&programs).await {
                Ok(cluster) => cluster,
                // What boots is not ours: it gets another chance, which is told.
                Err(error) => {
                    tell(&format!("the node is started once more, since at first: {error:#}"));
                    Self::start_machine(&programs).await?
                }
            };
            return Ok(Set { operator: Mutex::default(), cluster: Arc::new(cluster) });
        }
        let cluster = Cluster::start(&programs).await?;
        let client = cluster.client().await?;
        let mut running = None;
        match self.need {
            Need::Nothing | Need::Machine => {}
            Need::Installed(rights) => operator::install(&cluster, &client, rights).await?,
            Need::Namespaced => {
                scene::create_namespace(&client, operator::JUDGES, "privileged").await?;
                operator::install(&cluster, &client, "namespaced/rbac.yaml").await?;
            }
            Need::Operator(rights) => {
                operator::install(&cluster, &client, rights).await?;
                let program = programs::operator(Profile::Debug)?;
                let mut started = Operator::start(&cluster, &program, "operator", &[]).await?;
                started.ready().await?;
                running = Some(started);
            }
        }
        Ok(Set { operator: Mutex::new(running), cluster: Arc::new(cluster) })
    }

    async fn start_machine(programs: &Path) -> Result<Cluster> {
        let cluster = Cluster::start_with_machine(programs, machine::release::images).await?;
        machine::release::install(&cluster).await?;
        Ok(cluster)
    }

    /// Ends everything. An error, when the operator was refused something: then the rights that are
    /// shipped are too few.
    fn finish(&self) -> Result<()> {
        let set = self.runtime.block_on(self.set.lock()).take();
        let Some(Ok(set)) = set else { return Ok(()) };
        if matches!(self.need, Need::Nothing | Need::Namespaced) {
            return Ok(());
        }
        let refused = set.cluster.refused(operator::USER).context("after the cases")?;
        anyhow::ensure!(
            refused.is_empty(),
            "the operator lacks rights: {}",
            audit::summary(&refused)
        );
        Ok(())
    }
}

impl Set {
    fn last_words(&self) -> String {
        let operator = self.operator.lock().unwrap_or_else(PoisonError::into_inner);
        let words = operator.as_ref().map(|operator| operator.last_words(40));
        let words = words.map(|words| format!("--- the operator's log\n{words}\n"));
        let machine = self.cluster.machine().map(|machine| machine.last_words(10));
        words.into_iter().chain(machine).collect()
    }
}

#[expect(clippy::print_stderr, reason = "what a failed case leaves to be read")]
fn tell(text: &str) {
    eprintln!("{text}");
}
