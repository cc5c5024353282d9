//! `kubectl port-forward`, by which everything in the cluster is reached.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use e2e::cluster::Cluster;
use e2e::process::{Plan, Process};

/// Found by all cases, by namespace and service. One lives as long as the process that runs the suite.
static FORWARDS: Mutex<BTreeMap<String, (Process, SocketAddr)>> = Mutex::new(BTreeMap::new());

/// Where that port of a service is reached, by a forward that is made when there is none.
pub(crate) async fn to(
    cluster: &Cluster,
    namespace: &str,
    service: &str,
    port: u16,
) -> Result<SocketAddr, String> {
    let key = format!("{namespace}-{}", service.trim_start_matches("service/"));
    if let Some((process, address)) = FORWARDS.lock().unwrap().get_mut(&key)
        && process.ended().is_ok_and(|ended| ended.is_none())
    {
        return Ok(*address);
    }
    let log = cluster.folder().join(format!("forward-{key}.log"));
    drop(std::fs::remove_file(&log));
    let plan = Plan::new(cluster.programs().join("kubectl"), &log)
        .args(["-n", namespace, "port-forward", service])
        .arg(format!(":{port}"))
        .env("KUBECONFIG", cluster.kubeconfig().to_string_lossy())
        .env("HOME", cluster.folder().to_string_lossy());
    let mut process = cluster.nursery().spawn(&plan).map_err(|error| format!("{error:#}"))?;
    let address = loop {
        process.expect_alive().map_err(|error| format!("{error:#}"))?;
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        let port = said.split("Forwarding from ").nth(1).and_then(|rest| rest.split(' ').next());
        if let Some(address) = port.and_then(|address| address.parse().ok()) {
            break address;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    FORWARDS.lock().unwrap().insert(key, (process, address));
    Ok(address)
}
