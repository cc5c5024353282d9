//! What a worker says of itself, in a status. A process of this test is the worker, at an address that
//! the pod is given.

use std::net::SocketAddr;
use std::sync::Arc;

use e2e::kubectl;
use e2e::scene::Scene;
use e2e::wait::{secs, until};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::install::ready;

/// Answers each request as a worker answers `/readyz`.
async fn worker(listener: TcpListener) {
    let word = json!({
        "ready": true, "phase": "running", "version": "0.9.1-test", "engine": "isolate",
        "queue": {"name": "default", "reachable": true}, "jobs": {"judging": 0, "undelivered": 0},
    });
    let answer = format!("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{word}\n");
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        // Whoever hangs up in between asks again.
        if stream.read(&mut request).await.is_ok_and(|count| count > 0) {
            drop(stream.write_all(answer.as_bytes()).await);
        }
    }
}

pub(crate) async fn words(scene: Arc<Scene>) {
    scene.node("a", "2", "64Gi").await.unwrap();
    scene.judge("engine", &json!({})).await.unwrap();
    let status = ready(&scene, "engine", "1/1").await;
    assert_eq!((&status["engine"], &status["version"]), (&json!("auto"), &json!("1")));

    let address = SocketAddr::new(scene.cluster().free_address().ip(), 9464);
    let listener = TcpListener::bind(address).await.unwrap();
    let pod = scene.workers().await.unwrap().remove(0).metadata.name.unwrap();
    let ip = address.ip().to_string();
    let change = json!({"status": {"podIP": ip, "podIPs": [{"ip": ip}]}});
    let (params, patch) = (PatchParams::default(), Patch::Merge(&change));
    scene.api::<Pod>().patch_status(&pod, &params, &patch).await.unwrap();
    let told = until(secs(60), "the status has the worker's words", async || {
        let status = scene.status("engine").await?;
        let words = (status["engine"].as_str(), status["version"].as_str());
        if words == (Some("isolate"), Some("0.9.1-test")) {
            Ok(())
        } else {
            Err(status.to_string())
        }
    });
    tokio::select! {
        () = worker(listener) => unreachable!(),
        () = told => {}
    }
    let table = kubectl::run(scene.cluster(), &["get", "jc", "engine", "-n", scene.namespace()]);
    let table = table.unwrap();
    assert!(table.lines().nth(1).unwrap().contains(" isolate "), "{table}");
}
