//! What is said of a managed Redis that is not ready.

use super::{Findings, Verdict, no, yes};
use crate::build::redis_name;
use crate::conditions::reasons;
use crate::world::RedisTroubleKind;

/// That the queue is not ready, while it is not.
pub(super) fn away(findings: &Findings<'_>) -> Option<Verdict> {
    findings.redis.as_ref().filter(|redis| !redis.ready)?;
    let (reason, message) = words(findings);
    Some(no(reason, message))
}

/// That something is wrong: not while it may just be starting.
pub(super) fn degraded(findings: &Findings<'_>) -> Option<Verdict> {
    findings.redis.as_ref().filter(|redis| redis.late)?;
    let (reason, message) = words(findings);
    Some(yes(reason, message))
}

fn words(findings: &Findings<'_>) -> (&'static str, String) {
    let key = &findings.seen.key;
    let namespace = &key.namespace;
    let pod = format!("{}-0", redis_name(&key.name));
    let trouble = findings.redis.as_ref().and_then(|redis| redis.trouble.as_ref());
    let Some(trouble) = trouble else {
        let message = format!(
            "the managed Redis is not ready; should it not be soon, see `kubectl describe pod -n \
             {namespace} {pod}`"
        );
        return (reasons::REDIS_NOT_READY, message);
    };
    let said = &trouble.message;
    match trouble.kind {
        RedisTroubleKind::Volume => {
            let message = format!(
                "the managed Redis waits for its volume; name a storage class that makes some in \
                 spec.queue.managed.storage.storageClassName (in a new JudgeCluster, or delete the \
                 StatefulSet and its claim data-{pod}), or make a volume ({pod}: {said})"
            );
            (reasons::REDIS_PENDING, message)
        }
        RedisTroubleKind::Node => {
            let message = format!(
                "no node takes the managed Redis; make room, or lower \
                 spec.queue.managed.resources ({pod}: {said})"
            );
            (reasons::REDIS_PENDING, message)
        }
        RedisTroubleKind::Image => {
            let message = format!(
                "the image of the managed Redis cannot be pulled; see spec.queue.managed.image \
                 ({pod}: {said})"
            );
            (reasons::REDIS_IMAGE, message)
        }
        RedisTroubleKind::Crash => {
            let message = format!(
                "the managed Redis ends with an error; see `kubectl logs --previous -n {namespace} \
                 {pod}` ({said})"
            );
            (reasons::REDIS_CRASHING, message)
        }
    }
}
