//! The built binary, as far as it gets without root: help, messages, bad input, manners.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_input;
mod book;
mod client;
mod dev;
mod golden;
mod manners;
#[path = "../pages/mod.rs"]
mod pages;
#[path = "../scene/mod.rs"]
mod scene;
mod settings;
