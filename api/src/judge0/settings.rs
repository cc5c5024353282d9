//! Judge0's settings, by the names that they have in `judge0.conf`, and what `/config_info` says
//! of them.

use serde_json::{Map, Value, json};

/// A value that a setting may have.
trait Setting: Sized {
    /// What is wanted, in words.
    const KIND: &'static str;
    fn parse(text: &str) -> Option<Self>;
    fn json(&self) -> Value;
}

/// Why a setting cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such name.
    #[error("there is no setting {name}; there are {known}", known = NAMES.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// One that something else decides.
    #[error("{name} {reason}")]
    Elsewhere {
        /// Which.
        name: String,
        /// What decides it.
        reason: &'static str,
    },
    /// Not of its kind.
    #[error("{name} must be {kind}, not {value:?}")]
    Value {
        /// Which.
        name: String,
        /// What it is set to.
        value: String,
        /// What it may be.
        kind: &'static str,
    },
}

macro_rules! settings {
    ($($(#[$doc:meta])* $name:literal $field:ident: $kind:ty = $default:expr, $told:literal;)*) => {
        /// What the Judge0-compatible routes allow and take for granted. The defaults are those of
        /// Judge0 1.13.1.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Judge0 {
            $($(#[$doc])* pub $field: $kind,)*
        }

        const NAMES: &[&str] = &[$($name),*];

        impl Default for Judge0 {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl Judge0 {
            /// Sets one by its name in `judge0.conf`.
            ///
            /// # Errors
            /// When there is none of that name, or the value is not of its kind.
            pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
                match name.trim().to_ascii_uppercase().as_str() {
                    $($name => self.$field = parse(name, value)?,)*
                    other => return Err(unknown(other)),
                }
                Ok(())
            }

            fn told(&self) -> Map<String, Value> {
                let mut told = Map::new();
                $(if $told {
                    told.insert(stringify!($field).to_owned(), self.$field.json());
                })*
                told
            }
        }
    };
}

settings! {
    /// Whether nothing is taken for now.
    "MAINTENANCE_MODE" maintenance_mode: bool = false, true;
    /// What is said then.
    "MAINTENANCE_MESSAGE" maintenance_message: String = "Judge0 is currently in maintenance.".to_owned(), false;
    /// Whether `wait=true` is allowed.
    "ENABLE_WAIT_RESULT" enable_wait_result: bool = true, true;
    /// Whether `compiler_options` is allowed.
    "ENABLE_COMPILER_OPTIONS" enable_compiler_options: bool = true, true;
    /// The first words of names of languages that may have them; empty: all.
    "ALLOWED_LANGUAGES_FOR_COMPILER_OPTIONS" allowed_languages_for_compile_options: Vec<String> = Vec::new(), true;
    /// Whether `command_line_arguments` is allowed.
    "ENABLE_COMMAND_LINE_ARGUMENTS" enable_command_line_arguments: bool = true, true;
    /// Whether DELETE is allowed.
    "ENABLE_SUBMISSION_DELETE" enable_submission_delete: bool = false, true;
    /// Whether `callback_url` is allowed.
    "ENABLE_CALLBACKS" enable_callbacks: bool = true, true;
    /// As Judge0 would try; evalX tries for hours.
    "CALLBACKS_MAX_TRIES" callbacks_max_tries: u64 = 3, true;
    /// Seconds that a receiver may take.
    "CALLBACKS_TIMEOUT" callbacks_timeout: f64 = 5.0, true;
    /// Whether `additional_files` is allowed.
    "ENABLE_ADDITIONAL_FILES" enable_additional_files: bool = true, true;
    /// Seconds.
    "CPU_TIME_LIMIT" cpu_time_limit: f64 = 5.0, true;
    /// Seconds.
    "MAX_CPU_TIME_LIMIT" max_cpu_time_limit: f64 = 15.0, true;
    /// Seconds.
    "CPU_EXTRA_TIME" cpu_extra_time: f64 = 1.0, true;
    /// Seconds.
    "MAX_CPU_EXTRA_TIME" max_cpu_extra_time: f64 = 5.0, true;
    /// Seconds.
    "WALL_TIME_LIMIT" wall_time_limit: f64 = 10.0, true;
    /// Seconds.
    "MAX_WALL_TIME_LIMIT" max_wall_time_limit: f64 = 20.0, true;
    /// KiB.
    "MEMORY_LIMIT" memory_limit: u64 = 128_000, true;
    /// KiB.
    "MAX_MEMORY_LIMIT" max_memory_limit: u64 = 512_000, true;
    /// KiB.
    "STACK_LIMIT" stack_limit: u64 = 64_000, true;
    /// KiB.
    "MAX_STACK_LIMIT" max_stack_limit: u64 = 128_000, true;
    /// How many.
    "MAX_PROCESSES_AND_OR_THREADS" max_processes_and_or_threads: u64 = 60, true;
    /// How many.
    "MAX_MAX_PROCESSES_AND_OR_THREADS" max_max_processes_and_or_threads: u64 = 120, true;
    /// Only said back: evalX's limits are for all processes together.
    "ENABLE_PER_PROCESS_AND_THREAD_TIME_LIMIT" enable_per_process_and_thread_time_limit: bool = false, true;
    /// Whether a submission may set it.
    "ALLOW_ENABLE_PER_PROCESS_AND_THREAD_TIME_LIMIT" allow_enable_per_process_and_thread_time_limit: bool = true, true;
    /// Only said back: evalX's limits are for all processes together.
    "ENABLE_PER_PROCESS_AND_THREAD_MEMORY_LIMIT" enable_per_process_and_thread_memory_limit: bool = false, true;
    /// Whether a submission may set it.
    "ALLOW_ENABLE_PER_PROCESS_AND_THREAD_MEMORY_LIMIT" allow_enable_per_process_and_thread_memory_limit: bool = true, true;
    /// KiB.
    "MAX_FILE_SIZE" max_file_size: u64 = 1024, true;
    /// KiB.
    "MAX_MAX_FILE_SIZE" max_max_file_size: u64 = 4096, true;
    /// How many.
    "NUMBER_OF_RUNS" number_of_runs: u64 = 1, true;
    /// How many.
    "MAX_NUMBER_OF_RUNS" max_number_of_runs: u64 = 20, true;
    /// The default of a submission.
    "REDIRECT_STDERR_TO_STDOUT" redirect_stderr_to_stdout: bool = false, true;
    /// KiB of one file of `additional_files`.
    "MAX_EXTRACT_SIZE" max_extract_size: u64 = 10_240, true;
    /// Whether batches are allowed.
    "ENABLE_BATCHED_SUBMISSIONS" enable_batched_submissions: bool = true, true;
    /// Submissions of one batch.
    "MAX_SUBMISSION_BATCH_SIZE" max_submission_batch_size: u64 = 20, true;
    /// Only said: what evalX answers is never old.
    "SUBMISSION_CACHE_DURATION" submission_cache_duration: f64 = 1.0, true;
    /// Only said.
    "USE_DOCS_AS_HOMEPAGE" use_docs_as_homepage: bool = false, true;
    /// evalX's own: the longest `wait=true`, in seconds; what is not over then is said to run.
    "WAIT_SECONDS" wait_seconds: f64 = 600.0, false;
    /// evalX's own: a program that a signal ends has one of the statuses 7 to 10 and 12 and its
    /// `exit_signal`. Judge0 has them in its table, but its programs run below bash, which makes
    /// an exit code of the signal (status 11).
    "SIGNAL_STATUSES" signal_statuses: bool = false, false;
}

impl Judge0 {
    /// What `/config_info` says.
    pub(super) fn info(&self, queue: u64) -> Map<String, Value> {
        let mut told = self.told();
        told.insert("max_queue_size".to_owned(), json!(queue));
        for name in ["allow_enable_network", "enable_network"] {
            told.insert(name.to_owned(), json!(false));
        }
        told
    }
}

fn parse<T: Setting>(name: &str, value: &str) -> Result<T, Error> {
    let wrong =
        || Error::Value { name: name.to_owned(), value: crate::body::cut(value), kind: T::KIND };
    T::parse(value.trim()).ok_or_else(wrong)
}

fn unknown(name: &str) -> Error {
    let reason = match name {
        "MAX_QUEUE_SIZE" => "is the depth of the queue (--queue-depth)",
        "ENABLE_NETWORK" | "ALLOW_ENABLE_NETWORK" => "cannot be set: boxes have no network",
        _ => return Error::Unknown { name: crate::body::cut(name) },
    };
    Error::Elsewhere { name: name.to_owned(), reason }
}

impl Setting for bool {
    const KIND: &'static str = "true or false";

    fn parse(text: &str) -> Option<Self> {
        text.to_ascii_lowercase().parse().ok()
    }

    fn json(&self) -> Value {
        json!(self)
    }
}

impl Setting for u64 {
    const KIND: &'static str = "a whole number from 1 up";

    fn parse(text: &str) -> Option<Self> {
        // What does not fit 32 bits is no limit of anything here.
        text.parse::<u32>().ok().filter(|n| *n > 0).map(Self::from)
    }

    fn json(&self) -> Value {
        json!(self)
    }
}

impl Setting for f64 {
    const KIND: &'static str = "a number of seconds from 0 to 3600";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|n| (0.0..=3600.0).contains(n))
    }

    fn json(&self) -> Value {
        json!(self)
    }
}

impl Setting for String {
    const KIND: &'static str = "text";

    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn json(&self) -> Value {
        json!(self)
    }
}

impl Setting for Vec<String> {
    const KIND: &'static str = "words";

    fn parse(text: &str) -> Option<Self> {
        Some(text.split_whitespace().map(str::to_owned).collect())
    }

    fn json(&self) -> Value {
        json!(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_set_by_its_name_and_what_is_wrong_is_said() {
        let mut settings = Judge0::default();
        assert_eq!(settings.set("max_submission_batch_size", "500"), Ok(()));
        assert_eq!(settings.set("ALLOWED_LANGUAGES_FOR_COMPILER_OPTIONS", "C C++"), Ok(()));
        assert_eq!(settings.max_submission_batch_size, 500);
        assert_eq!(settings.allowed_languages_for_compile_options, ["C", "C++"]);
        let mut said = |name, value| settings.set(name, value).unwrap_err().to_string();
        assert_eq!(
            said("NUMBER_OF_RUNS", "0"),
            "NUMBER_OF_RUNS must be a whole number from 1 up, not \"0\""
        );
        assert!(said("NUMBER_OF_RUN", "1").starts_with("there is no setting NUMBER_OF_RUN; there"));
        assert!(said("MAX_QUEUE_SIZE", "1").contains("--queue-depth"));
        assert!(said("ALLOW_ENABLE_NETWORK", "true").contains("no network"));
        assert!(said("CPU_TIME_LIMIT", "NaN").contains("a number of seconds"));
        assert!(said("MAINTENANCE_MODE", "yes").contains("true or false"));
    }
}
