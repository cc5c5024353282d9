//! The line with which a user begins.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use e2e::scene::Scene;
use e2e::wait::{secs, until};
use e2e::{http, kubectl};

pub(crate) async fn shortest(scene: Arc<Scene>) {
    let operator = crate::operator(&scene, &crate::named(&scene, "operator")).await;
    let file = Path::new("examples/judgecluster.yaml").to_string_lossy();
    let arguments = ["apply", "-n", scene.namespace(), "-f", &file];
    kubectl::run(scene.cluster(), &arguments).unwrap();
    let mut expected = Vec::new();
    for cpu in [2, 4, 8, 16] {
        let node = scene.node(&format!("c{cpu}"), &cpu.to_string(), "64Gi").await.unwrap();
        expected.push((node, cpu));
    }
    let names: Vec<String> = expected.iter().map(|(node, _)| node.clone()).collect();
    scene.nodes_ready(&names).await;
    let began = Instant::now();
    scene.slots_are(&expected).await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "the slots are right after {took:?}");
    let table = until(secs(30), "the columns are filled", async || {
        let table = kubectl::run(scene.cluster(), &["get", "jc", "-n", scene.namespace()]);
        let table = table.map_err(|error| format!("{error:#}"))?;
        let row: Vec<&str> = table.lines().nth(1).unwrap_or("").split_whitespace().collect();
        if row.len() == 7 && row[1] == "4/4" && row[2] == "30" { Ok(table) } else { Err(table) }
    })
    .await;
    let metrics = operator.metrics().await.unwrap();
    let slots = |state: &str| {
        let namespace = format!("judgecluster_namespace=\"{}\"", scene.namespace());
        let state = format!("state=\"{state}\"");
        http::sample(&metrics, "evalx_operator_cluster_slots", &[&namespace, &state])
    };
    assert_eq!((slots("desired"), slots("ready")), (Some(30.0), Some(30.0)), "{metrics}");
    assert_eq!(http::sample(&metrics, "evalx_operator_leader", &[]), Some(1.0));
    let failed = http::sample(&metrics, "controller_reconcile_total", &["result=\"error\""]);
    assert!(failed.is_none_or(|count| count == 0.0), "{metrics}");
    println!("slots were right {took:?} after the nodes were ready\n{table}");
    assert!(operator.stop().await.unwrap().success());
}
