//! The address of a server.

use std::fmt;
use std::sync::Arc;

use hyper::Uri;
use hyper::http::uri::PathAndQuery;

/// A server's address, with the path in front of its routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    // Shared: every error names its server.
    uri: Arc<Uri>,
    /// Without the slash at its end.
    path: Arc<str>,
}

/// A text that is no address of a server.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BaseError {
    /// Anything else.
    #[error("it is no address of a server; write it like http://127.0.0.1:2358")]
    Shape,
    /// A password would be in every message.
    #[error("it holds a user or password; give the token with EVALX_TOKEN")]
    User,
}

impl Base {
    /// Reads an address.
    pub(crate) fn parse(text: &str) -> Result<Self, BaseError> {
        let uri: Uri = text.trim().parse().map_err(|_| BaseError::Shape)?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.query().is_some() {
            return Err(BaseError::Shape);
        }
        match uri.authority() {
            None => return Err(BaseError::Shape),
            Some(authority) if authority.as_str().contains('@') => return Err(BaseError::User),
            Some(authority) if authority.host().is_empty() => return Err(BaseError::Shape),
            Some(_) => {}
        }
        let path = uri.path().trim_end_matches('/').into();
        Ok(Self { uri: Arc::new(uri), path })
    }

    /// Whether it is talked to over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// The address of a route.
    pub(crate) fn join(&self, route: &str) -> Uri {
        let mut parts = Uri::clone(&self.uri).into_parts();
        let path = PathAndQuery::try_from(format!("{}{route}", self.path));
        parts.path_and_query = Some(path.expect("routes are plain and ids are escaped"));
        Uri::from_parts(parts).expect("it has all parts")
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        write!(f, "{scheme}://{authority}{}", self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_below_the_address() {
        let join = |base: &str| Base::parse(base).unwrap().join("/v1/fleet").to_string();
        assert_eq!(join("http://127.0.0.1:2358"), "http://127.0.0.1:2358/v1/fleet");
        assert_eq!(join("https://judge.example/evalx/"), "https://judge.example/evalx/v1/fleet");
        assert_eq!(join("http://[::1]:80/"), "http://[::1]:80/v1/fleet");
        assert_eq!(Base::parse("http://h:1/a/").unwrap().to_string(), "http://h:1/a");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "localhost:2358", "ftp://h", "http://", "/v1", "http://h?x=1", "redis://h"]
        {
            assert_eq!(Base::parse(text), Err(BaseError::Shape), "{text}");
        }
        assert_eq!(Base::parse("http://me:secret@h"), Err(BaseError::User));
    }
}
