//! `evalx server`: the HTTP service over the shared queue.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use api::Limits;
use judge::language::Table;
use queue::redis::{Danger, Error as RedisError};
use queue::{RedisStore, Settings};
use worker::log::{Level, masked};

use crate::exit::{self, Exit, Failure};
use crate::output;
use crate::service::{self, ServiceArgs};
use crate::units;

/// Between two attempts to reach the queue at the start.
const PAUSE: Duration = Duration::from_millis(250);

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
    /// The queue's server: redis://, rediss://, unix:// or redis+sentinel://; one with a password is
    /// better given as EVALX_REDIS
    #[arg(long, value_name = "URL", env = "EVALX_REDIS", hide_env_values = true)]
    redis: String,
    /// Certificates (PEM) to trust instead of the system's
    #[arg(long, value_name = "FILE", env = "EVALX_REDIS_CA", hide_env_values = true)]
    redis_ca: Option<PathBuf>,
    /// The queue's name on that server
    #[arg(
        long,
        value_name = "NAME",
        env = "EVALX_QUEUE",
        hide_env_values = true,
        default_value = "default"
    )]
    queue: String,
    /// How long the queue may be out of reach at the start; later it may be for ever
    #[arg(long, value_name = "TIME", env = "EVALX_PATIENCE", hide_env_values = true,
          default_value = "30s", value_parser = units::duration)]
    patience: Duration,
    /// How long requests may go on after SIGTERM
    #[arg(long, value_name = "TIME", env = "EVALX_GRACE", hide_env_values = true,
          default_value = "25s", value_parser = units::duration)]
    grace: Duration,
    /// A folder of YAML files that add languages or replace those of the same id
    #[arg(long, value_name = "DIR", env = "EVALX_LANGUAGES", hide_env_values = true)]
    languages: Option<PathBuf>,
    /// Which log lines there are: error, warn, info, debug, or parts as warn,api=info
    #[arg(
        long,
        value_name = "LEVEL",
        env = "EVALX_LOG",
        hide_env_values = true,
        default_value = "info"
    )]
    log: Level,
    #[command(flatten)]
    service: ServiceArgs,
}

/// Serves.
pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    args.service.log(args.log.clone());
    let access = args.service.access()?;
    let table = Arc::new(match &args.languages {
        None => Table::builtin(),
        Some(dir) => Table::extended(dir)
            .with_context(|| format!("cannot read --languages {dir:?}"))
            .map_err(Failure::usage)?,
    });
    let runtime = service::runtime()?;
    let served = runtime.block_on(async {
        let end = service::told_to_stop().context("signals").map_err(Failure::judge)?;
        tokio::pin!(end);
        let store = tokio::select! {
            store = reach(args, args.service.settings()) => store?,
            () = &mut end => return Ok(Exit::Ok),
        };
        let limits = Limits { farewell: args.grace, ..Limits::default() };
        let server = args.service.bind(Arc::new(store), table, None, access, limits).await?;
        let address = server.address().context("the listener").map_err(Failure::judge)?;
        output::stdout(&format!("http://{address}\n"))?;
        server.run(end).await;
        Ok(Exit::Ok)
    });
    runtime.shutdown_background();
    served
}

/// Reaches the queue. What may pass (no server, loading, a replica) is waited for.
async fn reach(args: &Args, settings: Settings) -> Result<RedisStore, Failure> {
    let roots = args.redis_ca.as_ref().map(|path| {
        let read = std::fs::read(path);
        read.with_context(|| format!("cannot read --redis-ca {path:?}")).map_err(Failure::usage)
    });
    let roots = roots.transpose()?;
    let url = masked(&args.redis);
    let end = Instant::now() + args.patience;
    loop {
        let (settings, roots) = (settings.clone(), roots.clone());
        let opened = match roots {
            None => RedisStore::connect(&args.redis, &args.queue, settings).await,
            Some(roots) => {
                RedisStore::connect_trusting(&args.redis, roots, &args.queue, settings).await
            }
        };
        let error = match opened {
            Ok(store) => return checked(store, &url),
            Err(error) => error,
        };
        let named = matches!(
            error,
            queue::Error::Redis(
                RedisError::QueueName { .. } | RedisError::SentinelUrl | RedisError::Url { .. }
            )
        );
        if named {
            let error = anyhow::Error::new(error).context("the queue cannot be named so");
            return Err(Failure::usage(error));
        }
        let passes = matches!(
            error,
            queue::Error::Redis(
                RedisError::Connect(_)
                    | RedisError::Silent { .. }
                    | RedisError::Replica
                    | RedisError::Command { .. }
            )
        );
        if !passes || Instant::now() >= end {
            let error = anyhow::Error::new(error).context(format!("cannot use the queue at {url}"));
            return Err(Failure::connection(error));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A server that throws keys away would lose what was answered.
fn checked(store: RedisStore, url: &str) -> Result<RedisStore, Failure> {
    let server = store.server();
    let dangers = server.map_or_else(Vec::new, |server| server.dangers);
    match dangers.into_iter().find(|danger| matches!(danger, Danger::Evicts(_))) {
        None => Ok(store),
        Some(danger) => {
            let said = anyhow::anyhow!("the queue at {url} would lose jobs: {danger}");
            Err(Failure::connection(said))
        }
    }
}
