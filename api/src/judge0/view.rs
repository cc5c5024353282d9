//! What Judge0 answers of a submission: fields, their types and encodings. Pure.

use judge::model::Blob;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Flavor;
use super::base64;
use super::request::Request;
use super::status::Outcome;

/// What is kept with the job.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) flavor: Flavor,
    /// Milliseconds since 1970.
    pub(super) created_ms: u64,
    pub(super) request: Request,
}

/// The note of a job that came by these routes. Those of the native one have no such field.
#[derive(Serialize, Deserialize)]
struct Note<K> {
    judge0: K,
}

impl Kept {
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(&Note { judge0: self }).expect("text and finite numbers become JSON")
    }

    /// `None` when the job came by another route.
    pub(super) fn decode(note: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Note<Self>>(note).ok().map(|note| note.judge0)
    }
}

pub(super) const ALL: [&str; 35] = [
    "source_code",
    "language_id",
    "stdin",
    "expected_output",
    "stdout",
    "status_id",
    "created_at",
    "finished_at",
    "time",
    "memory",
    "stderr",
    "token",
    "number_of_runs",
    "cpu_time_limit",
    "cpu_extra_time",
    "wall_time_limit",
    "memory_limit",
    "stack_limit",
    "max_processes_and_or_threads",
    "enable_per_process_and_thread_time_limit",
    "enable_per_process_and_thread_memory_limit",
    "max_file_size",
    "compile_output",
    "exit_code",
    "exit_signal",
    "message",
    "wall_time",
    "compiler_options",
    "command_line_arguments",
    "redirect_stderr_to_stdout",
    "callback_url",
    "additional_files",
    "enable_network",
    "status",
    "language",
];

const DEFAULT: [&str; 8] =
    ["token", "time", "memory", "stdout", "stderr", "compile_output", "message", "status"];

/// Which fields are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields(Vec<&'static str>);

impl Fields {
    /// Those that are answered when none are asked for.
    pub(super) fn usual() -> Self {
        Self(DEFAULT.to_vec())
    }

    /// From a list with commas; nothing is the default, `*` is all. Else those that there are not.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, Vec<String>> {
        let text = text.unwrap_or("").trim_end_matches(',');
        let (mut fields, mut unknown, mut all) = (Vec::new(), Vec::new(), false);
        for name in text.split(',').filter(|_| !text.is_empty()) {
            match ALL.iter().find(|known| **known == name) {
                Some(known) => fields.push(*known),
                None if name == "*" => all = true,
                None => unknown.push(crate::body::cut(name)),
            }
        }
        if !unknown.is_empty() {
            return Err(unknown);
        }
        if all {
            return Ok(Self(ALL.to_vec()));
        }
        Ok(if fields.is_empty() { Self::usual() } else { Self(fields) })
    }
}

/// All that is known of a submission.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) token: &'a str,
    pub(super) kept: &'a Kept,
    pub(super) outcome: Outcome,
    /// Milliseconds since 1970.
    pub(super) ended_ms: Option<u64>,
    pub(super) language: String,
}

/// A text that is no UTF-8 was asked for as it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotText;

