//! The head comment of a case: what the program is given and what has to come of it.
//!
//! The first comment of the file holds one `key: value` a line up to its end or to a blank line;
//! what follows the blank line is prose. Unknown keys, keys given twice and values that do not
//! parse are errors. Given to the program:
//!
//! | key | value |
//! |---|---|
//! | `attack` | number in the list of attacks, several with `,`; or `plain` |
//! | `title` | one line |
//! | `limits` | `name=value` pairs, names as in [`sandbox::Limits`] |
//! | `argv`, `env` | JSON array of strings: arguments behind the program, `NAME=VALUE` entries |
//! | `stdin` | `empty`, `closed` or a JSON string |
//! | `files` | JSON object: name below `/w` to contents |
//! | `collect` | `NAME SIZE`; may be repeated |
//! | `proc` | `on` or `off` |
//!
//! Expected of the run (a range is `LOW..HIGH`, either may be missing, both ends included):
//!
//! | key | value |
//! |---|---|
//! | `ends` | alternatives with `\|`: `exited N`, `signalled N`, `cpu-limit`, `wall-limit`, `memory-limit`, `output-limit`, `forbidden-call`; required |
//! | `says` | `key=ALT\|ALT`: standard output has such a line and no other value of that key; an alternative may be a range of numbers; repeated |
//! | `never` | no line of standard output starts with this; repeated |
//! | `stdout`, `stderr` | JSON string, exact |
//! | `stdout-size`, `stderr-size` | range of sizes of what was kept |
//! | `cpu`, `wall`, `took` | range of durations; `took` is the whole call |
//! | `memory` | range of sizes |
//! | `switches` | range of voluntary context switches |
//! | `file` | `NAME ALT \| ALT`: `missing`, `not-regular`, `too-large` or a JSON string; repeated |
//!
//! `isolate-KEY` replaces an expectation for that engine; it needs `isolate-because`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use sandbox::{Bytes, Limits, Termination};

use crate::expect::{Contents, Expect, Range};
use crate::machine::{at_most, in_time};

/// What a program is given.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) limits: Limits,
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) stdin: Input,
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) collect: Vec<(String, Bytes)>,
    pub(crate) proc: bool,
}

/// Standard input of a case.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Input {
    #[default]
    Empty,
    Closed,
    Text(String),
}

/// A head comment, read.
#[derive(Debug)]
pub(crate) struct Header {
    /// As the table shows it: numbers, or `plain`.
    pub(crate) attack: String,
    pub(crate) title: String,
    pub(crate) given: Given,
    pub(crate) native: Expect,
    pub(crate) isolate: Expect,
    /// Why isolate's expectations are others, if they are.
    pub(crate) because: Option<String>,
}

