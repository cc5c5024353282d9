//! Whether a change gets on: no clock in it, the caller says what time it is.

use std::time::Duration;

use tokio::time::Instant;

/// What moves while a change gets on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Of the DaemonSet.
    pub(crate) generation: i64,
    /// Workers of the newest template.
    pub(crate) updated: u32,
    /// Workers that are ready.
    pub(crate) ready: u32,
    /// That there should be.
    pub(crate) desired: u32,
}

/// When it moved last.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress(Option<(Mark, Instant)>);

impl Progress {
    /// Notes where it is. Returns how long it has stood still.
    pub(crate) fn note(&mut self, mark: Mark, now: Instant) -> Duration {
        match self.0 {
            Some((before, since)) if before == mark => now.saturating_duration_since(since),
            _ => {
                self.0 = Some((mark, now));
                Duration::ZERO
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_still_while_nothing_moves() {
        let (mut progress, begin) = (Progress::default(), Instant::now());
        let mark = Mark { generation: 1, updated: 1, ready: 0, desired: 4 };
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(progress.note(mark, at(0)), Duration::ZERO);
        assert_eq!(progress.note(mark, at(9)), Duration::from_secs(9));
        assert_eq!(progress.note(Mark { ready: 1, ..mark }, at(10)), Duration::ZERO);
        assert_eq!(progress.note(Mark { ready: 1, ..mark }, at(12)), Duration::from_secs(2));
    }
}
