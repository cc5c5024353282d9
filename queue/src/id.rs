//! Names that travel: parsed once at the edge, passed on as types.

use std::fmt;

use uuid::Uuid;

/// Why a text is no name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{what} must be 1 to {max} visible ASCII characters{but}: {text:?}")]
pub struct Invalid {
    what: &'static str,
    max: usize,
    but: &'static str,
    text: String,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $banned:literal, $but:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Takes `text` if it is such a name.
            ///
            /// # Errors
            /// When it is empty, too long, or has other characters than visible ASCII.
            pub fn new(text: impl Into<String>) -> Result<Self, Invalid> {
                let text = text.into();
                let fits = (1..=$max).contains(&text.len());
                let banned = |b: u8| !b.is_ascii_graphic() || $banned.contains(&b);
                if fits && !text.bytes().any(banned) {
                    return Ok(Self(text));
                }
                let text = text.chars().take(80).collect();
                Err(Invalid { what: $what, max: $max, but: $but, text })
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// Names one job for ever.
    JobId, "a job id", 128, b"", ""
);
name!(
    /// Who pays: jobs of different tenants get equal shares of the machines (or by weight).
    Tenant, "a tenant", 64, b"", ""
);
name!(
    /// Names jobs that were handed in together.
    BatchId, "a batch id", 128, b"", ""
);
name!(
    /// A client's own name for a request: sent again, it adds nothing.
    IdempotencyKey, "an idempotency key", 128, b"", ""
);
name!(
    /// Where one worker runs: the node, and the fleet if a node serves several. Two living workers
    /// must never share a place: the later one takes the leases of the earlier one.
    Place, "a place", 128, b"/#", " other than / and #"
);

name!(
    /// What something is counted under. There should be few of them: see
    /// [`Store::tallies`](crate::Store::tallies).
    Label, "a label", 64, b"", ""
);

/// The namespace of derived job ids (a random UUID, fixed for ever).
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0b_5a2e_7c1d_4b39_9d54_1f8a_c3e2_7710);

impl Place {
    /// A place for a process that only runs errands (jobs of the internal lane): one of its own each
    /// time, and whoever is there is not counted among the workers.
    #[must_use]
    pub fn errands() -> Self {
        Self(format!("{ERRANDS}{}", Uuid::new_v4()))
    }
}

impl Incarnation {
    /// Whether it only runs errands.
    pub(crate) fn is_errands(&self) -> bool {
        self.0.starts_with(ERRANDS)
    }
}

/// How places begin where errands are run; `snapshot.lua` and `workers.lua` know it, too.
const ERRANDS: char = '~';

impl JobId {
    /// A new random id.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    /// The id of the `index`-th job of a request: the same request always gives the same ids.
    #[must_use]
    pub fn derived(tenant: &Tenant, key: &IdempotencyKey, index: u32) -> Self {
        // Lengths first, so that no two different triples give the same text.
        let text = format!("{}:{}:{}:{index}", tenant.0.len(), tenant.0, key.0);
        Self(Uuid::new_v5(&NAMESPACE, text.as_bytes()).to_string())
    }
}

impl JobId {
    /// An id made of another one and a suffix of ours; may be longer than those of others.
    pub(crate) fn internal(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Tenant {
    /// Whoever gives no name.
    #[must_use]
    pub fn anonymous() -> Self {
        Self("anonymous".to_owned())
    }
}

impl BatchId {
    /// A new random id.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string())
    }
}

/// One start of one worker process: a place and a UUID. It is what holds leases, so that a worker
/// started again is never taken for the one before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(String);

impl Incarnation {
    /// A new incarnation at `place`.
    #[must_use]
    pub fn begin(place: &Place) -> Self {
        Self(format!("{place}/{}", Uuid::new_v4()))
    }

    /// The incarnation that made a token.
    pub(crate) fn of(token: &Token) -> Self {
        let end = token.0.rfind('#').unwrap_or(token.0.len());
        Self(token.0[..end].to_owned())
    }

    /// Reads one from its text.
    ///
    /// # Errors
    /// When the text is no place and name joined by a slash.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let bad = || Invalid {
            what: "an incarnation",
            max: 192,
            but: ", PLACE/NAME",
            text: text.chars().take(80).collect(),
        };
        let (place, name) = text.rsplit_once('/').ok_or_else(bad)?;
        Place::new(place)?;
        Place::new(name).map_err(|_| bad())?;
        Ok(Self(text.to_owned()))
    }

    /// The place as text.
    #[must_use]
    pub fn place(&self) -> &str {
        self.0.rsplit_once('/').map_or(self.0.as_str(), |(place, _)| place)
    }

    /// The incarnation as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Fences one claim of one job: `place/uuid#claim.index`, made by the worker's side. No two claims
/// ever share one, also when the server loses its last seconds; a counter on the server would.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(String);

impl Token {
    pub(crate) fn new(who: &Incarnation, claim: u64, index: usize) -> Self {
        Self(format!("{who}#{claim}.{index}"))
    }

    /// The token as it was read from a store.
    pub(crate) fn read(text: String) -> Self {
        Self(text)
    }

    /// When it was claimed, relative to the other claims of its incarnation.
    pub(crate) fn order(&self) -> (u64, u64) {
        let number = |text: &str| text.parse().unwrap_or(0);
        let tail = self.0.rsplit_once('#').map_or("", |(_, tail)| tail);
        tail.split_once('.').map_or((0, 0), |(claim, index)| (number(claim), number(index)))
    }

    /// The token as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_sent_again_names_the_same_jobs_and_another_none_of_them() {
        let (a, b) = (Tenant::new("a").unwrap(), Tenant::new("b").unwrap());
        let key = |k: &str| IdempotencyKey::new(k).unwrap();
        assert_eq!(JobId::derived(&a, &key("k"), 0), JobId::derived(&a, &key("k"), 0));
        assert_ne!(JobId::derived(&a, &key("k"), 0), JobId::derived(&a, &key("k"), 1));
        assert_ne!(JobId::derived(&a, &key("k"), 0), JobId::derived(&b, &key("k"), 0));
        let shifted = JobId::derived(&Tenant::new("a:k").unwrap(), &key("x"), 0);
        assert_ne!(shifted, JobId::derived(&a, &key("k:x"), 0));
    }

    #[test]
    fn names_are_visible_and_bounded() {
        assert!(Tenant::new("").is_err());
        assert!(Tenant::new("a b").is_err());
        assert!(Tenant::new("é").is_err());
        assert!(Tenant::new("x".repeat(65)).is_err());
        assert!(Place::new("node/1").is_err());
        let text = JobId::new("a\nb").unwrap_err().to_string();
        assert_eq!(text, r#"a job id must be 1 to 128 visible ASCII characters: "a\nb""#);
    }

    #[test]
    fn a_token_tells_its_incarnation_and_order() {
        let who = Incarnation::begin(&Place::new("node-1").unwrap());
        let token = Token::new(&who, 7, 3);
        assert_eq!(Incarnation::of(&token), who);
        assert_eq!(token.order(), (7, 3));
        assert_eq!(who.place(), "node-1");
        assert_eq!(Incarnation::parse(who.as_str()), Ok(who));
    }
}
