//! From parameters to a submission of Judge0: defaults, types and bounds, with Rails' words for
//! what is wrong. Pure.

use judge::language::Language;
use judge::model::Blob;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Flavor;
use super::languages::{self, Known, MULTI_FILE, Offer};
use super::refusal::Faults;
use super::{base64, settings::Judge0};

/// The most characters of options and arguments.
const WORDS: usize = 512;
const URL: usize = 2048;

/// A submission as Judge0 has it. Kept with the job, to be given back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) language_id: u32,
    pub(super) source_code: Option<Blob>,
    pub(super) stdin: Option<Blob>,
    pub(super) expected_output: Option<Blob>,
    pub(super) additional_files: Option<Blob>,
    pub(super) compiler_options: Option<String>,
    pub(super) command_line_arguments: Option<String>,
    pub(super) callback_url: Option<String>,
    pub(super) number_of_runs: u64,
    pub(super) cpu_time_limit: f64,
    pub(super) cpu_extra_time: f64,
    pub(super) wall_time_limit: f64,
    pub(super) memory_limit: u64,
    pub(super) stack_limit: u64,
    pub(super) max_processes_and_or_threads: u64,
    pub(super) enable_per_process_and_thread_time_limit: bool,
    pub(super) enable_per_process_and_thread_memory_limit: bool,
    pub(super) max_file_size: u64,
    pub(super) redirect_stderr_to_stdout: bool,
    pub(super) enable_network: bool,
}

/// A submission whose fields are right, and what judges it.
#[derive(Debug)]
pub(super) struct Valid<'a> {
    pub(super) request: Request,
    pub(super) known: &'static Known,
    pub(super) language: &'a Language,
}

/// What a submission is read by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) settings: &'a Judge0,
    pub(super) offer: Offer<'a>,
    pub(super) flavor: Flavor,
    /// Whether texts are in base64.
    pub(super) base64: bool,
}

/// Reads a submission. All that is wrong is said at once.
pub(super) fn read<'a>(params: &Map<String, Value>, terms: Terms<'a>) -> Result<Valid<'a>, Faults> {
    let Terms { settings: s, offer, flavor, base64 } = terms;
    let mut r = Reading { params, faults: Faults::new() };
    let source_code = r.bytes("source_code", base64);
    let additional_files = r.bytes("additional_files", true).filter(|zip| !is_empty(zip));
    let language = r.language(flavor, offer);
    let id = language.map(|(known, _)| known.id);
    r.sources(id == Some(MULTI_FILE), source_code.as_ref(), additional_files.as_ref());
    let request = Request {
        language_id: id.unwrap_or(0),
        stdin: r.bytes("stdin", base64),
        expected_output: r.bytes("expected_output", base64),
        compiler_options: r.words("compiler_options"),
        command_line_arguments: r.words("command_line_arguments"),
        callback_url: r.url("callback_url"),
        number_of_runs: r.count("number_of_runs", s.number_of_runs, s.max_number_of_runs),
        cpu_time_limit: r.seconds("cpu_time_limit", s.cpu_time_limit, 0, s.max_cpu_time_limit),
        cpu_extra_time: r.seconds("cpu_extra_time", s.cpu_extra_time, 0, s.max_cpu_extra_time),
        wall_time_limit: r.seconds("wall_time_limit", s.wall_time_limit, 1, s.max_wall_time_limit),
        memory_limit: r.whole("memory_limit", s.memory_limit, 2048, s.max_memory_limit),
        stack_limit: r.whole("stack_limit", s.stack_limit, 0, s.max_stack_limit),
        max_processes_and_or_threads: r.count(
            "max_processes_and_or_threads",
            s.max_processes_and_or_threads,
            s.max_max_processes_and_or_threads,
        ),
        enable_per_process_and_thread_time_limit: r.flag(
            "enable_per_process_and_thread_time_limit",
            s.enable_per_process_and_thread_time_limit,
        ),
        enable_per_process_and_thread_memory_limit: r.flag(
            "enable_per_process_and_thread_memory_limit",
            s.enable_per_process_and_thread_memory_limit,
        ),
        max_file_size: r.whole("max_file_size", s.max_file_size, 0, s.max_max_file_size),
        redirect_stderr_to_stdout: r.flag("redirect_stderr_to_stdout", s.redirect_stderr_to_stdout),
        enable_network: r.flag("enable_network", false),
        source_code,
        additional_files,
    };
    r.allowed(&request, s, language.map(|(known, _)| known));
    match language {
        Some((known, language)) if r.faults.is_empty() => Ok(Valid { request, known, language }),
        _ => Err(r.faults),
    }
}

