//! How late a limit is kept, and how fast a box is clean again, whatever was in it.

use std::io::Read as _;
use std::thread;
use std::time::{Duration, Instant};

use rustix::pipe::{PipeFlags, pipe_with};
use sandbox::{Bytes, Cancel, Job, Limits, NativeSandbox, Sandbox as _, Stdout, Termination};

use crate::lab::Lab;
use crate::programs::Program;
use crate::samples::Samples;
use crate::table::{Limit, Table};

const ROUNDS: usize = 10;

const BUSY: &str = "#include <pthread.h>\n#include <stdlib.h>\n\
    static void *spin(void *_) { for (volatile long i = 0;; i++) {} }\n\
    int main(void) {\n\
        pthread_t t;\n\
        for (int i = 1; i < THREADS; i++) if (pthread_create(&t, 0, spin, 0)) return 1;\n\
        spin(0);\n\
    }\n";

/// Says when there is room for no process more, and keeps all of them running.
const BOMB: &str = "#include <sched.h>\n#include <unistd.h>\n\
    int main(void) {\n\
        for (;;) if (fork() < 0) { write(1, \"!\", 1); for (;;) sched_yield(); }\n\
    }\n";

/// As many files as it gets, 200,000 at most.
const FILES: &str = "#include <fcntl.h>\n#include <stdio.h>\n#include <unistd.h>\n\
    int main(void) {\n\
        int n = 0; char name[16];\n\
        for (; n < 200000; n++) {\n\
            sprintf(name, \"%d\", n);\n\
            int fd = open(name, O_CREAT | O_WRONLY, 0600);\n\
            if (fd < 0) break;\n\
            close(fd);\n\
        }\n\
        printf(\"%d\", n); return 0;\n\
    }\n";

const FOLDERS: &str = "#include <stdio.h>\n#include <sys/stat.h>\n#include <unistd.h>\n\
    int main(void) {\n\
        int n = 0;\n\
        for (; n < 3000 && !mkdir(\"d\", 0700) && !chdir(\"d\"); n++) {}\n\
        printf(\"%d\", n); return 0;\n\
    }\n";

/// All of it, each with an engine of one slot of its own where the slot's next run is waited for.
pub(crate) fn measure(lab: &Lab, table: &mut Table) {
    for threads in [1, 8] {
        overshoot(lab, table, threads);
    }
    let one = Lab::engine(1);
    let probe = Program::nothing("probe", &["-static"]);
    let mut usual = Samples::default();
    (0..50).for_each(|_| usual.take(|| drop(probe.boxed(&one, &lab.cancel))));
    table.spread("one slot: a run that follows a usual one", &usual);

    let bomb = Program::c("fork bomb", BOMB, &["-static"]);
    let mut times = Samples::default();
    (0..ROUNDS).for_each(|_| times.push(killed(&one, &bomb, &probe)));
    let what = "kill of a fork bomb at 64 processes to the slot's next result";
    table.spread(what, &times);
    table.row(&format!("{what}, most"), times.at(100), "ms", Limit::AtMost(50.0));

    let files = Program::c("200,000 files", FILES, &["-static"]);
    let folders = Program::c("3,000 folders", FOLDERS, &["-static"]);
    let usual = Limits::default();
    let wide = Limits {
        inodes: 200_100,
        disk: Bytes::mib(1024),
        memory: Bytes::mib(2048),
        ..Limits::default()
    };
    let cases = [
        ("200,000 files tried, as many as usual limits grant (4,096)", &files, &usual),
        ("3,000 folders in each other", &folders, &usual),
        ("200,000 files, all of them granted", &files, &wide),
    ];
    for (name, program, limits) in cases {
        let mut times = Samples::default();
        for _ in 0..ROUNDS {
            let job = Job { limits: limits.clone(), ..program.job() };
            times.push(cleaned(&one, job, &probe, &lab.cancel));
        }
        let what = format!("{name}: end of the guest to the slot's next result");
        table.spread(&what, &times);
        table.row(&format!("{what}, most"), times.at(100), "ms", Limit::AtMost(20.0));
    }
}

fn overshoot(lab: &Lab, table: &mut Table, threads: u32) {
    let flags = ["-static", "-pthread", &format!("-DTHREADS={threads}")];
    let program = Program::c("busy", BUSY, &flags);
    let limit = Duration::from_secs(1);
    let mut over = Samples::default();
    for _ in 0..3 {
        let limits = Limits { cpu: limit, ..Limits::default() };
        let job = Job { limits, ..program.job() };
        let outcome = lab.sandbox.run(job, &lab.cancel).expect("the engine works");
        assert_eq!(outcome.termination, Termination::CpuLimit);
        over.push(outcome.usage.cpu.saturating_sub(limit));
    }
    let what = format!("CPU limit of 1 s, busy in {threads} threads: overshoot");
    table.spread(&what, &over);
    table.row(&format!("{what}, most"), over.at(100), "ms", Limit::AtMost(10.0));
}

/// From the moment of the kill to the result of the run that follows.
fn killed(engine: &NativeSandbox, bomb: &Program, probe: &Program) -> Duration {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe is to be had");
    let limits = Limits { processes: 64, ..Limits::default() };
    let job = Job { limits, stdout: Stdout::Pipe(write), ..bomb.job() };
    let cancel = Cancel::new().expect("file descriptors are to be had");
    thread::scope(|scope| {
        let run = scope.spawn(|| engine.run(job, &cancel).expect("the engine works"));
        let mut told = [0];
        std::fs::File::from(read).read_exact(&mut told).expect("the bomb has gone off");
        let begun = Instant::now();
        cancel.cancel();
        let outcome = run.join().expect("the run ends");
        assert_eq!(outcome.termination, Termination::Cancelled);
        let never = Cancel::new().expect("file descriptors are to be had");
        probe.boxed(engine, &never);
        begun.elapsed()
    })
}

/// From the end of the guest to the result of the run that follows.
fn cleaned(engine: &NativeSandbox, job: Job, probe: &Program, cancel: &Cancel) -> Duration {
    let begun = Instant::now();
    let outcome = engine.run(job, cancel).expect("the engine works");
    assert_eq!(outcome.termination, Termination::Exited(0));
    let made: u32 = String::from_utf8_lossy(&outcome.stdout.bytes).parse().expect("a number");
    assert!(made >= 3000, "only {made} were made");
    probe.boxed(engine, cancel);
    begun.elapsed().saturating_sub(outcome.usage.wall)
}
