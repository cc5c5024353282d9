//! `evalx worker`: a daemon that judges what is in the shared queue.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use queue::{Place, Settings};
use sandbox::Bytes;
use worker::reach::Address;
use worker::slots::{Allocatable, Policy, Quantity, Shares};
use worker::{Court, Judging, Stub, Warming};

use crate::args::Machine;
use crate::exit::{self, Exit, Failure};
use crate::link::{self, QueueArgs};
use crate::logs::{LogArgs, Usual};
use crate::output::Voice;
use crate::problems::{self, ProblemArgs};
use crate::results::ResultArgs;
use crate::units;

/// Judge what is in the shared queue, until told to stop
///
/// Claims as many jobs as it has free slots. SIGTERM or Ctrl-C: claims no more,
/// finishes what it has within --grace, hands back the rest, and ends with 0; a
/// second one ends it at once. A job is never lost: if this process dies, another
/// worker judges it.
///
/// Examples:
///   evalx worker --redis redis://localhost
///   REDIS_URL=rediss://me:secret@redis.example/0 evalx worker --log-format json
///   evalx worker --redis unix:///run/redis.sock --slots-file /etc/evalx/slots
///   curl localhost:9464/readyz                   how does it stand?
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_long_help = exit::HELP)]
pub(crate) struct Args {
    /// Where this worker runs; a later one at the same place takes over its jobs [default: the host
    /// name]
    #[arg(long, value_name = "NAME", env = "EVALX_PLACE", hide_env_values = true)]
    place: Option<String>,
    /// Where /healthz, /readyz and /metrics are served
    #[arg(
        long,
        value_name = "ADDR",
        env = "EVALX_WORKER_LISTEN",
        hide_env_values = true,
        default_value = "127.0.0.1:9464"
    )]
    listen: SocketAddr,
    /// A file with the number of slots, watched while running; 0 drains
    #[arg(long, value_name = "FILE", env = "EVALX_SLOTS_FILE", hide_env_values = true)]
    slots_file: Option<PathBuf>,
    /// The node's allocatable CPU, as 4 or 3500m, where no slots file says otherwise
    #[arg(long, value_name = "CPU", env = "EVALX_NODE_CPU", hide_env_values = true,
          value_parser = Quantity::parse)]
    node_cpu: Option<Quantity>,
    /// The node's allocatable memory, beside --node-cpu
    #[arg(long, value_name = "SIZE", env = "EVALX_NODE_MEMORY", hide_env_values = true,
          value_parser = units::bytes)]
    node_memory: Option<Bytes>,
    /// A file that says what a slot takes of the node, watched while running: a line each, as
    /// cpu_per_slot=1000m
    #[arg(long, value_name = "FILE", env = "EVALX_SIZING_FILE", hide_env_values = true)]
    sizing_file: Option<PathBuf>,
    /// Memory that each slot needs: a test of the default limit and a compiler beside it
    #[arg(long, value_name = "SIZE", env = "EVALX_MEMORY_PER_SLOT", hide_env_values = true,
          default_value = "512MiB", value_parser = units::bytes)]
    memory_per_slot: Bytes,
    /// How long requests (server) or running jobs (worker) may go on after SIGTERM
    #[arg(long, value_name = "TIME", env = "EVALX_GRACE", hide_env_values = true,
          default_value = "30s", value_parser = units::duration)]
    grace: Duration,
    /// Judges nothing: does what the payload says, for tests of the queue
    #[arg(long, hide = true)]
    stub_judge: bool,
    /// How long a silent worker keeps its jobs; all processes of a queue have to agree
    #[arg(long, hide = true, value_name = "TIME", value_parser = units::duration)]
    lease: Option<Duration>,
    /// Workers that a job may lose before it is taken for the cause; all have to agree
    #[arg(long, hide = true, value_name = "N")]
    crashes: Option<u32>,
    #[command(flatten)]
    queue: QueueArgs,
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

/// Works.
pub(crate) fn run(args: Args, voice: Voice) -> Result<Exit, Failure> {
    args.logs.start(Usual::Info);
    let address = args.queue.address()?;
    // Ends with this function.
    let (judging, why, _warming) = judging(&args, voice)?;
    let config = config(args, address, why)?;
    match worker::run(config, judging) {
        Ok(()) => Ok(Exit::Ok),
        Err(worker::Error::Reach(error)) => Err(link::unreached(error)),
        Err(error @ worker::Error::Listen { .. }) => Err(Failure::usage(error)),
        Err(error @ worker::Error::Runtime(_)) => Err(Failure::judge(error)),
        Err(error @ (worker::Error::Queue { .. } | worker::Error::Superseded { .. })) => {
            Err(Failure::connection(error))
        }
    }
}

type Ready = (Arc<dyn Judging>, String, Option<Warming>);

fn judging(args: &Args, voice: Voice) -> Result<Ready, Failure> {
    if args.stub_judge {
        return Ok((Arc::new(Stub::default()), "a stub judges nothing".to_owned(), None));
    }
    let table = args.machine.table()?;
    let shelf = args.problems.shelf(Some(args.queue.server()), None)?;
    let station = args.machine.open(&table, voice)?;
    let problems = problems::cache(shelf, &args.machine.cache_dir, args.problem_cache)?;
    let warming = station.warm_up()?;
    let why = args.machine.engines(&table, &station)?;
    Ok((Arc::new(Court::new(station.judge, problems)), why, Some(warming)))
}

fn config(args: Args, address: Address, why: String) -> Result<worker::Config, Failure> {
    let Args {
        place,
        listen,
        slots_file,
        node_cpu,
        node_memory,
        sizing_file,
        memory_per_slot,
        grace,
        stub_judge: _,
        lease,
        crashes,
        queue: _,
        problems: _,
        problem_cache: _,
        results,
        machine,
        logs: _,
    } = args;
    let place = place.map_or_else(host_name, Ok)?;
    let place = Place::new(place).context("--place").map_err(Failure::usage)?;
    let fixed = machine.slots.map(std::num::NonZeroUsize::get);
    let allocatable = node_cpu.map(|cpu| Allocatable { cpu, memory: node_memory });
    let shares = Shares::of(1000, memory_per_slot);
    let policy = Policy { fixed, file: None, allocatable, shares, pin: machine.pin };
    let mut settings = results.over(Settings::default());
    settings.lease = lease.unwrap_or(settings.lease);
    settings.crashes = crashes.unwrap_or(settings.crashes);
    Ok(worker::Config {
        address,
        place,
        listen,
        policy,
        slots_file,
        sizing_file,
        grace,
        settings,
        why,
    })
}

fn host_name() -> Result<String, Failure> {
    // The same in every process of this machine or pod (proc_sys_kernel(5)).
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let name = name.context("this machine has no name; give one with --place");
    name.map(|name| name.trim().to_owned()).map_err(Failure::usage)
}
