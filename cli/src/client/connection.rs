//! HTTP/1.1, over TLS where the address says so.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;

use super::trust::{self, Roots};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

pub(super) type Body = Full<Bytes>;

/// Connections to one server.
#[derive(Debug)]
pub(super) enum Connection {
    Plain(Client<HttpConnector, Body>),
    Tls(Client<HttpsConnector<HttpConnector>, Body>),
}

impl Connection {
    /// None is made before it is needed.
    pub(super) fn plain() -> Self {
        Self::Plain(Client::builder(TokioExecutor::new()).build(connector()))
    }

    /// The same over TLS.
    ///
    /// # Errors
    /// When nobody is trusted.
    pub(super) fn tls(roots: &Roots) -> Result<Self, trust::Error> {
        let mut http = connector();
        http.enforce_http(false);
        let tls = HttpsConnectorBuilder::new().with_tls_config(roots.config()?).https_only();
        let client = Client::builder(TokioExecutor::new());
        Ok(Self::Tls(client.build(tls.enable_http1().wrap_connector(http))))
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, Error> {
        match self {
            Self::Plain(client) => client.request(request).await,
            Self::Tls(client) => client.request(request).await,
        }
    }
}

fn connector() -> HttpConnector {
    let mut http = HttpConnector::new();
    http.set_connect_timeout(Some(CONNECT));
    http.set_nodelay(true);
    http
}
