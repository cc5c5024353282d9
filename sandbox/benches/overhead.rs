//! What a box costs: a program run bare (`posix_spawn` and wait) and in the native engine, in
//! turns within one run, so that a machine that drifts drifts for both. `cargo bench -p sandbox`.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use sandbox::{Artefact, Cancel, Job, NativeSandbox, Sandbox, Termination, native};

const ROUNDS: usize = 20;
const RUNS: usize = 25;

/// Does next to nothing, so that what is measured is what is around it.
const PROGRAM: &str = "int main(void) { return 0; }\n";

fn main() {
    sandbox::agent::enter_if_asked();
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let sandbox = match NativeSandbox::new(native::Config::default()) {
        Ok(sandbox) => sandbox,
        Err(error) => {
            println!("the native engine is not possible here: {error}");
            return;
        }
    };
    let cancel = Cancel::new().expect("file descriptors are to be had");
    for (name, flags) in [("static C", &["-static"][..]), ("dynamic C", &[])] {
        let dir = tempfile::tempdir().expect("a folder for the program");
        let program = Program::build(dir.path(), flags);
        alone(name, &program, &sandbox, &cancel);
        saturated(name, &program, &sandbox, &cancel);
    }
}

/// One after the other.
fn alone(name: &str, program: &Program, sandbox: &NativeSandbox, cancel: &Cancel) {
    let (mut bare, mut armed, mut cycle) =
        (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..ROUNDS {
        for _ in 0..RUNS {
            bare.take(|| program.bare());
        }
        for _ in 0..RUNS {
            // Long enough for the next box to be armed: what a caller sees who does not saturate.
            thread::sleep(Duration::from_millis(4));
            armed.take(|| program.boxed(sandbox, cancel));
        }
        for _ in 0..RUNS {
            cycle.take(|| program.boxed(sandbox, cancel));
        }
    }
    let base = bare.median();
    println!("{name}, one at a time, {} runs each, in turns", ROUNDS * RUNS);
    println!("{:<44} {:>9} {:>9} {:>7}", "", "p50 µs", "p99 µs", "ratio");
    for (name, samples) in [
        ("bare posix_spawn and wait", &mut bare),
        ("native, box armed: submit to result", &mut armed),
        ("native, whole cycle, one slot", &mut cycle),
    ] {
        let (p50, p99) = (samples.median(), samples.at(99));
        let ratio = p50.as_secs_f64() / base.as_secs_f64();
        println!("{name:<44} {:>9} {:>9} {ratio:>7.2}", p50.as_micros(), p99.as_micros());
    }
}

/// One a CPU, as many as go. What the machine worked a run counts the kernel's own threads, which
/// take away what a box leaves behind it.
fn saturated(name: &str, program: &Program, sandbox: &NativeSandbox, cancel: &Cancel) {
    let lanes = thread::available_parallelism().map_or(1, usize::from);
    let (mut bare, mut boxed) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(crowd(lanes, || program.bare()));
        boxed.push(crowd(lanes, || program.boxed(sandbox, cancel)));
    }
    println!("{name}, {lanes} at a time, {ROUNDS} rounds, in turns");
    println!("{:<44} {:>9} {:>9} {:>7}", "", "µs a run", "CPU µs", "ratio");
    let median = |of: &[(f64, f64)]| {
        let mut sorted = of.to_vec();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        sorted[sorted.len() / 2]
    };
    let (base, _) = median(&bare);
    for (name, rounds) in [("bare posix_spawn and wait", bare), ("native, whole cycle", boxed)] {
        let (wall, cpu) = median(&rounds);
        println!("{name:<44} {wall:>9.0} {cpu:>9.0} {:>7.2}", wall / base);
    }
}

/// Wall time of a lane and work of the machine, for each run in µs.
fn crowd(lanes: usize, run: impl Fn() + Sync) -> (f64, f64) {
    let (before, start) = (worked(), Instant::now());
    thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(|| (0..2 * RUNS).for_each(|_| run()));
        }
    });
    let wall = start.elapsed().as_secs_f64() * 1e6 / (2 * RUNS) as f64;
    (wall, (worked() - before) / (2 * RUNS * lanes) as f64)
}

/// CPU time of the whole machine in µs: the first line of `/proc/stat` but for idle and iowait, in
/// hundredths of a second (proc_stat(5)).
fn worked() -> f64 {
    let stat = fs::read_to_string("/proc/stat").expect("/proc is there");
    let line = stat.lines().next().expect("a line for all CPUs");
    let ticks = line.split_whitespace().skip(1).map(|n| n.parse::<f64>().expect("a number"));
    let busy: f64 =
        ticks.enumerate().filter(|(i, _)| ![3, 4].contains(i) && *i < 8).map(|(_, n)| n).sum();
    busy * 10_000.0
}

struct Program {
    artefact: Arc<Artefact>,
}

impl Program {
    fn build(dir: &Path, flags: &[&str]) -> Self {
        // As everything below it is to the guest.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        let source = dir.join("program.c");
        fs::write(&source, PROGRAM).expect("the source is written");
        #[expect(
            clippy::disallowed_methods,
            reason = "a compiler of the host, for our own program"
        )]
        let mut gcc = std::process::Command::new("gcc");
        gcc.args(["-O2", "-s"]).args(flags).arg("-o").arg(dir.join("program")).arg(&source);
        assert!(
            gcc.status().is_ok_and(|s| s.success()),
            "gcc is needed: apt-get install gcc libc6-dev"
        );
        Self { artefact: Arc::new(Artefact::new(dir.to_owned(), 0)) }
    }

    fn bare(&self) {
        #[expect(
            clippy::disallowed_methods,
            reason = "the bare process is what boxes are held against"
        )]
        let status = std::process::Command::new(self.artefact.dir().join("program"))
            .stdin(Stdio::null())
            .status();
        assert!(status.is_ok_and(|s| s.success()), "the program succeeds");
    }

    fn boxed(&self, sandbox: &NativeSandbox, cancel: &Cancel) {
        let job = Job {
            artefact: Some(Arc::clone(&self.artefact)),
            ..Job::new(vec!["/box/program".to_owned()])
        };
        let outcome = sandbox.run(job, cancel).expect("the engine works");
        assert_eq!(outcome.termination, Termination::Exited(0));
    }
}

#[derive(Default)]
struct Samples(Vec<Duration>);

impl Samples {
    fn take(&mut self, run: impl FnOnce()) {
        let start = Instant::now();
        run();
        self.0.push(start.elapsed());
    }

    fn median(&mut self) -> Duration {
        self.at(50)
    }

    fn at(&mut self, percent: usize) -> Duration {
        self.0.sort_unstable();
        self.0[(self.0.len() - 1) * percent / 100]
    }
}
