//! How much a tenant sends: a bucket each, that fills with time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use queue::Tenant;
use tokio::time::Instant;

/// A bucket holds what comes in this time.
const BURST: Duration = Duration::from_secs(2);

/// Buckets of the tenants of the file, so there are never many.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<HashMap<Tenant, Bucket>>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    level: f64,
    at: Instant,
}

impl Rates {
    /// Takes so many out of a tenant's bucket. Whoever finds something in it gets all it asks for,
    /// and others wait until that is made up: a batch larger than the bucket is possible, and
    /// comes no cheaper. `Err`: when there will be something.
    pub(super) fn take(&self, tenant: &Tenant, rate: f64, count: usize) -> Result<(), Duration> {
        let now = Instant::now();
        let full = (rate * BURST.as_secs_f64()).max(1.0);
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(tenant.clone()).or_insert(Bucket { level: full, at: now });
        let came = now.saturating_duration_since(bucket.at).as_secs_f64() * rate;
        *bucket = Bucket { level: (bucket.level + came).min(full), at: now };
        if bucket.level < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.level) / rate));
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let count = count as f64;
        bucket.level -= count;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_sent_too_fast_is_made_up_by_waiting() {
        let (rates, tenant) = (Rates::default(), Tenant::anonymous());
        let take = |n| rates.take(&tenant, 5.0, n);
        for _ in 0..10 {
            assert_eq!(take(1), Ok(()));
        }
        assert_eq!(take(1), Err(Duration::from_millis(200)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(take(100), Ok(()), "five are there, and a batch may be larger");
        assert_eq!(take(1), Err(Duration::from_millis(19_200)));
        tokio::time::advance(Duration::from_millis(19_200)).await;
        assert_eq!(take(1), Ok(()));
    }
}
