//! Watching a batch as it goes on.

use crate::model::{CompileReport, TestReport};

/// Something happened in a batch.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The compiler is about to start, or its result to be found in the cache. Not for languages
    /// without a compiler.
    Compiling,
    /// The compilation is over.
    Compiled(&'a CompileReport),
    /// A test has its slot.
    Started {
        /// Its position.
        index: usize,
    },
    /// A test is over; every test that started gets there, in any order. Under stop at first
    /// failure the report may later say `SKIPPED` of one that finished after a failure before it.
    Finished {
        /// Its position.
        index: usize,
        /// What is known of it.
        report: &'a TestReport,
    },
}

/// Is told of events, from the threads of the batch.
pub trait Observer: Sync {
    /// Called as things happen; the batch waits for it to return.
    fn on(&self, event: Event<'_>);
}

/// Watches nothing.
impl Observer for () {
    fn on(&self, _: Event<'_>) {}
}
