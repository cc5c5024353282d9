//! The service over the store in memory, with workers that judge nothing: every route, every
//! error, and what clients do wrong.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod bad_input;
mod batch;
mod callbacks;
mod document;
mod events;
mod page;
mod problems;
mod scene;
mod serving;
mod submissions;
