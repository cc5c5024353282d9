//! The slots of an engine: who has which, and who makes them ready for the next run.
//!
//! Behind a run a slot has to be armed again. With a run on every CPU whoever made the run asks for
//! that at once. Else the slot is left as it is, and the valet, a thread of the engine, has it armed
//! beside whoever got the result, and makes what the next run needs: a tenth of a short run. Whoever
//! is back for the slot before that has it.

use std::num::NonZero;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use super::Error;
use super::error::SlotError;
use super::slot::{Agents, Armed, Arming, Slot, Spent, Waited};
use crate::Cancel;

/// How long a slot is left to whoever had it: one test follows the other at once.
const GRACE: Duration = Duration::from_micros(200);

/// How long CPUs count as taken behind the moment at which they all were: between two runs of somebody's
/// they are free for some microseconds.
const LULL: Duration = Duration::from_millis(5);

/// How long a step of an agent may take before the slot is given up. Steps take milliseconds;
/// seconds pass only on a machine that is out of memory or stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the valet waits for an agent. One that takes longer is left to who needs it.
const ARMING: Duration = Duration::from_millis(200);

/// Between two looks of whoever waits for a slot, whom nobody tells of a cancel.
const LOOK: Duration = Duration::from_millis(20);

/// So many looks for what the valet has, which gives up an agent before.
const PATIENT: u32 = 15;

/// A slot without a run.
#[derive(Debug)]
pub(super) enum Idle {
    /// As the run left it.
    Spent(Slot<Spent>),
    /// With an agent that was asked for a box.
    Arming(Slot<Arming>),
    /// With a box.
    Armed(Slot<Armed>),
}

impl Idle {
    /// Waits until there is a box, or `cancel` is set.
    pub(super) fn armed(self, cancel: &Cancel) -> Result<Self, SlotError> {
        let slot = match self {
            Self::Spent(slot) => slot.rearm()?,
            Self::Arming(slot) => slot,
            Self::Armed(_) => return Ok(self),
        };
        match slot.wait(PATIENCE, Some(cancel))? {
            Waited::Armed(slot) => Ok(Self::Armed(slot)),
            Waited::InVain(slot) if cancel.is_cancelled() => Ok(Self::Arming(slot)),
            Waited::InVain(_) => Err(SlotError::Late { step: "arm a box", within: PATIENCE }),
        }
    }

    pub(super) fn number(&self) -> u32 {
        match self {
            Self::Spent(slot) => slot.number(),
            Self::Arming(slot) => slot.number(),
            Self::Armed(slot) => slot.number(),
        }
    }

    fn dismiss(&self) {
        match self {
            Self::Spent(slot) => slot.dismiss(),
            Self::Arming(slot) => slot.dismiss(),
            Self::Armed(slot) => slot.dismiss(),
        }
    }

    /// What the valet makes of it.
    fn attended(self) -> Result<Self, SlotError> {
        let slot = match self {
            Self::Spent(slot) => slot.rearm()?,
            Self::Arming(slot) => slot,
            Self::Armed(_) => return Ok(self),
        };
        Ok(match slot.wait(ARMING, None)? {
            Waited::Armed(mut slot) => {
                slot.prepare();
                Self::Armed(slot)
            }
            Waited::InVain(slot) => Self::Arming(slot),
        })
    }
}

/// An idle slot, and since when it waits for the valet, if there is something to do.
#[derive(Debug)]
struct Waiting(Idle, Option<Instant>);

impl Waiting {
    fn new(slot: Idle) -> Self {
        Self(slot, Some(Instant::now()))
    }

    /// For so long.
    fn age(&self, now: Instant) -> Option<Duration> {
        self.1.map(|since| now.duration_since(since))
    }
}

/// All slots.
#[derive(Debug)]
pub(super) struct Pool {
    state: Mutex<State>,
    /// There may be a slot.
    freed: Condvar,
    /// There is a slot for the valet, or it is to end.
    left: Condvar,
    boxes: u32,
    cpus: usize,
    agents: Agents,
}

#[derive(Debug)]
struct State {
    /// The one at the end is taken next: the last used, or the first started.
    idle: Vec<Waiting>,
    /// Slot numbers not in use.
    unused: Vec<u32>,
    /// Of slots in which a process was killed and did not die: not used until it has, since control
    /// group and user id are its.
    wedged: Vec<u32>,
    /// Runs that go on.
    going: usize,
    /// Until then all CPUs count as taken.
    crowded: Instant,
    /// Whether the valet sleeps until it is woken.
    resting: bool,
    /// Slots that the valet has.
    attended: usize,
    closing: bool,
}

type Guard<'a> = MutexGuard<'a, State>;

impl Pool {
    pub(super) fn new(agents: Agents, boxes: u32) -> Self {
        let state = State {
            idle: Vec::new(),
            unused: (0..boxes).rev().collect(),
            wedged: Vec::new(),
            going: 0,
            crowded: Instant::now(),
            resting: false,
            attended: 0,
            closing: false,
        };
        let cpus = available_parallelism().map_or(1, NonZero::get);
        let (freed, left) = (Condvar::new(), Condvar::new());
        Self { state: Mutex::new(state), freed, left, boxes, cpus, agents }
    }

    pub(super) fn agents(&self) -> &Agents {
        &self.agents
    }

    fn lock(&self) -> Guard<'_> {
        // Nothing panics while it is held; a poisoned list of slots is still a list of slots.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The boxes that are not used because a process in them was killed and does not die.
    pub(super) fn quarantined(&self) -> Vec<u32> {
        self.agents.reap();
        let mut state = self.lock();
        self.release(&mut state);
        state.wedged.clone()
    }