/// Parameters that are being read, and what was wrong with them so far.
struct Reading<'p> {
    params: &'p Map<String, Value>,
    faults: Faults,
}

impl Reading<'_> {
    fn fault(&mut self, name: &str, text: impl Into<String>) {
        self.faults.entry(name.to_owned()).or_default().push(text.into());
    }

    fn given(&self, name: &str) -> Option<&Value> {
        self.params.get(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.given(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => {
                self.fault(name, "must be text");
                None
            }
        }
    }

    fn bytes(&mut self, name: &str, encoded: bool) -> Option<Blob> {
        let text = self.text(name)?;
        if !encoded {
            return Some(text.as_str().into());
        }
        let bytes = base64::decode(&text);
        if bytes.is_none() {
            self.fault(name, "is not valid base64");
        }
        bytes.map(Blob::from)
    }

    fn words(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        if text.chars().count() > WORDS {
            self.fault(name, format!("is too long (maximum is {WORDS} characters)"));
        } else if text.contains('\0') {
            self.fault(name, "must not hold a NUL");
        } else if super::words::split(&text).is_none() {
            self.fault(name, "has a quotation mark without its pair");
        }
        Some(text)
    }

    fn url(&mut self, name: &str) -> Option<String> {
        let text = self.text(name).filter(|text| !text.trim().is_empty())?;
        let host = ["http://", "https://"].iter().find_map(|s| text.strip_prefix(s));
        let host = host.and_then(|rest| rest.split(['/', '?', '#']).next());
        let plain = text.len() <= URL && text.bytes().all(|b| b.is_ascii_graphic());
        if !plain || host.is_none_or(str::is_empty) {
            self.fault(name, "must be an http or https URL");
        }
        Some(text)
    }

    fn flag(&mut self, name: &str, default: bool) -> bool {
        let said = match self.given(name) {
            None => return default,
            Some(Value::Bool(said)) => Some(*said),
            Some(Value::Number(number)) => match number.as_u64() {
                Some(0) => Some(false),
                Some(1) => Some(true),
                _ => None,
            },
            Some(Value::String(text)) => match text.to_ascii_lowercase().as_str() {
                "" => return default,
                "true" | "t" | "1" | "on" => Some(true),
                "false" | "f" | "0" | "off" => Some(false),
                _ => None,
            },
            Some(_) => None,
        };
        if said.is_none() {
            self.fault(name, "must be true or false");
        }
        said.unwrap_or(default)
    }

    fn number(&mut self, name: &str) -> Option<f64> {
        let number = match self.given(name)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) if text.trim().is_empty() => return None,
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| number.is_finite());
        if number.is_none() {
            self.fault(name, "is not a number");
        }
        number
    }

    fn seconds(&mut self, name: &str, default: f64, least: u32, most: f64) -> f64 {
        let Some(seconds) = self.number(name) else { return default };
        if seconds < f64::from(least) {
            self.fault(name, format!("must be greater than or equal to {least}"));
        } else if seconds > most {
            self.fault(name, format!("must be less than or equal to {most:?}"));
        }
        seconds
    }

    /// A whole number; a fraction is cut, as a column of whole numbers does.
    fn whole(&mut self, name: &str, default: u64, least: u64, most: u64) -> u64 {
        let too_small = format!("must be greater than or equal to {least}");
        self.between(name, default, (least, most), &too_small)
    }

    /// At least one.
    fn count(&mut self, name: &str, default: u64, most: u64) -> u64 {
        self.between(name, default, (1, most), "must be greater than 0")
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "settings fit 32 bits, and what is cast is between two of them"
    )]
    fn between(
        &mut self,
        name: &str,
        default: u64,
        (least, most): (u64, u64),
        too_small: &str,
    ) -> u64 {
        let Some(number) = self.number(name) else { return default };
        if number < least as f64 {
            self.fault(name, too_small);
            return default;
        }
        if number > most as f64 {
            self.fault(name, format!("must be less than or equal to {most}"));
            return default;
        }
        number as u64
    }

    fn language<'a>(
        &mut self,
        flavor: Flavor,
        offer: Offer<'a>,
    ) -> Option<(&'static Known, &'a Language)> {
        const NAME: &str = "language_id";
        let Some(text) = self.text(NAME).filter(|text| !text.trim().is_empty()) else {
            if !self.faults.contains_key(NAME) {
                self.fault(NAME, "can't be blank");
                self.fault(NAME, "language with id  doesn't exist");
            }
            return None;
        };
        let id = text.trim().trim_end_matches(".0").parse().ok();
        let known = id.and_then(|id| languages::find(flavor, id));
        let Some(known) = known else {
            let id = crate::body::cut(&text);
            self.fault(NAME, format!("language with id {id} doesn't exist"));
            return None;
        };
        let language = known.judged(offer);
        if language.is_none() {
            let id = known.id;
            let text = format!("language with id {id} is archived and cannot be used anymore");
            self.fault(NAME, text);
        }
        language.map(|language| (known, language))
    }

    fn sources(&mut self, project: bool, source: Option<&Blob>, files: Option<&Blob>) {
        let blank = source.is_none_or(is_blank);
        if project && !blank {
            self.fault("source_code", "must be blank");
        }
        if !project && blank && !self.faults.contains_key("source_code") {
            self.fault("source_code", "can't be blank");
        }
        if project && files.is_none() && !self.faults.contains_key("additional_files") {
            self.fault("additional_files", "can't be blank");
        }
    }

    /// What this server does not allow.
    fn allowed(&mut self, request: &Request, s: &Judge0, known: Option<&Known>) {
        let given = |text: &Option<String>| text.as_ref().is_some_and(|t| !t.trim().is_empty());
        if given(&request.compiler_options) {
            let words = &s.allowed_languages_for_compile_options;
            if !s.enable_compiler_options {
                self.fault("compiler_options", "setting compiler options is not allowed");
            } else if known.is_some_and(|known| !known.compiled) {
                let text = "setting compiler options is only allowed for compiled languages";
                self.fault("compiler_options", text);
            } else if !words.is_empty()
                && known.is_some_and(|known| !words.iter().any(|word| known.is_called(word)))
            {
                let text = format!("setting compiler options is only allowed for {}", sum(words));
                self.fault("compiler_options", text);
            }
        }
        let per_process = "this option cannot be enabled";
        for (forbidden, name, text) in [
            (
                given(&request.command_line_arguments) && !s.enable_command_line_arguments,
                "command_line_arguments",
                "setting command line arguments is not allowed",
            ),
            (
                request.callback_url.is_some() && !s.enable_callbacks,
                "callback_url",
                "setting callback is not allowed",
            ),
            (
                request.additional_files.is_some() && !s.enable_additional_files,
                "additional_files",
                "setting additional files is not allowed",
            ),
            (request.enable_network, "enable_network", "enabling network is not allowed"),
            (
                request.enable_per_process_and_thread_time_limit
                    && !s.allow_enable_per_process_and_thread_time_limit,
                "enable_per_process_and_thread_time_limit",
                per_process,
            ),
            (
                request.enable_per_process_and_thread_memory_limit
                    && !s.allow_enable_per_process_and_thread_memory_limit,
                "enable_per_process_and_thread_memory_limit",
                per_process,
            ),
        ] {
            if forbidden {
                self.fault(name, text);
            }
        }
    }
}

fn is_empty(blob: &Blob) -> bool {
    matches!(blob, Blob::Memory(bytes) if bytes.is_empty())
}

fn is_blank(blob: &Blob) -> bool {
    matches!(blob, Blob::Memory(bytes) if bytes.iter().all(u8::is_ascii_whitespace))
}

/// `a, b and c`
fn sum(words: &[String]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => words.join(""),
    }
}

#[cfg(test)]
mod tests;
