//! What a list that is under way has told of.

use std::collections::HashSet;
use std::hash::Hash;

/// Things of a list that has begun and is not complete. What is told between two lists is not noted:
/// a watch may go on for months without a list, and all that ever was would be kept.
#[derive(Debug)]
pub(super) struct Listed<T>(Option<HashSet<T>>);

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Eq + Hash> Listed<T> {
    /// A list begins, and one that broke off is over.
    pub(super) fn begin(&mut self) {
        self.0 = Some(HashSet::new());
    }

    /// A thing is there.
    pub(super) fn note(&mut self, thing: T) {
        if let Some(listed) = &mut self.0 {
            listed.insert(thing);
        }
    }

    /// The list is complete. Returns what was in it.
    pub(super) fn complete(&mut self) -> HashSet<T> {
        self.0.take().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_between_two_lists_is_not_kept() {
        let mut listed = Listed::default();
        listed.note("early");
        listed.begin();
        listed.note("lost");
        listed.begin();
        listed.note("a");
        listed.note("b");
        assert_eq!(listed.complete(), HashSet::from(["a", "b"]));
        listed.note("later");
        assert!(listed.0.is_none(), "{listed:?}");
        listed.begin();
        assert_eq!(listed.complete(), HashSet::new());
    }
}
