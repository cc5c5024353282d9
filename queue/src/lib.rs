//! Jobs that are never lost: opaque jobs, pure transitions, and two stores behind one trait.
#![forbid(unsafe_code)]

mod consumer;
#[cfg(test)]
mod history;
mod id;
mod job;
mod memory;
pub mod redis;
mod settings;
mod store;
pub mod transition;
pub mod view;

pub use consumer::Consumer;
pub use id::{BatchId, IdempotencyKey, Incarnation, Invalid, JobId, Label, Place, Tenant, Token};
pub use job::{Batch, Completion, Held, Job, Lane, Lease, Listing, Outcome, Step, Subject};
pub use memory::MemoryStore;
pub use redis::RedisStore;
pub use settings::{Account, Limit, Settings};
pub use store::{
    Beat, Cancelled, Claim, Claimed, Enqueued, Error, Full, Reached, Registered, Settled, Store,
    Target, Verdict,
};
