//! What is said of clusters in all kinds of trouble.

use serde_json::json;

use super::*;
use crate::survey::Names;
use crate::world::TroubleKind;

fn seen(spec: Value) -> Seen {
    let mut base = json!({ "image": "registry:5000/evalx:1.2", "queue": { "url": "redis://r" } });
    base.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let object = json!({
        "apiVersion": "evalx.dev/v1alpha1", "kind": "JudgeCluster",
        "metadata": { "name": "c", "namespace": "ns", "uid": "u", "generation": 3 },
        "spec": base,
    });
    Seen::of(&serde_json::from_value(object).unwrap())
}

fn rollout(desired: u32, updated: u32, ready: u32) -> Rollout {
    Rollout { generation: 2, observed: 2, desired, ready, updated, misscheduled: 0 }
}

fn healthy(survey: &mut Survey) {
    (survey.pods, survey.ready, survey.slots, survey.slots_ready) = (4, 4, 16, 16);
    survey.classes.insert("4-cpu".to_owned(), (4, 16));
}

fn findings<'a>(seen: &'a Seen, survey: &'a Survey) -> Findings<'a> {
    Findings {
        seen,
        invalid: None,
        complaints: Vec::new(),
        held: None,
        survey,
        rollout: Some(rollout(4, 4, 4)),
        refusal: None,
        nodes_forbidden: false,
        service_monitors: false,
        stalled: false,
        queue_trouble: None,
        redis: None,
        service: None,
        manner: None,
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn find<'a>(status: &'a JudgeClusterStatus, name: &str) -> &'a Condition {
    status.conditions.iter().find(|condition| condition.type_ == name).unwrap()
}

fn of<'a>(status: &'a JudgeClusterStatus, name: &str) -> (&'a str, &'a str) {
    let condition = find(status, name);
    let bad = matches!(
        (name, condition.status.as_str()),
        ("Degraded" | "NodeConflict", "True") | ("Sized", "False")
    );
    let counted = reasons::FAILURES.contains(&condition.reason.as_str());
    assert!(counted || !bad, "{} is not counted", condition.reason);
    (condition.status.as_str(), condition.reason.as_str())
}

#[test]
fn a_cluster_that_is_well() {
    let (seen, mut survey) = (seen(json!({})), Survey::default());
    healthy(&mut survey);
    let status = status(&findings(&seen, &survey), now());
    assert_eq!(
        (&*status.state, &*status.reason, &*status.ready),
        ("Running", "WorkersReady", "4/4")
    );
    assert_eq!((&*status.engine, &*status.version), ("auto", "1.2"));
    assert_eq!((status.slots.desired, status.observed_generation), (16, 3));
    assert_eq!(of(&status, "Available"), ("True", "WorkersReady"));
    assert_eq!(of(&status, "Progressing"), ("False", "RolledOut"));
    assert_eq!(of(&status, "Degraded"), ("False", "AsExpected"));
    assert_eq!(of(&status, "Sized"), ("True", "AsExpected"));
    assert_eq!(of(&status, "SandboxReady"), ("True", "SelfCheckPassed"));
    assert_eq!(of(&status, "QueueReady"), ("True", "QueueReached"));
    assert_eq!(of(&status, "MonitoringReady"), ("False", "CRDMissing"));
    assert_eq!(of(&status, "Paused"), ("False", "Active"));
    assert_eq!(of(&status, "NodeConflict"), ("False", "None"));
    let types: Vec<_> = status.conditions.iter().map(|c| c.type_.as_str()).collect();
    assert_eq!(types, types::ALL);
}

#[test]
fn the_same_again_is_the_same_and_times_change_with_turns_only() {
    let (mut seen, mut survey) = (seen(json!({})), Survey::default());
    healthy(&mut survey);
    let first = status(&findings(&seen, &survey), now());
    seen.status = Some(first.clone());
    let later = now() + k8s_openapi::jiff::SignedDuration::from_hours(1);
    assert_eq!(status(&findings(&seen, &survey), later), first);
    let mut worse = findings(&seen, &survey);
    worse.queue_trouble = Some("refused".to_owned());
    let second = status(&worse, later);
    assert_eq!(find(&second, "QueueReady").last_transition_time.0, later);
    assert_eq!(find(&second, "Sized").last_transition_time.0, now());
    assert!(is_turn(Some(&first), &second));
}

