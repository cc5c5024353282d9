//! Waiting on a predicate, with a deadline that says what was seen last.

use std::time::{Duration, Instant};

/// How often is looked.
const PERIOD: Duration = Duration::from_millis(50);

/// Asks until the answer is `Ok`, and hands it out. Panics after `limit` with the last answer that
/// was not, which says what is still wrong.
pub async fn until<T>(
    limit: Duration,
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let began = Instant::now();
    loop {
        // An answer that never comes is one that is not there yet.
        let answer = match tokio::time::timeout(limit, ask()).await {
            Ok(answer) => answer,
            Err(_) => Err("no answer".to_owned()),
        };
        match answer {
            Ok(value) => return value,
            Err(seen) if began.elapsed() > limit => {
                panic!("not within {limit:?}: {what}; last seen: {seen}")
            }
            Err(_) => tokio::time::sleep(PERIOD).await,
        }
    }
}

/// Watches that a predicate stays true for as long as `span`. Panics when it does not.
pub async fn throughout(
    span: Duration,
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<(), String>,
) {
    let end = Instant::now() + span;
    while Instant::now() < end {
        if let Err(seen) = ask().await {
            panic!("not throughout {span:?}: {what}; seen: {seen}");
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Seconds, briefly.
#[must_use]
pub const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}
