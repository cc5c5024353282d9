//! evalX on a true node: kubelet, containerd, privileged pods, sandboxes inside them. The cases
//! share one `JudgeCluster` and disturb it one after the other.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "measurements for whoever looks")]

mod first;
mod fleet;
mod forward;
mod hands;
mod hostile;
mod languages;
mod leftovers;
mod loss;
mod monitoring;
mod neighbours;
mod slots;

use std::process::ExitCode;

use e2e::suite::{Case, Need, Pace, run};

fn main() -> ExitCode {
    if let Some(programs) = std::env::var_os(leftovers::VICTIM) {
        return leftovers::be_the_victim(programs.as_ref());
    }
    let cases = vec![
        Case::new("a JudgeCluster judges its first submission", first::verdict),
        Case::new("logs and commands in the worker's pod work while boxes run", hands::kubectl),
        Case::new("submissions come by evalx submit and as to Judge0", hands::clients),
        Case::new("what the page says to type hands in a submission", hands::typed),
        Case::new("what the runbooks say to look at is there", hands::runbooks),
        Case::new("Judge0's own SDK is served", hands::sdk).lacking(hands::no_sdk()),
        Case::new("every core language is judged right", languages::core),
        Case::new("slots change while submissions run, and no worker restarts", slots::resized),
        Case::new("a cordoned node finishes what it runs, and begins nothing", slots::cordoned),
        Case::new("a worker's pod deleted at once loses nothing", loss::worker),
        Case::new("a worker that is killed loses nothing, and runs two again", loss::killed),
        Case::new("Redis deleted at once loses nothing that was acknowledged", loss::redis),
        Case::new("without an operator the fleet goes on", loss::operator),
        Case::new("a restarted rollout ends no run", loss::restarted),
        Case::new("an upgrade of the chart and the way back end no run", loss::upgraded),
        Case::new("of two clusters the older has the node", neighbours::older),
        Case::new("two workers on one node do not disturb each other", neighbours::both),
        Case::new("hostile programs are held as the sandbox's contract says", hostile::contract),
        Case::new("nothing of pod, node and cluster is reached", hostile::escapes),
        Case::new("a box over the pod's limit of memory never ends the worker", hostile::pod_limit),
        Case::new("Prometheus scrapes it, panels have data, nothing alarms", monitoring::panels),
        Case::new("nothing is left when a node is killed with what it runs", leftovers::killed),
    ];
    run(Need::Machine, Pace::Apart, cases)
}