#[test]
fn counts_alone_are_no_turn() {
    let (seen, mut survey) = (seen(json!({})), Survey::default());
    healthy(&mut survey);
    let at = |ready| {
        let mut findings = findings(&seen, &survey);
        findings.rollout = Some(rollout(4, 4, ready));
        status(&findings, now())
    };
    assert!(!is_turn(Some(&at(1)), &at(2)) && at(1) != at(2));
    assert!(is_turn(Some(&at(3)), &at(4)), "it is done");
}

#[test]
fn each_trouble_has_its_condition_and_says_what_to_do() {
    let seen = seen(json!({}));
    let table = [
        (TroubleKind::Room, "WorkerUnschedulable", "spec.resources.requests", None),
        (TroubleKind::Image, "ImagePullFailed", "spec.image", None),
        (TroubleKind::Config, "ConfigMissing", "secret", Some(("QueueReady", "False"))),
        (TroubleKind::Settings, "WorkerMisconfigured", "spec.env", None),
        (TroubleKind::Sandbox, "SelfCheckFailed", "in a copy", Some(("SandboxReady", "False"))),
        (TroubleKind::Queue, "QueueUnreachable", "spec.queue", Some(("QueueReady", "False"))),
        (TroubleKind::Crash, "WorkerCrashing", "kubectl logs", None),
    ];
    for (kind, reason, hint, other) in table {
        let mut survey = Survey { pods: 4, ..Survey::default() };
        survey.troubles.insert(kind, (2, "c-worker-x".to_owned(), "the reason".to_owned()));
        let mut findings = findings(&seen, &survey);
        findings.rollout = Some(rollout(4, 4, 0));
        let status = status(&findings, now());
        assert_eq!(of(&status, "Degraded"), ("True", reason));
        let message = &find(&status, "Degraded").message;
        assert!(message.contains(hint) && message.contains("the reason"), "{message}");
        assert_eq!((&*status.state, &*status.reason), ("Degraded", reason));
        if let Some((name, value)) = other {
            assert_eq!(of(&status, name).0, value, "{name}");
        }
    }
}

#[test]
fn pods_that_are_refused() {
    let seen = seen(json!({}));
    let table = [
        (
            "violates PodSecurity \"restricted:latest\": privileged",
            "PodSecurityForbidden",
            "kubectl label namespace ns",
        ),
        ("exceeded quota: q, requested: cpu=100m", "QuotaExceeded", "raise it"),
        ("a webhook said no", "PodsRejected", "a webhook said no"),
    ];
    for (said, reason, hint) in table {
        let survey = Survey::default();
        let mut findings = findings(&seen, &survey);
        findings.rollout = Some(rollout(4, 0, 0));
        findings.refusal = Some(Refusal { message: said.to_owned() });
        let status = status(&findings, now());
        assert_eq!(of(&status, "Degraded"), ("True", reason));
        assert!(find(&status, "Degraded").message.contains(hint));
        assert!(
            find(&status, "Available").message.contains(hint),
            "the first one looked at says it"
        );
    }
    let survey = Survey { pods: 4, ..Survey::default() };
    let mut all = findings(&seen, &survey);
    all.refusal = Some(Refusal { message: "long ago".to_owned() });
    assert_eq!(of(&status(&all, now()), "Degraded").0, "False", "all pods are there now");
}

