//! Claims jobs from the queue and judges them: the daemon behind `evalx worker`.
#![forbid(unsafe_code)]

pub mod node;
pub mod slots;
