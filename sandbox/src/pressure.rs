//! What the machine takes from runs: steal from `/proc/stat`, stalls from PSI. Read beside the box,
//! before and after a run; nothing of it is in the box.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::pread;
use rustix::thread::{CpuSet, sched_getaffinity};

use crate::cgroup::{Group, Resource};
use crate::{Pressure, Stall, Steal};

/// The unit of `/proc/stat` (`USER_HZ`, 100 on every machine that we know of; proc_stat(5)). The
/// kernel adds up all interrupts for each reading (fs/proc/stat.c, show_stat), which takes long on
/// a large machine and tells nothing new within a tick: so often it is read at most.
const TICK: Duration = Duration::from_millis(10);

/// A line of a CPU: its name and ten numbers, and room.
const LINE: usize = 256;

/// The machine's accounts, as they are now, and the box's own where there is one.
pub(crate) fn now(group: Option<&Group>) -> Reading {
    static GAUGE: LazyLock<Gauge> = LazyLock::new(|| Gauge::open(Path::new("/proc")));
    GAUGE.read(group)
}

/// The accounts at one moment; each counts from some beginning of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    ticks: Option<Ticks>,
    stall: Option<Stall>,
    disk: Option<Stall>,
}

impl Reading {
    /// What was taken since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Pressure {
        let Self { ticks, stall, disk } = *self;
        let steal = ticks.zip(earlier.ticks).map(|(now, then)| now.since(then));
        Pressure {
            steal,
            stall: difference(stall, earlier.stall),
            disk: difference(disk, earlier.disk),
            late: Duration::ZERO,
        }
    }
}

/// Of the same account, or none.
fn difference(now: Option<Stall>, then: Option<Stall>) -> Option<Stall> {
    match (now?, then?) {
        (Stall::Box(now), Stall::Box(then)) => Some(Stall::Box(now.saturating_sub(then))),
        (Stall::Machine(now), Stall::Machine(then)) => {
            Some(Stall::Machine(now.saturating_sub(then)))
        }
        _ => None,
    }
}

/// How late whoever watches a run got to look, at most.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Late(Duration);

impl Late {
    /// To be told after each sleep that was to end at `due`, or before.
    pub(crate) fn woke(&mut self, due: Instant) {
        self.0 = self.0.max(due.elapsed());
    }

    pub(crate) fn most(self) -> Duration {
        self.0
    }
}

/// Ticks of the CPUs that this process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    taken: u64,
    wanted: u64,
}

impl Ticks {
    fn since(self, earlier: Self) -> Steal {
        let time = |now: u64, then: u64| {
            TICK.saturating_mul(u32::try_from(now.saturating_sub(then)).unwrap_or(u32::MAX))
        };
        Steal { taken: time(self.taken, earlier.taken), wanted: time(self.wanted, earlier.wanted) }
    }
}

/// The files, held open.
#[derive(Debug)]
struct Gauge {
    /// Absent where there is none: not every kernel is Linux.
    stat: Option<OwnedFd>,
    /// Of the machine. Absent where the kernel was built or started without PSI.
    cpu: Option<OwnedFd>,
    io: Option<OwnedFd>,
    last: Mutex<Option<(Instant, Ticks)>>,
}

impl Gauge {
    fn open(proc: &Path) -> Self {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = |name| open(proc.join(name), flags, Mode::empty()).ok();
        let (cpu, io) = (file("pressure/cpu"), file("pressure/io"));
        Self { stat: file("stat"), cpu, io, last: Mutex::new(None) }
    }

    fn read(&self, group: Option<&Group>) -> Reading {
        let stall = |of, machine: &Option<OwnedFd>| {
            let of_box = group.and_then(|group| group.stall(of)).map(Stall::Box);
            of_box.or_else(|| some(machine.as_ref()?).map(Stall::Machine))
        };
        let (stall, disk) = (stall(Resource::Cpu, &self.cpu), stall(Resource::Disk, &self.io));
        Reading { ticks: self.ticks(), stall, disk }
    }

    fn ticks(&self) -> Option<Ticks> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, ticks)) = last.filter(|(at, _)| at.elapsed() < TICK) {
            return Some(ticks);
        }
        let usable = sched_getaffinity(None).ok()?;
        let highest = (0..CpuSet::MAX_CPU).rev().find(|cpu| usable.is_set(*cpu))?;
        // The sum of all, then one line a CPU.
        let mut buffer = vec![0; (highest + 2) * LINE];
        let length = pread(self.stat.as_ref()?, &mut buffer, 0).ok()?;
        let ticks = ticks(&String::from_utf8_lossy(&buffer[..length]), |cpu| {
            cpu < CpuSet::MAX_CPU && usable.is_set(cpu)
        })?;
        *last = Some((Instant::now(), ticks));
        Some(ticks)
    }
}

/// Of the whole machine there is only `some` for CPUs: `full` makes no sense where there is always
/// somebody who runs (Documentation/accounting/psi.rst). Who waits for a disk is not `full` either
/// while anybody else computes.
fn some(machine: &OwnedFd) -> Option<Duration> {
    let mut buffer = [0; 256];
    let length = pread(machine, &mut buffer, 0).ok()?;
    total(str::from_utf8(&buffer[..length]).ok()?, "some").map(Duration::from_micros)
}

