//! Where problems are kept: what `evalx server`, `worker` and `up` have in common.

use std::path::Path;

use anyhow::Context as _;
use problems::{Address, Cache, Shelf};
use sandbox::Bytes;
use worker::Unpacked;

use crate::exit::Failure;

/// Where problems are kept.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Problems")]
pub(crate) struct ProblemArgs {
    /// Where problems are kept that submissions name by their hash: file:///FOLDER,
    /// s3://BUCKET/PREFIX (with the usual AWS_… variables), or redis for small ones beside the
    /// queue [default: nowhere; for evalx up a folder below --cache-dir]
    #[arg(long, value_name = "URL", env = "EVALX_PROBLEMS", hide_env_values = true)]
    problems: Option<String>,
}

impl ProblemArgs {
    /// The store. `redis` is the queue's server, if there is one; `default` where none is named.
    pub(crate) fn shelf(
        &self,
        redis: Option<&str>,
        default: Option<Address>,
    ) -> Result<Option<Shelf>, Failure> {
        let named = match self.problems.as_deref() {
            None => None,
            Some("redis") => {
                let url = redis.context("--problems redis: there is no Redis here");
                let address = Address::parse(url.map_err(Failure::usage)?);
                let said =
                    "--problems redis: name the server itself (Sentinel is for the queue only)";
                Some(address.context(said).map_err(Failure::usage)?)
            }
            Some(text) => Some(Address::parse(text).context("--problems").map_err(Failure::usage)?),
        };
        let Some(address) = named.or(default) else { return Ok(None) };
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| name.starts_with("AWS_"))?;
            Some((name, value.into_string().ok()?))
        });
        let shelf = Shelf::open(&address, variables);
        let said = || format!("--problems {address:?}");
        shelf.map(Some).with_context(said).map_err(Failure::usage)
    }
}

/// The problems at hand of a worker.
pub(crate) fn cache(
    shelf: Option<Shelf>,
    cache_dir: &Path,
    limit: Bytes,
) -> Result<Option<Cache<Unpacked>>, Failure> {
    let open = |shelf| Cache::open(&cache_dir.join("problems"), limit.0, shelf, Unpacked);
    shelf.map(open).transpose().map_err(Failure::judge)
}
