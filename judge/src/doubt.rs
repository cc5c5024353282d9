//! Whether the time of a run is in doubt: it came near a limit, on a machine that took much from
//! it. Pure; what is done about it is [`crate::quiet`]'s and the batch's.
//!
//! A run that came nowhere near a limit has its verdict whatever the machine did, and on a machine
//! that took next to nothing the first measurement is the best there will be. So a limit exceeded
//! on a machine that was its own costs no second run.

use std::fmt;
use std::time::Duration;

use sandbox::{Limits, Pressure, Stall, Steal, Usage};

/// Near is from this share of a limit on: measured times of one program differ by so much on
/// machines that are set up for it (ten per cent, DMOJ/judge-server#1190).
const NEAR: f64 = 0.9;

/// Half of what near is: what took less did not bring a run from one side of its limit to the other
/// side of what is near. Also above what a machine shows that has nothing else to do.
const MUCH: f64 = 0.05;

/// Steal is counted in ticks of 10 ms; two more or less are chance.
const TICKS: Duration = Duration::from_millis(30);

/// The longest that a process waits for its next turn behind a handful of others; a time slice is
/// some milliseconds (kernel/sched/fair.c, `sysctl_sched_base_slice`).
const TURN: Duration = Duration::from_millis(20);

/// Whoever watches a run looks every few ms, and waits for a CPU at most as long as the other threads
/// of an overloaded machine take in turns.
const STOOD_STILL: Duration = Duration::from_millis(500);

/// Why the time of a run is in doubt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Doubt {
    /// The hypervisor ran others, this share of the time that the CPUs wanted to run.
    Steal(f64),
    /// The box was ready and did not run, this share of its time.
    Stall(f64),
    /// The program had no CPU for this share of its time, and there were others who waited for one.
    Starved(f64),
    /// It, or somebody while it did not compute, waited for a disk for this share of its time.
    Disk(f64),
    /// Whoever watched it did not get to look for so long.
    Late(Duration),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| (share * 100.0).round();
        match self {
            Self::Steal(share) => {
                write!(f, "the hypervisor took {} % of the CPU time", percent(*share))
            }
            Self::Stall(share) => {
                write!(f, "it waited for a CPU for {} % of the time", percent(*share))
            }
            Self::Starved(share) => write!(
                f,
                "it had no CPU for {} % of the time, on a machine where some waited for one",
                percent(*share)
            ),
            Self::Disk(share) => write!(
                f,
                "it did not compute for {} % of the time, in which the disk was waited for",
                percent(*share)
            ),
            Self::Late(late) => {
                write!(f, "the machine stood still for {:.1} s", late.as_secs_f64())
            }
        }
    }
}

/// Whether a run's time is in doubt.
pub(crate) fn doubt(usage: &Usage, limits: &Limits) -> Option<Doubt> {
    let Pressure { steal, stall, disk, late } = usage.pressure;
    if !near(usage, limits) {
        return None;
    }
    let stolen = steal.filter(|steal| steal.taken >= TICKS).and_then(taken);
    stood_still(late, usage)
        .or(stolen)
        .or_else(|| kept_waiting(stall, usage))
        .or_else(|| share(disk?, usage).map(Doubt::Disk))
}

/// By others on the CPUs.
fn kept_waiting(stall: Option<Stall>, usage: &Usage) -> Option<Doubt> {
    match stall {
        Some(stall @ Stall::Box(_)) => share(stall, usage).map(Doubt::Stall),
        Some(stall @ Stall::Machine(_)) => share(stall, usage).map(Doubt::Starved),
        // Who sleeps gives its CPU up by itself; from who is kept from running it is taken, at
        // least once a turn of the others.
        None => starved(usage)
            .filter(|_| TURN.saturating_mul(turns(usage)) >= idle(usage))
            .map(Doubt::Starved),
    }
}

fn stood_still(late: Duration, usage: &Usage) -> Option<Doubt> {
    (late >= STOOD_STILL && much(late, usage.wall).is_some()).then_some(Doubt::Late(late))
}

/// Of a box its own. Of a machine that in which the program did not compute and somebody was stalled;
/// neither says much alone: a program may sleep, and somebody always waits for something.
fn share(stall: Stall, usage: &Usage) -> Option<f64> {
    match stall {
        Stall::Box(stall) => much(stall, usage.wall),
        Stall::Machine(stall) => {
            let others = much(stall, usage.wall)?;
            starved(usage).map(|share| share.min(others))
        }
    }
}

fn near(usage: &Usage, limits: &Limits) -> bool {
    usage.cpu >= limits.cpu.mul_f64(NEAR) || usage.wall >= limits.wall.mul_f64(NEAR)
}

fn taken(steal: Steal) -> Option<Doubt> {
    much(steal.taken, steal.wanted).map(Doubt::Steal)
}

