//! One operator and many `JudgeClusters`, each in a namespace and on nodes of its own. The operator
//! has the rights of `manifests/rbac.yaml`; when it is refused anything, the suite fails.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod conflict;
mod drift;
mod engine;
mod failures;
mod install;
mod invalid;
mod lifecycle;
mod redis;
mod rights;
mod rollout;
mod slots;

use std::process::ExitCode;

use e2e::suite::{Case, Need, Pace, run};

fn main() -> ExitCode {
    let cases = vec![
        Case::new("a JudgeCluster becomes a fleet", install::fleet),
        Case::new("the columns of kubectl are filled", install::columns),
        Case::new("engine and version are the workers' own words", engine::words),
        Case::new("every field of the full example is taken", install::full_example),
        Case::new("parts come and go with the spec", install::parts),
        Case::new("slots follow the CPUs of each node", slots::by_cpu),
        Case::new("slots are bounded by memory, minimum, maximum and reserve", slots::bounded),
        Case::new("a label's own numbers come before the rest", slots::overrides),
        Case::new("a cordoned node has no slots until it is uncordoned", slots::cordoned),
        Case::new("a node that an autoscaler takes away has no slots", slots::autoscaled),
        Case::new("a node that changes its size changes its slots, and no pod", slots::resized),
        Case::new("nodes come and go, and the slots with them", slots::come_and_go),
        Case::new("odd nodes: no CPU, 253 characters, 10,000 labels", slots::odd),
        Case::new("a change rolls out with a tenth away at most", rollout::tenth),
        Case::new("kubectl rollout restart is left alone", rollout::restarted_by_kubectl),
        Case::new("paused, nothing is touched", lifecycle::paused),
        Case::new("suspended, every slot is gone and every pod stays", lifecycle::suspended),
        Case::new("deleted, nothing is left", lifecycle::deleted),
        Case::new("deleted with draining, the workers go first", lifecycle::drained),
        Case::new("deleted without its workers, they go on as they are", lifecycle::orphaned),
        Case::new("what others delete or change is mended", drift::mended),
        Case::new("what others add is left alone", drift::left_alone),
        Case::new("what others add to what is ours whole is taken away", drift::added),
        Case::new("what excludes a field of ours is taken away", drift::in_the_way),
        Case::new("languages that others add reach no worker", drift::languages),
        Case::new("what a JudgeCluster left behind is the next one's", drift::orphaned),
        Case::new("no pod is made before what it mounts", drift::unmounted),
        Case::new("an annotation that is lost is written again", drift::annotation),
        Case::new("nothing is written when nothing changes", drift::quiet),
        Case::new("of two on one node the older has it", conflict::older_first),
        Case::new("pods that Pod Security forbids are a condition", failures::pod_security),
        Case::new("pods that a quota forbids are a condition", failures::quota),
        Case::new("an image that cannot be pulled is a condition", failures::image),
        Case::new(
            "a sandbox that fails, a queue that is away: conditions",
            failures::sandbox_and_queue,
        ),
        Case::new("a rollout that stands still is a condition", failures::stalled),
        Case::new("a secret that is missing is named by its field", failures::secret),
        Case::new("an HTTP service that does not come up is a condition", failures::service),
        Case::new(
            "a managed Redis without a volume, and one that crashes: conditions",
            redis::away,
        ),
        Case::new("languages that are no YAML are a condition", failures::languages),
        Case::new("a webhook that is away is a condition, and no more", failures::webhook_away),
        Case::new("a broken JudgeCluster disturbs no other", failures::undisturbed),
        Case::new("what is invalid is refused, and says why", invalid::matrix),
        Case::new("what cannot be changed is refused, and says why", invalid::immutable),
        Case::new("the operator may do what it needs, and nothing else", rights::exactly),
    ];
    run(Need::Operator("rbac.yaml"), Pace::Together, cases)
}
