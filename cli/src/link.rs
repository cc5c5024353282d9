//! Where the shared queue is: the same for every verb that works on it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use worker::reach::{self, Address};

use crate::exit::Failure;
use crate::units;

/// The shared queue.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Queue")]
pub(crate) struct QueueArgs {
    /// The queue's server: redis://, rediss://, unix:// or redis+sentinel://; one with a password is
    /// better given as a variable. EVALX_REDIS goes before REDIS_URL
    #[arg(long, value_name = "URL", env = "REDIS_URL", hide_env_values = true)]
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
    // The default covers a server that is started at the same time and loads its file.
    #[arg(long, value_name = "TIME", env = "EVALX_PATIENCE", hide_env_values = true,
          default_value = "30s", value_parser = units::duration)]
    patience: Duration,
}

impl QueueArgs {
    /// The queue's server, as it was named.
    pub(crate) fn server(&self) -> &str {
        &self.redis
    }

    /// What they say, with the files they name.
    pub(crate) fn address(&self) -> Result<Address, Failure> {
        let Self { redis, redis_ca, queue, patience } = self;
        let read = |path: &PathBuf| {
            let read = std::fs::read(path);
            read.with_context(|| format!("cannot read --redis-ca {path:?}")).map_err(Failure::usage)
        };
        let roots = redis_ca.as_ref().map(read).transpose()?;
        Ok(Address { url: redis.clone(), queue: queue.clone(), roots, patience: *patience })
    }
}

/// A queue that is none is the caller's slip, one that is not there is not.
pub(crate) fn unreached(error: reach::Error) -> Failure {
    match error {
        error @ reach::Error::Named(_) => Failure::usage(error),
        error @ (reach::Error::Queue { .. } | reach::Error::Dangerous { .. }) => {
            Failure::connection(error)
        }
    }
}
