//! What is sent: a request without its destination, in the form of the API that was used.

use axum::http::Method;
use bytes::Bytes;
use queue::JobId;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::intake::Known;
use crate::judge0;
use crate::v1::wire::View;

/// The form in which somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wire {
    /// POST of what `GET /v1/submissions/{id}` answers.
    Native,
    /// PUT of what Judge0 sends.
    Judge0,
}

/// Method and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) method: Method,
    pub(crate) body: Bytes,
}

impl Wire {
    /// What is said of a submission that is over.
    pub(crate) fn message(self, app: &App, id: &JobId, known: Known) -> Message {
        let (method, body) = match self {
            Self::Native => (Method::POST, serde_json::to_vec(&View::of(id, known))),
            Self::Judge0 => (Method::PUT, serde_json::to_vec(&judge0::told(app, id, &known))),
        };
        Message { method, body: body.expect("answers become JSON").into() }
    }
}
