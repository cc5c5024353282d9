//! `evalx up`: service, worker and queue in one process.

use std::sync::Arc;
use std::time::Duration;

use ::problems::{Address, Shelf};
use anyhow::Context as _;
use api::{Installed, Limits, Server};
use judge::language::{Host, Table};
use queue::{MemoryStore, Place, Store};
use sandbox::Bytes;
use tokio::sync::mpsc;
use worker::slots::{Policy, Shares};
use worker::{Court, Embedded, Judging};

use crate::args::Machine;
use crate::exit::{self, Exit, Failure};
use crate::logs::{LogArgs, Usual};
use crate::output::{self, Voice};
use crate::problems::{self, ProblemArgs};
use crate::results::ResultArgs;
use crate::service::{self, ServiceArgs};
use crate::units;

/// How long requests and runs may go on after Ctrl-C: what they would leave ends with the process.
const GRACE: Duration = Duration::from_secs(2);

/// Serve and judge in one process: the quickest way to try evalX
///
/// The queue is in memory: what waits or was judged ends with this process. Where
/// that must not be, run `evalx server` and `evalx worker` over Redis. Prints its
/// address when it is ready; Ctrl-C ends it.
///
/// Examples:
///   evalx up
///   evalx up --listen 127.0.0.1:0 --slots 4
///   curl -X POST 'localhost:2358/v1/submissions?wait=10' \
///     -H 'content-type: application/json' \
///     -d '{"language": "python3", "source": "print(3)", "tests": [{"input": ""}]}'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_long_help = exit::HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    problems: ProblemArgs,
    /// The most that problems may take on this machine's disk
    #[arg(long, value_name = "SIZE", env = "EVALX_PROBLEM_CACHE", hide_env_values = true,
          default_value = "4GiB", value_parser = units::bytes)]
    problem_cache: Bytes,
    #[command(flatten)]
    results: ResultArgs,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    logs: LogArgs,
}

/// Serves and judges.
pub(crate) fn run(args: &Args, voice: Voice) -> Result<Exit, Failure> {
    args.logs.start(Usual::Warn);
    let access = args.service.access()?;
    let table = args.machine.table()?;
    let host = args.machine.config().host;
    let installed = installed(&table, &host);
    let cache_dir = &args.machine.cache_dir;
    let shelf = || -> Result<Option<Shelf>, Failure> {
        args.problems.shelf(None, Some(Address::Folder(cache_dir.join("problem-store"))))
    };
    let settings = args.results.over(args.service.settings());
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(settings));
    let runtime = service::runtime()?;
    let served = runtime.block_on(async {
        let end = service::told_to_stop().context("signals").map_err(Failure::judge)?;
        let limits = Limits { farewell: GRACE, ..Limits::default() };
        // The port first: if it is taken, no box was started for nothing.
        let bind = args.service.bind(
            Arc::clone(&store),
            Arc::clone(&table),
            Some(installed),
            shelf()?,
            access,
            limits,
        );
        let server = bind.await?;
        let problems = problems::cache(shelf()?, cache_dir, args.problem_cache)?;
        let station = args.machine.open(&table, voice)?;
        let address = server.address().context("the listener").map_err(Failure::judge)?;
        output::stdout(&format!("http://{address}\n"))?;
        let what =
            format!("{} boxes by the {} engine", args.machine.slots(), station.sandbox.engine());
        voice.note(&format!("evalX is up with {what}; Ctrl-C ends it"));
        let _warming = station.warm_up()?;
        let court = Arc::new(Court::new(station.judge, problems));
        Box::pin(together(store, policy(&args.machine), server, court, end)).await
    });
    // Order: threads and tasks hold the judge, and its engine takes its slots down when the last
    // of them lets go.
    runtime.shutdown_timeout(GRACE);
    served
}

/// Until the end, or until one of the two cannot go on.
async fn together(
    store: Arc<dyn Store>,
    policy: Policy,
    server: Server,
    judging: Arc<dyn Judging>,
    end: impl Future<Output = ()>,
) -> Result<Exit, Failure> {
    let place = Place::new("here").expect("a visible word");
    let (stop, stops) = mpsc::channel(2);
    let config = Embedded { place, policy, grace: GRACE, registry: server.registry() };
    let working = worker::embedded(store, config, judging, stops);
    let serving = async {
        server.run(end).await;
        // It may have ended already.
        let _told = stop.send(()).await;
    };
    tokio::pin!(working, serving);
    let worked = tokio::select! {
        worked = &mut working => worked,
        () = &mut serving => working.await,
    };
    worked.map(|()| Exit::Ok).map_err(Failure::judge)
}

/// A number that does not change.
fn policy(machine: &Machine) -> Policy {
    let shares = Shares::of(1000, Bytes(0));
    let fixed = Some(machine.slots());
    Policy { fixed, file: None, allocatable: None, shares, pin: machine.pin }
}

fn installed(table: &Table, host: &Host) -> Vec<Installed> {
    let look = |language: &judge::language::Language| Installed {
        id: language.id.clone(),
        unavailable: language.locate(host).err().map(|error| output::chain(&error)),
    };
    table.iter().map(look).collect()
}
