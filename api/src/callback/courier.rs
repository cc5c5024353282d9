//! One delivery: resolve, check every address, connect to a checked one, send, look at the status.
//!
//! The connection is made here and to an address, never to a name: between the check and the
//! request nothing is looked up again (DNS rebinding). No redirect is followed, no proxy is asked.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, Request, StatusCode, header};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Host;

use super::address::forbidden;
use super::message::Message;
use super::target::Target;

/// For a whole delivery. A receiver should take the message and work on it later.
const WHOLE: Duration = Duration::from_secs(10);
/// For one address of several.
const CONNECT: Duration = Duration::from_secs(3);
/// Addresses of one name that are tried.
const ADDRESSES: usize = 4;
/// The most of an answer that is read: its head. What follows says nothing.
const HEAD: usize = 16 << 10;

/// Makes deliveries.
#[derive(Debug)]
pub(crate) struct Courier {
    names: Arc<dyn Names>,
    to_private: bool,
    /// Read when the first one is needed: there may be none.
    tls: OnceCell<Arc<ClientConfig>>,
}

/// Looks names up.
pub(crate) trait Names: Send + Sync + std::fmt::Debug {
    /// All addresses of a name.
    fn look_up<'a>(
        &'a self,
        name: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;
}

/// As this machine does.
#[derive(Debug)]
struct System;

/// Why a delivery failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot look up {name}")]
    Name {
        name: String,
        #[source]
        source: io::Error,
    },
    #[error("{name} has no address")]
    NoAddress { name: String },
    #[error("{host} has the address {address}, which is {what}")]
    Forbidden { host: String, address: SocketAddr, what: &'static str },
    #[error("cannot connect to {address}")]
    Connect {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("this machine trusts no certificates: install ca-certificates or set SSL_CERT_FILE")]
    Roots,
    #[error("no TLS with {host}")]
    Tls {
        host: String,
        #[source]
        source: io::Error,
    },
    #[error("no HTTP answer")]
    Http(#[source] hyper::Error),
    #[error("no answer within {} s", WHOLE.as_secs())]
    Slow,
}

/// What became of one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// 2xx.
    Delivered,
    /// 410: nobody wants it, now and later.
    Gone,
    /// 3xx. Where it points to was never checked.
    Redirected,
    /// Another status.
    Rejected,
    /// No answer in time.
    Timeout,
    /// No connection, or no answer over it.
    Unreachable,
    /// To an address where none may go.
    Forbidden,
}

impl Names for System {
    fn look_up<'a>(
        &'a self,
        name: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, port)).await?.collect()) })
    }
}

impl Fate {
    /// All, for the metric.
    pub(crate) const ALL: [Self; 7] = [
        Self::Delivered,
        Self::Gone,
        Self::Redirected,
        Self::Rejected,
        Self::Timeout,
        Self::Unreachable,
        Self::Forbidden,
    ];

    /// As in the metric's label.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::Redirected => "redirected",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Forbidden => "forbidden",
        }
    }

    pub(crate) fn of(delivery: &Result<StatusCode, Error>) -> Self {
        match delivery {
            Ok(status) if status.is_success() => Self::Delivered,
            Ok(status) if status.is_redirection() => Self::Redirected,
            Ok(status) if *status == StatusCode::GONE => Self::Gone,
            Ok(_) => Self::Rejected,
            Err(Error::Forbidden { .. }) => Self::Forbidden,
            Err(Error::Slow) => Self::Timeout,
            Err(_) => Self::Unreachable,
        }
    }
}

impl Courier {
    /// One that looks names up as this machine does.
    pub(crate) fn new(to_private: bool) -> Self {
        Self::with(Arc::new(System), to_private)
    }

    fn with(names: Arc<dyn Names>, to_private: bool) -> Self {
        Self { names, to_private, tls: OnceCell::new() }
    }

    /// Sends a message once. What the receiver says besides its status is not read.
    pub(crate) async fn deliver(
        &self,
        target: &Target,
        message: Message,
        headers: HeaderMap,
    ) -> Result<StatusCode, Error> {
        let whole = Box::pin(self.attempt(target, message, headers));
        timeout(WHOLE, whole).await.unwrap_or(Err(Error::Slow))
    }

    async fn attempt(
        &self,
        target: &Target,
        message: Message,
        headers: HeaderMap,
    ) -> Result<StatusCode, Error> {
        let request = request(target, message, headers);
        let addresses = self.checked_addresses(target).await?;
        let stream = connect(&addresses).await?;
        if !target.is_secure() {
            return exchange(stream, request).await;
        }
        let tls = self.tls.get_or_try_init(|| async { system_roots().map(trust) }).await?;
        let host = target.host().to_string();
        let server = server_name(target.host());
        let failed = |source| Error::Tls { host: host.clone(), source };
        let server = server.map_err(|e| failed(io::Error::other(e)))?;
        let stream =
            TlsConnector::from(Arc::clone(tls)).connect(server, stream).await.map_err(failed)?;
        exchange(stream, request).await
    }

