//! `evalx server`: the HTTP service over the shared queue.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::Limits;
use judge::language::Table;
use worker::reach::reach;

use crate::exit::{self, Exit, Failure};
use crate::link::{self, QueueArgs};
use crate::logs::{LogArgs, Usual};
use crate::output;
use crate::problems::ProblemArgs;
use crate::service::{self, ServiceArgs};
use crate::units;

/// Serve HTTP over the shared queue; `evalx worker` judges what comes in
///
/// Takes submissions, answers results, runs no program: it needs no privilege.
/// Without tokens it listens on this machine only. SIGTERM or Ctrl-C: takes no new
/// request, and ends with 0 when those that go on have their answer.
///
/// Examples:
///   evalx server --redis redis://localhost
///   evalx server --redis redis://redis --listen 0.0.0.0:2358 --tokens tokens.yaml
///   curl localhost:2358/v1/languages
///   curl localhost:2358/openapi.json             what else there is
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_long_help = exit::HELP)]
pub(crate) struct Args {
    /// How long requests (server) or running jobs (worker) may go on after SIGTERM
    #[arg(long, value_name = "TIME", env = "EVALX_GRACE", hide_env_values = true,
          default_value = "25s", value_parser = units::duration)]
    grace: Duration,
    /// A folder of YAML files that add languages or replace those of the same id
    #[arg(long, value_name = "DIR", env = "EVALX_LANGUAGES", hide_env_values = true)]
    languages: Option<PathBuf>,
    #[command(flatten)]
    queue: QueueArgs,
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    problems: ProblemArgs,
    #[command(flatten)]
    logs: LogArgs,
}

/// Serves.
pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    args.logs.start(Usual::Info);
    let address = args.queue.address()?;
    let access = args.service.access()?;
    let table = Arc::new(match &args.languages {
        None => Table::builtin(),
        Some(dir) => Table::extended(dir)
            .with_context(|| format!("cannot read --languages {dir:?}"))
            .map_err(Failure::usage)?,
    });
    let shelf = args.problems.shelf(Some(args.queue.server()), None)?;
    let settings = args.service.settings();
    let runtime = service::runtime()?;
    let served = runtime.block_on(async {
        let end = service::told_to_stop().context("signals").map_err(Failure::judge)?;
        tokio::pin!(end);
        let store = tokio::select! {
            store = reach(&address, &settings, |_| {}) => store.map_err(link::unreached)?,
            () = &mut end => return Ok(Exit::Ok),
        };
        let limits = Limits { farewell: args.grace, ..Limits::default() };
        let server = args.service.bind(Arc::new(store), table, None, shelf, access, limits).await?;
        let address = server.address().context("the listener").map_err(Failure::judge)?;
        output::stdout(&format!("http://{address}\n"))?;
        server.run(end).await;
        Ok(Exit::Ok)
    });
    runtime.shutdown_background();
    served
}
