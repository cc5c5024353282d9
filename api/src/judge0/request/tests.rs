//! Defaults, types, bounds, and Rails' words.

use judge::language::Table;
use serde_json::json;

use super::*;

fn with(settings: &Judge0, base64: bool, body: &Value) -> Result<Request, Value> {
    let table = Table::builtin();
    let offer = Offer { table: &table, installed: None };
    let terms = Terms { settings, offer, flavor: Flavor::Ce, base64 };
    let params = body.as_object().unwrap();
    read(params, terms).map(|valid| valid.request).map_err(|faults| json!(faults))
}

/// A submission with these fields, too.
fn and(more: &Value) -> Value {
    let mut body = json!({"source_code": "print(1)", "language_id": 71});
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    body
}

fn taken(more: &Value) -> Request {
    with(&Judge0::default(), false, &and(more)).unwrap()
}

fn refused(more: &Value) -> Value {
    with(&Judge0::default(), false, &and(more)).unwrap_err()
}

#[test]
fn what_is_absent_null_or_empty_has_its_default() {
    let none = taken(&json!({}));
    let empty = taken(&json!({
        "stdin": null, "cpu_time_limit": null, "memory_limit": "", "enable_network": null,
        "redirect_stderr_to_stdout": "", "unknown": {"is": "ignored"}
    }));
    assert_eq!(none, empty);
    let Request {
        language_id,
        source_code,
        stdin,
        expected_output,
        additional_files,
        compiler_options,
        command_line_arguments,
        callback_url,
        number_of_runs,
        cpu_time_limit,
        cpu_extra_time,
        wall_time_limit,
        memory_limit,
        stack_limit,
        max_processes_and_or_threads,
        enable_per_process_and_thread_time_limit,
        enable_per_process_and_thread_memory_limit,
        max_file_size,
        redirect_stderr_to_stdout,
        enable_network,
    } = none;
    assert_eq!((language_id, source_code), (71, Some("print(1)".into())));
    assert_eq!((stdin, expected_output, additional_files), (None, None, None));
    assert_eq!((compiler_options, command_line_arguments, callback_url), (None, None, None));
    assert_eq!((number_of_runs, cpu_time_limit, cpu_extra_time), (1, 5.0, 1.0));
    assert_eq!((wall_time_limit, memory_limit, stack_limit), (10.0, 128_000, 64_000));
    assert_eq!((max_processes_and_or_threads, max_file_size), (60, 1024));
    assert_eq!((redirect_stderr_to_stdout, enable_network), (false, false));
    let per_process =
        (enable_per_process_and_thread_time_limit, enable_per_process_and_thread_memory_limit);
    assert_eq!(per_process, (false, false));
}

#[test]
fn numbers_and_flags_may_be_texts_and_whole_numbers_fractions() {
    let taken = taken(&json!({
        "language_id": 50.0, "stdin": 5, "memory_limit": 128_000.9, "number_of_runs": "3",
        "cpu_time_limit": "0.5", "wall_time_limit": 1, "redirect_stderr_to_stdout": "true",
        "enable_network": "0"
    }));
    assert_eq!((taken.language_id, taken.stdin), (50, Some("5".into())));
    assert_eq!((taken.memory_limit, taken.number_of_runs), (128_000, 3));
    assert_eq!((taken.cpu_time_limit, taken.wall_time_limit), (0.5, 1.0));
    assert_eq!((taken.redirect_stderr_to_stdout, taken.enable_network), (true, false));
}

