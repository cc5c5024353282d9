//! The routes of Judge0 over the store in memory, with workers that judge nothing: each route,
//! each field, each error, and what clients do wrong.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod bad_input;
mod batch;
mod golden;
mod routes;
#[path = "../service/scene.rs"]
#[allow(dead_code, reason = "shared with the tests of the native routes")]
mod scene;
mod submissions;
