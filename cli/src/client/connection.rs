//! HTTP/1.1, over TLS where the address says so.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;

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
    ///
    /// # Errors
    /// Over TLS, when this machine trusts nobody.
    pub(super) fn new(https: bool) -> io::Result<Self> {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(CONNECT));
        http.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new());
        if !https {
            return Ok(Self::Plain(client.build(http)));
        }
        http.enforce_http(false);
        let tls = HttpsConnectorBuilder::new().with_native_roots()?.https_only();
        Ok(Self::Tls(client.build(tls.enable_http1().wrap_connector(http))))
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, Error> {
        match self {
            Self::Plain(client) => client.request(request).await,
            Self::Tls(client) => client.request(request).await,
        }
    }
}
