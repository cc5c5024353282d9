//! The time limit of a problem: given by the package, or derived from its example submissions.
//! Pure.

use std::fmt;
use std::time::Duration;

/// What a package says of its time limit.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeRule {
    /// The limit itself and the file that gives it, when one does.
    pub given: Option<(Duration, &'static str)>,
    /// The limit is at least this times the slowest submission that must be in time.
    pub factor: f64,
    /// A submission that must be too slow takes at least this times the limit.
    pub margin: f64,
    /// A derived limit is a multiple of this.
    pub resolution: Duration,
}

/// A time limit, and where it is from.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeLimit {
    /// CPU time of one test.
    pub limit: Duration,
    /// Where it is from.
    pub basis: Basis,
}

/// Where a time limit is from.
#[derive(Debug, Clone, PartialEq)]
pub enum Basis {
    /// The package gives it, in this file.
    Given(&'static str),
    /// The slowest submission that must be in time, and how long it took.
    Derived {
        /// Its path below `submissions/`.
        slowest: String,
        /// CPU time of its slowest test.
        took: Duration,
        /// What this was multiplied by.
        factor: f64,
        /// What the product was rounded up to.
        resolution: Duration,
    },
}

/// No time limit can be derived.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// No submission says how long a right one takes.
    #[error(
        "no accepted submission ran to its end, so no time limit follows; give one in \
         limits.time_limit of problem.yaml or in .timelimit, or add one to submissions/accepted"
    )]
    NothingAccepted,
    /// The derived limit is no duration.
    #[error("the time limit is {seconds} s; lower limits.time_multiplier or time_resolution")]
    TooLong {
        /// What was derived.
        seconds: f64,
    },
}

impl TimeRule {
    /// The limit: the one given or, from the slowest submission that must be in time, the least
    /// multiple of the resolution that leaves it `factor` times what it took; one step at least.
    ///
    /// # Errors
    /// When nothing is given and there is nothing to derive it from.
    pub fn limit(&self, slowest: Option<(&str, Duration)>) -> Result<TimeLimit, Error> {
        if let Some((limit, file)) = self.given {
            return Ok(TimeLimit { limit, basis: Basis::Given(file) });
        }
        let (slowest, took) = slowest.ok_or(Error::NothingAccepted)?;
        let (factor, step) = (self.factor, self.resolution.as_secs_f64());
        // A product that is a multiple but for rounding is not a step too short.
        let steps = (took.as_secs_f64() * factor / step - 1e-9).ceil().max(1.0);
        let limit = Duration::try_from_secs_f64(steps * step)
            .map_err(|_| Error::TooLong { seconds: steps * step })?;
        let (slowest, resolution) = (slowest.to_owned(), self.resolution);
        Ok(TimeLimit { limit, basis: Basis::Derived { slowest, took, factor, resolution } })
    }

    /// Until when a submission runs that must be too slow at `limit`.
    #[must_use]
    pub fn with_margin(&self, limit: Duration) -> Duration {
        // The margin is at least 1 and at most what a person writes; a product beyond all
        // durations is the longest one.
        Duration::try_from_secs_f64(limit.as_secs_f64() * self.margin).unwrap_or(Duration::MAX)
    }

    /// What is wrong with a limit that is too short for the slowest submission that must be in
    /// time; `None` when it is long enough.
    #[must_use]
    pub fn too_short(&self, limit: Duration, slowest: (&str, Duration)) -> Option<String> {
        let (name, took) = slowest;
        let needed = took.as_secs_f64() * self.factor;
        (needed > limit.as_secs_f64() + 1e-9).then(|| {
            format!(
                "the time limit of {} s is less than {} times what {name} takes ({:.3} s)",
                limit.as_secs_f64(),
                self.factor,
                took.as_secs_f64()
            )
        })
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s ", self.limit.as_secs_f64())?;
        match &self.basis {
            Basis::Given(file) => write!(f, "(given by {file})"),
            Basis::Derived { slowest, took, factor, resolution } => {
                let (took, step) = (took.as_secs_f64(), resolution.as_secs_f64());
                write!(f, "({took:.3} s of {slowest} times {factor}, rounded up to {step} s)")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(factor: f64, resolution: f64) -> TimeRule {
        let resolution = Duration::from_secs_f64(resolution);
        TimeRule { given: None, factor, margin: 1.5, resolution }
    }

    #[test]
    fn a_limit_is_the_least_multiple_that_leaves_the_factor() {
        for (factor, resolution, took, limit) in [
            (5.0, 1.0, 0.0, 1.0),
            (5.0, 1.0, 0.001, 1.0),
            (5.0, 1.0, 0.2, 1.0),
            (5.0, 1.0, 0.2001, 2.0),
            (5.0, 1.0, 1.3, 7.0),
            (2.0, 0.1, 0.15, 0.3),
            (2.0, 0.25, 0.3, 0.75),
        ] {
            let slowest = Some(("accepted/a.py", Duration::from_secs_f64(took)));
            let found = rule(factor, resolution).limit(slowest).unwrap().limit;
            let error = (found.as_secs_f64() - limit).abs();
            assert!(error < 1e-9, "{factor} {resolution} {took}: {found:?}");
        }
    }

    #[test]
    fn a_limit_says_where_it_is_from() {
        let took = Duration::from_millis(731);
        let derived = rule(5.0, 1.0).limit(Some(("accepted/a.py", took))).unwrap();
        let text = "4 s (0.731 s of accepted/a.py times 5, rounded up to 1 s)";
        assert_eq!(derived.to_string(), text);
        let given =
            TimeRule { given: Some((Duration::from_millis(1500), ".timelimit")), ..rule(5.0, 1.0) };
        let given = given.limit(None).unwrap();
        assert_eq!(given.to_string(), "1.5 s (given by .timelimit)");
    }

    #[test]
    fn without_an_accepted_submission_there_is_no_limit() {
        assert_eq!(rule(5.0, 1.0).limit(None), Err(Error::NothingAccepted));
        let for_ever = Some(("a", Duration::MAX));
        assert!(matches!(rule(5.0, 1.0).limit(for_ever), Err(Error::TooLong { .. })));
    }

    #[test]
    fn a_limit_too_short_for_an_accepted_submission_is_told() {
        let (limit, slowest) = (Duration::from_secs(1), ("a.c", Duration::from_millis(600)));
        let text = "the time limit of 1 s is less than 2 times what a.c takes (0.600 s)";
        assert_eq!(rule(2.0, 1.0).too_short(limit, slowest).as_deref(), Some(text));
        assert_eq!(rule(1.5, 1.0).too_short(limit, slowest), None);
        assert_eq!(rule(2.0, 1.0).with_margin(limit), Duration::from_millis(1500));
    }
}