    /// The addresses of a target. One that is forbidden spoils all: a name that means this network
    /// and others at once is a trap.
    async fn checked_addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, Error> {
        let port = target.port();
        let addresses = match target.host() {
            Host::Ipv4(ip) => vec![SocketAddr::from((*ip, port))],
            Host::Ipv6(ip) => vec![SocketAddr::from((*ip, port))],
            Host::Domain(name) => {
                let found = self.names.look_up(name, port).await;
                found.map_err(|source| Error::Name { name: name.clone(), source })?
            }
        };
        let host = || target.host().to_string();
        if addresses.is_empty() {
            return Err(Error::NoAddress { name: host() });
        }
        if !self.to_private {
            for address in &addresses {
                if let Some(what) = forbidden(address.ip()) {
                    return Err(Error::Forbidden { host: host(), address: *address, what });
                }
            }
        }
        Ok(addresses)
    }
}

fn request(target: &Target, message: Message, headers: HeaderMap) -> Request<Full<Bytes>> {
    let Message { method, body } = message;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = target.path().parse().expect("a path of an address is one of a request");
    *request.headers_mut() = headers;
    let host = target.authority().parse().expect("a host is visible ASCII");
    request.headers_mut().insert(header::HOST, host);
    request
}

/// The first address that answers.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, Error> {
    let mut last = None;
    for address in addresses.iter().take(ADDRESSES) {
        match timeout(CONNECT, TcpStream::connect(*address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(source)) => last = Some(Error::Connect { address: *address, source }),
            Err(_) => last = Some(Error::Slow),
        }
    }
    Err(last.expect("there was an address"))
}

fn server_name(
    host: &Host<String>,
) -> Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError> {
    match host {
        Host::Ipv4(ip) => Ok(ServerName::from(std::net::IpAddr::V4(*ip))),
        Host::Ipv6(ip) => Ok(ServerName::from(std::net::IpAddr::V6(*ip))),
        Host::Domain(name) => ServerName::try_from(name.clone()),
    }
}

/// Trusts what this machine trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` replace it.
fn system_roots() -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (good, _odd) = roots.add_parsable_certificates(found.certs);
    if good == 0 { Err(Error::Roots) } else { Ok(roots) }
}

