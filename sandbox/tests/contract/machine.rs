//! What the suite has to know of the machine it runs on.

use std::time::Duration;

use sandbox::Limits;

/// For how long an emulated CPU may stand still while the emulator waits for a real one. The guest
/// sees only that its clocks went on, and counts it as CPU time of whatever ran.
const STOLEN: Duration = Duration::from_millis(200);

/// How much longer than on a real machine things may take here: once as long, unless
/// `EVALX_TEST_SLOWNESS` says more, as it does in the emulated guest of `make test-v2`. So much
/// larger are the limits of time of all cases, and the upper ends of the times they expect.
pub(crate) fn slowness() -> u32 {
    let said = std::env::var("EVALX_TEST_SLOWNESS").ok();
    said.and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// What may take as long as `time` on a real machine. On such a machine a bound of milliseconds would
/// measure the emulator; it is held where CPUs are real.
pub(crate) fn at_most(time: Duration) -> Duration {
    match slowness() {
        1 => time,
        n => time * n + STOLEN,
    }
}

/// The limits that such a machine grants instead of `limits`.
pub(crate) fn in_time(limits: Limits) -> Limits {
    let n = slowness();
    Limits { cpu: limits.cpu * n, wall: limits.wall * n, ..limits }
}