#[test]
fn what_users_can_do_on_purpose() {
    let mut survey = Survey::default();
    healthy(&mut survey);
    let cluster = seen(json!({ "suspend": true }));
    let suspended = status(&findings(&cluster, &survey), now());
    assert_eq!(
        (&*suspended.state, of(&suspended, "Available")),
        ("Suspended", ("False", "Suspended"))
    );
    let cluster = seen(json!({ "paused": true }));
    let paused = status(&findings(&cluster, &survey), now());
    assert_eq!((&*paused.state, of(&paused, "Paused")), ("Paused", ("True", "Paused")));
    let (cluster, nothing) = (seen(json!({})), Survey::default());
    let mut none = findings(&cluster, &nothing);
    none.rollout = Some(rollout(0, 0, 0));
    let empty = status(&none, now());
    assert_eq!((&*empty.state, &*empty.reason), ("Empty", "NoNodes"));
}

#[test]
fn workers_that_are_ready_are_so_while_a_change_is_not_seen_yet() {
    let (seen, mut survey) = (seen(json!({})), Survey::default());
    healthy(&mut survey);
    let mut findings = findings(&seen, &survey);
    findings.rollout = Some(Rollout { generation: 3, observed: 2, ..rollout(4, 4, 4) });
    let changed = status(&findings, now());
    assert_eq!(of(&changed, "Available"), ("True", "WorkersReady"));
    assert_eq!(of(&changed, "Progressing"), ("True", "RollingOut"));
    findings.rollout = Some(Rollout { generation: 1, observed: 0, ..rollout(0, 0, 0) });
    assert_eq!(of(&status(&findings, now()), "Available"), ("False", "NoWorkerReady"));
}

#[test]
fn what_is_not_changed_is_not_said_to_be_as_the_spec_says() {
    let mut survey = Survey::default();
    healthy(&mut survey);
    let complaint = |reason, message: &str| Complaint { reason, message: message.to_owned() };
    // Whatever it is that holds the workers: what they mount, or they themselves.
    let refused = complaint(reasons::REJECTED, "ConfigMap c-sizing: data: Too long");
    let other = complaint(reasons::REJECTED, "Service c-worker: no");
    let (well, held) = (seen(json!({})), seen(json!({ "paused": true })));
    for rollout in [Some(rollout(4, 4, 4)), Some(rollout(4, 2, 3)), None] {
        let of_spec = |seen: &Seen, invalid: Option<&str>, complaints: &[&Complaint]| {
            let complaints: Vec<_> = complaints.iter().copied().cloned().collect();
            let (invalid, all) = (invalid.map(str::to_owned), findings(seen, &survey));
            let held = complaints.contains(&refused).then(|| refused.clone());
            let findings = Findings { rollout, invalid, complaints, held, ..all };
            let status = status(&findings, now());
            let (state, reason) = of(&status, "Progressing");
            (state.to_owned(), reason.to_owned(), find(&status, "Progressing").message.clone())
        };
        let (state, reason, message) = of_spec(&well, Some("spec.x: no"), &[]);
        assert_eq!((&*state, &*reason), ("False", "InvalidSpec"), "{message}");
        let (state, reason, message) = of_spec(&well, None, &[&other, &refused]);
        assert_eq!((&*state, &*reason, &message), ("False", "Rejected", &refused.message));
        let (state, reason, message) = of_spec(&held, None, &[]);
        assert_eq!((&*state, &*reason), ("False", "Paused"));
        assert_eq!(message, "nothing is changed until spec.paused is false");
        let (_, reason, _) = of_spec(&well, None, &[&other]);
        assert!(["RolledOut", "RollingOut"].contains(&&*reason), "it does not hold up the workers");
    }
}

#[test]
fn while_paused_nothing_is_suspended_that_was_not_before() {
    let mut survey = Survey::default();
    healthy(&mut survey);
    let seen = seen(json!({ "paused": true, "suspend": true }));
    let judging = status(&findings(&seen, &survey), now());
    assert_eq!(of(&judging, "Available"), ("True", "WorkersReady"));
    assert_eq!((&*judging.state, judging.slots.desired), ("Paused", 16));
    (survey.slots, survey.slots_ready) = (0, 0);
    let before = status(&findings(&seen, &survey), now());
    assert_eq!(of(&before, "Available"), ("False", "Suspended"));
}

