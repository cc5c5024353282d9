//! Where a callback goes: an address as a client may write it. Pure.

use std::net::IpAddr;

use url::{Host, Url};

use super::address;

/// Characters of an address. Longer ones are refused by many servers.
const LONGEST: usize = 2048;

/// A web address to which a callback may be tried. What its name means is looked at when it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    url: Url,
    host: Host<String>,
    port: u16,
}

/// Why an address cannot be a callback's.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Error {
    #[error("at most {LONGEST} characters")]
    Long,
    #[error("it is no web address ({reason}); one is https://example.org/verdicts")]
    Shape { reason: String },
    #[error("it must begin with https:// or http://")]
    Scheme,
    #[error("a user and a password do not belong there; callbacks are signed")]
    User,
    #[error("port 0 is none")]
    Port,
    #[error("{host} is {what}: callbacks go to public addresses only")]
    Forbidden { host: String, what: &'static str },
}

impl Target {
    /// Reads one. An address that is written as numbers, in whatever way, is checked at once.
    pub(crate) fn parse(text: &str, to_private: bool) -> Result<Self, Error> {
        if text.len() > LONGEST {
            return Err(Error::Long);
        }
        let mut url = Url::parse(text).map_err(|e| Error::Shape { reason: e.to_string() })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::User);
        }
        // It is not sent to anybody.
        url.set_fragment(None);
        let empty = || Error::Shape { reason: "it names no host".to_owned() };
        let host = url.host().ok_or_else(empty)?.to_owned();
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or(Error::Port)?;
        let what = match &host {
            Host::Ipv4(ip) => address::forbidden(IpAddr::V4(*ip)),
            Host::Ipv6(ip) => address::forbidden(IpAddr::V6(*ip)),
            Host::Domain(name) => local_name(name),
        };
        match what {
            Some(what) if !to_private => Err(Error::Forbidden { host: host.to_string(), what }),
            _ => Ok(Self { url, host, port }),
        }
    }

    /// As it was written, normalized.
    pub(crate) fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Whether it is asked for by TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.url.scheme() == "https"
    }

    pub(crate) fn host(&self) -> &Host<String> {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Host and port, as in the header `Host`.
    pub(crate) fn authority(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        }
    }

    /// Path and query, as in the request's first line.
    pub(crate) fn path(&self) -> String {
        match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        }
    }
}

/// Names that mean this machine wherever they are looked up (RFC 6761).
fn local_name(name: &str) -> Option<&'static str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost").then_some("this machine")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        Target::parse(text, false).unwrap_err().to_string()
    }

    #[test]
    fn a_private_address_is_found_in_every_spelling() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "0",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "169.254.169.254",
            "10.1",
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "%31%32%37.0.0.1",
            "１２７.0.0.1",
            "[64:ff9b::10.0.0.1]",
        ] {
            let text = said(&format!("http://{host}:8080/x"));
            assert!(text.ends_with(": callbacks go to public addresses only"), "{host}: {text}");
            assert!(Target::parse(&format!("http://{host}/"), true).is_ok(), "{host}");
        }
        let text = said("http://169.254.169.254/latest/meta-data");
        assert_eq!(text, "169.254.169.254 is link-local: callbacks go to public addresses only");
    }

    #[test]
    fn what_is_no_address_of_the_web_is_said() {
        assert!(said("verdicts").starts_with("it is no web address (relative URL"));
        assert_eq!(said("ftp://example.org/"), "it must begin with https:// or http://");
        assert_eq!(said("file:///etc/passwd"), "it must begin with https:// or http://");
        assert!(said("https://me:secret@example.org/").starts_with("a user and a password"));
        assert_eq!(said("https://example.org:0/"), "port 0 is none");
        assert_eq!(
            said(&format!("https://example.org/{}", "x".repeat(2048))),
            "at most 2048 characters"
        );
        assert!(said("https://").starts_with("it is no web address (empty host"));
    }

    #[test]
    fn what_is_asked_for_is_what_was_written() {
        let of = |text| Target::parse(text, false).unwrap();
        let target = of("https://Bücher.example:8443/a b?c=d#e");
        assert_eq!(target.authority(), "xn--bcher-kva.example:8443");
        assert_eq!(target.path(), "/a%20b?c=d");
        assert_eq!((target.port(), target.is_secure()), (8443, true));
        let target = of("http://example.org");
        assert_eq!((target.authority().as_str(), target.path().as_str()), ("example.org", "/"));
        assert_eq!(target.port(), 80);
    }
}
