//! What was measured: how long each of many runs took.

use std::fs;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// Before each turn.
const SETTLE: Duration = Duration::from_millis(50);

/// Runs of a turn that are not counted.
const WARM: usize = 3;

/// Times of single runs.
#[derive(Debug, Default, Clone)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn take(&mut self, run: impl FnOnce()) {
        let start = Instant::now();
        run();
        self.push(start.elapsed());
    }

    /// A turn of somebody's, behind that of somebody else: what the other leaves to the kernel (the
    /// ends of its control groups, mounts and namespaces) is not to be part of these runs.
    pub(crate) fn turn(&mut self, runs: usize, mut run: impl FnMut()) {
        thread::sleep(SETTLE);
        (0..WARM).for_each(|_| run());
        (0..runs).for_each(|_| self.take(&mut run));
    }

    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// In milliseconds; 50 is the median, 100 the most.
    pub(crate) fn at(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted[(sorted.len() - 1) * percent / 100].as_secs_f64() * 1e3
    }
}

/// One round with all CPUs busy.
#[derive(Debug)]
pub(crate) struct Crowd {
    lanes: usize,
    each: Samples,
    /// Of a lane, for each run.
    wall: Duration,
    /// The machine's work for each run; the kernel's own threads are in it, which take away what a
    /// box leaves behind it.
    cpu: Duration,
}

impl Crowd {
    pub(crate) fn of(lanes: usize, runs: usize, run: impl Fn(usize) + Sync) -> Self {
        let all = Mutex::new(Samples::default());
        let (before, start) = (worked(), Instant::now());
        thread::scope(|scope| {
            for lane in 0..lanes {
                let (all, run) = (&all, &run);
                scope.spawn(move || {
                    let mut own = Samples::default();
                    (0..runs).for_each(|_| own.take(|| run(lane)));
                    all.lock().expect("no lane panics").extend(own);
                });
            }
        });
        let count = u32::try_from(runs).expect("few runs");
        let all_runs = count * u32::try_from(lanes).expect("few lanes");
        Self {
            lanes,
            each: all.into_inner().expect("no lane panics"),
            wall: start.elapsed() / count,
            cpu: (worked() - before) / all_runs,
        }
    }
}

/// Several rounds of the same.
#[derive(Debug, Default)]
pub(crate) struct Rounds(Vec<Crowd>);

impl Rounds {
    pub(crate) fn push(&mut self, crowd: Crowd) {
        self.0.push(crowd);
    }

    fn median(&self, of: impl Fn(&Crowd) -> Duration) -> f64 {
        let mut sorted: Vec<_> = self.0.iter().map(of).collect();
        sorted.sort_unstable();
        sorted[sorted.len() / 2].as_secs_f64() * 1e3
    }

    /// Milliseconds that a lane takes for a run.
    pub(crate) fn wall(&self) -> f64 {
        self.median(|crowd| crowd.wall)
    }

    /// Milliseconds of the machine's work for a run.
    pub(crate) fn cpu(&self) -> f64 {
        self.median(|crowd| crowd.cpu)
    }

    pub(crate) fn a_second(&self) -> f64 {
        self.0[0].lanes as f64 * 1e3 / self.wall()
    }

    /// Of all rounds.
    pub(crate) fn each(&self) -> Samples {
        let mut all = Samples::default();
        self.0.iter().for_each(|crowd| all.extend(crowd.each.clone()));
        all
    }
}

/// CPU time of the whole machine: the first line of `/proc/stat` but for idle and iowait, in
/// hundredths of a second (proc_stat(5)).
fn worked() -> Duration {
    let stat = fs::read_to_string("/proc/stat").expect("/proc is there");
    let line = stat.lines().next().expect("a line for all CPUs");
    let ticks = line.split_whitespace().skip(1).map(|n| n.parse::<u64>().expect("a number"));
    let busy = ticks.enumerate().filter(|(i, _)| ![3, 4].contains(i) && *i < 8).map(|(_, n)| n);
    Duration::from_millis(10 * busy.sum::<u64>())
}