impl Shown<'_> {
    /// The fields that are asked for.
    pub(super) fn fields(
        &self,
        fields: &Fields,
        base64: bool,
    ) -> Result<Map<String, Value>, NotText> {
        let named = |name: &&'static str| Ok(((*name).to_owned(), self.field(name, base64)?));
        fields.0.iter().map(named).collect()
    }

    fn field(&self, name: &str, base64: bool) -> Result<Value, NotText> {
        let Kept { request: r, created_ms, .. } = self.kept;
        let o = &self.outcome;
        let bytes = |bytes: Option<&[u8]>| text(bytes, base64);
        Ok(match name {
            "source_code" => bytes(memory(r.source_code.as_ref()))?,
            "stdin" => bytes(memory(r.stdin.as_ref()))?,
            "expected_output" => bytes(memory(r.expected_output.as_ref()))?,
            "stdout" => bytes(o.stdout.as_deref())?,
            "stderr" => bytes(o.stderr.as_deref())?,
            "compile_output" => bytes(o.compile_output.as_deref())?,
            "message" => bytes(o.message.as_deref().map(str::as_bytes))?,
            "additional_files" => text(memory(r.additional_files.as_ref()), true)?,
            "token" => json!(self.token),
            "status_id" => json!(o.status.0),
            "status" => json!({"id": o.status.0, "description": o.status.description()}),
            "language_id" => json!(r.language_id),
            "language" => json!({"id": r.language_id, "name": self.language}),
            "created_at" => json!(utc(*created_ms)),
            // The clock is another machine's.
            "finished_at" => json!(self.ended_ms.map(|ms| utc(ms.max(*created_ms)))),
            "time" => json!(o.time.map(measured)),
            "wall_time" => json!(o.wall_time.map(measured)),
            "memory" => json!(o.memory),
            "exit_code" => json!(o.exit_code),
            "exit_signal" => json!(o.exit_signal),
            "number_of_runs" => json!(r.number_of_runs),
            "cpu_time_limit" => json!(decimal(r.cpu_time_limit)),
            "cpu_extra_time" => json!(decimal(r.cpu_extra_time)),
            "wall_time_limit" => json!(decimal(r.wall_time_limit)),
            "memory_limit" => json!(r.memory_limit),
            "stack_limit" => json!(r.stack_limit),
            "max_processes_and_or_threads" => json!(r.max_processes_and_or_threads),
            "enable_per_process_and_thread_time_limit" => {
                json!(r.enable_per_process_and_thread_time_limit)
            }
            "enable_per_process_and_thread_memory_limit" => {
                json!(r.enable_per_process_and_thread_memory_limit)
            }
            "max_file_size" => json!(r.max_file_size),
            "compiler_options" => json!(r.compiler_options),
            "command_line_arguments" => json!(r.command_line_arguments),
            "redirect_stderr_to_stdout" => json!(r.redirect_stderr_to_stdout),
            "callback_url" => json!(r.callback_url),
            "enable_network" => json!(r.enable_network),
            _ => Value::Null,
        })
    }
}

fn memory(blob: Option<&Blob>) -> Option<&[u8]> {
    match blob {
        Some(Blob::Memory(bytes)) => Some(bytes),
        _ => None,
    }
}

fn text(bytes: Option<&[u8]>, base64: bool) -> Result<Value, NotText> {
    match bytes {
        None => Ok(Value::Null),
        Some(bytes) if base64 => Ok(json!(base64::encode(bytes))),
        Some(bytes) => std::str::from_utf8(bytes).map(|text| json!(text)).map_err(|_| NotText),
    }
}

/// A decimal as Rails writes it, which always has a point.
fn decimal(number: f64) -> String {
    format!("{number:?}")
}

/// A time in seconds, by the millisecond.
fn measured(seconds: f64) -> String {
    decimal((seconds * 1e3).round() / 1e3)
}

/// ISO 8601 with milliseconds, of milliseconds since 1970.
pub(super) fn utc(ms: u64) -> String {
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// Year, month and day of days since 1970, in the calendar of Gregory. Eras are 400 years, and
/// years begin in March so that the leap day is their last.
pub(super) fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_milliseconds() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_827_696_789, "2000-02-29T12:34:56.789Z"),
            (1_713_396_511_007, "2024-04-17T23:28:31.007Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(utc(ms), text);
        }
    }

    #[test]
    fn decimals_have_a_point() {
        let all = [5.0, 0.001, 0.5, 15.25].map(decimal);
        assert_eq!(all, ["5.0", "0.001", "0.5", "15.25"]);
        assert_eq!([0.0, 0.000_4, 0.012_345, 1.0].map(measured), ["0.0", "0.0", "0.012", "1.0"]);
    }

    #[test]
    fn fields_are_a_list_a_star_or_the_default() {
        assert_eq!(Fields::parse(None), Ok(Fields(DEFAULT.to_vec())));
        assert_eq!(Fields::parse(Some("")), Ok(Fields(DEFAULT.to_vec())));
        assert_eq!(Fields::parse(Some("token,time")), Ok(Fields(vec!["token", "time"])));
        assert_eq!(Fields::parse(Some("token,*")).unwrap().0.len(), 35);
        assert_eq!(Fields::parse(Some("a,token,b")), Err(vec!["a".to_owned(), "b".to_owned()]));
    }
}
