//! The service and the Redis of a release, which several JudgeClusters share: made as the operator
//! makes those of one, and left alone by what does not concern them.

use std::sync::Arc;

use e2e::operator::NAMESPACE;
use e2e::scene::Scene;
use e2e::wait::{secs, until};
use e2e::{document, helm, kubectl, programs};
use serde_json::{Value, json};

use crate::render::{objects, template};
use crate::{RELEASE, clean, uid, upgrade};

/// What the operator makes of the JudgeCluster with a Redis and a service of its own.
const OPERATORS: &str = "operator/tests/golden/judgecluster.objects.yaml";
const BOTH: [&str; 3] =
    ["--set=redis.enabled=true", "--set=api.enabled=true", "--set=api.openToAll=true"];
const CLAIM: &str = "persistentvolumeclaim/data-evalx-redis-0";

/// The spec of the pods that the one object of a kind makes, out of those with these words.
fn pod(scene: &Scene, text: &str, kind: &str, words: &str) -> Value {
    let found: Vec<&str> = objects(text)
        .into_iter()
        .filter(|(is, object)| *is == kind && object.contains(words))
        .map(|(_, object)| object)
        .collect();
    assert_eq!(found.len(), 1, "{kind} with {words}");
    let convert = ["create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-"];
    let read = kubectl::feed(scene.cluster(), &convert, found[0]).unwrap();
    let object: Value = serde_json::from_str(&read).unwrap();
    object["spec"]["template"]["spec"].clone()
}

pub(crate) async fn as_the_operators(scene: Arc<Scene>) {
    let mine = template(&scene, helm::CHART, &BOTH).unwrap();
    let operators = std::fs::read_to_string(programs::checkout().join(OPERATORS)).unwrap();
    let words = "app.kubernetes.io/component: redis";
    let redis = pod(&scene, &mine, "StatefulSet", words);
    let mut theirs = pod(&scene, &operators, "StatefulSet", words);
    // Which a JudgeCluster's are by default, and a release's by its values.
    theirs["containers"][0]["resources"] = redis["containers"][0]["resources"].clone();
    theirs["containers"][0]["imagePullPolicy"] = json!("IfNotPresent");
    assert_eq!(redis, theirs);
    let words = "app.kubernetes.io/component: api";
    let mut api = pod(&scene, &mine, "Deployment", words);
    let theirs = pod(&scene, &operators, "Deployment", words);
    let address = json!({ "name": "REDIS_URL", "value": "redis://evalx-redis:6379" });
    let env = api["containers"][0]["env"].as_array_mut().unwrap();
    let there = env.iter_mut().find(|var| **var == address);
    // The one thing that is another: whose Redis it is.
    there.unwrap()["value"] = json!("redis://judge-redis:6379");
    let sorted = |mut pod: Value| {
        let env = pod["containers"][0]["env"].as_array_mut().unwrap();
        env.sort_by_key(|var| var["name"].as_str().map(str::to_owned));
        pod
    };
    assert_eq!(sorted(api), sorted(theirs));
}

pub(crate) async fn whole(scene: Arc<Scene>) {
    clean(&scene).await;
    let cluster = scene.cluster();
    // There is no storage here, so that its Redis waits for ever.
    let mut install = vec!["install", RELEASE, helm::CHART, "-n", NAMESPACE];
    install.extend(BOTH);
    let said = helm::run(cluster, &install).unwrap();
    let address = format!("url: redis://evalx-redis.{NAMESPACE}:6379\n");
    assert!(said.contains("The service evalx-api takes submissions") && said.contains(&address));
    for what in ["deployment/evalx-api", "service/evalx-api", "networkpolicy/evalx-redis"] {
        uid(&scene, what, NAMESPACE).unwrap();
    }
    // A secret made as the page says has what the service mounts.
    let tokens = tempfile::tempdir().unwrap();
    let file = tokens.path().join("tokens.yaml");
    std::fs::write(&file, "tokens: []\n").unwrap();
    let command = document::commands("docs/harden.md").unwrap();
    let [command] = &command[..] else { panic!("{command:?}") };
    let command: Vec<String> = command
        .iter()
        .map(|word| match word.as_str() {
            "judges" => NAMESPACE.to_owned(),
            "--from-file=tokens.yaml" => format!("--from-file={}", file.display()),
            word => word.to_owned(),
        })
        .collect();
    document::type_in(cluster, &command).unwrap();
    let key = ["get", "secret/tokens", "-n", NAMESPACE, "-o", r"jsonpath={.data.tokens\.yaml}"];
    assert_eq!(kubectl::run(cluster, &key).unwrap(), "dG9rZW5zOiBbXQo=");
    // The namespace is `restricted`.
    until(secs(60), "both have pods", async || {
        let pods = ["get", "pods", "-n", NAMESPACE, "-o", "name"];
        let pods = kubectl::run(cluster, &pods).map_err(|error| error.to_string())?;
        let all = ["pod/evalx-api-", "pod/evalx-redis-0"].iter().all(|pod| pods.contains(pod));
        if all { uid(&scene, CLAIM, NAMESPACE) } else { Err(pods) }.map(drop)
    })
    .await;
    let generation = || {
        let path = "jsonpath={.metadata.uid} {.metadata.generation}";
        let ask = ["get", "statefulset/evalx-redis", "-n", NAMESPACE, "-o", path];
        kubectl::run(cluster, &ask).unwrap()
    };
    let before = generation();
    let next = upgrade::next(&scene);
    let upgrade =
        ["upgrade", RELEASE, next.to_str().unwrap(), "-n", NAMESPACE, "--reset-then-reuse-values"];
    helm::run(cluster, &upgrade).unwrap();
    assert_eq!(generation(), before, "a new version of the chart is none of Redis");
    helm::run(cluster, &["uninstall", RELEASE, "-n", NAMESPACE]).unwrap();
    until(secs(60), "Redis has gone", async || match uid(&scene, "pod/evalx-redis-0", NAMESPACE) {
        Err(_) => Ok(()),
        Ok(uid) => Err(uid),
    })
    .await;
    // And with it nothing that was in the queue.
    uid(&scene, CLAIM, NAMESPACE).unwrap();
    let delete = ["delete", CLAIM, "secret/tokens", "-n", NAMESPACE, "--timeout=60s"];
    kubectl::run(cluster, &delete).unwrap();
}