#[test]
fn what_is_out_of_bounds_is_said_in_rails_words() {
    for (field, value, text) in [
        ("cpu_time_limit", json!(15.1), "must be less than or equal to 15.0"),
        ("cpu_time_limit", json!(-1), "must be greater than or equal to 0"),
        ("cpu_extra_time", json!(6), "must be less than or equal to 5.0"),
        ("wall_time_limit", json!(0.9), "must be greater than or equal to 1"),
        ("wall_time_limit", json!(21), "must be less than or equal to 20.0"),
        ("memory_limit", json!(2047), "must be greater than or equal to 2048"),
        ("memory_limit", json!(512_001), "must be less than or equal to 512000"),
        ("stack_limit", json!(-1), "must be greater than or equal to 0"),
        ("stack_limit", json!(128_001), "must be less than or equal to 128000"),
        ("max_processes_and_or_threads", json!(0), "must be greater than 0"),
        ("max_processes_and_or_threads", json!(121), "must be less than or equal to 120"),
        ("max_file_size", json!(4097), "must be less than or equal to 4096"),
        ("number_of_runs", json!(0), "must be greater than 0"),
        ("number_of_runs", json!(21), "must be less than or equal to 20"),
        ("cpu_time_limit", json!("fast"), "is not a number"),
        ("cpu_time_limit", json!("NaN"), "is not a number"),
        ("memory_limit", json!([1]), "is not a number"),
        ("memory_limit", json!("1e999"), "is not a number"),
        ("enable_network", json!(true), "enabling network is not allowed"),
        ("enable_network", json!("maybe"), "must be true or false"),
        ("stdin", json!({"a": 1}), "must be text"),
        ("source_code", json!(" \n"), "can't be blank"),
        ("source_code", json!([]), "must be text"),
        ("language_id", json!(0), "language with id 0 doesn't exist"),
        ("language_id", json!("x"), "language with id x doesn't exist"),
        ("language_id", json!(36), "language with id 36 is archived and cannot be used anymore"),
        (
            "compiler_options",
            json!("-O2"),
            "setting compiler options is only allowed for compiled languages",
        ),
        (
            "command_line_arguments",
            json!("x".repeat(513)),
            "is too long (maximum is 512 characters)",
        ),
        ("command_line_arguments", json!("it's"), "has a quotation mark without its pair"),
        ("callback_url", json!("file:///etc/passwd"), "must be an http or https URL"),
        ("callback_url", json!("http:///x"), "must be an http or https URL"),
        ("additional_files", json!("%"), "is not valid base64"),
    ] {
        let said = refused(&json!({field: value}));
        assert_eq!(said, json!({field: [text]}), "{field} {value}");
    }
    let said = with(&Judge0::default(), false, &json!({})).unwrap_err();
    assert_eq!(
        said,
        json!({
            "source_code": ["can't be blank"],
            "language_id": ["can't be blank", "language with id  doesn't exist"],
        })
    );
}

#[test]
fn texts_are_in_base64_when_that_is_said_and_files_always() {
    let body = json!({
        "source_code": "cHJp\nbnQoMSk", "stdin": "/w==", "language_id": 71,
        "additional_files": "UEs="
    });
    let taken = with(&Judge0::default(), true, &body).unwrap();
    assert_eq!(taken.source_code, Some("print(1)".into()));
    assert_eq!(taken.stdin, Some(Blob::from(vec![0xff])));
    assert_eq!(taken.additional_files, Some("PK".into()));
    let said = with(&Judge0::default(), true, &and(&json!({}))).unwrap_err();
    assert_eq!(said, json!({"source_code": ["is not valid base64"]}));
}

#[test]
fn a_project_has_files_and_no_source() {
    let both = json!({"language_id": 89});
    let said = refused(&both);
    let (source, files) = (["must be blank"], ["can't be blank"]);
    assert_eq!(said, json!({"source_code": source, "additional_files": files}));
    let project = json!({"language_id": 89, "source_code": "", "additional_files": "UEs="});
    assert_eq!(taken(&project).language_id, 89);
}

#[test]
fn what_a_server_forbids_is_said() {
    let mut settings = Judge0::default();
    for name in [
        "ENABLE_COMPILER_OPTIONS",
        "ENABLE_COMMAND_LINE_ARGUMENTS",
        "ENABLE_CALLBACKS",
        "ENABLE_ADDITIONAL_FILES",
        "ALLOW_ENABLE_PER_PROCESS_AND_THREAD_TIME_LIMIT",
        "ALLOW_ENABLE_PER_PROCESS_AND_THREAD_MEMORY_LIMIT",
    ] {
        settings.set(name, "false").unwrap();
    }
    let body = and(&json!({
        "language_id": 50, "compiler_options": "-O2", "command_line_arguments": "a",
        "callback_url": "http://h/x", "additional_files": "UEs=",
        "enable_per_process_and_thread_time_limit": true,
        "enable_per_process_and_thread_memory_limit": true,
    }));
    let said = with(&settings, false, &body).unwrap_err();
    assert_eq!(
        said,
        json!({
            "compiler_options": ["setting compiler options is not allowed"],
            "command_line_arguments": ["setting command line arguments is not allowed"],
            "callback_url": ["setting callback is not allowed"],
            "additional_files": ["setting additional files is not allowed"],
            "enable_per_process_and_thread_time_limit": ["this option cannot be enabled"],
            "enable_per_process_and_thread_memory_limit": ["this option cannot be enabled"],
        })
    );
    let mut settings = Judge0::default();
    settings.set("ALLOWED_LANGUAGES_FOR_COMPILER_OPTIONS", "C++ Go Java").unwrap();
    let options = |id: u32| and(&json!({"language_id": id, "compiler_options": "-O2"}));
    let said = with(&settings, false, &options(50)).unwrap_err();
    let text = "setting compiler options is only allowed for C++, Go and Java";
    assert_eq!(said, json!({"compiler_options": [text]}));
    assert!(with(&settings, false, &options(54)).is_ok());
}