    /// Starts slots ahead of need, so that `count` are there.
    pub(super) fn warm_up(&self, count: usize) -> Result<(), Error> {
        // Not in the loop's head, where it would stay locked for the whole loop.
        let idle = self.lock().idle.len();
        for _ in idle..count {
            let Some(number) = self.lock().unused.pop() else { break };
            let slot = self.start(number)?;
            self.lock().idle.insert(0, Waiting::new(slot));
            self.left.notify_one();
        }
        Ok(())
    }

    /// An idle slot, or a new one, or waits for one; none when `cancel` is set before there is one. A
    /// run begins with it.
    pub(super) fn take(&self, cancel: &Cancel) -> Result<Option<Idle>, Error> {
        self.agents.reap();
        let mut state = self.lock();
        let mut looks = 0;
        loop {
            if let Some(Waiting(slot, _)) = state.idle.pop() {
                self.begin(&mut state);
                return Ok(Some(slot));
            }
            self.release(&mut state);
            // What the valet has is there sooner than a new one.
            if state.attended == 0 || looks > PATIENT {
                if let Some(number) = state.unused.pop() {
                    self.begin(&mut state);
                    drop(state);
                    let slot = self.start(number).inspect_err(|_| self.lock().going -= 1);
                    return slot.map(Some);
                }
                if state.wedged.len() == self.boxes as usize {
                    return Err(Error::Wedged { boxes: self.boxes });
                }
            }
            if cancel.is_cancelled() {
                return Ok(None);
            }
            let wait = self.freed.wait_timeout(state, LOOK);
            state = wait.unwrap_or_else(PoisonError::into_inner).0;
            looks += 1;
        }
    }

    fn begin(&self, state: &mut State) {
        state.going += 1;
        self.look_around(state);
    }

    fn look_around(&self, state: &mut State) {
        if state.going >= self.cpus {
            state.crowded = Instant::now() + LULL;
        }
    }

    fn start(&self, number: u32) -> Result<Idle, Error> {
        self.agents.start(number).map(Idle::Arming).map_err(|source| {
            self.put(number, None, |_| ());
            Error::Slot { slot: number, source }
        })
    }

    /// Makes numbers usable whose slots have nothing left in them by now.
    fn release(&self, state: &mut State) {
        let State { unused, wedged, .. } = state;
        wedged.retain(|&number| {
            let vacant = self.agents.is_vacant(number);
            if vacant {
                unused.push(number);
            }
            !vacant
        });
    }

    /// A run is over, which leaves its slot. One that cannot be armed again is dropped: that is not
    /// the run's failing.
    pub(super) fn leave(&self, slot: Slot<Spent>) {
        let number = slot.number();
        let mut state = self.lock();
        self.look_around(&mut state);
        let crowded = state.crowded > Instant::now();
        drop(state);
        let slot =
            if crowded { slot.rearm().ok().map(Idle::Arming) } else { Some(Idle::Spent(slot)) };
        self.end(number, slot);
    }

    /// A run is over, with a slot for the next one, or the number of one that was dropped.
    pub(super) fn end(&self, number: u32, slot: Option<Idle>) {
        self.put(number, slot.map(Waiting::new), |state| state.going -= 1);
    }

    /// `with`: what changes in the same moment.
    fn put(&self, number: u32, slot: Option<Waiting>, with: impl FnOnce(&mut State)) {
        let vacant = slot.is_some() || self.agents.is_vacant(number);
        let mut state = self.lock();
        with(&mut state);
        match slot {
            Some(slot) => state.idle.push(slot),
            None if vacant => state.unused.push(number),
            None => state.wedged.push(number),
        }
        let resting = state.resting;
        drop(state);
        self.freed.notify_one();
        if resting {
            self.left.notify_one();
        }
    }

    /// The valet's life.
    pub(super) fn attend(&self) {
        let mut state = self.lock();
        while !state.closing {
            let now = Instant::now();
            let busy = state.crowded.saturating_duration_since(now);
            let age = state.idle.iter().filter_map(|slot| slot.age(now)).max();
            let due = age.map(|age| GRACE.saturating_sub(age).max(busy));
            state = match due {
                Some(Duration::ZERO) => self.attend_oldest(state, now),
                Some(wait) => {
                    let wait = self.left.wait_timeout(state, wait);
                    wait.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    state.resting = true;
                    let mut state = self.left.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.resting = false;
                    state
                }
            };
        }
    }

    fn attend_oldest<'a>(&'a self, mut state: Guard<'a>, now: Instant) -> Guard<'a> {
        let ages = state.idle.iter().map(|slot| slot.age(now)).enumerate();
        let Some((at, _)) = ages.max_by_key(|(_, age)| *age) else { return state };
        let Waiting(slot, _) = state.idle.remove(at);
        state.attended += 1;
        drop(state);
        let number = slot.number();
        // Of one that failed the next run has another.
        let slot = slot.attended().ok();
        let slot = slot.map(|slot| Waiting(slot, None));
        self.put(number, slot, |state| state.attended -= 1);
        self.lock()
    }

    /// Ends the valet, and tells all slots to end, which dropping them waits for.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closing = true;
        // All at once; the fields' own drops then wait for one after the other.
        state.idle.iter().for_each(|Waiting(slot, _)| slot.dismiss());
        drop(state);
        self.left.notify_all();
    }
}
