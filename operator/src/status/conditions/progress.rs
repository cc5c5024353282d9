//! Whether a change is on its way to the workers.

use super::super::Rollout;
use super::{Findings, HELD, Verdict, no, share, yes};
use crate::conditions::reasons;
use crate::validate::Complaint;

pub(super) fn progressing(findings: &Findings<'_>) -> Verdict {
    if findings.seen.deleted.is_some() {
        // Without a DaemonSet the workers would be about to be made.
        return no(reasons::DELETING, "the cluster is being deleted");
    }
    if let Some(held) = held(findings) {
        return held;
    }
    let Some(rollout) = findings.rollout else {
        return yes(reasons::ROLLING_OUT, "the workers are about to be made");
    };
    let Rollout { desired, ready, updated, .. } = rollout;
    if rollout.is_done(findings.survey.not_ready) {
        return no(reasons::ROLLED_OUT, "all workers are as the spec says");
    }
    let counts = format!("{} of the newest template, {ready} ready", share(updated, desired));
    if findings.stalled {
        let message = format!(
            "{counts}, and nothing has moved for spec.updateStrategy.stalledAfterSeconds; see the \
             condition Degraded and `kubectl describe pod` of what is not ready"
        );
        return no(reasons::ROLLOUT_STALLED, message);
    }
    yes(reasons::ROLLING_OUT, counts)
}

/// Why the DaemonSet is not made as the spec says. It may be done with an earlier one.
fn held(findings: &Findings<'_>) -> Option<Verdict> {
    if findings.invalid.is_some() {
        return Some(no(reasons::INVALID_SPEC, "nothing is changed until the spec is right"));
    }
    if findings.seen.is_paused() {
        return Some(no(reasons::PAUSED, HELD));
    }
    let Complaint { reason, message } = findings.held.as_ref()?;
    Some(no(reason, message.clone()))
}
