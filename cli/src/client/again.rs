//! Trying again what may pass. Only for what may be sent twice without being done twice: reading,
//! what is named by its contents, and what carries an idempotency key.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Error;
use crate::output::{self, Voice};

/// Until the next attempt, doubling from the first to the second, where the server names no time.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];

/// Asks until there is an answer, an error that will not pass, or `patience` is at its end. When the
/// server names a time that is beyond it, that is told at once.
pub(crate) async fn insist<T>(
    patience: Duration,
    voice: Voice,
    mut ask: impl AsyncFnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    let end = Instant::now() + patience;
    let mut pause = PAUSES[0];
    loop {
        let error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let wait = error.retry_after().unwrap_or_default().max(pause);
        if !error.may_pass() || Instant::now() + wait > end {
            return Err(error);
        }
        if pause == PAUSES[0] {
            voice.note(&format!("{}; trying again", output::chain(&error)));
        }
        sleep(wait).await;
        pause = (pause * 2).min(PAUSES[1]);
    }
}
