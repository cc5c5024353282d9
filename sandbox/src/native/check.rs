//! The self-check: ten probes, each a small run with a known outcome, that show whether the engine
//! holds a guest on this machine.

use std::time::Duration;

use crate::choose::chain;
use crate::{Bytes, Cancel, Contents, Job, Limits, Outcome, Sandbox, Stdin, Termination};

/// One probe and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What is shown.
    pub name: &'static str,
    /// Whether it held.
    pub ok: bool,
    /// What was seen, when it did not.
    pub detail: String,
    /// What to do about it, when it did not.
    pub cure: &'static str,
}

struct Expectation {
    name: &'static str,
    script: &'static str,
    limits: fn(&mut Limits),
    holds: fn(&Outcome) -> bool,
    cure: &'static str,
}

const MEMORY_CURE: &str = "give this process a control group with the memory controller";
const KERNEL_CURE: &str = "run a kernel of 5.19 or newer, and no seccomp profile around evalX";

const EXPECTATIONS: [Expectation; 10] = [
    Expectation {
        name: "runs a program and keeps its exit code",
        script: "exit 7",
        limits: |_| {},
        holds: |o| o.termination == Termination::Exited(7),
        cure: KERNEL_CURE,
    },
    Expectation {
        name: "passes standard input and output",
        script: "cat",
        limits: |_| {},
        holds: |o| o.termination == Termination::Exited(0) && o.stdout.bytes == b"probe\n",
        cure: KERNEL_CURE,
    },
    Expectation {
        name: "gives the guest no privilege",
        script: "[ \"$(id -u)\" -ge 1000000 ] && grep -q 'CapEff:[[:space:]]*0*$' /proc/self/status",
        limits: |_| {},
        holds: |o| o.termination == Termination::Exited(0),
        cure: "run evalX as root of the machine or of a privileged container",
    },
    Expectation {
        name: "hides the machine's processes and files",
        script: "[ ! -e /root ] && [ ! -e /home ] && [ ! -e /proc/kallsyms ] && [ ! -e /proc/1 ]",
        limits: |_| {},
        holds: |o| o.termination == Termination::Exited(0),
        cure: KERNEL_CURE,
    },
    Expectation {
        name: "keeps the base system read-only",
        script: "! touch /usr/probe && ! touch /probe && ! (echo > /etc/passwd)",
        limits: |_| {},
        holds: |o| o.termination == Termination::Exited(0),
        cure: KERNEL_CURE,
    },
    Expectation {
        name: "ends a guest at its CPU limit",
        script: "while :; do :; done",
        limits: |l| l.cpu = Duration::from_millis(50),
        holds: |o| o.termination == Termination::CpuLimit,
        cure: "give this process a control group with CPU accounting",
    },
    Expectation {
        name: "ends an idle guest at its wall limit",
        script: "sleep 60",
        limits: |l| l.wall = Duration::from_millis(100),
        holds: |o| o.termination == Termination::WallLimit,
        cure: KERNEL_CURE,
    },
    Expectation {
        name: "ends a guest at its memory limit",
        script: "tail /dev/zero",
        limits: |l| l.memory = Bytes::mib(16),
        holds: |o| o.termination == Termination::MemoryLimit,
        cure: MEMORY_CURE,
    },
    Expectation {
        name: "ends a guest at its output limit",
        script: "cat /dev/zero",
        limits: |l| l.output = Bytes::kib(64),
        holds: |o| o.termination == Termination::OutputLimit,
        cure: KERNEL_CURE,
    },
    Expectation {
        name: "bounds the guest's processes",
        script: "(:) && exit 1; exit 0",
        limits: |l| l.processes = 1,
        holds: |o| !matches!(o.termination, Termination::Exited(1)),
        cure: "give this process a control group with the pids controller",
    },
];

/// Runs all ten.
pub fn probes(sandbox: &dyn Sandbox) -> Vec<Probe> {
    EXPECTATIONS.iter().map(|expectation| probe(sandbox, expectation)).collect()
}

fn probe(sandbox: &dyn Sandbox, expectation: &Expectation) -> Probe {
    let Expectation { name, script, limits, holds, cure } = expectation;
    let mut job = Job::new(["/bin/sh", "-c", script].map(str::to_owned).to_vec());
    job.env = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
    job.stdin = Stdin::Contents(Contents::Memory(b"probe\n".as_slice().into()));
    job.proc = true;
    limits(&mut job.limits);
    let ran = Cancel::new()
        .map_err(|e| chain(&e))
        .and_then(|cancel| sandbox.run(job, &cancel).map_err(|e| chain(&e)));
    let (ok, detail) = match ran {
        Ok(outcome) => (holds(&outcome), format!("{:?}", outcome.termination)),
        Err(error) => (false, error),
    };
    Probe { name, ok, detail, cure }
}
