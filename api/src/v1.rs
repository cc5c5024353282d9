//! The native API, version 1.

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;

pub(crate) mod batch;
pub(crate) mod events;
pub(crate) mod fleet;
pub(crate) mod languages;
pub(crate) mod problems;
pub(crate) mod submissions;
pub(crate) mod wire;

/// The routes below `/v1`.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/submissions", post(submissions::create))
        .route("/submissions:batch", post(batch::create))
        .route("/submissions/{id}", get(submissions::show).delete(submissions::cancel))
        .route("/submissions/{id}/events", get(events::stream))
        .route("/problems", post(problems::create))
        .route("/problems/{problem}", get(problems::show).delete(problems::delete))
        .route("/languages", get(languages::list))
        .route("/fleet", get(fleet::show))
}
