//! The operator's own port: `/healthz`, `/readyz`, `/metrics`. None of them asks who leads: a standby
//! that is not ready would hold up the rollout that is to make it the leader.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::context::Context;

/// What the port shows.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) context: Arc<Context>,
    /// The API server has answered once.
    pub(crate) reached: AtomicBool,
}

/// Serves until the listener is beyond repair.
pub(crate) async fn serve(listener: TcpListener, board: Arc<Board>) -> io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(board);
    axum::serve(listener, router).await
}

async fn ready(State(board): State<Arc<Board>>) -> Response {
    if board.reached.load(Ordering::Relaxed) {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "the API server has not answered yet\n").into_response()
}

async fn metrics(State(board): State<Arc<Board>>) -> Response {
    let kind = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];
    let depth = board.context.work.depth();
    (kind, board.context.metrics.text(depth)).into_response()
}
