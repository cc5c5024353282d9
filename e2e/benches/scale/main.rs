//! The figures of SPEC.md that the operator has to reach: many nodes, 20 JudgeClusters that share
//! them out, one operator as it is shipped, a real control plane beside it on the same cores.
//!
//! `EVALX_SCALE` nodes (default 1,000); then `EVALX_SCALE_IDLE` seconds in which nothing changes
//! (default 300). It fails when one of the figures is missed, after all of them were printed.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a bench prints what it measures")]
#![expect(clippy::unwrap_used, reason = "what is unexpected ends the bench")]

mod fleet;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use e2e::audit;
use e2e::cluster::Cluster;
use e2e::operator::{self, Operator, USER};
use e2e::programs::{self, ControlPlane, Profile};
use e2e::wait::secs;
use kube::Client;

use fleet::Fleet;

/// How many JudgeClusters share the nodes.
pub(crate) const CLUSTERS: usize = 20;

/// SPEC.md's figures; the bytes that are resident are promised for so many nodes at most.
const CONVERGED: Duration = secs(60);
const WRITES_OF_A_CLUSTER: usize = 50;
const RESIDENT: [(usize, u64); 2] = [(1000, 100_000_000), (5000, 200_000_000)];

fn main() -> ExitCode {
    if std::env::args().any(|arg| arg == "--test") {
        return ExitCode::SUCCESS;
    }
    let ControlPlane::Built(programs) = ControlPlane::find().unwrap() else {
        println!("the operator's figures need Go, which builds the control plane");
        return ExitCode::SUCCESS;
    };
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().expect("it is a number"))
    };
    let (nodes, idle) = (number("EVALX_SCALE", 1000), number("EVALX_SCALE_IDLE", 300));
    let nodes = usize::try_from(nodes).unwrap();
    println!("load average {}", std::fs::read_to_string("/proc/loadavg").unwrap().trim());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let missed = runtime.block_on(async {
        let cluster = Cluster::start_crowded(&programs).await.unwrap();
        let client = cluster.client().await.unwrap();
        operator::install(&cluster, &client, "rbac.yaml").await.unwrap();
        let program = programs::operator(Profile::Release).unwrap();
        let mut operator = Operator::start(&cluster, &program, "operator", &[]).await.unwrap();
        operator.ready().await.unwrap();
        let idle_memory = operator.process().resident().unwrap();
        println!("operator with nothing to do: {} resident", mebibytes(idle_memory));
        measure(&cluster, &client, &mut operator, nodes, secs(idle)).await
    });
    for figure in &missed {
        println!("missed: {figure}");
    }
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the figures; returns those that are not as SPEC.md has them.
async fn measure(
    cluster: &Cluster,
    client: &Client,
    operator: &mut Operator,
    nodes: usize,
    idle: Duration,
) -> Vec<String> {
    let mut missed = Vec::new();
    let mut check = |holds: bool, figure: String| {
        if !holds {
            missed.push(figure);
        }
    };
    let fleet = Fleet::new(client, nodes);
    let begun = Instant::now();
    fleet.create_nodes().await;
    println!("{nodes} nodes ready in {:.1?}", begun.elapsed());
    let audit = cluster.audit();
    let mark = audit.mark().unwrap();
    let begun = Instant::now();
    fleet.create_clusters().await;
    fleet.until_running().await;
    let running = Instant::now();
    println!("{CLUSTERS} JudgeClusters, all pods running after {:.1?}", running - begun);
    let converged = fleet.until_converged().await;
    let took = converged - running;
    println!("converged {took:.1?} after the last pod was running (at most {CONVERGED:?})");
    check(took <= CONVERGED, format!("converged after {took:.1?}, {CONVERGED:?} at most"));
    let writes = audit.writes(mark, USER).unwrap();
    let budget = nodes + WRITES_OF_A_CLUSTER * CLUSTERS;
    println!("API writes: {} (at most {budget}): {}", writes.len(), audit::summary(&writes));
    check(writes.len() <= budget, format!("{} writes, {budget} at most", writes.len()));
    println!("operator: {}", memory(operator));

    let mut times = fleet.cordon_some().await;
    println!("a node is cordoned, its worker is told: {}", spread(&mut times));
    // Counts in a status may follow some seconds later.
    tokio::time::sleep(secs(30)).await;
    let mark = audit.mark().unwrap();
    tokio::time::sleep(idle).await;
    let writes = audit.writes(mark, USER).unwrap();
    println!("writes in {idle:?} without a change: {} {}", writes.len(), audit::summary(&writes));
    check(writes.is_empty(), format!("{} writes without a change, none at most", writes.len()));
    println!("operator: {}", memory(operator));
    let peak = operator.process().peak().unwrap();
    if let Some((_, bound)) = RESIDENT.into_iter().find(|(most, _)| nodes <= *most) {
        let figure = format!("{} resident, {} at most", mebibytes(peak), mebibytes(bound));
        check(peak <= bound, figure);
    }
    operator.process().expect_alive().unwrap();
    missed
}

fn memory(operator: &mut Operator) -> String {
    let resident = operator.process().resident().unwrap();
    let peak = operator.process().peak().unwrap();
    format!("{} resident, {} at most", mebibytes(resident), mebibytes(peak))
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Median, 99th percentile, maximum.
fn spread(times: &mut [Duration]) -> String {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    format!("p50 {:.1?}, p99 {:.1?}, most {:.1?}", at(50), at(99), at(100))
}
