//! Slots: how many boxes run at once on this machine, shared by all submissions.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sandbox::Cancel;

/// A counting semaphore that can be resized while it is used. Fair: whoever came first is served
/// first, so that a large submission never starves a small one, nor an interactive test (which
/// needs two slots at once) ever waits behind later ones.
#[derive(Debug)]
pub struct Slots(Mutex<State>);

#[derive(Debug)]
struct State {
    total: usize,
    busy: usize,
    next: u64,
    waiting: VecDeque<Waiter>,
}

#[derive(Debug, Clone)]
struct Waiter {
    ticket: u64,
    wanted: usize,
    turn: Cancel,
}

/// Slots that are held until this is dropped.
#[derive(Debug)]
pub struct Held<'a> {
    slots: &'a Slots,
    count: usize,
}

impl Slots {
    /// `total` free slots.
    #[must_use]
    pub fn new(total: NonZeroUsize) -> Self {
        let waiting = VecDeque::new();
        Self(Mutex::new(State { total: total.get(), busy: 0, next: 0, waiting }))
    }

    /// How many there are.
    #[must_use]
    pub fn total(&self) -> usize {
        self.state().total
    }

    /// How many are held. After shrinking it may exceed [`Slots::total`] until they come back.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.state().busy
    }

    /// How many callers wait.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    /// Sets how many there are. More serves waiting callers at once; fewer takes none away from
    /// those who hold them.
    pub fn resize(&self, total: NonZeroUsize) {
        let mut state = self.state();
        state.total = total.get();
        state.serve();
    }

    /// Waits for `wanted` slots at once; who wants more than there are gets them when nobody
    /// holds any. `None` when `cancel` is set first.
    ///
    /// # Errors
    /// When the process is out of file descriptors.
    pub fn acquire(&self, wanted: NonZeroUsize, cancel: &Cancel) -> io::Result<Option<Held<'_>>> {
        self.acquire_until(wanted, cancel, None)
    }

    /// The same, but not later than at `deadline`, if there is one.
    pub(crate) fn acquire_until(
        &self,
        wanted: NonZeroUsize,
        cancel: &Cancel,
        deadline: Option<Instant>,
    ) -> io::Result<Option<Held<'_>>> {
        if cancel.is_cancelled() {
            return Ok(None);
        }
        let count = wanted.get();
        let waiter = {
            let mut state = self.state();
            if state.waiting.is_empty() && state.fits(count) {
                state.busy += count;
                return Ok(Some(Held { slots: self, count }));
            }
            let waiter = Waiter { ticket: state.next, wanted: count, turn: Cancel::new()? };
            state.next += 1;
            state.waiting.push_back(waiter.clone());
            waiter
        };
        let waited = Cancel::wait_any_until(&[&waiter.turn, cancel], deadline);
        let mut state = self.state();
        let Some(at) = state.waiting.iter().position(|w| w.ticket == waiter.ticket) else {
            return Ok(Some(Held { slots: self, count }));
        };
        // Not served: withdrawn, too late, or unable to wait. Those behind may fit now.
        state.waiting.remove(at);
        state.serve();
        waited.map(|()| None)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is complete before anything in it could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fits(&self, wanted: usize) -> bool {
        self.busy == 0 || self.busy + wanted <= self.total
    }

    /// Serves from the front only: a large request is not overtaken by small ones.
    fn serve(&mut self) {
        while let Some(front) = self.waiting.front().map(|w| w.wanted).filter(|n| self.fits(*n)) {
            self.busy += front;
            if let Some(served) = self.waiting.pop_front() {
                served.turn.cancel();
            }
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut state = self.slots.state();
        state.busy -= self.count;
        state.serve();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn n(n: usize) -> NonZeroUsize {
        NonZeroUsize::new(n).unwrap()
    }

    /// Blocks until `count` callers wait.
    fn until_waiting(slots: &Slots, count: usize) {
        while slots.waiting() != count {
            std::thread::yield_now();
        }
    }

    #[test]
    fn never_more_are_held_than_there_are() {
        let (slots, never) = (Slots::new(n(3)), Cancel::new().unwrap());
        let inside = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|s| {
            for i in 0..12 {
                let (slots, never, inside) = (&slots, &never, &inside);
                s.spawn(move || {
                    for _ in 0..50 {
                        let held = slots.acquire(n(1 + i % 2), never).unwrap().unwrap();
                        let now = inside.fetch_add(held.count, std::sync::atomic::Ordering::SeqCst);
                        assert!(now + held.count <= 3);
                        inside.fetch_sub(held.count, std::sync::atomic::Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(slots.busy(), 0);
    }

    #[test]
    fn who_came_first_is_served_first_and_large_requests_are_not_overtaken() {
        let (slots, never) = (Slots::new(n(2)), Cancel::new().unwrap());
        let first = slots.acquire(n(1), &never).unwrap().unwrap();
        let (tell, order) = mpsc::channel();
        std::thread::scope(|s| {
            for (place, wanted) in [2, 1, 1].into_iter().enumerate() {
                let (slots, never, tell) = (&slots, &never, tell.clone());
                s.spawn(move || {
                    let held = slots.acquire(n(wanted), never).unwrap().unwrap();
                    // Told while held, so the order told is the order served for the first.
                    tell.send(place).unwrap();
                    drop(held);
                });
                until_waiting(slots, place + 1);
            }
            assert!(order.try_recv().is_err(), "one slot is free, but the front wants two");
            drop(first);
            assert_eq!(order.recv().unwrap(), 0);
        });
    }

    #[test]
    fn a_withdrawn_caller_leaves_the_queue_and_lets_others_pass() {
        let (slots, never) = (Slots::new(n(2)), Cancel::new().unwrap());
        let _first = slots.acquire(n(1), &never).unwrap().unwrap();
        let cancel = Cancel::new().unwrap();
        std::thread::scope(|s| {
            let large = s.spawn(|| slots.acquire(n(2), &cancel).unwrap().is_none());
            until_waiting(&slots, 1);
            let small = s.spawn(|| slots.acquire(n(1), &never).unwrap().is_some());
            until_waiting(&slots, 2);
            cancel.cancel();
            assert!(large.join().unwrap() && small.join().unwrap());
        });
        assert!(slots.acquire(n(1), &cancel).unwrap().is_none(), "withdrawn before it asked");
    }

    #[test]
    fn growing_serves_those_who_wait_and_shrinking_takes_nothing_away() {
        let (slots, never) = (Slots::new(n(1)), Cancel::new().unwrap());
        let first = slots.acquire(n(1), &never).unwrap().unwrap();
        std::thread::scope(|s| {
            let second = s.spawn(|| slots.acquire(n(1), &never).unwrap().unwrap());
            until_waiting(&slots, 1);
            slots.resize(n(2));
            let second = second.join().unwrap();
            slots.resize(n(1));
            assert_eq!((slots.busy(), slots.total()), (2, 1));
            drop(second);
            let third = s.spawn(|| drop(slots.acquire(n(1), &never).unwrap().unwrap()));
            until_waiting(&slots, 1);
            drop(first);
            third.join().unwrap();
        });
    }

    #[test]
    fn two_at_once_are_granted_even_where_there_is_one() {
        let (slots, never) = (Slots::new(n(1)), Cancel::new().unwrap());
        let held = slots.acquire(n(2), &never).unwrap().unwrap();
        drop(held);
        assert_eq!(slots.busy(), 0);
    }
}
