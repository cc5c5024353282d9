//! What a box costs: a program run bare (`posix_spawn` and wait) and in the native engine, in
//! turns within one run, so that a machine that drifts drifts for both. `cargo bench -p sandbox`.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::process::Stdio;
use std::time::{Duration, Instant};

use sandbox::{Cancel, Job, NativeSandbox, Sandbox, Termination, native};

const ROUNDS: usize = 20;
const RUNS: usize = 25;

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
    let (mut bare, mut armed, mut cycle) =
        (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..ROUNDS {
        for _ in 0..RUNS {
            bare.take(run_bare);
        }
        for _ in 0..RUNS {
            // Long enough for the next box to be armed: what a caller sees who does not saturate.
            std::thread::sleep(Duration::from_millis(4));
            armed.take(|| run_boxed(&sandbox, &cancel));
        }
        for _ in 0..RUNS {
            cycle.take(|| run_boxed(&sandbox, &cancel));
        }
    }
    let base = bare.median();
    println!("/bin/true, {} runs each, in turns", ROUNDS * RUNS);
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

fn run_bare() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the bare process is what boxes are held against"
    )]
    let status = std::process::Command::new("/bin/true").stdin(Stdio::null()).status();
    assert!(status.is_ok_and(|s| s.success()), "/bin/true succeeds");
}

fn run_boxed(sandbox: &NativeSandbox, cancel: &Cancel) {
    let outcome = sandbox.run(Job::new(vec!["/bin/true".to_owned()]), cancel);
    let outcome = outcome.expect("the engine works");
    assert_eq!(outcome.termination, Termination::Exited(0));
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
