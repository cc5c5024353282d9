//! The file in which isolate says how a run ended (`--meta`): a strict parser, no I/O.

use std::collections::HashSet;
use std::time::Duration;

/// What isolate wrote down. Keys of no interest to us, and those of later versions, are skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Meta {
    /// CPU time; without control groups that of the first process and its waited-for children.
    pub(super) time: Option<Duration>,
    /// Time on the clock.
    pub(super) wall: Option<Duration>,
    /// Largest resident set of one process, in KiB.
    pub(super) max_rss: Option<u64>,
    /// Peak memory of isolate's own control group, in KiB.
    pub(super) cg_mem: Option<u64>,
    /// Whether the kernel killed a process of isolate's own group for want of memory, ever since
    /// `--init`.
    pub(super) cg_oom_killed: bool,
    /// Times the guest waited.
    pub(super) switches_voluntary: u64,
    /// Times the guest was interrupted.
    pub(super) switches_forced: u64,
    /// What the program returned.
    pub(super) exit_code: Option<i32>,
    /// The signal that ended the program, or that isolate itself got (`killed` tells them apart).
    pub(super) exit_signal: Option<i32>,
    /// Whether isolate killed the program.
    pub(super) killed: bool,
    /// Absent when the program returned 0.
    pub(super) status: Option<Status>,
    /// For people, and the only place that tells the two clocks apart.
    pub(super) message: Option<String>,
}

/// The two letters of `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// RE: the program returned something else than 0.
    RuntimeError,
    /// SG: a signal ended it.
    Signal,
    /// TO: isolate saw one of its time limits reached.
    TimedOut,
    /// XX: isolate itself failed.
    Internal,
}

/// A meta file that isolate cannot have meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing was written: isolate was killed before it could.
    #[error("the meta file is empty; isolate was killed or never ran")]
    Empty,
    /// A line without a colon, or cut short.
    #[error("line {line:?} of the meta file is not \"key:value\"")]
    Malformed {
        /// The line.
        line: String,
    },
    /// A value that does not fit its key.
    #[error("meta key {key} has the value {value:?}, which makes no sense")]
    Value {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// A key that is there twice: isolate failed while it wrote down a result.
    #[error("meta key {key} is there twice")]
    Twice {
        /// The key.
        key: String,
    },
}

impl Meta {
    /// Parses the whole file.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::Empty);
        }
        let mut meta = Self::default();
        let mut seen = HashSet::new();
        for line in text.split_inclusive('\n') {
            // A message may hold colons, so the first one ends the key; a line that does not end
            // was cut short.
            let Some((key, value)) = line.strip_suffix('\n').and_then(|l| l.split_once(':')) else {
                return Err(Error::Malformed { line: line.to_owned() });
            };
            if !seen.insert(key) {
                return Err(Error::Twice { key: key.to_owned() });
            }
            meta.set(key, value)
                .ok_or_else(|| Error::Value { key: key.to_owned(), value: value.to_owned() })?;
        }
        Ok(meta)
    }

    fn set(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "time" => self.time = Some(seconds(value)?),
            "time-wall" => self.wall = Some(seconds(value)?),
            "max-rss" => self.max_rss = Some(value.parse().ok()?),
            "cg-mem" => self.cg_mem = Some(value.parse().ok()?),
            "cg-oom-killed" => self.cg_oom_killed = flag(value)?,
            "csw-voluntary" => self.switches_voluntary = value.parse().ok()?,
            "csw-forced" => self.switches_forced = value.parse().ok()?,
            "exitcode" => self.exit_code = Some(number(value, 0..=255)?),
            "exitsig" => self.exit_signal = Some(number(value, 1..=64)?),
            "killed" => self.killed = flag(value)?,
            "status" => self.status = Some(Status::parse(value)?),
            "message" => self.message = Some(value.to_owned()),
            _ => {}
        }
        Some(())
    }
}

impl Status {
    fn parse(value: &str) -> Option<Self> {
        match value {
            "RE" => Some(Self::RuntimeError),
            "SG" => Some(Self::Signal),
            "TO" => Some(Self::TimedOut),
            "XX" => Some(Self::Internal),
            _ => None,
        }
    }
}

/// `S.MMM`, as isolate prints milliseconds.
fn seconds(value: &str) -> Option<Duration> {
    let (whole, millis) = value.split_once('.')?;
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if millis.len() != 3 || !digits(millis) || !digits(whole) {
        return None;
    }
    Some(Duration::from_secs(whole.parse().ok()?) + Duration::from_millis(millis.parse().ok()?))
}

/// isolate writes a flag as 1 and leaves it out otherwise.
fn flag(value: &str) -> Option<bool> {
    (value == "1").then_some(true)
}

fn number(value: &str, range: std::ops::RangeInclusive<i32>) -> Option<i32> {
    value.parse().ok().filter(|n| range.contains(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_keys_are_read_in_any_order_and_unknown_ones_skipped() {
        let text = "message:Exited: with error status 3\nstatus:RE\ntime:1.042\nshoe-size:44\n\
                    time-wall:12.000\nexitcode:3\nmax-rss:1500\ncsw-forced:7\ncsw-voluntary:9\n";
        let meta = Meta::parse(text).unwrap();
        assert_eq!(meta.time, Some(Duration::from_millis(1042)));
        assert_eq!(meta.wall, Some(Duration::from_secs(12)));
        assert_eq!((meta.switches_voluntary, meta.switches_forced), (9, 7));
        assert_eq!((meta.exit_code, meta.max_rss), (Some(3), Some(1500)));
        assert_eq!(meta.status, Some(Status::RuntimeError));
        assert_eq!(meta.message.as_deref(), Some("Exited: with error status 3"));
    }

    #[test]
    fn an_empty_file_is_an_error() {
        assert_eq!(Meta::parse(""), Err(Error::Empty));
    }

    #[test]
    fn what_isolate_would_not_write_is_refused() {
        for bad in ["time\n", "time:0.001", "\n"] {
            assert!(matches!(Meta::parse(bad), Err(Error::Malformed { .. })), "{bad:?}");
        }
        for bad in [
            "time:-0.001\n",
            "time:1\n",
            "time:1.5\n",
            "time:1.0005\n",
            "time:x.005\n",
            "time-wall:x.001\n",
            "max-rss:-1\n",
            "exitcode:256\n",
            "exitsig:0\n",
            "exitsig:65\n",
            "killed:0\n",
            "status:OK\n",
            "status:\n",
        ] {
            assert!(matches!(Meta::parse(bad), Err(Error::Value { .. })), "{bad:?}");
        }
        assert!(matches!(Meta::parse("status:RE\nstatus:XX\n"), Err(Error::Twice { .. })));
    }
}
