//! How often a status is written that only counts: a change of a thousand workers is a thousand
//! numbers.

use std::time::Duration;

use tokio::time::Instant;

/// Between the first two writes of a change, and before the one that ends it.
const SHORTEST: Duration = Duration::from_secs(3);
/// Between those of a long one. What takes minutes is not followed by the second.
const LONGEST: Duration = Duration::from_secs(30);

/// When the status of one cluster was written, and how long the next count waits.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    last: Option<Instant>,
    pause: Duration,
}

impl Pace {
    /// How long a status that only counts has to wait still. One that `ends` a change, because all is
    /// as it should be, is what people wait for.
    pub(crate) fn rest(&self, ends: bool, now: Instant) -> Option<Duration> {
        let pause = if ends { SHORTEST } else { self.pause };
        let since = now.saturating_duration_since(self.last?);
        pause.checked_sub(since).filter(|rest| !rest.is_zero())
    }

    /// It was written; a `turn` is the beginning of something else.
    pub(crate) fn wrote(&mut self, turn: bool, now: Instant) {
        let calm = self.last.is_none_or(|last| now.saturating_duration_since(last) > 2 * LONGEST);
        self.pause = if turn || calm { SHORTEST } else { (2 * self.pause).min(LONGEST) };
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds at which counts are written that change all the time.
    fn writes(pace: &mut Pace, begin: Instant, seconds: u64) -> Vec<u64> {
        let mut at = Vec::new();
        for second in 0..seconds {
            let now = begin + Duration::from_secs(second);
            if pace.rest(false, now).is_none() {
                pace.wrote(second == 0, now);
                at.push(second);
            }
        }
        at
    }

    #[test]
    fn a_long_change_is_counted_less_and_less_often() {
        let mut pace = Pace::default();
        let at = writes(&mut pace, Instant::now(), 150);
        assert_eq!(at, [0, 3, 9, 21, 45, 75, 105, 135]);
    }

    #[test]
    fn its_end_does_not_wait_for_long() {
        let (mut pace, begin) = (Pace::default(), Instant::now());
        let last = *writes(&mut pace, begin, 100).last().unwrap();
        let at = |seconds| begin + Duration::from_secs(last + seconds);
        assert_eq!(pace.rest(false, at(1)), Some(Duration::from_secs(29)));
        assert_eq!(pace.rest(true, at(1)), Some(Duration::from_secs(2)));
        assert_eq!(pace.rest(true, at(3)), None);
    }

    #[test]
    fn what_comes_after_a_turn_or_a_calm_is_another_change() {
        let (mut pace, begin) = (Pace::default(), Instant::now());
        writes(&mut pace, begin, 100);
        let at = |seconds| begin + Duration::from_secs(seconds);
        pace.wrote(true, at(100));
        assert_eq!(pace.rest(false, at(100)), Some(SHORTEST));
        writes(&mut pace, at(100), 100);
        assert_eq!(pace.rest(false, at(400)), None);
        pace.wrote(false, at(400));
        assert_eq!(pace.rest(false, at(400)), Some(SHORTEST));
    }
}
