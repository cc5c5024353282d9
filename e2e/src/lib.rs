//! A real Kubernetes for tests: etcd, kube-apiserver, kube-controller-manager and kube-scheduler as
//! they are, nodes simulated by kwok, and the operator under its own ServiceAccount.
//!
//! A test binary hands its cases to [`suite::run`]: they share one cluster, each has a namespace
//! and nodes of its own. Nothing here knows the operator's types; a JudgeCluster is what a user
//! writes.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "no guest: starts the programs of a control plane")]

pub mod audit;
pub mod cluster;
pub mod document;
pub mod folder;
pub mod helm;
pub mod http;
pub mod kubeconfig;
pub mod kubectl;
pub mod machine;
pub mod node;
pub mod operator;
pub mod pki;
pub mod process;
pub mod programs;
pub mod scene;
pub mod suite;
pub mod wait;