#[test]
fn a_change_on_its_way_and_one_that_is_stuck() {
    let (seen, mut survey) = (seen(json!({})), Survey::default());
    healthy(&mut survey);
    let mut findings = findings(&seen, &survey);
    findings.rollout = Some(rollout(4, 2, 3));
    let moving = status(&findings, now());
    assert_eq!(
        (&*moving.state, of(&moving, "Progressing")),
        ("RollingOut", ("True", "RollingOut"))
    );
    findings.stalled = true;
    let stuck = status(&findings, now());
    assert_eq!(of(&stuck, "Progressing"), ("False", "RolloutStalled"));
    assert_eq!(of(&stuck, "Degraded"), ("True", "RolloutStalled"));
}

#[test]
fn a_node_that_is_not_ready_does_not_hold_up_a_change() {
    let (seen, mut survey) = (seen(json!({})), Survey::default());
    healthy(&mut survey);
    survey.not_ready = 1;
    let mut findings = findings(&seen, &survey);
    findings.rollout = Some(rollout(4, 4, 3));
    let status = status(&findings, now());
    assert_eq!((&*status.state, &*status.ready), ("Running", "3/4"));
}

#[test]
fn a_wrong_spec_names_its_field() {
    let (seen, survey) = (seen(json!({ "sandbox": { "minPerNode": "two" } })), Survey::default());
    let problem = seen.spec.clone().unwrap_err();
    assert!(problem.starts_with("spec.sandbox.minPerNode: "), "{problem}");
    let mut findings = findings(&seen, &survey);
    findings.invalid = Some(problem);
    let status = status(&findings, now());
    assert_eq!((&*status.state, of(&status, "Degraded")), ("Invalid", ("True", "InvalidSpec")));
}

#[test]
fn nodes_that_cannot_be_counted() {
    let seen = seen(json!({}));
    let mut survey = Survey::default();
    healthy(&mut survey);
    let mut forbidden = findings(&seen, &survey);
    forbidden.nodes_forbidden = true;
    assert_eq!(of(&status(&forbidden, now()), "Sized"), ("False", "NodesForbidden"));
    let name = "n".repeat(253);
    let mut unknown = survey.clone();
    unknown.unknown = Names::of([name.as_str()]);
    let silent = status(&findings(&seen, &unknown), now());
    assert_eq!(of(&silent, "Sized"), ("False", "AllocatableUnknown"));
    assert!(find(&silent, "Sized").message.contains(&name));
    survey.small = Names::of(["a", "b", "c", "d", "e"]);
    let small = status(&findings(&seen, &survey), now());
    assert_eq!(of(&small, "Sized"), ("False", "NodeTooSmall"));
    assert!(find(&small, "Sized").message.ends_with("a, b, c and 2 more"));
}

#[test]
fn versions_of_images() {
    for (image, wanted) in [
        ("evalx:1.2", "1.2"),
        ("r:5000/a/evalx", "latest"),
        ("r/evalx@sha256:abc", "sha256:abc"),
        ("r/evalx:1@sha256:abc", "sha256:abc"),
    ] {
        assert_eq!(version(image), wanted, "{image}");
    }
}

#[test]
fn the_engine_and_the_version_are_the_workers_own_words() {
    let (mut seen, mut survey) = (seen(json!({})), Survey::default());
    healthy(&mut survey);
    let said = |seen: &Seen, manner: Option<(&str, &str)>| {
        let manner = manner.map(|(engine, version)| Manner {
            engine: engine.to_owned(),
            version: version.to_owned(),
        });
        let status = status(&Findings { manner, ..findings(seen, &survey) }, now());
        (status.engine, status.version)
    };
    let pair = |engine: &str, version: &str| (engine.to_owned(), version.to_owned());
    assert_eq!(said(&seen, None), pair("auto", "1.2"), "what was asked for");
    assert_eq!(said(&seen, Some(("native", "0.1.0"))), pair("native", "0.1.0"));
    let mut old = status(&findings(&seen, &survey), now());
    (old.engine, old.version) = pair("native", "0.1.0");
    seen.status = Some(old.clone());
    assert_eq!(said(&seen, None), pair("native", "0.1.0"), "an operator that has just started");
    old.observed_generation -= 1;
    seen.status = Some(old);
    assert_eq!(said(&seen, None), pair("auto", "1.2"), "the words were of another spec");
}

