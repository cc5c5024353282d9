//! Cases that need the cluster for themselves: they start and end operators, break the control
//! plane, or change what all namespaces share. One after the other.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "figures for SPEC.md")]

mod clock;
mod definition;
mod election;
mod example;
mod monitoring;
mod outage;

use std::process::ExitCode;
use std::sync::Arc;

use e2e::operator::Operator;
use e2e::programs::{self, Profile};
use e2e::scene::Scene;
use e2e::suite::{Case, Need, Pace, run};

fn main() -> ExitCode {
    let cases = vec![
        Case::new("the shortest example is a fleet within 5 s", example::shortest),
        Case::new("an operator that starts again writes nothing", election::started_again),
        Case::new("a leader that stops hands over at once", election::stopped),
        Case::new("a leader that is killed is followed by the other", election::killed),
        Case::new("a leader that was paused ends when it wakes", election::paused),
        Case::new("no clock but its own decides who leads", clock::jumps),
        Case::new("an operator outlives the api server", outage::restarted),
        Case::new("an operator outlives a compacted etcd", outage::compacted),
        Case::new(
            "a definition that is missing or old is waited for, and said",
            definition::missing,
        ),
        Case::new("a ServiceMonitor is there as soon as it can be", monitoring::appears),
    ];
    run(Need::Installed("rbac.yaml"), Pace::Apart, cases)
}

/// An operator that is ready.
async fn operator(scene: &Scene, name: &str) -> Operator {
    operator_with(scene, name, &[]).await
}

/// The same with arguments of its own.
async fn operator_with(scene: &Scene, name: &str, arguments: &[&str]) -> Operator {
    let program = programs::operator(Profile::Debug).unwrap();
    let operator = Operator::start(scene.cluster(), &program, name, arguments).await;
    let mut operator = operator.unwrap();
    operator.ready().await.unwrap();
    operator
}

/// What a case begins with: a name for its operators, so that each has a log of its own.
fn named(scene: &Arc<Scene>, name: &str) -> String {
    format!("{}-{name}", scene.namespace())
}
