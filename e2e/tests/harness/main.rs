//! The harness itself: what the other suites believe of the cluster, and that nothing of it is
//! left.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod leftovers;
mod machinery;

use std::process::ExitCode;

use e2e::suite::{Case, Need, Pace, run};

fn main() -> ExitCode {
    if let Some(programs) = std::env::var_os(leftovers::VICTIM) {
        return leftovers::be_the_victim(programs.as_ref());
    }
    let cases = vec![
        Case::new("the api server says its version", machinery::version),
        Case::new("a simulated node becomes ready, and is its own size", machinery::node),
        Case::new("a privileged DaemonSet is rolled out and rolled over", machinery::daemon_set),
        Case::new("requests are recorded by who asked", machinery::recorded),
        Case::new("what was stored is there after the api server was killed", machinery::restart),
        Case::new("who asks etcd for what it has forgotten is told 410", machinery::compacted),
        Case::new("nothing is left when the harness is killed", leftovers::killed),
        Case::new("nothing is left when a cluster is dropped", leftovers::dropped),
    ];
    run(Need::Nothing, Pace::Apart, cases)
}
