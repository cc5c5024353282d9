//! Quiet moments: all slots for one run whose time is in doubt, so that nothing of ours runs
//! beside it.
//!
//! One at a time, waited for a short while only, and of all time of the machine a tenth at most,
//! after a burst: programs that are all near their limit, on a machine that is always busy, must
//! not bring a fleet to a stand.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sandbox::Cancel;

use crate::slots::{Held, Slots};

/// How long it is waited for the slots to be free. Nobody else gets one meanwhile, so what runs
/// may end, but a run of many seconds is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Of the machine's time, one in so many goes to quiet moments in the long run.
const SHARE: u32 = 10;

/// What they may take in one go before that holds: the tests of one submission.
const BURST: Duration = Duration::from_secs(10);

/// Who gives quiet moments.
#[derive(Debug)]
pub(crate) struct Quiet {
    /// One place: who has it may ask for all slots.
    turn: Slots,
    spent: Mutex<Spent>,
}

/// All slots, until this is dropped.
#[derive(Debug)]
pub(crate) struct Alone<'a> {
    _slots: Held<'a>,
    /// After the slots: the next one to be alone asks for them.
    _asking: Asking<'a>,
}

/// Asks for all slots, or has them: nobody else gets one. What that takes is charged.
#[derive(Debug)]
struct Asking<'a> {
    quiet: &'a Quiet,
    since: Instant,
    _turn: Held<'a>,
}

impl Quiet {
    pub(crate) fn new() -> Self {
        let spent = Spent { debt: Duration::ZERO, at: Instant::now() };
        Self { turn: Slots::new(NonZeroUsize::MIN), spent: Mutex::new(spent) }
    }

    /// All slots, and at least `needed`; `None` when there is no such moment: too much was spent
    /// on them, what runs does not end, or `cancel` is set. The caller holds no slot.
    pub(crate) fn moment<'a>(
        &'a self,
        slots: &'a Slots,
        needed: NonZeroUsize,
        cancel: &Cancel,
    ) -> Option<Alone<'a>> {
        let deadline = Instant::now() + PATIENCE;
        if !self.spent().allows(Instant::now()) {
            return None;
        }
        // Out of descriptors is no moment either: there is a result already.
        let turn = self.turn.acquire_until(NonZeroUsize::MIN, cancel, Some(deadline)).ok()??;
        let since = Instant::now();
        // Whoever had the turn has spent since.
        if !self.spent().allows(since) {
            return None;
        }
        let asking = Asking { quiet: self, since, _turn: turn };
        let all = NonZeroUsize::new(slots.total()).unwrap_or(NonZeroUsize::MIN).max(needed);
        let slots = slots.acquire_until(all, cancel, Some(deadline)).ok()??;
        Some(Alone { _slots: slots, _asking: asking })
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        // Every change is complete before anything in it could panic.
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        self.quiet.spent().charge(now, now - self.since);
    }
}

/// What quiet moments took and time has not yet paid for.
#[derive(Debug)]
struct Spent {
    debt: Duration,
    at: Instant,
}

impl Spent {
    fn debt(&self, now: Instant) -> Duration {
        self.debt.saturating_sub(now.saturating_duration_since(self.at) / SHARE)
    }

    fn allows(&self, now: Instant) -> bool {
        self.debt(now) < BURST
    }

    fn charge(&mut self, now: Instant, took: Duration) {
        *self = Self { debt: self.debt(now) + took, at: now };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    const fn n(n: usize) -> NonZeroUsize {
        NonZeroUsize::new(n).unwrap()
    }

    #[test]
    fn a_burst_and_then_a_tenth_of_the_time() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut spent = Spent { debt: Duration::ZERO, at: start };
        spent.charge(at(0), BURST - Duration::from_millis(1));
        assert!(spent.allows(at(0)), "a little is left");
        spent.charge(at(0), Duration::from_secs(5));
        assert!(!spent.allows(at(49)) && spent.allows(at(51)), "five seconds are paid in fifty");
        // Always when it is allowed: a second each.
        let mut quiet = 0;
        for second in 51..1051 {
            if spent.allows(at(second)) {
                quiet += 1;
                spent.charge(at(second), Duration::from_secs(1));
            }
        }
        assert!((99..=101).contains(&quiet), "{quiet} of 1000");
    }

    #[test]
    fn alone_is_with_all_slots_and_those_behind_go_on_afterwards() {
        let (slots, quiet) = (Slots::new(n(3)), Quiet::new());
        let never = Cancel::new().unwrap();
        let busy = slots.acquire(n(1), &never).unwrap().unwrap();
        let (said, heard) = mpsc::channel();
        thread::scope(|s| {
            let alone = s.spawn(|| {
                let alone = quiet.moment(&slots, n(1), &never).unwrap();
                said.send(slots.busy()).unwrap();
                drop(alone);
            });
            let deadline = Instant::now() + PATIENCE;
            while slots.waiting() == 0 && Instant::now() < deadline {
                thread::yield_now();
            }
            let behind = s.spawn(|| drop(slots.acquire(n(1), &never).unwrap().unwrap()));
            assert!(heard.try_recv().is_err(), "somebody still runs");
            drop(busy);
            alone.join().unwrap();
            behind.join().unwrap();
        });
        assert_eq!(heard.recv().unwrap(), 3);
        assert_eq!(slots.busy(), 0);
    }

    #[test]
    fn what_does_not_end_is_not_waited_for_and_holds_nobody_up_after_that() {
        let (slots, quiet) = (Slots::new(n(2)), Quiet::new());
        let never = Cancel::new().unwrap();
        let _busy = slots.acquire(n(1), &never).unwrap().unwrap();
        let start = Instant::now();
        assert!(quiet.moment(&slots, n(1), &never).is_none());
        assert!((PATIENCE..PATIENCE * 3).contains(&start.elapsed()), "{:?}", start.elapsed());
        assert!(slots.acquire(n(1), &never).unwrap().is_some(), "nobody waits in front any more");
        let debt = quiet.spent().debt(Instant::now());
        assert!(debt > PATIENCE / 2, "others waited meanwhile, which is charged: {debt:?}");
    }

    #[test]
    fn a_withdrawn_one_and_one_beyond_the_share_get_none() {
        let (slots, quiet) = (Slots::new(n(1)), Quiet::new());
        let cancel = Cancel::new().unwrap();
        cancel.cancel();
        assert!(quiet.moment(&slots, n(1), &cancel).is_none());
        let never = Cancel::new().unwrap();
        let alone = quiet.moment(&slots, n(2), &never);
        assert_eq!(slots.busy(), 2, "more than there are, when nobody holds any");
        drop(alone);
        quiet.spent().charge(Instant::now(), BURST * 2);
        assert!(quiet.moment(&slots, n(1), &never).is_none());
    }
}
