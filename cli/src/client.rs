//! Talking to a server: where it is, who asks, and what its answers mean.

mod again;
mod base;
mod connection;
mod sse;
mod trust;
pub(crate) mod wire;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

pub(crate) use self::again::insist;
pub(crate) use self::base::Base;
use self::connection::Connection;
pub(crate) use self::sse::Event;
use self::sse::Parser;
use self::wire::Problem;
use crate::exit::Failure;

/// How long an answer may take. Nothing here asks the server to hold one back.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a problem may take to be handed in and looked through.
const UPLOAD: Duration = Duration::from_secs(600);
/// How long a stream of events may be silent: three of the signs of life that a server sends.
const SILENCE: Duration = Duration::from_secs(45);
/// The largest answer: far above a report's 4 MiB, and below what would hurt this machine.
const MOST: usize = 64 << 20;

/// The server.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ClientArgs {
    /// The server, as http://HOST:PORT or https://HOST
    // The port is that of `evalx up` and `evalx server`.
    #[arg(long, value_name = "URL", env = "EVALX_SERVER", hide_env_values = true,
          default_value = "http://127.0.0.1:2358", value_parser = Base::parse)]
    server: Base,
    /// Who asks, where the server wants to know; better given as a variable or in the
    /// configuration file, since everybody on this machine sees command lines
    #[arg(long, value_name = "TOKEN", env = "EVALX_TOKEN", hide_env_values = true)]
    token: Option<Token>,
    /// Certificates (PEM) of authorities to trust beside the system's, for a server over TLS
    #[arg(long, value_name = "FILE", env = "EVALX_CA", hide_env_values = true)]
    ca: Option<PathBuf>,
}

/// A secret.
#[derive(Clone)]
struct Token(String);

impl From<&str> for Token {
    fn from(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// What can go wrong on the way to a server and back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The token can be none.
    #[error("the token holds characters that no token has; is it one word?")]
    Token,
    /// There is no list of authorities to trust.
    #[error(
        "cannot check who {server} is; install ca-certificates, set SSL_CERT_FILE or give --ca"
    )]
    Roots {
        /// Which server.
        server: Base,
        /// Why.
        #[source]
        source: trust::Error,
    },
    /// The file of authorities is none.
    #[error("--ca {path:?}")]
    Authorities {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: trust::Error,
    },
    /// It is somebody else, or nobody vouches for it.
    #[error("{server} is not who it should be; if it is, give its authority with --ca or EVALX_CA")]
    Stranger {
        /// Which server.
        server: Base,
        /// Why.
        #[source]
        source: hyper_util::client::legacy::Error,
    },
    /// Nobody answers there.
    #[error(
        "cannot reach {server}; start one with `evalx up`, or name another with --server or \
         EVALX_SERVER"
    )]
    Unreachable {
        /// Which server.
        server: Base,
        /// Why.
        #[source]
        source: hyper_util::client::legacy::Error,
    },
    /// The server was lost in the middle.
    #[error("the connection to {server} broke")]
    Broken {
        /// Which server.
        server: Base,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stream that ended before it was over.
    #[error("{server} ended the stream before the submission was over")]
    Ended {
        /// Which server.
        server: Base,
    },
    /// It takes too long.
    #[error("{server} has said nothing for {} s", after.as_secs())]
    Silent {
        /// Which server.
        server: Base,
        /// How long.
        after: Duration,
    },
    /// Not one of ours.
    #[error("{server} answers, but not as evalX does ({status}); is another server there?")]
    Foreign {
        /// Which server.
        server: Base,
        /// What it answered.
        status: StatusCode,
        /// When it may be worth another try, if it says so.
        after: Option<Duration>,
    },
    /// The server says what is wrong.
    #[error("{server}: {problem}{}", problem.cure())]
    Refused {
        /// Which server.
        server: Base,
        /// What.
        problem: Problem,
    },
}

impl Error {
    /// Whether the same may succeed in a moment, once the server has been known to be there.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Broken { .. }
            | Self::Ended { .. }
            | Self::Silent { .. } => true,
            // What stands between, as a proxy whose server is being replaced.
            Self::Foreign { status, .. } => status.is_server_error(),
            Self::Refused { problem, .. } => problem.may_pass(),
            Self::Token | Self::Roots { .. } | Self::Authorities { .. } | Self::Stranger { .. } => {
                false
            }
        }
    }

    /// When another try may succeed, if the server says so.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Foreign { after, .. } => *after,
            Self::Refused { problem, .. } => problem.retry_after(),
            _ => None,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::Token | Error::Authorities { .. } => Self::usage(error),
            Error::Refused { problem, .. } if problem.is_of_the_caller() => Self::usage(error),
            Error::Refused { problem, .. } if problem.is_of_the_judge() => Self::judge(error),
            _ => Self::connection(error),
        }
    }
}

/// A server, for one caller.
#[derive(Debug)]
pub(crate) struct Client {
    base: Base,
    token: Option<HeaderValue>,
    connection: Connection,
}

impl Client {
    /// Prepares to talk; nothing is sent.
    pub(crate) fn new(args: &ClientArgs) -> Result<Self, Error> {
        let ClientArgs { server, token, ca } = args;
        let base = server.clone();
        let token = token.as_ref().filter(|token| !token.0.is_empty());
        let header = token.map(|Token(token)| HeaderValue::try_from(format!("Bearer {token}")));
        let mut token = header.transpose().map_err(|_| Error::Token)?;
        token.iter_mut().for_each(|token| token.set_sensitive(true));
        let connection = match (base.is_https(), ca) {
            (false, _) => Connection::plain(),
            (true, None) => Connection::tls(&trust::Roots::system())
                .map_err(|source| Error::Roots { server: base.clone(), source })?,
            (true, Some(path)) => trust::Roots::with(path)
                .and_then(|roots| Connection::tls(&roots))
                .map_err(|source| Error::Authorities { path: path.clone(), source })?,
        };
        Ok(Self { base, token, connection })
    }

