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
    #[error("meta key {key:?} has the value {value:?}, which makes no sense")]
    Value {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// A key that is there twice: isolate failed while it wrote down a result.
    #[error("meta key {key:?} is there twice")]
    Twice {
        /// The key.
        key: String,
    },
    /// A key without which there is no result: what follows it is missing as well.
    #[error("meta key {key} is missing")]
    Missing {
        /// The key.
        key: &'static str,
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

    /// isolate writes the account after everything that kills a guest, and with every result.
    pub(super) fn accounted(&self) -> Result<(), Error> {
        let Self { time, wall, .. } = self;
        for (key, there) in [("time", time.is_some()), ("time-wall", wall.is_some())] {
            if !there {
                return Err(Error::Missing { key });
            }
        }
        Ok(())
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
pub(super) mod tests {
    use proptest::prelude::*;

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

    /// As isolate writes a time, and to the longest that is one.
    fn times() -> impl Strategy<Value = Duration> {
        (prop_oneof![0..100_u64, Just(u64::MAX), any::<u64>()], 0..1000_u64)
            .prop_map(|(s, ms)| Duration::from_secs(s) + Duration::from_millis(ms))
    }

    fn metas() -> impl Strategy<Value = Meta> {
        let status = prop::sample::select(vec![
            Status::RuntimeError,
            Status::Signal,
            Status::TimedOut,
            Status::Internal,
        ]);
        let numbers = (
            any::<[Option<u64>; 2]>(),
            any::<[u64; 2]>(),
            prop::option::of(0..=255),
            prop::option::of(1..=64),
        );
        let times = (prop::option::of(times()), prop::option::of(times()));
        let rest = (any::<[bool; 2]>(), prop::option::of(status), prop::option::of("[^\n]{0,30}"));
        (times, numbers, rest).prop_map(|(times, numbers, (flags, status, message))| Meta {
            time: times.0,
            wall: times.1,
            max_rss: numbers.0[0],
            cg_mem: numbers.0[1],
            switches_voluntary: numbers.1[0],
            switches_forced: numbers.1[1],
            exit_code: numbers.2,
            exit_signal: numbers.3,
            cg_oom_killed: flags[0],
            killed: flags[1],
            status,
            message,
        })
    }

    /// As isolate would write it down, a line a key.
    fn lines(meta: &Meta) -> Vec<String> {
        let Meta {
            time,
            wall,
            max_rss,
            cg_mem,
            cg_oom_killed,
            switches_voluntary,
            switches_forced,
            exit_code,
            exit_signal,
            killed,
            status,
            message,
        } = meta;
        let seconds = |t: &Duration| format!("{}.{:03}", t.as_secs(), t.subsec_millis());
        let letters = |s: &Status| match s {
            Status::RuntimeError => "RE",
            Status::Signal => "SG",
            Status::TimedOut => "TO",
            Status::Internal => "XX",
        };
        let line = |key: &str, value: Option<String>| value.map(|v| format!("{key}:{v}\n"));
        let flag = |set: &bool| set.then(|| "1".to_owned());
        let all = [
            line("time", time.as_ref().map(seconds)),
            line("time-wall", wall.as_ref().map(seconds)),
            line("max-rss", max_rss.map(|n| n.to_string())),
            line("cg-mem", cg_mem.map(|n| n.to_string())),
            line("cg-oom-killed", flag(cg_oom_killed)),
            line("csw-voluntary", Some(switches_voluntary.to_string())),
            line("csw-forced", Some(switches_forced.to_string())),
            line("exitcode", exit_code.map(|n| n.to_string())),
            line("exitsig", exit_signal.map(|n| n.to_string())),
            line("killed", flag(killed)),
            line("status", status.as_ref().map(letters).map(str::to_owned)),
            line("message", message.clone()),
        ];
        all.into_iter().flatten().collect()
    }

    proptest! {
        #[test]
        fn what_isolate_writes_is_read_in_any_order_with_keys_of_later_versions(
            (meta, lines) in metas().prop_flat_map(|meta| {
                let mut lines = lines(&meta);
                lines.extend(["x-new:\n".to_owned(), "x-other:a:b\n".to_owned()]);
                (Just(meta), Just(lines).prop_shuffle())
            }),
        ) {
            prop_assert_eq!(Meta::parse(&lines.concat()), Ok(meta));
        }

        /// An error that names the line or the key, on one line; or each value as it stands there.
        #[test]
        fn any_text_is_an_account_or_an_error_that_says_where(text in texts()) {
            match Meta::parse(&text) {
                Err(error) => {
                    let said = error.to_string();
                    prop_assert!(!said.contains(char::is_control), "{said:?}");
                    let named = match &error {
                        Error::Empty => text.is_empty(),
                        Error::Malformed { line } => text.contains(line),
                        Error::Value { key, value } => text.contains(&format!("{key}:{value}\n")),
                        Error::Twice { key } => text.matches(&format!("{key}:")).count() > 1,
                        Error::Missing { .. } => false,
                    };
                    prop_assert!(named, "{said}");
                }
                Ok(meta) => {
                    let defaults = ["csw-voluntary:0\n", "csw-forced:0\n"];
                    for line in lines(&meta).iter().filter(|l| !defaults.contains(&l.as_str())) {
                        let (key, value) = line.split_once(':').unwrap();
                        let stands = text.split_inclusive('\n').any(|l| {
                            // A number may have been written with zeros or a sign before it.
                            l.split_once(':').is_some_and(|(k, v)| k == key && same(v, value))
                        });
                        prop_assert!(stands, "{line:?} comes of {text:?}");
                    }
                }
            }
        }
    }

    fn same(written: &str, read: &str) -> bool {
        let bare = |text: &str| text.trim_start_matches('+').trim_start_matches('0').to_owned();
        bare(written) == bare(read)
    }

    /// Anything, and what is nearly a meta file.
    pub(in crate::isolate) fn texts() -> impl Strategy<Value = String> {
        let key = prop::sample::select(vec![
            "time",
            "time-wall",
            "max-rss",
            "cg-mem",
            "cg-oom-killed",
            "csw-voluntary",
            "csw-forced",
            "exitcode",
            "exitsig",
            "killed",
            "status",
            "message",
            "",
            "x",
        ]);
        let value = prop_oneof![
            prop::sample::select(vec![
                "0",
                "1",
                "3",
                "9",
                "-1",
                "+1",
                "25",
                "31",
                "255",
                "256",
                "0.001",
                "1.042",
                "9.000",
                ".001",
                "1.",
                "18446744073709551615.999",
                "99999999999999999999.000",
                "18446744073709551616",
                "RE",
                "SG",
                "TO",
                "XX",
                "OK",
                "a:b",
                "",
            ])
            .prop_map(str::to_owned),
            "\\PC{0,8}",
        ];
        let end = prop_oneof![9 => Just("\n"), 1 => prop::sample::select(vec!["", "\r\n", "\0\n"])];
        let line = (key, value, end).prop_map(|(key, value, end)| format!("{key}:{value}{end}"));
        prop_oneof![
            1 => any::<Vec<u8>>().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            9 => prop::collection::vec(line, 0..9).prop_map(|lines| lines.concat()),
        ]
    }
}
