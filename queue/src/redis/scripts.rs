//! The Lua scripts, made for one set of settings: the numbers stand in the text as constants, so
//! that no call has to carry or parse them.

use redis::Script;

use crate::job::Lane;
use crate::memory::DEAD_LETTERS;
use crate::settings::{Settings, millis};
use crate::store::{GROUP_TTL, LISTED, TALLY_LABELS, TALLY_STEP, TALLY_STEPS};

/// The server's clock. Tests put one in its place that they can set.
pub(super) const SERVER_CLOCK: &str = include_str!("lua/now.lua");

const PRELUDE: &str = include_str!("lua/prelude.lua");

/// Over `maxmemory` a script is refused before its first write, unless it says otherwise: what
/// would add jobs is refused, what ends them is not.
const REFUSED_WHEN_FULL: &str = "#!lua";
const ALLOWED_WHEN_FULL: &str = "#!lua flags=allow-oom";
const READS: &str = "#!lua flags=no-writes";

#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) open: Script,
    pub(super) enqueue: Script,
    pub(super) register: Script,
    pub(super) claim: Script,
    pub(super) progress: Script,
    pub(super) complete: Script,
    pub(super) heartbeat: Script,
    pub(super) reap: Script,
    pub(super) release: Script,
    pub(super) announce: Script,
    pub(super) workers: Script,
    pub(super) cancel: Script,
    pub(super) revive: Script,
    pub(super) snapshot: Script,
    pub(super) tallies: Script,
    pub(super) forget: Script,
    pub(super) mend: Script,
    pub(super) recount: Script,
}

impl Scripts {
    pub(super) fn new(settings: &Settings, clock: &str) -> Self {
        let head = format!("{clock}{}{PRELUDE}", constants(settings));
        let script = |flags: &str, body: &str| script(flags, &head, body);
        Self {
            open: script(ALLOWED_WHEN_FULL, include_str!("lua/open.lua")),
            enqueue: script(REFUSED_WHEN_FULL, include_str!("lua/enqueue.lua")),
            register: script(ALLOWED_WHEN_FULL, include_str!("lua/register.lua")),
            claim: script(ALLOWED_WHEN_FULL, include_str!("lua/claim.lua")),
            progress: script(ALLOWED_WHEN_FULL, include_str!("lua/progress.lua")),
            complete: script(ALLOWED_WHEN_FULL, include_str!("lua/complete.lua")),
            heartbeat: script(ALLOWED_WHEN_FULL, include_str!("lua/heartbeat.lua")),
            reap: script(ALLOWED_WHEN_FULL, include_str!("lua/reap.lua")),
            release: script(ALLOWED_WHEN_FULL, include_str!("lua/release.lua")),
            announce: script(ALLOWED_WHEN_FULL, include_str!("lua/announce.lua")),
            workers: script(READS, include_str!("lua/workers.lua")),
            cancel: script(ALLOWED_WHEN_FULL, include_str!("lua/cancel.lua")),
            revive: script(ALLOWED_WHEN_FULL, include_str!("lua/revive.lua")),
            snapshot: script(READS, include_str!("lua/snapshot.lua")),
            forget: script(ALLOWED_WHEN_FULL, include_str!("lua/forget.lua")),
            tallies: script(READS, include_str!("lua/tallies.lua")),
            mend: script(ALLOWED_WHEN_FULL, include_str!("lua/mend.lua")),
            recount: script(ALLOWED_WHEN_FULL, include_str!("lua/recount.lua")),
        }
    }
}

fn script(flags: &str, head: &str, body: &str) -> Script {
    Script::new(&format!("{flags}\n{head}{body}"))
}

/// Queues that are broken on purpose: the checks that ours pass have to find the damage.
#[cfg(test)]
impl Scripts {
    /// Completion does not look at the token.
    pub(super) fn unfenced(settings: &Settings) -> Self {
        let (fenced, open) = ("j.s == 'l' and j.o == tok then", "(j.s == 'l' or j.s == 'f') then");
        let complete = changed(include_str!("lua/complete.lua"), fenced, open);
        let head = format!("{SERVER_CLOCK}{}{PRELUDE}", constants(settings));
        let complete = script(ALLOWED_WHEN_FULL, &head, &complete);
        Self { complete, ..Self::new(settings, SERVER_CLOCK) }
    }

    /// A server that was started again is not noticed, so its append-only file is not rewritten.
    pub(super) fn uncured(settings: &Settings) -> Self {
        let open = changed(include_str!("lua/open.lua"), "if v[2] == ARGV[2] then", "do");
        let head = format!("{SERVER_CLOCK}{}{PRELUDE}", constants(settings));
        let open = script(ALLOWED_WHEN_FULL, &head, &open);
        Self { open, ..Self::new(settings, SERVER_CLOCK) }
    }
}

#[cfg(test)]
fn changed(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "the control changes nothing: {from}");
    text.replace(from, to)
}

fn constants(settings: &Settings) -> String {
    let Settings {
        depth,
        tenant_depth,
        tenant_running,
        lease,
        crashes,
        attempts,
        internal_attempts,
        retry_first,
        retry_most,
        internal_retry_most,
        result_ttl,
        remembered,
        dead_ttl,
        payload_limit: _,
        result_limit: _,
        brief_limit: _,
        large_results,
        events,
    } = settings;
    let limit = |limit: &Option<u64>| limit.map_or("-1".to_owned(), |n| n.to_string());
    let constants = [
        ("DEPTH", depth.to_string()),
        ("TENANT_DEPTH", limit(tenant_depth)),
        ("TENANT_RUNNING", limit(tenant_running)),
        ("LEASE", millis(*lease).to_string()),
        ("CRASHES", crashes.to_string()),
        ("ATTEMPTS", attempts.to_string()),
        ("INTERNAL_ATTEMPTS", internal_attempts.to_string()),
        ("RETRY_FIRST", millis(*retry_first).to_string()),
        ("RETRY_MOST", millis(*retry_most).to_string()),
        ("INTERNAL_RETRY_MOST", millis(*internal_retry_most).to_string()),
        ("RESULT_TTL", millis(*result_ttl).max(1).to_string()),
        ("REMEMBERED", millis(*remembered).max(1).to_string()),
        ("DEAD_TTL", millis(*dead_ttl).max(1).to_string()),
        ("EVENTS", events.to_string()),
        ("DEAD_LETTERS", DEAD_LETTERS.to_string()),
        ("LARGE_RESULTS", large_results.min(&(1 << 50)).to_string()),
        ("LISTED", LISTED.to_string()),
        ("GROUP_TTL", millis(GROUP_TTL).to_string()),
        ("TALLY_STEP", millis(TALLY_STEP).to_string()),
        ("TALLY_STEPS", TALLY_STEPS.to_string()),
        ("TALLY_LABELS", TALLY_LABELS.to_string()),
    ];
    let mut text: String =
        constants.iter().map(|(name, value)| format!("local {name} = {value}\n")).collect();
    let weights = Lane::ALL.map(|lane| format!("['{}'] = {}", lane.index(), lane.weight()));
    text.push_str(&format!("local WEIGHTS = {{ {} }}\n", weights.join(", ")));
    text
}
