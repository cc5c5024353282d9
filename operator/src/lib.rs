//! The Kubernetes operator: a JudgeCluster becomes a fleet of sized, drained, observed workers.
//! ARCHITECTURE.md draws the flow.
#![forbid(unsafe_code)]

mod annotate;
mod api;
mod apply;
pub mod args;
mod ask;
pub mod build;
mod client;
pub mod conditions;
mod context;
pub mod crd;
mod deletion;
pub mod dereference;
pub mod greet;
pub mod lease;
pub mod log;
pub mod metrics;
mod pace;
mod progress;
mod reconcile;
mod report;
pub mod run;
mod serve;
mod setback;
pub mod sizing;
pub mod status;
pub mod survey;
pub mod validate;
mod watch;
mod work;
pub mod world;
pub mod yaml;