/// What is wrong with a head comment.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("the file does not start with a comment that holds `key: value` lines")]
    NoHeader,
    #[error("header line {line:?} is not `key: value`")]
    Line { line: String },
    #[error("header key {key:?} is unknown")]
    Unknown { key: String },
    #[error("header key {key:?} is given twice")]
    Twice { key: String },
    #[error("header key {key:?} is missing")]
    Missing { key: &'static str },
    #[error("header key {key:?} has the value {value:?}; expected {expected}")]
    Value { key: String, value: String, expected: &'static str },
}

const REPEATED: [&str; 4] = ["collect", "says", "never", "file"];

impl Header {
    /// Reads the head comment of `source`.
    pub(crate) fn parse(source: &str) -> Result<Self, Error> {
        let lines = lines(source)?;
        let mut header = Self {
            attack: String::new(),
            title: String::new(),
            given: Given::default(),
            native: Expect::default(),
            isolate: Expect::default(),
            because: None,
        };
        let (mut common, mut own, mut because) = (Vec::new(), Vec::new(), None);
        for (key, value) in &lines {
            match key.strip_prefix("isolate-") {
                Some("because") => because = Some(value),
                Some(rest) => own.push((rest, value.as_str())),
                None if header.give(key, value)? => {}
                None => common.push((key.as_str(), value.as_str())),
            }
        }
        for (key, name) in [(&header.attack, "attack"), (&header.title, "title")] {
            if key.is_empty() {
                return Err(Error::Missing { key: name });
            }
        }
        if own.is_empty() != because.is_none() {
            return Err(Error::Missing {
                key: if own.is_empty() { "isolate-KEY" } else { "isolate-because" },
            });
        }
        let replaced: Vec<_> = own.iter().map(|(k, v)| subject(k, v)).collect();
        for (key, value) in &common {
            expect(&mut header.native, key, value)?;
            if !replaced.contains(&subject(key, value)) {
                expect(&mut header.isolate, key, value)?;
            }
        }
        for (key, value) in &own {
            expect(&mut header.isolate, key, value)?;
        }
        if header.native.ends.is_empty() || header.isolate.ends.is_empty() {
            return Err(Error::Missing { key: "ends" });
        }
        header.because = because.cloned();
        if !header.runs_out_of_time() {
            header.given.limits = in_time(header.given.limits);
        }
        Ok(header)
    }

    /// Whether the program has nothing to do but to meet a limit of time: it does that on any machine,
    /// and on a slow one no larger limit has to be waited for.
    fn runs_out_of_time(&self) -> bool {
        [&self.native, &self.isolate].iter().all(|expect| {
            let mut ends = expect.ends.iter();
            let out = ends.all(|end| matches!(end, Termination::CpuLimit | Termination::WallLimit));
            out && expect.says.is_empty() && expect.stdout.is_none()
        })
    }

    /// Takes what is given to the program; `false` when the key is none of these.
    fn give(&mut self, key: &str, value: &str) -> Result<bool, Error> {
        let given = &mut self.given;
        match key {
            "attack" => {
                let number = |part: &str| part.trim().parse::<u32>().is_ok();
                if value != "plain" && !value.split(',').all(number) {
                    return Err(bad(key, value, "`plain` or numbers with `,` between"));
                }
                value.clone_into(&mut self.attack);
            }
            "title" => value.clone_into(&mut self.title),
            "limits" => {
                for pair in value.split_whitespace() {
                    limit(&mut given.limits, pair)?;
                }
            }
            "argv" => given.argv = json(key, value, "a JSON array of strings")?,
            "env" => {
                let entries: Vec<String> = json(key, value, "a JSON array of strings")?;
                for entry in entries {
                    let (name, text) =
                        entry.split_once('=').ok_or_else(|| bad(key, &entry, "NAME=VALUE"))?;
                    given.env.push((name.to_owned(), text.to_owned()));
                }
            }
            "stdin" => {
                given.stdin = match value {
                    "empty" => Input::Empty,
                    "closed" => Input::Closed,
                    _ => Input::Text(json(key, value, "`empty`, `closed` or a JSON string")?),
                }
            }
            "files" => given.files = json(key, value, "a JSON object of strings")?,
            "collect" => {
                let (name, max) =
                    value.split_once(' ').ok_or_else(|| bad(key, value, "NAME SIZE"))?;
                given.collect.push((name.to_owned(), size(key, max)?));
            }
            "proc" => {
                given.proc = match value {
                    "on" => true,
                    "off" => false,
                    _ => return Err(bad(key, value, "`on` or `off`")),
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The `key: value` lines of the first comment, keys checked for being given twice.
fn lines(source: &str) -> Result<Vec<(String, String)>, Error> {
    let body = source.strip_prefix("/*\n").ok_or(Error::NoHeader)?;
    let (body, _) = body.split_once("*/").ok_or(Error::NoHeader)?;
    let mut found: Vec<(String, String)> = Vec::new();
    for line in body.lines() {
        let line = line.trim_start().trim_start_matches('*').trim();
        if line.is_empty() {
            break;
        }
        let (key, value) =
            line.split_once(": ").ok_or_else(|| Error::Line { line: line.to_owned() })?;
        let bare = key.strip_prefix("isolate-").unwrap_or(key);
        if !REPEATED.contains(&bare) && found.iter().any(|(k, _)| k == key) {
            return Err(Error::Twice { key: key.to_owned() });
        }
        found.push((key.to_owned(), value.trim().to_owned()));
    }
    if found.is_empty() { Err(Error::NoHeader) } else { Ok(found) }
}

/// What an expectation is about: two of the same subject replace each other across engines.
fn subject(key: &str, value: &str) -> (String, String) {
    let about = match key {
        "says" => value.split('=').next(),
        "file" => value.split(' ').next(),
        _ => None,
    };
    (key.to_owned(), about.unwrap_or_default().to_owned())
}

fn expect(to: &mut Expect, key: &str, value: &str) -> Result<(), Error> {
    match key {
        "ends" => {
            for part in alternatives(value) {
                to.ends.push(termination(part).ok_or_else(|| {
                    bad(key, part, "`exited N`, `signalled N` or the name of a limit")
                })?);
            }
        }
        "says" => {
            let (name, values) =
                value.split_once('=').ok_or_else(|| bad(key, value, "KEY=VALUE"))?;
            to.says.push((name.to_owned(), alternatives(values).map(str::to_owned).collect()));
        }
        "never" => to.never.push(value.to_owned()),
        "stdout" => to.stdout = Some(json(key, value, "a JSON string")?),
        "stderr" => to.stderr = Some(json(key, value, "a JSON string")?),
        "stdout-size" => to.stdout_size = Some(range(key, value, |v| size(key, v).map(|b| b.0))?),
        "stderr-size" => to.stderr_size = Some(range(key, value, |v| size(key, v).map(|b| b.0))?),
        "cpu" => to.cpu = Some(times(key, value)?),
        "wall" => to.wall = Some(times(key, value)?),
        "took" => to.took = Some(times(key, value)?),
        "memory" => to.memory = Some(range(key, value, |v| size(key, v).map(|b| b.0))?),
        "switches" => to.switches = Some(range(key, value, |v| number(key, v))?),
        "file" => {
            let (name, rest) =
                value.split_once(' ').ok_or_else(|| bad(key, value, "NAME ALTERNATIVES"))?;
            let mut allowed = Vec::new();
            for part in alternatives(rest) {
                allowed.push(match part {
                    "missing" => Contents::Missing,
                    "not-regular" => Contents::NotRegular,
                    "too-large" => Contents::TooLarge,
                    _ => Contents::Text(json(key, part, "a JSON string or why it is refused")?),
                });
            }
            to.files.push((name.to_owned(), allowed));
        }
        _ => return Err(Error::Unknown { key: key.to_owned() }),
    }
    Ok(())
}

fn alternatives(value: &str) -> impl Iterator<Item = &str> {
    value.split('|').map(str::trim)
}

fn termination(text: &str) -> Option<Termination> {
    Some(match text {
        "cpu-limit" => Termination::CpuLimit,
        "wall-limit" => Termination::WallLimit,
        "memory-limit" => Termination::MemoryLimit,
        "output-limit" => Termination::OutputLimit,
        "forbidden-call" => Termination::ForbiddenCall,
        _ => match text.split_once(' ')? {
            ("exited", code) => Termination::Exited(code.parse().ok()?),
            ("signalled", signal) => Termination::Signalled(signal.parse().ok()?),
            _ => return None,
        },
    })
}

fn limit(limits: &mut Limits, pair: &str) -> Result<(), Error> {
    let key = "limits";
    let (name, value) = pair.split_once('=').ok_or_else(|| bad(key, pair, "NAME=VALUE"))?;
    match name {
        "cpu" => limits.cpu = duration(key, value)?,
        "wall" => limits.wall = duration(key, value)?,
        "memory" => limits.memory = size(key, value)?,
        "processes" => limits.processes = number(key, value)?,
        "stack" => limits.stack = Some(size(key, value)?),
        "file_size" => limits.file_size = size(key, value)?,
        "output" => limits.output = size(key, value)?,
        "stderr" => limits.stderr = size(key, value)?,
        "open_files" => limits.open_files = number(key, value)?,
        "inodes" => limits.inodes = number(key, value)?,
        "disk" => limits.disk = size(key, value)?,
        _ => return Err(bad(key, name, "the name of a limit")),
    }
    Ok(())
}

fn range<T>(
    key: &str,
    value: &str,
    parse: impl Fn(&str) -> Result<T, Error>,
) -> Result<Range<T>, Error> {
    let (low, high) = value.split_once("..").ok_or_else(|| bad(key, value, "LOW..HIGH"))?;
    let end = |text: &str| if text.is_empty() { Ok(None) } else { parse(text).map(Some) };
    Ok(Range { low: end(low)?, high: end(high)? })
}

/// A range of durations; slow machines may take longer.
fn times(key: &str, value: &str) -> Result<Range<Duration>, Error> {
    let Range { low, high } = range(key, value, |v| duration(key, v))?;
    Ok(Range { low, high: high.map(at_most) })
}

fn size(key: &str, value: &str) -> Result<Bytes, Error> {
    let parsed = match value.strip_suffix("MiB") {
        Some(n) => n.parse().ok().map(Bytes::mib),
        None => match value.strip_suffix("KiB") {
            Some(n) => n.parse().ok().map(Bytes::kib),
            None => value.strip_suffix('B').and_then(|n| n.parse().ok()).map(Bytes),
        },
    };
    parsed.ok_or_else(|| bad(key, value, "a size: a number with B, KiB or MiB"))
}

fn duration(key: &str, value: &str) -> Result<Duration, Error> {
    let parsed = match value.strip_suffix("ms") {
        Some(n) => n.parse().ok().map(Duration::from_millis),
        None => value.strip_suffix('s').and_then(|n| n.parse().ok()).map(Duration::from_secs),
    };
    parsed.ok_or_else(|| bad(key, value, "a duration: a whole number with ms or s"))
}

fn number<T: FromStr>(key: &str, value: &str) -> Result<T, Error> {
    value.parse().map_err(|_| bad(key, value, "a whole number"))
}

fn json<T: serde::de::DeserializeOwned>(
    key: &str,
    value: &str,
    expected: &'static str,
) -> Result<T, Error> {
    serde_json::from_str(value).map_err(|_| bad(key, value, expected))
}

fn bad(key: impl Display, value: impl Display, expected: &'static str) -> Error {
    Error::Value { key: key.to_string(), value: value.to_string(), expected }
}
