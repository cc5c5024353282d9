//! The operator with the rights of one namespace, `manifests/namespaced/rbac.yaml`, and with less.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod namespaced;

use std::process::ExitCode;

use e2e::suite::{Case, Need, Pace, run};

fn main() -> ExitCode {
    let cases = vec![
        Case::new("the rights of a namespace are enough for it", namespaced::enough),
        Case::new("a namespace without rights holds up no other", namespaced::one_without),
        Case::new("they are none elsewhere", namespaced::no_more),
        Case::new("without nodes the workers are there, and it is said", namespaced::no_nodes),
    ];
    run(Need::Namespaced, Pace::Apart, cases)
}