/// Microseconds behind `total=` in the line `name` of a pressure file.
pub(crate) fn total(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().find_map(|field| field.strip_prefix("total="))?.parse().ok()
}

/// The sum over `usable` CPUs; `None` without one that has a count of steal.
fn ticks(stat: &str, usable: impl Fn(usize) -> bool) -> Option<Ticks> {
    let mut sum = None;
    for line in stat.lines().map_while(|line| line.strip_prefix("cpu")) {
        let (name, rest) = line.split_once(' ')?;
        // The first line has no number: it is all CPUs together.
        let Ok(cpu) = name.parse() else { continue };
        if !usable(cpu) {
            continue;
        }
        let mut numbers = rest.split_whitespace().map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        let (user, nice, system, _idle, _iowait) = (next()?, next()?, next()?, next()?, next()?);
        let (irq, softirq, taken) = (next()?, next()?, next()?);
        let Ticks { taken: so_far, wanted } = sum.unwrap_or(Ticks { taken: 0, wanted: 0 });
        let wanted = wanted + user + nice + system + irq + softirq + taken;
        sum = Some(Ticks { taken: so_far + taken, wanted });
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const STAT: &str = "cpu  60 6 30 900 0 3 3 14 0 0\n\
                        cpu0 10 1 10 300 0 1 1 4 0 0\n\
                        cpu1 20 2 10 300 0 1 1 10 0 0\n\
                        cpu3 30 3 10 300 0 1 1 0 0 0\n\
                        intr 12345 0 1 2\nctxt 5\n";

    #[test]
    fn only_cpus_that_may_be_used_count() {
        assert_eq!(ticks(STAT, |_| true), Some(Ticks { taken: 14, wanted: 116 }));
        assert_eq!(ticks(STAT, |cpu| cpu == 1), Some(Ticks { taken: 10, wanted: 44 }));
        assert_eq!(ticks(STAT, |cpu| cpu == 2), None, "it is offline");
        assert_eq!(ticks("cpu0 1 2 3 4\n", |_| true), None, "no steal in this kernel");
        assert_eq!(ticks("", |_| true), None);
    }

    #[test]
    fn totals_are_of_their_line() {
        let text = "some avg10=2.17 avg60=1.45 avg300=4.66 total=22339\n\
                    full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        assert_eq!((total(text, "some"), total(text, "full")), (Some(22339), Some(7)));
        assert_eq!(total("some avg10=0.00 total=1\n", "full"), None);
    }

    #[test]
    fn late_is_the_longest_time_beyond_what_was_due() {
        let (now, ms) = (Instant::now(), Duration::from_millis);
        let mut late = Late::default();
        late.woke(now + ms(60_000));
        assert_eq!(late.most(), ms(0), "woken before");
        late.woke(now - ms(700));
        late.woke(now - ms(20));
        assert!(late.most() >= ms(700) && late.most() < ms(60_000), "{late:?}");
    }

    #[test]
    fn a_difference_is_of_the_same_account() {
        let at = |taken, wanted, stall| {
            let ticks = Some(Ticks { taken, wanted });
            Reading { ticks, stall, disk: Some(Stall::Machine(Duration::from_millis(taken))) }
        };
        let ms = Duration::from_millis;
        let pressure =
            at(9, 60, Some(Stall::Box(ms(7)))).since(&at(4, 40, Some(Stall::Box(ms(2)))));
        assert_eq!(pressure.steal, Some(Steal { taken: ms(50), wanted: ms(200) }));
        assert_eq!(pressure.stall, Some(Stall::Box(ms(5))));
        assert_eq!(pressure.disk, Some(Stall::Machine(ms(5))));
        let mixed = at(0, 0, Some(Stall::Box(ms(7)))).since(&at(0, 0, Some(Stall::Machine(ms(2)))));
        assert_eq!(mixed.stall, None);
        assert_eq!(at(0, 0, None).since(&at(0, 0, None)).stall, None);
    }

    #[test]
    fn what_the_kernel_does_not_have_is_absent() {
        let proc = tempfile::tempdir().unwrap();
        let reading = Gauge::open(proc.path()).read(None);
        assert_eq!((reading.ticks, reading.stall, reading.disk), (None, None, None));
        fs::write(proc.path().join("stat"), "cpu  1 1 1 1\n").unwrap();
        fs::create_dir(proc.path().join("pressure")).unwrap();
        fs::write(proc.path().join("pressure/cpu"), "some avg10=0.00 total=12\n").unwrap();
        let reading = Gauge::open(proc.path()).read(None);
        assert_eq!(reading.ticks, None);
        assert_eq!(reading.stall, Some(Stall::Machine(Duration::from_micros(12))));
        assert_eq!(reading.disk, None);
    }

    #[test]
    fn a_reading_of_this_machine_costs_microseconds() {
        const ROUNDS: u32 = 1000;
        let gauge = Gauge::open(Path::new("/proc"));
        let start = Instant::now();
        for _ in 0..ROUNDS {
            assert!(gauge.read(None).ticks.is_some(), "every Linux has it");
        }
        let each = start.elapsed() / ROUNDS;
        // A run costs a millisecond, and this is done twice.
        assert!(each < Duration::from_micros(100), "{each:?}");
    }
}