    /// What is at `path`.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let request = self.request(Method::GET, path, Bytes::new());
        self.answer(self.send(request, ANSWER).await?).await
    }

    /// Hands in a submission. Sent again under the same key, it is not judged again.
    pub(crate) async fn submit(&self, json: Bytes, key: &str) -> Result<wire::View, Error> {
        let mut request = self.request(Method::POST, "/v1/submissions", json);
        let key = HeaderValue::try_from(key).expect("keys are visible ASCII");
        request.headers_mut().insert("idempotency-key", key);
        self.answer(self.send(request, ANSWER).await?).await
    }

    /// Hands in the zip of a problem.
    pub(crate) async fn shelve(&self, zip: Bytes) -> Result<wire::Shelved, Error> {
        let mut request = self.request(Method::POST, "/v1/problems", zip);
        let kind = HeaderValue::from_static("application/zip");
        request.headers_mut().insert(CONTENT_TYPE, kind);
        self.answer(self.send(request, UPLOAD).await?).await
    }

    /// The events of a submission after `last`; `None` when all of them are told.
    pub(crate) async fn events(
        &self,
        id: &str,
        last: Option<&str>,
    ) -> Result<Option<Events>, Error> {
        let path = format!("/v1/submissions/{}/events", escaped(id));
        let mut request = self.request(Method::GET, &path, Bytes::new());
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(Ok(last)) = last.map(HeaderValue::from_str) {
            headers.insert("last-event-id", last);
        }
        let response = self.send(request, ANSWER).await?;
        match response.status() {
            StatusCode::NO_CONTENT => Ok(None),
            StatusCode::OK => {
                let (server, body) = (self.base.clone(), response.into_body());
                Ok(Some(Events { server, body, parser: Parser::default() }))
            }
            _ => Err(self.refused(response).await),
        }
    }

    async fn answer<T: DeserializeOwned>(&self, response: Response<Incoming>) -> Result<T, Error> {
        let status = response.status();
        if !status.is_success() {
            return Err(self.refused(response).await);
        }
        let body = self.read(response).await?;
        serde_json::from_slice(&body).map_err(|_| Error::Foreign {
            server: self.base.clone(),
            status,
            after: None,
        })
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Request<connection::Body> {
        let mut request = Request::new(connection::Body::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.base.join(path);
        let headers = request.headers_mut();
        let name = HeaderValue::from_static(concat!("evalx/", env!("CARGO_PKG_VERSION")));
        headers.insert(USER_AGENT, name);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.clone());
        }
        request
    }

    async fn send(
        &self,
        request: Request<connection::Body>,
        within: Duration,
    ) -> Result<Response<Incoming>, Error> {
        let server = || self.base.clone();
        match timeout(within, self.connection.send(request)).await {
            Err(_) => Err(Error::Silent { server: server(), after: within }),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(source)) if trust::is_stranger(&source) => {
                Err(Error::Stranger { server: server(), source })
            }
            Ok(Err(source)) if source.is_connect() => {
                Err(Error::Unreachable { server: server(), source })
            }
            Ok(Err(source)) => Err(Error::Broken { server: server(), source: source.into() }),
        }
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Bytes, Error> {
        let server = || self.base.clone();
        let body = Limited::new(response.into_body(), MOST).collect();
        match timeout(ANSWER, body).await {
            Err(_) => Err(Error::Silent { server: server(), after: ANSWER }),
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(source)) => Err(Error::Broken { server: server(), source }),
        }
    }

    /// Why there is no answer.
    async fn refused(&self, response: Response<Incoming>) -> Error {
        let (server, status) = (self.base.clone(), response.status());
        let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let after = after.and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let body = match self.read(response).await {
            Ok(body) => body,
            Err(error) => return error,
        };
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) if problem.is_ours() => Error::Refused { server, problem },
            _ => Error::Foreign { server, status, after },
        }
    }
}

/// What happens to a submission, as it happens.
#[derive(Debug)]
pub(crate) struct Events {
    server: Base,
    body: Incoming,
    parser: Parser,
}

impl Events {
    /// The next one; an error when there is none any more, since the last one is the caller's end.
    pub(crate) async fn next(&mut self) -> Result<Event, Error> {
        let server = || self.server.clone();
        loop {
            if let Some(event) = self.parser.event() {
                return Ok(event);
            }
            let frame = timeout(SILENCE, self.body.frame()).await;
            let frame = frame.map_err(|_| Error::Silent { server: server(), after: SILENCE })?;
            let Some(frame) = frame else { return Err(Error::Ended { server: server() }) };
            let frame =
                frame.map_err(|error| Error::Broken { server: server(), source: error.into() })?;
            let Ok(data) = frame.into_data() else { continue };
            self.parser
                .push(&data)
                .map_err(|error| Error::Broken { server: server(), source: error.into() })?;
        }
    }
}

/// An id as a part of a path.
pub(crate) fn escaped(id: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let part = |byte: u8| match plain(&byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    id.bytes().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown() {
        assert_eq!(format!("{:?}", Token::from("secret\n")), "***");
    }

    #[test]
    fn an_id_cannot_leave_its_place_in_the_path() {
        assert_eq!(escaped("a60b-7"), "a60b-7");
        assert_eq!(escaped("../a?b/é"), "..%2Fa%3Fb%2F%C3%A9");
    }
}
