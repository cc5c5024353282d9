//! Who may do what: tokens from a file, or nobody asked on a server that only this machine reaches.

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use queue::Tenant;

use crate::app::App;
use crate::problem::{Kind, Problem};

mod keyring;
mod rate;

pub(crate) use keyring::Token;
pub use keyring::{Error as KeyringError, Keyring};
use rate::Rates;

/// Who may do what.
#[derive(Debug)]
pub struct Access {
    doors: Doors,
    rates: Rates,
}

#[derive(Debug)]
enum Doors {
    /// Everybody may do everything. With `local_names` only under names of this machine: else any
    /// web page could have its own name point here and read what it likes (DNS rebinding).
    Open { local_names: bool },
    /// Whoever has a token. Replaced as a whole when the file has changed.
    Tokens(RwLock<Arc<Keyring>>),
}

/// Why somebody is turned away.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No token.
    #[error("this server wants a token: send the header Authorization: Bearer TOKEN")]
    Missing,
    /// Not one of ours.
    #[error("the token is not known here")]
    Unknown,
    /// Another right is needed.
    #[error("the token {name} does not have the right {right}")]
    Right {
        /// The token's name.
        name: String,
        /// What it lacks.
        right: &'static str,
    },
    /// Too much at once.
    #[error("tenant {tenant} may send {rate} submissions a second")]
    Rate {
        /// Whose limit it is.
        tenant: Tenant,
        /// How many.
        rate: f64,
        /// When there may be more.
        after: Duration,
    },
    /// A name that is not ours.
    #[error("an open server answers to localhost, 127.0.0.1 and [::1] only, not to {host:?}")]
    Host {
        /// What it was called.
        host: String,
    },
}

/// What a token may be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Right {
    /// Submit, and cancel what was submitted.
    Submit,
    /// Read results, languages and the state of the fleet.
    Read,
    /// Store and delete problems.
    Admin,
}

/// Who sends a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    token: Option<Arc<Token>>,
    pub(crate) tenant: Tenant,
}

impl Access {
    /// Everybody may do everything; `local_names` for a server that only this machine reaches.
    #[must_use]
    pub fn open(local_names: bool) -> Self {
        Self { doors: Doors::Open { local_names }, rates: Rates::default() }
    }

    /// Only with a token.
    #[must_use]
    pub fn tokens(keyring: Keyring) -> Self {
        let doors = Doors::Tokens(RwLock::new(Arc::new(keyring)));
        Self { doors, rates: Rates::default() }
    }

    /// From a file of tokens, or open when there is none.
    ///
    /// # Errors
    /// When the file is not as it should be.
    pub fn of(tokens: Option<&Path>, local_names: bool) -> Result<Self, KeyringError> {
        tokens.map_or_else(
            || Ok(Self::open(local_names)),
            |path| Keyring::open(path).map(Self::tokens),
        )
    }

    /// Whether anybody may do anything.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.doors, Doors::Open { .. })
    }

    /// The tokens as they are now.
    pub(crate) fn keyring(&self) -> Option<Arc<Keyring>> {
        match &self.doors {
            Doors::Open { .. } => None,
            Doors::Tokens(ring) => {
                Some(Arc::clone(&ring.read().unwrap_or_else(PoisonError::into_inner)))
            }
        }
    }

    /// Reads the file again if it has changed. Returns the new tokens.
    pub(crate) fn refresh(&self) -> Result<Option<Arc<Keyring>>, KeyringError> {
        let (Doors::Tokens(ring), Some(known)) = (&self.doors, self.keyring()) else {
            return Ok(None);
        };
        let Some(new) = known.changed()? else { return Ok(None) };
        let new = Arc::new(new);
        *ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&new);
        Ok(Some(new))
    }

    /// Who it is.
    pub(crate) fn enter(&self, headers: &HeaderMap) -> Result<Caller, Error> {
        self.enter_with(headers, bearer(headers))
    }

    /// Who it is that sends this token.
    pub(crate) fn enter_with(
        &self,
        headers: &HeaderMap,
        token: Option<&str>,
    ) -> Result<Caller, Error> {
        match (&self.doors, self.keyring()) {
            (Doors::Open { local_names }, _) => {
                if *local_names {
                    check_host(headers)?;
                }
                Ok(Caller { token: None, tenant: Tenant::anonymous() })
            }
            (Doors::Tokens(_), ring) => {
                let text = token.ok_or(Error::Missing)?;
                let token = ring.and_then(|ring| ring.find(text)).ok_or(Error::Unknown)?;
                let tenant = token.tenant.clone();
                Ok(Caller { token: Some(token), tenant })
            }
        }
    }

    /// Takes so many submissions from what a caller may send.
    pub(crate) fn charge(&self, caller: &Caller, submissions: usize) -> Result<(), Error> {
        let Some(rate) = caller.token.as_ref().and_then(|token| token.rate) else { return Ok(()) };
        let tenant = &caller.tenant;
        self.rates.take(tenant, rate, submissions).map_err(|after| Error::Rate {
            tenant: tenant.clone(),
            rate,
            after,
        })
    }
}

impl Caller {
    /// Whether it may do that.
    pub(crate) fn may(&self, right: Right) -> Result<(), Error> {
        match &self.token {
            Some(token) if !token.rights.contains(&right) => {
                Err(Error::Right { name: token.name.clone(), right: right.as_str() })
            }
            _ => Ok(()),
        }
    }
}

impl Right {
    fn as_str(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::Missing | Error::Unknown => Self::new(Kind::Unauthorized, detail),
            Error::Right { .. } => Self::new(Kind::Forbidden, detail),
            Error::Rate { after, .. } => Self::new(Kind::RateLimited, detail).retry_after(after),
            Error::Host { .. } => Self::new(Kind::Host, detail),
        }
    }
}

macro_rules! with_right {
    ($(#[$doc:meta])* $name:ident, $right:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name(pub(crate) Caller);

        impl FromRequestParts<App> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
                let caller = app.access().enter(&parts.headers)?;
                caller.may(Right::$right)?;
                Ok(Self(caller))
            }
        }
    };
}

with_right!(
    /// Somebody who may submit.
    Submitter,
    Submit
);
with_right!(
    /// Somebody who may read.
    Reader,
    Read
);
with_right!(
    /// Somebody who may store and delete problems.
    Curator,
    Admin
);

pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn check_host(headers: &HeaderMap) -> Result<(), Error> {
    // Only HTTP/1.0 comes without one, and no browser speaks that.
    let Some(host) = headers.get(header::HOST) else { return Ok(()) };
    let host = host.to_str().unwrap_or("");
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let local = name.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if local { Ok(()) } else { Err(Error::Host { host: crate::body::cut(host) }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_server_answers_to_names_of_this_machine() {
        let access = Access::open(true);
        let by = |host: &str| {
            let headers = [(header::HOST, host.parse().unwrap())].into_iter().collect();
            access.enter(&headers).is_ok()
        };
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:80", "127.9.9.9", "[::1]:1", "[::1]"]
        {
            assert!(by(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "10.0.0.1", "127.0.0.1.evil:80", ""]
        {
            assert!(!by(host), "{host}");
        }
        assert!(access.enter(&HeaderMap::new()).is_ok());
    }
}
