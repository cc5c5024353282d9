//! The HTTP service of evalX: takes submissions, puts them on the queue, answers results. It runs
//! no program and needs no privilege.
#![forbid(unsafe_code)]

mod access;
mod app;
mod body;
mod budget;
mod callback;
mod hub;
mod intake;
mod judge0;
mod library;
mod metrics;
mod openapi;
mod page;
mod problem;
mod router;
mod server;
mod v1;

pub use access::{Access, Error as AccessError, Keyring, KeyringError};
pub use app::{App, Config, Installed};
pub use callback::{Config as Callbacks, Secret, SecretError};
pub use judge0::{Judge0, SettingError};
pub use openapi::document;
pub use router::router;
pub use server::{Error, Limits, Server};
