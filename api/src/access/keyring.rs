//! The file of tokens, and finding one in it.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use queue::{Account, Limit, Tenant};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::Right;
use crate::callback::Secret;

/// The tokens of a file, as it was when it was read:
///
/// ```yaml
/// tokens:
///   - name: ci                 # in logs and messages
///     hash: sha256:9f86d0…     # printf %s TOKEN | sha256sum
///     tenant: team-a           # who pays; default: the name
///     weight: 2                # share of the machines beside others; default 1
///     rate: 50                 # submissions a second; default: no limit
///     queue_share: 0.25        # of the places in the queue; default: all
///     rights: [submit, read]   # and admin; default: submit and read
///     callback_secret: whsec_… # signs callbacks; default: the server's
/// ```
///
/// Tokens are random (`openssl rand -hex 24`), so a fast hash is as good as a slow one, and an
/// unknown token costs nothing to refuse.
#[derive(Debug)]
pub struct Keyring {
    path: PathBuf,
    stamp: Stamp,
    tokens: HashMap<[u8; 32], Arc<Token>>,
}

/// What tells that a file has changed.
type Stamp = (Option<SystemTime>, u64);

/// One token.
pub(crate) struct Token {
    pub(crate) name: String,
    pub(crate) tenant: Tenant,
    pub(crate) weight: u32,
    pub(crate) rate: Option<f64>,
    pub(crate) queue_share: Option<f64>,
    pub(crate) rights: Vec<Right>,
    callback_secret: Option<String>,
}

/// Why a file of tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read the tokens in {path:?}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not as it should be.
    #[error("{path:?} is no file of tokens: {reason}")]
    Shape {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// One entry is wrong.
    #[error("token {name} in {path:?}: {reason}")]
    Entry {
        /// Which file.
        path: PathBuf,
        /// Whose entry.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tokens: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    hash: String,
    tenant: Option<String>,
    #[serde(default = "one")]
    weight: u32,
    rate: Option<f64>,
    queue_share: Option<f64>,
    #[serde(default = "usual")]
    rights: Vec<Right>,
    callback_secret: Option<String>,
}

fn one() -> u32 {
    1
}

fn usual() -> Vec<Right> {
    vec![Right::Submit, Right::Read]
}

impl Keyring {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or an entry is wrong.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        // Before the contents: a change in between is seen at the next look.
        let stamp = stamp(path).map_err(failed)?;
        let text = fs::read_to_string(path).map_err(failed)?;
        let file: File = judge::yaml::from_str(&text).map_err(|error| Error::Shape {
            path: path.to_owned(),
            reason: crate::problem::chain(&error),
        })?;
        let mut tokens: HashMap<_, Arc<Token>> = HashMap::new();
        for entry in file.tokens {
            let wrong = |name: &str, reason: String| Error::Entry {
                path: path.to_owned(),
                name: name.to_owned(),
                reason,
            };
            let name = entry.name.clone();
            let (hash, token) = read(entry).map_err(|reason| wrong(&name, reason))?;
            if let Some(other) = tokens.values().find(|other| other.disagrees(&token)) {
                let reason = format!(
                    "tenant {} has another weight, rate, queue_share or callback_secret in token {}",
                    token.tenant, other.name
                );
                return Err(wrong(&name, reason));
            }
            if let Some(other) = tokens.insert(hash, Arc::new(token)) {
                return Err(wrong(&name, format!("has the hash of token {}", other.name)));
            }
        }
        Ok(Self { path: path.to_owned(), stamp, tokens })
    }

    /// The file again if it has changed since.
    pub(super) fn changed(&self) -> Result<Option<Self>, Error> {
        let failed = |source| Error::Read { path: self.path.clone(), source };
        if stamp(&self.path).map_err(failed)? == self.stamp {
            return Ok(None);
        }
        Self::open(&self.path).map(Some)
    }

    /// Looks a token up. By its hash, so the time it takes tells nothing of other tokens.
    pub(super) fn find(&self, text: &str) -> Option<Arc<Token>> {
        let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        self.tokens.get(&hash).cloned()
    }

    /// What signs callbacks of a tenant.
    pub(crate) fn secret(&self, tenant: &Tenant) -> Option<Secret> {
        let token = self.tokens.values().find(|token| token.tenant == *tenant)?;
        let secret = token.callback_secret.as_deref()?;
        Some(Secret::parse(secret).expect("it was looked at when the file was read"))
    }

    /// What each tenant may, in a queue of `depth` places.
    pub(crate) fn accounts(&self, depth: u64) -> Vec<(Tenant, Account)> {
        let account = |token: &Arc<Token>| {
            let depth = token.queue_share.map_or(Limit::Default, |share| {
                #[expect(
                    clippy::cast_precision_loss,
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a share from 0 to 1 of a number of jobs"
                )]
                let places = (depth as f64 * share) as u64;
                Limit::At(places.max(1))
            });
            let account = Account { weight: token.weight, depth, ..Account::default() };
            (token.tenant.clone(), account)
        };
        let mut accounts: Vec<_> = self.tokens.values().map(account).collect();
        accounts.sort_by(|(a, _), (b, _)| a.cmp(b));
        accounts.dedup_by(|(a, _), (b, _)| a == b);
        accounts
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the secret.
        f.debug_struct("Token").field("name", &self.name).field("tenant", &self.tenant).finish()
    }
}

