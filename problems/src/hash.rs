//! What a problem is known by: the SHA-256 of its bytes, as `sha256sum` prints it.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// The name of a problem: `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

/// A text that is no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a problem is named by sha256: and 64 hexadecimal digits in lower case")]
pub struct NotAHash;

/// Makes one of bytes that come piece by piece.
#[derive(Debug, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The name of all of them.
    #[must_use]
    pub fn finish(self) -> Hash {
        Hash(self.0.finalize().into())
    }
}

impl Hash {
    /// The name of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads one. In one spelling only: it is compared as text elsewhere.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, NotAHash> {
        let digits = text.strip_prefix("sha256:").ok_or(NotAHash)?.as_bytes();
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(NotAHash),
        };
        if digits.len() != 64 {
            return Err(NotAHash);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }

    /// The digits alone: good for a file's name.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_what_sha256sum_prints() {
        let text = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        assert_eq!(Hash::of(b"test").to_string(), text);
        assert_eq!(Hash::parse(text), Ok(Hash::of(b"test")));
        let mut hasher = Hasher::default();
        hasher.update(b"te");
        hasher.update(b"st");
        assert_eq!(hasher.finish(), Hash::of(b"test"));
    }

    #[test]
    fn other_spellings_are_none() {
        let text = Hash::of(b"test").to_string();
        for odd in [
            "",
            "sha256:",
            "sha256:9f",
            &text.to_uppercase(),
            &text[7..],
            &format!("{text}0"),
            &text.replace('9', "g"),
            &format!(" {text}"),
            "sha256:../../../../../etc/passwd",
        ] {
            assert_eq!(Hash::parse(odd), Err(NotAHash), "{odd}");
        }
    }
}
