//! What an entry of the cache is known by.

use sha2::{Digest, Sha256};

use crate::language::hex;

/// SHA-256 of everything that a compilation depends on, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key(String);

/// Collects what a compilation depends on. Every part is preceded by its length, so that no two
/// different lists of parts look alike.
#[derive(Debug)]
pub(crate) struct KeyBuilder(Sha256);

impl Key {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyBuilder {
    /// For entries of this layout; a change of the layout is another number.
    pub(crate) fn new() -> Self {
        Self(Sha256::new_with_prefix(b"evalx artefact 1"))
    }

    #[must_use]
    pub(crate) fn part(mut self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// A list as one part: its length counts.
    #[must_use]
    pub(crate) fn list<T: AsRef<[u8]>>(self, parts: impl ExactSizeIterator<Item = T>) -> Self {
        let counted = self.part((parts.len() as u64).to_le_bytes());
        parts.fold(counted, Self::part)
    }

    pub(crate) fn finish(self) -> Key {
        Key(hex(&self.0.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(lists: &[&[&str]]) -> Key {
        lists.iter().fold(KeyBuilder::new(), |b, list| b.list(list.iter())).finish()
    }

    #[test]
    fn where_one_part_ends_counts() {
        let keys = [
            key(&[&["ab", "c"]]),
            key(&[&["a", "bc"]]),
            key(&[&["ab"], &["c"]]),
            key(&[&["ab"], &[], &["c"]]),
            key(&[&["ab", "c", ""]]),
        ];
        for (i, a) in keys.iter().enumerate() {
            assert_eq!(a.as_str().len(), 64);
            assert!(keys[i + 1..].iter().all(|b| a != b));
        }
        assert_eq!(key(&[&["ab", "c"]]), keys[0]);
    }
}