fn trust(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("the provider knows the usual versions");
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<StatusCode, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD);
    let (mut sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(Error::Http)?;
    let answer = sender.send_request(request);
    tokio::pin!(answer, connection);
    let answer: Result<hyper::Response<Incoming>, _> = tokio::select! {
        biased;
        answer = &mut answer => answer,
        // The answer may have come with the end.
        _ended = &mut connection => answer.await,
    };
    Ok(answer.map_err(Error::Http)?.status())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use axum::http::Method;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers each question with the next of its lists, and the last one for ever.
    #[derive(Debug, Default)]
    struct Zone(Mutex<HashMap<String, Vec<Vec<SocketAddr>>>>, Mutex<u32>);

    impl Names for Zone {
        fn look_up<'a>(
            &'a self,
            name: &'a str,
            _port: u16,
        ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
            Box::pin(async move {
                *self.1.lock().unwrap() += 1;
                let mut zone = self.0.lock().unwrap();
                let lists = zone.get_mut(name).ok_or_else(|| io::Error::other("no such name"))?;
                Ok(if lists.len() > 1 { lists.remove(0) } else { lists[0].clone() })
            })
        }
    }

    fn zone(name: &str, lists: &[&[SocketAddr]]) -> Arc<Zone> {
        let lists = lists.iter().map(|list| list.to_vec()).collect();
        Arc::new(Zone(Mutex::new([(name.to_owned(), lists)].into()), Mutex::new(0)))
    }

    fn message() -> Message {
        Message { method: Method::POST, body: Bytes::from_static(b"{}") }
    }

    async fn sent(courier: &Courier, url: &str) -> Result<StatusCode, Error> {
        // As one that was taken when it was public.
        let target = Target::parse(url, true).unwrap();
        courier.deliver(&target, message(), HeaderMap::new()).await
    }

    /// A receiver of one request: what it got, and where it is.
    async fn receiver(answer: &'static str) -> (SocketAddr, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        #[allow(clippy::disallowed_methods, reason = "a test's")]
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = Vec::new();
            while !got.ends_with(b"{}") {
                assert_ne!(stream.read_buf(&mut got).await.unwrap(), 0);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(got).unwrap()
        });
        (address, task)
    }

    #[tokio::test]
    async fn a_name_with_a_forbidden_address_among_others_is_not_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let public: SocketAddr = "1.1.1.1:9".parse().unwrap();
        let courier = Courier::with(zone("evil.example", &[&[public, here]]), false);
        let error = sent(&courier, "http://evil.example/").await.unwrap_err();
        let said = format!("evil.example has the address {here}, which is this machine");
        assert_eq!(error.to_string(), said);
        assert_eq!(Fate::of(&Err(error)), Fate::Forbidden);
        // Literals that were taken before the rule was changed.
        let error = sent(&courier, &format!("http://{here}/")).await.unwrap_err();
        assert!(matches!(error, Error::Forbidden { .. }));
        let nobody = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(nobody.is_err(), "somebody connected");
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_and_what_was_checked_is_connected_to() {
        let (address, got) = receiver("HTTP/1.1 204 No Content\r\n\r\n").await;
        let elsewhere: SocketAddr = "192.0.2.1:9".parse().unwrap();
        let zone = zone("hooks.example", &[&[address], &[elsewhere]]);
        let courier = Courier::with(Arc::clone(&zone) as _, true);
        assert_eq!(sent(&courier, "http://hooks.example:7/a?b").await.unwrap(), 204);
        assert_eq!(*zone.1.lock().unwrap(), 1);
        let got = got.await.unwrap();
        assert!(got.starts_with("POST /a?b HTTP/1.1\r\n"), "{got}");
        assert!(got.contains("host: hooks.example:7\r\n"), "{got}");
    }

    #[tokio::test]
    async fn a_certificate_must_be_for_the_name_though_the_address_is_known() {
        let issued = rcgen::generate_simple_self_signed(["hooks.example".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(issued.signing_key.serialize_der());
        let certificate = issued.cert.der().clone();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.unwrap())
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        for (name, told) in [("hooks.example", true), ("other.example", false)] {
            let courier = Courier::with(zone(name, &[&[address]]), true);
            courier.tls.set(trust(roots.clone())).unwrap();
            let answers = async {
                let (stream, _) = listener.accept().await.unwrap();
                // The client may not like it.
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut got = Vec::new();
                while !got.ends_with(b"{}") {
                    if stream.read_buf(&mut got).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                stream.shutdown().await.unwrap();
            };
            let url = format!("https://{name}/");
            let (status, ()) = tokio::join!(sent(&courier, &url), answers);
            match status {
                Ok(status) => assert!(told && status == 200, "{name}: {status}"),
                Err(error) => assert!(!told && matches!(error, Error::Tls { .. }), "{error:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_redirect_is_no_delivery_and_is_not_followed() {
        let secret = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = secret.local_addr().unwrap();
        let answer =
            format!("HTTP/1.1 307 X\r\nlocation: http://{place}/\r\ncontent-length: 0\r\n\r\n");
        let (address, _got) = receiver(answer.leak()).await;
        let courier = Courier::with(zone("a.example", &[&[address]]), true);
        let status = sent(&courier, "http://a.example/").await;
        assert_eq!(Fate::of(&status), Fate::Redirected);
        let nobody = tokio::time::timeout(Duration::from_millis(50), secret.accept()).await;
        assert!(nobody.is_err(), "it was followed");
    }

    #[tokio::test]
    async fn the_head_of_an_answer_is_bounded_and_its_body_is_not_read() {
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(64 << 10));
        let (address, _got) = receiver(endless.leak()).await;
        let courier = Courier::with(zone("a.example", &[&[address]]), true);
        assert!(matches!(sent(&courier, "http://a.example/").await, Err(Error::Http(_))));
        let long = "HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n";
        let (address, _got) = receiver(long).await;
        let courier = Courier::with(zone("a.example", &[&[address]]), true);
        assert_eq!(sent(&courier, "http://a.example/").await.unwrap(), 200);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_answer_is_left_after_ten_seconds() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let courier = Courier::with(zone("a.example", &[&[address]]), true);
        let start = tokio::time::Instant::now();
        let error = sent(&courier, "http://a.example/").await.unwrap_err();
        assert_eq!(error.to_string(), "no answer within 10 s");
        assert_eq!(start.elapsed(), WHOLE);
    }

    #[tokio::test]
    async fn what_cannot_be_reached_says_at_which_step() {
        let courier = Courier::with(zone("none.example", &[&[]]), true);
        let said = sent(&courier, "http://other.example/").await.unwrap_err().to_string();
        assert_eq!(said, "cannot look up other.example");
        let said = sent(&courier, "http://none.example/").await.unwrap_err().to_string();
        assert_eq!(said, "none.example has no address");
        // No TLS there.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let plain = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            stream
        };
        let (error, _stream) = tokio::join!(sent(&courier, &url), plain);
        let error = error.unwrap_err();
        assert!(matches!(error, Error::Tls { .. } | Error::Roots), "{error:?}");
    }
}
