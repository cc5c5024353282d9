//! What a worker says of itself on the queue.

use serde::{Deserialize, Serialize};

/// A worker's own words, for whoever lists workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerFacts {
    /// Boxes that run at once; 0 when it takes nothing.
    pub slots: usize,
    /// `native` or `isolate`.
    pub engine: String,
    /// Of evalX.
    pub version: String,
}

impl WorkerFacts {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and text become JSON")
    }

    /// From bytes; `None` when another version has written them.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_not_ours_is_nothing() {
        let facts = WorkerFacts { slots: 2, engine: "native".into(), version: "1".into() };
        assert_eq!(WorkerFacts::decode(&facts.encode()), Some(facts));
        assert_eq!(WorkerFacts::decode(b""), None);
    }
}
