//! Reaching the queue at the start of a process, worker or server.

use std::time::Duration;

use queue::redis::{Danger, Error as RedisError, Loss};
use queue::{RedisStore, Settings};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::judging::chain;
use crate::log::masked;

/// Between attempts, doubling from the first to the second.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(2)];

/// Where a queue is.
#[derive(Debug, Clone)]
pub struct Address {
    /// Its server.
    pub url: String,
    /// Its name there.
    pub queue: String,
    /// Certificates (PEM) to trust in the place of the system's.
    pub roots: Option<Vec<u8>>,
    /// How long it may be out of reach at the start.
    pub patience: Duration,
}

/// Why there is no queue.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address or name of the queue is none.
    #[error("the queue cannot be named so")]
    Named(#[source] queue::Error),
    /// The queue cannot be used.
    #[error("cannot use the queue at {url}")]
    Queue {
        /// Without its password.
        url: String,
        /// Why.
        #[source]
        source: queue::Error,
    },
    /// The server would lose jobs.
    #[error("the queue at {url} would lose jobs: {danger}")]
    Dangerous {
        /// Without its password.
        url: String,
        /// How.
        danger: Danger,
    },
}

/// Reaches the queue. A server that is out of reach, loading or a replica may be another one in a
/// moment: it is waited for, and `waiting` is told each new reason. What cannot become good by
/// waiting is an error at once. Cancel safe.
///
/// # Errors
/// When there is no queue, or none that keeps its jobs.
pub async fn reach(
    address: &Address,
    settings: &Settings,
    mut waiting: impl FnMut(&str),
) -> Result<RedisStore, Error> {
    let (end, mut pause) = (Instant::now() + address.patience, PAUSES[0]);
    let url = masked(&address.url);
    let mut told = String::new();
    loop {
        let failed = match open(address, settings).await {
            Ok(store) => return checked(store, &url),
            Err(error) => error,
        };
        if is_misnamed(&failed) {
            return Err(Error::Named(failed));
        }
        if !may_pass(&failed) || Instant::now() >= end {
            return Err(Error::Queue { url, source: failed });
        }
        let reason = chain(&failed);
        if reason != told {
            warn!(%url, %reason, "waiting for the queue");
            waiting(&reason);
            told = reason;
        }
        sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        pause = (pause * 2).min(PAUSES[1]);
    }
}

async fn open(address: &Address, settings: &Settings) -> Result<RedisStore, queue::Error> {
    let Address { url, queue, roots, patience: _ } = address;
    match roots.clone() {
        None => RedisStore::connect(url, queue, settings.clone()).await,
        Some(roots) => RedisStore::connect_trusting(url, roots, queue, settings.clone()).await,
    }
}

fn is_misnamed(error: &queue::Error) -> bool {
    use RedisError::{QueueName, SentinelUrl, Url};
    matches!(error, queue::Error::Redis(Url { .. } | SentinelUrl | QueueName { .. }))
}

fn may_pass(error: &queue::Error) -> bool {
    use RedisError::{Command, Connect, Loading, Replica, Silent};
    matches!(
        error,
        queue::Error::Redis(Connect(_) | Silent { .. } | Loading | Replica | Command { .. })
    )
}

/// Whether jobs are safe on that server: one that throws keys away would lose what was answered.
fn checked(store: RedisStore, url: &str) -> Result<RedisStore, Error> {
    if let Some(server) = store.server() {
        let evicts = |danger: &&Danger| matches!(danger, Danger::Evicts(_));
        if let Some(danger) = server.dangers.iter().find(evicts).cloned() {
            return Err(Error::Dangerous { url: url.to_owned(), danger });
        }
        info!(server = server.name, %url, loss = server.loss.as_str(), "connected");
        if server.loss > Loss::Nothing {
            warn!("{}", server.loss);
        }
        for danger in &server.dangers {
            warn!("{danger}");
        }
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_loads_is_waited_for_and_one_that_is_too_old_is_not() {
        assert!(may_pass(&queue::Error::Redis(RedisError::Loading)));
        let found = "redis 6.2.0".to_owned();
        assert!(!may_pass(&queue::Error::Redis(RedisError::TooOld { found })));
    }
}
