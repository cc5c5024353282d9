//! `evalx worker` on a real redis-server: a process a worker, the stub in the place of the judge.
#![expect(clippy::unwrap_used, reason = "what is unexpected fails the test")]
#![expect(clippy::print_stderr, reason = "the worker's log, when a test fails")]

mod faults;
mod fleet;
mod life;
mod probes;
#[path = "../../../queue/tests/server/mod.rs"]
mod server;
mod slots;
