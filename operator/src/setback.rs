//! What the API server does not do for a cluster, while the rest of a look goes on.

use std::fmt::Display;

use crate::api::{self, chain};
use crate::build::Kind;
use crate::conditions::reasons;
use crate::validate::Complaint;

/// A write that was not done.
#[derive(Debug)]
pub(crate) enum Setback {
    /// It was refused, or fails for long: it is the user's to mend.
    Refused(Complaint),
    /// The API server fails at it.
    Broken(Broken),
}

/// At what the API server fails, and what is to be said of it if that lasts.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) complaint: Complaint,
    pub(crate) error: api::Error,
}

impl Setback {
    /// Of a failure that holds up nothing else. What was tried begins the words that are said.
    ///
    /// # Errors
    /// The failure itself, when it is any other.
    pub(crate) fn of(error: api::Error, tried: impl Display) -> Result<Self, api::Error> {
        if !error.is_refusal() && !error.is_fault() {
            return Err(error);
        }
        let complaint = objection(tried, &error);
        Ok(match error.is_refusal() {
            true => Self::Refused(complaint),
            false => Self::Broken(Broken { complaint, error }),
        })
    }
}

impl Broken {
    pub(crate) fn at(kind: Kind, name: &str, error: api::Error) -> Self {
        Self { complaint: objection(named(kind, name), &error), error }
    }
}

/// An object, in words.
pub(crate) fn named(kind: Kind, name: &str) -> String {
    format!("{} {name}", kind.as_str())
}

/// What the API server says of what was tried.
pub(crate) fn objection(tried: impl Display, error: &api::Error) -> Complaint {
    let reason = if error.is_forbidden() { forbidden(error) } else { reasons::REJECTED };
    Complaint { reason, message: format!("{tried}: {}", said(error)) }
}

/// A quota is told as a missing right.
fn forbidden(error: &api::Error) -> &'static str {
    match error.status() {
        Some(status) if status.message.contains("exceeded quota") => reasons::QUOTA,
        _ => reasons::FORBIDDEN,
    }
}

fn said(error: &api::Error) -> String {
    let said = error.status().map_or_else(|| chain(error), |status| status.message.clone());
    said.chars().take(600).collect()
}