/// Time on the clock that the program did not compute in. None for one with threads, which compute
/// for longer than the clock runs.
fn idle(usage: &Usage) -> Duration {
    usage.wall.saturating_sub(usage.cpu)
}

fn starved(usage: &Usage) -> Option<f64> {
    much(idle(usage), usage.wall)
}

fn turns(usage: &Usage) -> u32 {
    u32::try_from(usage.switches_forced).unwrap_or(u32::MAX)
}

/// The share, when it is much.
fn much(part: Duration, whole: Duration) -> Option<f64> {
    let share = part.as_secs_f64() / whole.as_secs_f64();
    (share > MUCH).then_some(share.min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In milliseconds; the limits are 1000 of CPU and 3000 on the clock.
    struct Row {
        case: &'static str,
        cpu: u64,
        wall: u64,
        forced: u64,
        /// Taken of wanted.
        steal: Option<(u64, u64)>,
        stall: Option<Stall>,
        disk: Option<Stall>,
        late: u64,
        expected: Option<Doubt>,
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const fn boxed(stall: u64) -> Option<Stall> {
        Some(Stall::Box(ms(stall)))
    }

    const fn machine(stall: u64) -> Option<Stall> {
        Some(Stall::Machine(ms(stall)))
    }

    #[rustfmt::skip]
    const ROWS: [Row; 33] = [
        Row { case: "over its limit on a machine of its own", cpu: 1000, wall: 1005, forced: 9, steal: Some((0, 1000)), stall: boxed(4), disk: None, late: 0, expected: None },
        Row { case: "the same on v1", cpu: 1000, wall: 1005, forced: 9, steal: Some((0, 1000)), stall: machine(900), disk: None, late: 0, expected: None },
        Row { case: "the same without PSI", cpu: 1000, wall: 1005, forced: 9, steal: None, stall: None, disk: None, late: 0, expected: None },
        Row { case: "kept waiting, far from every limit", cpu: 899, wall: 2699, forced: 500, steal: Some((500, 1000)), stall: boxed(1800), disk: None, late: 0, expected: None },
        Row { case: "kept waiting, near its CPU limit", cpu: 900, wall: 1200, forced: 90, steal: Some((0, 1000)), stall: boxed(300), disk: None, late: 0, expected: Some(Doubt::Stall(0.25)) },
        Row { case: "kept waiting, over its CPU limit", cpu: 1000, wall: 2000, forced: 300, steal: None, stall: boxed(1000), disk: None, late: 0, expected: Some(Doubt::Stall(0.5)) },
        Row { case: "kept waiting until the clock ran out", cpu: 300, wall: 3000, forced: 900, steal: None, stall: boxed(2700), disk: None, late: 0, expected: Some(Doubt::Stall(0.9)) },
        Row { case: "kept waiting, near the end of the clock", cpu: 300, wall: 2700, forced: 900, steal: None, stall: boxed(2430), disk: None, late: 0, expected: Some(Doubt::Stall(0.9)) },
        Row { case: "asleep until the clock ran out", cpu: 1, wall: 3000, forced: 0, steal: Some((0, 100)), stall: boxed(1), disk: None, late: 0, expected: None },
        Row { case: "a little", cpu: 1000, wall: 1050, forced: 9, steal: None, stall: boxed(50), disk: None, late: 0, expected: None },
        Row { case: "threads in each other's way are none of the machine's doing", cpu: 1000, wall: 500, forced: 400, steal: Some((0, 1000)), stall: boxed(2), disk: None, late: 0, expected: None },
        Row { case: "stolen from", cpu: 1000, wall: 1010, forced: 9, steal: Some((100, 1000)), stall: boxed(2), disk: None, late: 0, expected: Some(Doubt::Steal(0.1)) },
        Row { case: "stolen from, while it was also kept waiting", cpu: 1000, wall: 2000, forced: 9, steal: Some((100, 1000)), stall: boxed(1000), disk: None, late: 0, expected: Some(Doubt::Steal(0.1)) },
        Row { case: "stolen from a little", cpu: 1000, wall: 1010, forced: 9, steal: Some((50, 1000)), stall: boxed(2), disk: None, late: 0, expected: None },
        Row { case: "two ticks are chance", cpu: 1000, wall: 1010, forced: 9, steal: Some((20, 100)), stall: boxed(2), disk: None, late: 0, expected: None },
        Row { case: "v1: kept waiting, and there were others", cpu: 1000, wall: 2000, forced: 300, steal: None, stall: machine(1900), disk: None, late: 0, expected: Some(Doubt::Starved(0.5)) },
        Row { case: "v1: asleep on a busy machine looks the same, but for a little of it", cpu: 1, wall: 3000, forced: 0, steal: None, stall: machine(300), disk: None, late: 0, expected: Some(Doubt::Starved(0.1)) },
        Row { case: "v1: asleep, and nobody waited", cpu: 1, wall: 3000, forced: 0, steal: None, stall: machine(100), disk: None, late: 0, expected: None },
        Row { case: "v1: others waited, it did not", cpu: 1000, wall: 1010, forced: 9, steal: None, stall: machine(1000), disk: None, late: 0, expected: None },
        Row { case: "without PSI: kept waiting", cpu: 1000, wall: 2000, forced: 50, steal: None, stall: None, disk: None, late: 0, expected: Some(Doubt::Starved(0.5)) },
        Row { case: "without PSI: asleep", cpu: 1000, wall: 2000, forced: 49, steal: None, stall: None, disk: None, late: 0, expected: None },
        Row { case: "without PSI: kept waiting until the clock ran out", cpu: 300, wall: 3000, forced: 135, steal: None, stall: None, disk: None, late: 0, expected: Some(Doubt::Starved(0.9)) },
        Row { case: "without PSI: asleep until the clock ran out", cpu: 1, wall: 3000, forced: 2, steal: None, stall: None, disk: None, late: 0, expected: None },
        Row { case: "waited for the disk until the clock ran out", cpu: 40, wall: 3000, forced: 2, steal: None, stall: boxed(1), disk: boxed(2900), late: 0, expected: Some(Doubt::Disk(2900.0 / 3000.0)) },
        Row { case: "waited for the disk a little", cpu: 40, wall: 3000, forced: 2, steal: None, stall: boxed(1), disk: boxed(150), late: 0, expected: None },
        Row { case: "waited for the disk, far from every limit", cpu: 40, wall: 2699, forced: 2, steal: None, stall: boxed(1), disk: boxed(2600), late: 0, expected: None },
        Row { case: "v1: idle while the disk was waited for", cpu: 40, wall: 3000, forced: 2, steal: None, stall: machine(10), disk: machine(2000), late: 0, expected: Some(Doubt::Disk(2.0 / 3.0)) },
        Row { case: "v1: others waited for the disk, it did not", cpu: 1000, wall: 1010, forced: 9, steal: None, stall: machine(10), disk: machine(1000), late: 0, expected: None },
        Row { case: "kept waiting for both", cpu: 300, wall: 3000, forced: 900, steal: None, stall: boxed(1500), disk: boxed(1200), late: 0, expected: Some(Doubt::Stall(0.5)) },
        Row { case: "a machine that stood still", cpu: 40, wall: 3000, forced: 2, steal: None, stall: None, disk: None, late: 2900, expected: Some(Doubt::Late(ms(2900))) },
        Row { case: "whoever watched it waited for a CPU as well", cpu: 40, wall: 3000, forced: 2, steal: None, stall: None, disk: None, late: 499, expected: None },
        Row { case: "stood still, far from every limit", cpu: 40, wall: 2600, forced: 2, steal: None, stall: None, disk: None, late: 2500, expected: None },
        Row { case: "a machine that counts nothing", cpu: 1000, wall: 1000, forced: 0, steal: None, stall: None, disk: None, late: 0, expected: None },
    ];

    #[test]
    fn every_row_is_as_it_says() {
        for row in &ROWS {
            let Row { case, cpu, wall, forced, steal, stall, disk, late, expected } = row;
            let steal = steal.map(|(taken, wanted)| Steal { taken: ms(taken), wanted: ms(wanted) });
            let usage = Usage {
                cpu: ms(*cpu),
                wall: ms(*wall),
                switches_forced: *forced,
                pressure: Pressure { steal, stall: *stall, disk: *disk, late: ms(*late) },
                ..Usage::default()
            };
            let limits = Limits { cpu: ms(1000), wall: ms(3000), ..Limits::default() };
            let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
            let same = match (doubt(&usage, &limits), *expected) {
                (None, None) => true,
                (Some(Doubt::Steal(a)), Some(Doubt::Steal(b)))
                | (Some(Doubt::Stall(a)), Some(Doubt::Stall(b)))
                | (Some(Doubt::Starved(a)), Some(Doubt::Starved(b)))
                | (Some(Doubt::Disk(a)), Some(Doubt::Disk(b))) => near(a, b),
                (Some(Doubt::Late(a)), Some(Doubt::Late(b))) => a == b,
                _ => false,
            };
            assert!(same, "{case}: {:?}", doubt(&usage, &limits));
        }
    }

    #[test]
    fn a_run_that_took_no_time_is_in_no_doubt() {
        let limits = Limits { cpu: ms(0), wall: ms(0), ..Limits::default() };
        assert_eq!(doubt(&Usage::default(), &limits), None);
    }

    #[test]
    fn the_reason_is_words() {
        assert_eq!(Doubt::Steal(0.123).to_string(), "the hypervisor took 12 % of the CPU time");
        assert_eq!(Doubt::Stall(0.5).to_string(), "it waited for a CPU for 50 % of the time");
        assert_eq!(Doubt::Late(ms(4810)).to_string(), "the machine stood still for 4.8 s");
    }
}
