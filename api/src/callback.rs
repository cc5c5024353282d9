//! Telling a client's own server that a submission is over.
//!
//! A submission that names an address becomes a job with a webhook; when it ends, the queue makes a
//! job of its internal lane in the same step. Servers claim those (workers may have no network, and
//! run strangers' programs), at least once each: a delivery that fails is tried again later.
//!
//! - `target` what may be named · `address` which addresses are nobody's business
//! - `message` what is sent · `secret` how it is signed
//! - `courier` one request to a checked address · `errands` the jobs behind it

mod address;
mod courier;
mod errands;
mod message;
mod secret;
mod target;

pub(crate) use courier::{Courier, Fate};
pub(crate) use message::Wire;
use queue::JobId;
pub use secret::{Error as SecretError, Secret};
use serde::{Deserialize, Serialize};
pub(crate) use target::{Error as TargetError, Target};

use crate::app::App;
use crate::problem::Problem;
use crate::v1::wire::invalid;

/// How callbacks are made.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Whether addresses of this machine and of private networks may be named. Default no: whoever
    /// may submit could reach what only the service reaches.
    pub to_private: bool,
    /// Signs for tenants whose tokens have no secret of their own. Default none: not signed.
    pub secret: Option<Secret>,
}

/// Who is to be told, and in which form. What a job carries for the errand after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Callback {
    pub(crate) target: Target,
    pub(crate) wire: Wire,
}

/// Why the bytes of an errand are none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("it has version {found}, this evalx knows {VERSION}: update it")]
    Newer { found: u32 },
    #[error("not as evalx writes it")]
    Unreadable(#[source] serde_json::Error),
    #[error("the address in it")]
    Target(#[source] TargetError),
}

/// Grows when an older reader would misread what it gets.
const VERSION: u32 = 1;

#[derive(Deserialize)]
struct Head {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    url: String,
    wire: Wire,
}

impl App {
    /// The callback that a client names in `field`, in the form that its API promises. For every API
    /// that takes submissions.
    pub(crate) fn callback(&self, url: &str, wire: Wire, field: &str) -> Result<Callback, Problem> {
        let target = Target::parse(url, self.config().callbacks.to_private);
        let target = target.map_err(|error| invalid(field, error.to_string()))?;
        Ok(Callback { target, wire })
    }
}

impl Callback {
    /// As a job carries it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let Self { target, wire } = self;
        let stored = Stored { version: VERSION, url: target.url().to_owned(), wire: *wire };
        serde_json::to_vec(&stored).expect("text becomes JSON")
    }

    /// From what a job carried. Whether the address may be reached is looked at again.
    fn decode(bytes: &[u8], to_private: bool) -> Result<Self, Error> {
        let Head { version } = serde_json::from_slice(bytes).map_err(Error::Unreadable)?;
        if version > VERSION {
            return Err(Error::Newer { found: version });
        }
        let Stored { version: _, url, wire } =
            serde_json::from_slice(bytes).map_err(Error::Unreadable)?;
        let target = Target::parse(&url, to_private).map_err(Error::Target)?;
        Ok(Self { target, wire })
    }
}

/// What a receiver knows a delivery by, however often it is sent.
fn delivery_id(errand: &JobId) -> &str {
    errand.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_comes_back_as_it_was_unless_it_may_not_be_reached_any_more() {
        let target = Target::parse("http://127.0.0.1:1/x?y", true).unwrap();
        let callback = Callback { target, wire: Wire::Judge0 };
        let bytes = callback.encode();
        assert_eq!(Callback::decode(&bytes, true).unwrap(), callback);
        assert!(matches!(Callback::decode(&bytes, false), Err(Error::Target(_))));
        let newer = Callback::decode(br#"{"version":2,"urls":[]}"#, true);
        assert!(matches!(newer, Err(Error::Newer { found: 2 })));
        assert!(matches!(Callback::decode(b"{}", true), Err(Error::Unreadable(_))));
    }
}