#[test]
fn a_managed_redis_that_is_away_is_the_cause_and_has_a_cure() {
    use crate::world::{RedisTrouble, RedisTroubleKind};
    let seen = seen(json!({ "queue": { "managed": {} } }));
    let table = [
        (Some(RedisTroubleKind::Volume), "RedisPending", "storageClassName"),
        (Some(RedisTroubleKind::Node), "RedisPending", "spec.queue.managed.resources"),
        (Some(RedisTroubleKind::Image), "RedisImagePullFailed", "spec.queue.managed.image"),
        (Some(RedisTroubleKind::Crash), "RedisCrashing", "kubectl logs --previous -n ns c-redis-0"),
        (None, "RedisNotReady", "kubectl describe pod -n ns c-redis-0"),
    ];
    for (kind, reason, cure) in table {
        let trouble = kind.map(|kind| RedisTrouble { kind, message: "the reason".to_owned() });
        let mut survey = Survey { pods: 4, ..Survey::default() };
        // Workers that do not reach it end; that is no cause of its own.
        let ended = (4, "c-worker-x".to_owned(), "no answer".to_owned());
        survey.troubles.insert(TroubleKind::Queue, ended);
        let mut findings = findings(&seen, &survey);
        findings.rollout = Some(rollout(4, 4, 0));
        findings.redis = Some(Redis { ready: false, late: false, trouble: trouble.clone() });
        let starting = status(&findings, now());
        assert_eq!(of(&starting, "QueueReady"), ("False", reason));
        let message = &find(&starting, "QueueReady").message;
        assert!(message.contains(cure), "{message}");
        assert!(trouble.is_none() || message.contains("the reason"), "{message}");
        findings.redis = Some(Redis { ready: false, late: true, trouble });
        assert_eq!(of(&status(&findings, now()), "Degraded"), ("True", reason));
        findings.redis = Some(Redis { ready: true, late: false, trouble: None });
        assert_eq!(of(&status(&findings, now()), "QueueReady"), ("False", "QueueUnreachable"));
    }
}

#[test]
fn a_managed_redis_that_starts_is_no_alarm() {
    let seen = seen(json!({ "queue": { "managed": {} } }));
    let mut survey = Survey::default();
    healthy(&mut survey);
    let mut findings = findings(&seen, &survey);
    findings.redis = Some(Redis { ready: false, late: false, trouble: None });
    let starting = status(&findings, now());
    assert_eq!(of(&starting, "Degraded"), ("False", "AsExpected"));
    assert_eq!(of(&starting, "QueueReady"), ("False", "RedisNotReady"));
    findings.redis = Some(Redis { ready: true, late: false, trouble: None });
    assert_eq!(of(&status(&findings, now()), "QueueReady"), ("True", "QueueReached"));
}

#[test]
fn an_http_service_that_does_not_come_up_is_said() {
    let token = json!({ "tokenSecretRef": { "name": "tokens", "key": "tokens" } });
    let (seen, mut survey) = (seen(json!({ "api": token })), Survey::default());
    healthy(&mut survey);
    let mut findings = findings(&seen, &survey);
    findings.service = Some(Service { ready: 0, wanted: 2, late: false });
    assert_eq!(of(&status(&findings, now()), "Degraded"), ("False", "AsExpected"), "it starts");
    findings.service = Some(Service { ready: 0, wanted: 2, late: true });
    let status = status(&findings, now());
    assert_eq!(of(&status, "Degraded"), ("True", "ApiNotReady"));
    let message = &find(&status, "Degraded").message;
    assert!(message.contains("spec.api.tokenSecretRef (tokens)"), "{message}");
    assert_eq!(of(&status, "Available"), ("True", "WorkersReady"), "workers judge all the same");
}

