//! The shapes of these routes for the description of the API. The answers themselves are made field
//! by field (`view`): which of them there are is asked for. That the shapes are true is tested here
//! and by whoever makes requests of the description.
#![expect(dead_code, reason = "shapes only; answers are made field by field")]

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::{batch, info, languages, statistics, submissions};

#[derive(OpenApi)]
#[openapi(
    paths(
        submissions::create, submissions::list, submissions::show, submissions::remove,
        batch::create, batch::show,
        languages::list, languages::all, languages::show,
        info::statuses, info::system_info, info::config_info, statistics::show, info::workers,
        info::about, info::version, info::isolate, info::license,
        info::authenticate, info::authorize, info::docs, info::dummy_client,
    ),
    tags((
        name = "judge0",
        description = "The API of Judge0 1.13.1; below /extra-ce with the language ids of Extra CE"
    )),
)]
pub(crate) struct Document;

/// A program, one input and one expected output. All texts are in base64 with `base64_encoded=true`.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0Request)]
pub(super) struct Request {
    /// The program; not with language 89 (multi-file program).
    #[schema(required = false)]
    source_code: Option<String>,
    /// As `/languages` lists them.
    language_id: u32,
    #[schema(required = false)]
    stdin: Option<String>,
    /// Without it nothing is compared.
    #[schema(required = false)]
    expected_output: Option<String>,
    #[schema(required = false)]
    compiler_options: Option<String>,
    #[schema(required = false)]
    command_line_arguments: Option<String>,
    /// Seconds.
    #[schema(required = false)]
    cpu_time_limit: Option<f64>,
    /// Seconds.
    #[schema(required = false)]
    cpu_extra_time: Option<f64>,
    /// Seconds.
    #[schema(required = false)]
    wall_time_limit: Option<f64>,
    /// KiB.
    #[schema(required = false)]
    memory_limit: Option<u64>,
    /// KiB.
    #[schema(required = false)]
    stack_limit: Option<u64>,
    #[schema(required = false)]
    max_processes_and_or_threads: Option<u64>,
    #[schema(required = false)]
    enable_per_process_and_thread_time_limit: Option<bool>,
    #[schema(required = false)]
    enable_per_process_and_thread_memory_limit: Option<bool>,
    /// KiB.
    #[schema(required = false)]
    max_file_size: Option<u64>,
    #[schema(required = false)]
    redirect_stderr_to_stdout: Option<bool>,
    #[schema(required = false)]
    number_of_runs: Option<u64>,
    /// A zip in base64.
    #[schema(required = false)]
    additional_files: Option<String>,
    /// Told when it is over, by a PUT of the default fields.
    #[schema(required = false)]
    callback_url: Option<String>,
    /// Refused: boxes have no network.
    #[schema(required = false)]
    enable_network: Option<bool>,
}

/// The fields that were asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0Submission)]
pub(super) struct Submission {
    #[schema(required = false)]
    source_code: Option<String>,
    #[schema(required = false)]
    language_id: Option<u32>,
    #[schema(required = false)]
    stdin: Option<String>,
    #[schema(required = false)]
    expected_output: Option<String>,
    #[schema(required = false)]
    stdout: Option<String>,
    #[schema(required = false)]
    status_id: Option<u8>,
    /// ISO 8601.
    #[schema(required = false)]
    created_at: Option<String>,
    /// ISO 8601.
    #[schema(required = false)]
    finished_at: Option<String>,
    /// Seconds.
    #[schema(required = false)]
    time: Option<String>,
    /// KiB.
    #[schema(required = false)]
    memory: Option<u64>,
    #[schema(required = false)]
    stderr: Option<String>,
    #[schema(required = false)]
    token: Option<String>,
    #[schema(required = false)]
    number_of_runs: Option<u64>,
    /// Seconds.
    #[schema(required = false)]
    cpu_time_limit: Option<String>,
    /// Seconds.
    #[schema(required = false)]
    cpu_extra_time: Option<String>,
    /// Seconds.
    #[schema(required = false)]
    wall_time_limit: Option<String>,
    /// KiB.
    #[schema(required = false)]
    memory_limit: Option<u64>,
    /// KiB.
    #[schema(required = false)]
    stack_limit: Option<u64>,
    #[schema(required = false)]
    max_processes_and_or_threads: Option<u64>,
    #[schema(required = false)]
    enable_per_process_and_thread_time_limit: Option<bool>,
    #[schema(required = false)]
    enable_per_process_and_thread_memory_limit: Option<bool>,
    /// KiB.
    #[schema(required = false)]
    max_file_size: Option<u64>,
    #[schema(required = false)]
    compile_output: Option<String>,
    #[schema(required = false)]
    exit_code: Option<i32>,
    #[schema(required = false)]
    exit_signal: Option<i32>,
    #[schema(required = false)]
    message: Option<String>,
    /// Seconds.
    #[schema(required = false)]
    wall_time: Option<String>,
    #[schema(required = false)]
    compiler_options: Option<String>,
    #[schema(required = false)]
    command_line_arguments: Option<String>,
    #[schema(required = false)]
    redirect_stderr_to_stdout: Option<bool>,
    #[schema(required = false)]
    callback_url: Option<String>,
    #[schema(required = false)]
    additional_files: Option<String>,
    #[schema(required = false)]
    enable_network: Option<bool>,
    #[schema(required = false)]
    status: Option<Status>,
    #[schema(required = false)]
    language: Option<Language>,
    /// With its token, when it is queued and a text of it is none.
    #[schema(required = false)]
    error: Option<String>,
}

