//! The system calls that no safe wrapper offers. The only home of `unsafe` in evalX.
#![allow(unsafe_code, reason = "raw calls; every other file forbids it by the workspace lint")]

pub(crate) mod isolate_child;
pub(crate) mod mount;
pub(crate) mod process;
pub(crate) mod seccomp;
pub(crate) mod socket;
