//! Where a pinned engine runs what: each slot's tests on a CPU that is that slot's as long as it
//! lives, all else on CPUs that no slot owns, or, where there are none to spare, on the slot's own.
//!
//! By affinity and not by a cpuset: that would be one more hierarchy of control groups that has to
//! be there and writable. A guest must not change it then, see `pinned.json`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::thread::{CpuSet, sched_getaffinity};
use serde::{Deserialize, Serialize};

/// The CPUs of this process, shared out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinning {
    /// Each for tests of one slot.
    own: Vec<usize>,
    /// To spare; may be empty.
    aside: Vec<usize>,
}

/// More slots than CPUs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "pinning gives each slot a CPU of its own, and there are {slots} slots and {cpus} CPUs that this \
     process may use; ask for {cpus} slots at most (MAX_CONCURRENT_SANDBOXES), or do not pin \
     (EVALX_PIN)"
)]
pub struct TooFewCpus {
    /// As many as were asked for.
    pub slots: usize,
    /// As many as there are.
    pub cpus: usize,
}

impl Pinning {
    /// For so many slots.
    ///
    /// # Errors
    /// When there are fewer CPUs.
    pub fn of(slots: usize) -> Result<Self, TooFewCpus> {
        let allowed = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
        Self::among((0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect(), slots)
    }

    fn among(mut cpus: Vec<usize>, slots: usize) -> Result<Self, TooFewCpus> {
        let slots = slots.max(1);
        // The first is spared first: interrupts that nobody distributes are there.
        let aside = cpus.len().checked_sub(slots);
        let aside = aside.ok_or(TooFewCpus { slots, cpus: cpus.len() })?;
        let own = cpus.split_off(aside);
        Ok(Self { own, aside: cpus })
    }
}

/// Who has which.
#[derive(Debug)]
pub(super) struct Cpus {
    pinning: Pinning,
    /// Living slots on each of `own`.
    held: Mutex<Vec<u32>>,
}

impl Cpus {
    pub(super) fn new(pinning: Pinning) -> Self {
        let held = Mutex::new(vec![0; pinning.own.len()]);
        Self { pinning, held }
    }

    /// One for a slot. There may be more slots than CPUs: two for a conversation where one was asked
    /// for.
    pub(super) fn take(self: &Arc<Self>) -> Seat {
        let mut held = self.held();
        let index = (0..held.len()).min_by_key(|&index| held[index]).unwrap_or_default();
        held[index] += 1;
        drop(held);
        Seat { cpus: Arc::clone(self), index }
    }

    fn held(&self) -> MutexGuard<'_, Vec<u32>> {
        // Nothing panics while it is held.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slot's CPU, until dropped.
#[derive(Debug)]
pub(super) struct Seat {
    cpus: Arc<Cpus>,
    index: usize,
}

impl Seat {
    /// For the slot's agent.
    pub(super) fn places(&self) -> Places<Vec<usize>> {
        let Pinning { own, aside } = &self.cpus.pinning;
        let test = vec![own[self.index]];
        let aside = if aside.is_empty() { test.clone() } else { aside.clone() };
        Places { test, aside }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.cpus.held()[self.index] -= 1;
    }
}

/// Where a slot runs what.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Places<T> {
    /// Tests.
    pub(super) test: T,
    /// The slot's own processes, compilers, checkers.
    pub(super) aside: T,
}

impl Places<Vec<usize>> {
    /// As the kernel takes them.
    pub(super) fn sets(&self) -> Places<CpuSet> {
        let Self { test, aside } = self;
        Places { test: set(test), aside: set(aside) }
    }
}

fn set(cpus: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|cpu| set.set(*cpu));
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slot_has_a_cpu_and_the_rest_is_spare() {
        let among = |slots| Pinning::among(vec![0, 2, 3, 5], slots);
        assert_eq!(among(2).unwrap(), Pinning { own: vec![3, 5], aside: vec![0, 2] });
        assert_eq!(among(4).unwrap(), Pinning { own: vec![0, 2, 3, 5], aside: vec![] });
        let error = among(5).unwrap_err();
        assert_eq!(error, TooFewCpus { slots: 5, cpus: 4 });
        let said = error.to_string();
        assert!(said.contains("5 slots and 4 CPUs") && said.contains("EVALX_PIN"), "{said}");
    }

    #[test]
    fn slots_share_a_cpu_only_when_there_are_more() {
        let cpus = Arc::new(Cpus::new(Pinning::among(vec![7, 8, 9], 2).unwrap()));
        let (a, b) = (cpus.take(), cpus.take());
        let test = |seat: &Seat| seat.places().test;
        assert_eq!((test(&a), test(&b), a.places().aside), (vec![8], vec![9], vec![7]));
        // One that was set aside for good gives its CPU to the next.
        drop(a);
        let c = cpus.take();
        assert_eq!(test(&c), [8]);
        assert_eq!((test(&cpus.take()), test(&b)), (vec![8], vec![9]));
        let none = Arc::new(Cpus::new(Pinning::among(vec![1], 1).unwrap()));
        assert_eq!(none.take().places().aside, [1]);
    }
}