impl Token {
    /// Whether two tokens give one tenant different things.
    fn disagrees(&self, other: &Self) -> bool {
        let things = |token: &Self| (token.weight, token.rate, token.queue_share);
        let secrets = self.callback_secret == other.callback_secret;
        self.tenant == other.tenant && (things(self) != things(other) || !secrets)
    }
}

fn read(entry: Entry) -> Result<([u8; 32], Token), String> {
    let Entry { name, hash, tenant, weight, rate, queue_share, rights, callback_secret } = entry;
    let digest = hash.strip_prefix("sha256:").and_then(unhex);
    let digest = digest.ok_or("hash must be sha256: and 64 hexadecimal digits")?;
    let tenant = Tenant::new(tenant.unwrap_or_else(|| name.clone())).map_err(|e| e.to_string())?;
    if weight == 0 || weight > 1000 {
        return Err(format!("weight is {weight}; it must be from 1 to 1000"));
    }
    if rate.is_some_and(|rate| !(rate > 0.0 && rate <= 1e6)) {
        return Err("rate must be above 0 and at most 1000000".to_owned());
    }
    if queue_share.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
        return Err("queue_share must be above 0 and at most 1".to_owned());
    }
    if let Some(secret) = &callback_secret {
        Secret::parse(secret).map_err(|error| format!("callback_secret: {error}"))?;
    }
    let token = Token { name, tenant, weight, rate, queue_share, rights, callback_secret };
    Ok((digest, token))
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let bytes = text.as_bytes();
    if bytes.len() != 64 {
        return None;
    }
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let mut out = [0; 32];
    for (at, pair) in bytes.chunks_exact(2).enumerate() {
        out[at] = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(out)
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let meta = fs::metadata(path)?;
    Ok((meta.modified().ok(), meta.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn of(text: &str) -> Result<Keyring, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Keyring::open(file.path())
            .map_err(|e| e.to_string().replace(&format!("{:?}", file.path()), "FILE"))
    }

    #[test]
    fn a_token_is_found_by_its_hash() {
        let ring = of(&format!("tokens:\n- {{name: ci, hash: 'sha256:{HASH}', queue_share: 0.5}}"));
        let ring = ring.unwrap();
        let token = ring.find("test").unwrap();
        assert_eq!((token.name.as_str(), token.tenant.as_str()), ("ci", "ci"));
        assert_eq!(token.rights, [Right::Submit, Right::Read]);
        assert!(ring.find("Test").is_none());
        assert_eq!(ring.accounts(100)[0].1.depth, Limit::At(50));
    }

    #[test]
    fn callbacks_of_a_tenant_are_signed_with_its_own_secret() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let entry =
            format!("{{name: ci, hash: 'sha256:{HASH}', tenant: a, callback_secret: {secret}}}");
        let ring = of(&format!("tokens:\n- {entry}")).unwrap();
        assert!(ring.secret(&Tenant::new("a").unwrap()).is_some());
        assert!(ring.secret(&Tenant::new("ci").unwrap()).is_none());
        assert!(!format!("{ring:?}").contains("MfKQ9r8"));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let entry = |more: &str| format!("tokens:\n- {{name: ci, hash: 'sha256:{HASH}'{more}}}\n");
        for (text, said) in [
            ("tokens:\n- {name: ci, hash: abc}", "hash must be sha256: and 64 hexadecimal digits"),
            (&entry(", weight: 0"), "weight is 0; it must be from 1 to 1000"),
            (&entry(", rate: -1"), "rate must be above 0"),
            (&entry(", queue_share: 2"), "queue_share must be above 0"),
            (&entry(", tenant: a b"), "a tenant must be 1 to 64 visible"),
            (&entry(", wieght: 2"), "unknown field `wieght`"),
            (&entry(", rights: [write]"), "unknown variant `write`"),
            (&entry(", callback_secret: x"), "callback_secret: a callback secret is whsec_"),
            (
                &(entry("") + &format!("- {{name: b, hash: 'sha256:{HASH}'}}")),
                "has the hash of token ci",
            ),
            (
                &(entry("")
                    + &format!(
                        "- {{name: b, tenant: ci, weight: 2, hash: 'sha256:{}'}}",
                        HASH.replace('9', "8")
                    )),
                "tenant ci has another weight",
            ),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
