//! Jobs that are never lost: opaque jobs, pure transitions, and two stores behind one trait.
#![forbid(unsafe_code)]

mod consumer;
#[cfg(test)]
mod history;
mod id;
mod job;
mod memory;
mod settings;
mod store;
pub mod transition;
pub mod view;

pub use consumer::Consumer;
pub use id::{BatchId, IdempotencyKey, Incarnation, Invalid, JobId, Place, Tenant, Token};
pub use job::{Batch, Completion, Held, Job, Lane, Lease, Outcome, Step};
pub use memory::MemoryStore;
pub use settings::{Account, Limit, Settings};
pub use store::{
    Beat, Cancelled, Claim, Claimed, Enqueued, Error, Full, Registered, Settled, Store, Target,
    Verdict,
};