/// How it ended, or where it is.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0Status)]
pub(super) struct Status {
    id: u8,
    description: String,
}

/// A language, by Judge0's number.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0Language)]
pub(super) struct Language {
    id: u32,
    /// With what it is an alias of.
    name: String,
}

/// A language that can be judged or could be once.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0LanguageListed)]
pub(super) struct LanguageListed {
    id: u32,
    name: String,
    /// It is not judged here.
    is_archived: bool,
}

/// All that is known of a language.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0LanguageDetails)]
pub(super) struct LanguageDetails {
    id: u32,
    name: String,
    is_archived: bool,
    source_file: Option<String>,
    compile_cmd: Option<String>,
    run_cmd: Option<String>,
}

/// Many submissions.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0Batch)]
pub(super) struct Batch {
    submissions: Vec<Request>,
}

/// What became of one of a batch.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Judge0Created)]
pub(super) enum Created {
    /// It is queued.
    Token {
        /// Its name.
        token: String,
    },
    /// What is wrong, by field.
    Faults(BTreeMap<String, Vec<String>>),
}

/// Submissions by their tokens.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0Shown)]
pub(super) struct Shown {
    /// Null for one that there is not.
    submissions: Vec<Option<Submission>>,
}

/// A page of submissions.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0Page)]
pub(super) struct Page {
    submissions: Vec<Submission>,
    meta: Meta,
}

/// Where the page is.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0PageMeta)]
pub(super) struct Meta {
    current_page: i64,
    next_page: Option<i64>,
    prev_page: Option<i64>,
    total_pages: i64,
    total_count: u64,
}

/// Counts of the caller's submissions; statuses are those of the newest thousand.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0Statistics)]
pub(super) struct Statistics {
    created_at: String,
    cached_until: String,
    submissions: Counts,
    languages: Vec<LanguageCount>,
    statuses: Vec<StatusCount>,
    /// There is none.
    database: Value,
}

/// How many there were.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0Counts)]
pub(super) struct Counts {
    total: u64,
    today: u64,
    /// By day.
    last_30_days: BTreeMap<String, u64>,
}

/// How many in a language.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0LanguageCount)]
pub(super) struct LanguageCount {
    language: NamedLanguage,
    count: u64,
}

/// A language that may be of another version.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0NamedLanguage)]
pub(super) struct NamedLanguage {
    id: u32,
    name: Option<String>,
}

/// How many ended so.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0StatusCount)]
pub(super) struct StatusCount {
    status: NamedStatus,
    count: u64,
}

/// A status.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0NamedStatus)]
pub(super) struct NamedStatus {
    id: u8,
    name: String,
}

/// The queue and its workers.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0Workers)]
pub(super) struct Workers {
    queue: String,
    size: u64,
    available: u64,
    idle: u64,
    working: u64,
    paused: u64,
    failed: u64,
}

/// What it is.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0About)]
pub(super) struct About {
    version: String,
    homepage: String,
    source_code: String,
    maintainer: String,
}

/// What is wrong with the request as a whole.
#[derive(Serialize, ToSchema)]
#[schema(as = Judge0Error)]
pub(super) struct Error {
    error: String,
    /// With 404.
    #[schema(required = false)]
    status: Option<u16>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_submission_has_the_fields_that_can_be_asked_for() {
        let document = serde_json::to_value(Document::openapi()).unwrap();
        let shape = &document["components"]["schemas"]["Judge0Submission"];
        assert_eq!(shape.get("required"), None, "only what is asked for");
        let fields: BTreeSet<&str> =
            shape["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut known: BTreeSet<&str> = super::super::view::ALL.into_iter().collect();
        known.insert("error");
        assert_eq!(fields, known);
    }
}
