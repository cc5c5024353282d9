//! Clients of the API server. Each request is counted; a write is only sent while the lease is ours,
//! so that a process that slept does not wake up in the middle of one.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use http::{Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tower::{BoxError, Layer, Service};

use crate::lease::Held;
use crate::metrics::{Metrics, Verb};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// A client for everything but the lease.
///
/// # Errors
/// When the configuration is wrong, as a certificate that is none.
pub(crate) fn fenced(config: &Config, metrics: Metrics, held: Arc<Held>) -> kube::Result<Client> {
    build(config, Counting { metrics, held: Some(held) })
}

/// A client for the lease itself.
///
/// # Errors
/// When the configuration is wrong.
pub(crate) fn bare(config: &Config, metrics: Metrics) -> kube::Result<Client> {
    build(config, Counting { metrics, held: None })
}

fn build(config: &Config, counting: Counting) -> kube::Result<Client> {
    let mut config = config.clone();
    // The usual one tries for minutes without a word; here each caller has a deadline, and failures
    // are counted by cluster.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    Ok(ClientBuilder::try_from(config)?.with_layer(&counting).build())
}

#[derive(Debug, Clone)]
struct Counting {
    metrics: Metrics,
    held: Option<Arc<Held>>,
}

#[derive(Debug, Clone)]
struct Counted<S> {
    inner: S,
    counting: Counting,
}

/// A write that was not sent.
#[derive(Debug, thiserror::Error)]
#[error("the lease is not ours any more, so nothing is written")]
struct NotLeading;

impl<S> Layer<S> for Counting {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, counting: self.clone() }
    }
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

impl<S, B> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Answer<Response<B>>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Counting { metrics, held } = self.counting.clone();
        let verb = Verb::of(&request);
        if verb.is_write() && held.is_some_and(|held| !held.is_ours()) {
            return Box::pin(async { Err(NotLeading.into()) });
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await.map_err(Into::into);
            metrics.requested(verb, answer.as_ref().ok().map(Response::status));
            answer
        })
    }
}
