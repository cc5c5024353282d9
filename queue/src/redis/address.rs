//! Where the server is: one URL, or Sentinels that know.

use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisError,
    TlsCertificates, TlsMode,
};
use tokio::sync::Mutex;

use super::Error;

/// Unacknowledged data after which the kernel gives a connection up.
const USER_TIMEOUT: Duration = Duration::from_secs(3);
const SENTINEL_PORT: u16 = 26379;

pub(super) enum Address {
    Server(Client),
    Sentinels(Mutex<SentinelClient>),
}

impl Address {
    /// `redis://[user:password@]host[:port][/db]`, `rediss://…` (TLS), `unix:///path[?db=…]`,
    /// `redis+sentinel://[user:password@]host[:port][,host…]/master[/db]`, `rediss+sentinel://…`.
    ///
    /// `roots` are certificates in PEM that are trusted in the place of the system's.
    pub(super) fn parse(url: &str, roots: Option<Vec<u8>>) -> Result<Self, Error> {
        let certificates =
            roots.map(|root| TlsCertificates { client_tls: None, root_cert: Some(root) });
        if url.starts_with("rediss") {
            // The process may have chosen before.
            drop(rustls::crypto::ring::default_provider().install_default());
        }
        for (scheme, tls) in [("redis+sentinel://", false), ("rediss+sentinel://", true)] {
            if let Some(rest) = url.strip_prefix(scheme) {
                return Self::sentinels(rest, tls, certificates);
            }
        }
        let wrong = |source| Error::Url { source };
        let info = tuned(url.into_connection_info().map_err(wrong)?);
        let client = match certificates {
            Some(certificates) => Client::build_with_tls(info, certificates),
            None => Client::open(info),
        };
        Ok(Self::Server(client.map_err(wrong)?))
    }

    fn sentinels(
        rest: &str,
        tls: bool,
        certificates: Option<TlsCertificates>,
    ) -> Result<Self, Error> {
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) => (Some(login), rest),
            None => (None, rest),
        };
        let mut parts = rest.splitn(3, '/');
        let (hosts, master) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let db = parts.next().unwrap_or("").parse().unwrap_or(0);
        if hosts.is_empty() || master.is_empty() {
            return Err(Error::SentinelUrl);
        }
        let address = |host: &str| {
            let (name, port) = match host.rsplit_once(':') {
                Some((name, port)) => (name, port.parse().map_err(|_| Error::SentinelUrl)?),
                None => (host, SENTINEL_PORT),
            };
            let host = name.to_owned();
            Ok(if tls {
                ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
            } else {
                ConnectionAddr::Tcp(host, port)
            })
        };
        let hosts = hosts.split(',').map(address).collect::<Result<Vec<_>, Error>>()?;
        let wrong = |source| Error::Url { source };
        let mut builder = SentinelClientBuilder::new(hosts, master, SentinelServerType::Master)
            .map_err(wrong)?
            .set_client_to_redis_protocol(ProtocolVersion::RESP3)
            .set_client_to_redis_tcp_settings(tcp())
            .set_client_to_redis_db(db);
        if tls {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        }
        if let Some(certificates) = certificates {
            builder = builder
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates);
        }
        if let Some((user, password)) = login.map(|l| l.split_once(':').unwrap_or((l, ""))) {
            if !user.is_empty() {
                builder = builder.set_client_to_redis_username(decoded(user));
            }
            builder = builder.set_client_to_redis_password(decoded(password));
        }
        Ok(Self::Sentinels(Mutex::new(builder.build().map_err(wrong)?)))
    }

    /// Who is to be asked now.
    pub(super) async fn resolve(&self) -> Result<Client, RedisError> {
        match self {
            Self::Server(client) => Ok(client.clone()),
            Self::Sentinels(sentinels) => sentinels.lock().await.async_get_client().await,
        }
    }
}

impl std::fmt::Debug for Address {
    /// Without the password, which the libraries' types would print.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Server(client) => {
                write!(f, "Server({})", client.get_connection_info().addr())
            }
            Self::Sentinels(_) => f.write_str("Sentinels"),
        }
    }
}

fn tuned(info: ConnectionInfo) -> ConnectionInfo {
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    info.set_redis_settings(settings).set_tcp_settings(tcp())
}

fn tcp() -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(USER_TIMEOUT);
    settings
}

/// Undoes `%40` and the like.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = (*first == b'%').then(|| after.get(..2)).flatten();
        let hex = hex.and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