#[test]
fn a_secret_that_is_missing_is_named_by_the_field_that_names_it() {
    let secret = |name: &str| json!({ "name": name, "key": "k" });
    let seen = seen(json!({
        "queue": { "urlSecretRef": secret("address") },
        "env": [{ "name": "A", "value": "1" },
            { "name": "B", "valueFrom": { "secretKeyRef": secret("address-2") } },
            { "name": "C", "valueFrom": { "configMapKeyRef": secret("settings") } }],
    }));
    for (said, field) in [
        (r#"secret "address" not found"#, "spec.queue.urlSecretRef"),
        ("couldn't find key k in Secret ns/address", "spec.queue.urlSecretRef"),
        (r#"secret "address-2" not found"#, "spec.env[1].valueFrom.secretKeyRef"),
        (r#"configmap "settings" not found"#, "spec.env[2].valueFrom.configMapKeyRef"),
        (r#"secret "of-others" not found"#, "its name in the spec"),
    ] {
        let mut survey = Survey { pods: 4, ..Survey::default() };
        let lacks = (4, "c-worker-x".to_owned(), said.to_owned());
        survey.troubles.insert(TroubleKind::Config, lacks);
        let status = status(&findings(&seen, &survey), now());
        let message = &find(&status, "Degraded").message;
        assert!(message.contains(field) && message.contains(said), "{message}");
        assert_eq!(of(&status, "QueueReady"), ("False", "ConfigMissing"));
    }
}

#[test]
fn settings_that_are_refused_may_come_from_a_secret() {
    let told = |queue: Value| {
        let (seen, mut survey) = (seen(json!({ "queue": queue })), Survey::default());
        let said = (4, "c-worker-x".to_owned(), "that is no address of Redis".to_owned());
        survey.troubles.insert(TroubleKind::Settings, said);
        find(&status(&findings(&seen, &survey), now()), "Degraded").message.clone()
    };
    let named = told(json!({ "urlSecretRef": { "name": "address", "key": "url" } }));
    let whole = "see spec.env, spec.languages and the address in the secret \"address\" of \
                 spec.queue.urlSecretRef (";
    assert!(named.contains(whole), "{named}");
    let other = told(json!({ "url": "redis://r" }));
    assert!(other.contains("see spec.env and spec.languages ("), "{other}");
    let ca = json!({ "configMapRef": { "name": "authority", "key": "ca" } });
    let other = told(json!({ "url": "rediss://r", "ca": ca }));
    assert!(other.contains("\"authority\" of spec.queue.ca.configMapRef"), "{other}");
}

#[test]
fn a_service_monitor_that_was_refused_is_none() {
    let (seen, mut survey) = (seen(json!({})), Survey::default());
    healthy(&mut survey);
    let mut findings = findings(&seen, &survey);
    findings.service_monitors = true;
    let well = status(&findings, now());
    assert_eq!(of(&well, "MonitoringReady"), ("True", "Monitored"));
    let complain = |reason, message: &str| vec![Complaint { reason, message: message.to_owned() }];
    let refused = "ServiceMonitor c-worker: spec.endpoints[0].interval: Invalid value";
    findings.complaints = complain(reasons::REJECTED, refused);
    let refused_too = status(&findings, now());
    assert_eq!(of(&refused_too, "MonitoringReady"), ("False", "Rejected"));
    assert_eq!(find(&refused_too, "MonitoringReady").message, refused);
    let taken = "there is a ServiceMonitor c-worker that is not this JudgeCluster's";
    findings.complaints = complain(reasons::NAME_TAKEN, taken);
    assert_eq!(of(&status(&findings, now()), "MonitoringReady"), ("False", "NameTaken"));
    findings.complaints = complain(reasons::REJECTED, "Service c-worker: no");
    assert_eq!(of(&status(&findings, now()), "MonitoringReady"), ("True", "Monitored"));
}

#[test]
fn what_a_worker_that_is_not_made_may_lack_is_named() {
    let secret = json!({ "secretRef": { "name": "authority", "key": "ca.crt" } });
    let queue = |ca: Value| json!({ "queue": { "url": "rediss://r", "ca": ca } });
    let stuck = |spec: Value, waiting| {
        let (seen, survey) = (seen(spec), Survey { pods: 4, waiting, ..Survey::default() });
        let mut findings = findings(&seen, &survey);
        (findings.rollout, findings.stalled) = (Some(rollout(4, 4, 0)), true);
        let status = status(&findings, now());
        assert_eq!(of(&status, "Degraded"), ("True", "RolloutStalled"));
        find(&status, "Degraded").message.clone()
    };
    let named = stuck(queue(secret.clone()), 3);
    let parts = ["3 workers wait", "-n ns", "\"authority\"", "spec.queue.ca.secretRef"];
    assert!(parts.iter().all(|part| named.contains(part)), "{named}");
    let other = stuck(json!({}), 3);
    assert!(other.contains("kubectl describe pod") && !other.contains("create"), "{other}");
    assert!(!stuck(queue(secret), 0).contains("authority"));
}

#[test]
fn nodes_that_are_too_large_for_one_worker_are_named() {
    let (seen, mut survey) = (seen(json!({})), Survey::default());
    healthy(&mut survey);
    survey.large = Names::of(["huge-1", "huge-2"]);
    let status = status(&findings(&seen, &survey), now());
    assert_eq!(of(&status, "Sized"), ("True", "WorkerFull"));
    let message = &find(&status, "Sized").message;
    assert!(message.contains("512") && message.contains("huge-1, huge-2"), "{message}");
    assert_eq!(&*status.state, "Running");
}

#[test]
fn a_fleet_of_one_is_told_in_the_singular() {
    use TroubleKind::{Config, Crash, Image, Queue, Room, Sandbox, Settings};
    let seen = seen(json!({ "api": { "replicas": 1 } }));
    let mut told = Vec::new();
    let mut say = |survey: &Survey, ready: u32, change: &dyn Fn(&mut Findings<'_>)| {
        let mut findings = findings(&seen, survey);
        findings.rollout = Some(rollout(1, 1, ready));
        change(&mut findings);
        told.extend(status(&findings, now()).conditions.into_iter().map(|c| c.message));
    };
    let well = Survey { pods: 1, ready: 1, ..Survey::default() };
    say(&well, 1, &|_| {});
    say(&well, 1, &|findings| {
        findings.service = Some(Service { ready: 0, wanted: 1, late: true });
    });
    let unwell = Survey { pods: 1, waiting: 1, ..Survey::default() };
    say(&unwell, 0, &|findings| findings.stalled = true);
    for kind in [Room, Image, Config, Settings, Sandbox, Queue, Crash] {
        let mut survey = unwell.clone();
        survey.troubles.insert(kind, (1, "c-worker-x".to_owned(), "the reason".to_owned()));
        say(&survey, 0, &|_| {});
    }
    let (one, two) = (Names::of(["a"]), Names::of(["ns/old"]));
    say(&Survey { unknown: one.clone(), ..well.clone() }, 1, &|_| {});
    say(&Survey { small: one.clone(), ..well.clone() }, 1, &|_| {});
    say(&Survey { large: one.clone(), ..well.clone() }, 1, &|_| {});
    say(&Survey { conflicts: one, rivals: two, ..well }, 1, &|_| {});
    for wanted in [
        "1 of 1 worker is ready",
        "the one worker is not ready",
        "the one replica of the HTTP service is not ready",
        "1 worker waits for its volumes",
        "1 worker finds no room on its node;",
        "1 worker does not reach the queue;",
        "1 worker has passed its self-check",
        "no slots on a node that an older cluster has (ns/old): a;",
    ] {
        assert!(told.iter().any(|message| message.contains(wanted)), "{wanted}: {told:#?}");
    }
    let many = ["1 workers", "of 1 replicas", "their ", "they ", "on nodes", " are "];
    for message in &told {
        // These are of all workers, however many, or of a limit that is the same for each.
        let general = ["all workers are as the spec says", "slots, as many as one worker can run"];
        if !general.iter().any(|words| message.contains(words)) {
            assert!(!many.iter().any(|words| message.contains(words)), "{message}");
        }
    }
}
