//! How much of results is kept: the same for every verb that judges what is in a queue.

use sandbox::Bytes;

use crate::units;

/// What results may take.
#[derive(Debug, clap::Args)]
pub(crate) struct ResultArgs {
    /// The largest result; of larger ones, output is cut until they fit
    #[arg(long, value_name = "SIZE", env = "EVALX_RESULT_LIMIT", hide_env_values = true,
          default_value = "4MiB", value_parser = units::bytes)]
    result_limit: Bytes,
    /// What results above 64 KiB may take together where the queue is kept; beyond it, output is cut
    /// until they fit into 64 KiB
    #[arg(long, value_name = "SIZE", env = "EVALX_LARGE_RESULTS", hide_env_values = true,
          default_value = "1GiB", value_parser = units::bytes)]
    large_results: Bytes,
}

impl ResultArgs {
    /// The same queue with these numbers.
    pub(crate) fn over(&self, settings: queue::Settings) -> queue::Settings {
        let Self { result_limit, large_results } = self;
        let result_limit = usize::try_from(result_limit.0).unwrap_or(usize::MAX);
        queue::Settings { result_limit, large_results: large_results.0, ..settings }
    }
}
