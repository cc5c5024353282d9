//! The memory that all bodies of requests may take together. Each is bounded by itself; a hundred
//! clients that each send a large one at the same time are bounded here.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// Up to here a body is a small one.
pub(crate) const SMALL: usize = 256 << 10;

/// So many bytes for bodies that are being read or made into jobs.
///
/// Large bodies may have three quarters of it: whoever sends many of them, or holds them up, leaves
/// room for the small ones, as most are.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    limit: usize,
    used: Arc<AtomicUsize>,
}

/// There is no room now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// What one body has of it; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Budget,
    held: usize,
}

/// The largest body that fits into a budget when nothing else is in it.
pub(crate) fn largest(budget: usize) -> usize {
    budget / 4 * 3
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, used: Arc::default() }
    }

    /// A share of nothing yet.
    pub(crate) fn share(&self) -> Share {
        Share { budget: self.clone(), held: 0 }
    }

    /// How much of it is taken.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Share {
    /// Has it hold that many bytes, if it holds fewer.
    pub(crate) fn grow(&mut self, to: usize) -> Result<(), Full> {
        let Some(more) = to.checked_sub(self.held).filter(|more| *more > 0) else { return Ok(()) };
        let Budget { limit, used } = &self.budget;
        let most = if to > SMALL { largest(*limit) } else { *limit };
        // Nothing else is ordered by it: it is a count.
        let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
        let taken =
            used.fetch_update(set, get, |used| used.checked_add(more).filter(|sum| *sum <= most));
        taken.map_err(|_| Full)?;
        self.held = to;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.held, Ordering::Relaxed);
    }
}

/// A body that holds its share for as long as any of it is in memory.
pub(crate) struct Held {
    body: Body,
    _share: Share,
}

impl Held {
    pub(crate) fn new(body: Body, share: Share) -> Self {
        Self { body, _share: share }
    }
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_leave_room_for_small_ones_and_all_is_given_back() {
        let budget = Budget::new(4 << 20);
        let (mut one, mut other, mut small) = (budget.share(), budget.share(), budget.share());
        assert_eq!(one.grow(2 << 20), Ok(()));
        assert_eq!(other.grow(1 << 20), Ok(()));
        assert_eq!(one.grow((2 << 20) + 1), Err(Full), "three quarters are taken");
        assert_eq!(small.grow(SMALL), Ok(()));
        assert_eq!(small.grow(1), Ok(()), "it has more already");
        assert_eq!(budget.used(), (3 << 20) + SMALL);
        let mut rest: Vec<Share> = (0..3).map(|_| budget.share()).collect();
        assert!(rest.iter_mut().all(|share| share.grow(SMALL) == Ok(())));
        assert_eq!(budget.share().grow(1), Err(Full));
        drop((one, other, small, rest));
        assert_eq!(budget.used(), 0);
        assert_eq!(budget.share().grow(usize::MAX), Err(Full));
    }
}
