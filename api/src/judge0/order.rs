//! From a submission of Judge0 to one of the judge. Pure.

use std::time::Duration;

use judge::model::{
    Blob, Checker, ExtraFile, Extras, LimitsSpec, SourceFile, StopRule, Submission, Test,
};

use super::archive::{self, Bounds};
use super::languages::{EXECUTABLE, MULTI_FILE, PLAIN_TEXT};
use super::refusal::Faults;
use super::request::{Request, Valid};
use super::words;

/// The least stack that a box may have.
const STACK: u64 = 64 << 10;

/// A submission of the judge; its files come from the zip, within bounds.
pub(super) fn submission(valid: &Valid<'_>, bounds: Bounds) -> Result<Submission, Faults> {
    let Valid { request, known, language } = valid;
    let (files, beside) = files(request, known.source, bounds)?;
    // Unpaired quotation marks were refused when the request was read.
    let split = |text: &Option<String>| text.as_deref().and_then(words::split).unwrap_or_default();
    let test = |number: u64| Test {
        name: number.to_string(),
        input: request.stdin.clone().unwrap_or_else(|| "".into()),
        answer: request.expected_output.clone(),
        weight: 1.0,
        group: None,
        args: Vec::new(),
        checker_args: Vec::new(),
    };
    Ok(Submission {
        language: language.id.clone(),
        files,
        entry: None,
        args: split(&request.command_line_arguments),
        tests: (1..=request.number_of_runs).map(test).collect(),
        limits: limits(request),
        checker: Checker::Lines,
        stop: StopRule::FirstFailure,
        extras: Extras {
            compiler_options: split(&request.compiler_options),
            files: beside,
            merge_stderr: request.redirect_stderr_to_stdout,
        },
    })
}

/// The source, and what lies beside it.
fn files(
    request: &Request,
    name: Option<&str>,
    bounds: Bounds,
) -> Result<(Vec<SourceFile>, Vec<ExtraFile>), Faults> {
    let mut beside = match &request.additional_files {
        None => Vec::new(),
        Some(zip) => unpack(zip, bounds)?,
    };
    let source = request.source_code.clone().unwrap_or_else(|| "".into());
    let extra = |name: &str, executable| {
        let (name, contents) = (name.to_owned(), source.clone());
        ExtraFile { name, contents, executable }
    };
    // What is only run is a program of many files of which one is the script.
    let script = |text: &str| vec![SourceFile { name: "run.sh".to_owned(), contents: text.into() }];
    match (request.language_id, name) {
        (MULTI_FILE, _) | (_, None) => {
            if let Some(compile) = take(&mut beside, ["compile.sh", "compile"]) {
                beside.push(ExtraFile { name: "compile.sh".to_owned(), ..compile });
            }
            let Some(run) = take(&mut beside, ["run.sh", "run"]) else {
                return Err(fault("has neither run nor run.sh"));
            };
            let name = "run.sh".to_owned();
            Ok((vec![SourceFile { name, contents: run.contents }], beside))
        }
        (PLAIN_TEXT, Some(name)) => {
            beside.retain(|file| file.name != name && file.name != "run.sh");
            beside.push(extra(name, false));
            Ok((script("exec cat text.txt\n"), beside))
        }
        (EXECUTABLE, Some(name)) => {
            beside.retain(|file| file.name != name && file.name != "run.sh");
            beside.push(extra(name, true));
            Ok((script("exec ./a.out \"$@\"\n"), beside))
        }
        (_, Some(name)) => {
            // `unzip -n` leaves what is there.
            beside.retain(|file| file.name != name);
            Ok((vec![SourceFile { name: name.to_owned(), contents: source }], beside))
        }
    }
}

/// The first of these files that is there.
fn take(files: &mut Vec<ExtraFile>, names: [&str; 2]) -> Option<ExtraFile> {
    let at = names.iter().find_map(|name| files.iter().position(|file| file.name == *name))?;
    Some(files.remove(at))
}

fn unpack(zip: &Blob, bounds: Bounds) -> Result<Vec<ExtraFile>, Faults> {
    let Blob::Memory(bytes) = zip else { return Ok(Vec::new()) };
    archive::unpack(bytes, bounds).map_err(|error| fault(&error.to_string()))
}

fn fault(text: &str) -> Faults {
    Faults::from([("additional_files".to_owned(), vec![text.to_owned()])])
}

/// Nought is no limit, as isolate has it.
fn limits(request: &Request) -> LimitsSpec {
    let ms = |seconds: f64| {
        let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
    };
    let kib = |kib: u64| (kib > 0).then_some(kib << 10);
    let wall = request.wall_time_limit;
    let cpu = if request.cpu_time_limit > 0.0 { request.cpu_time_limit } else { wall };
    LimitsSpec {
        cpu_ms: Some(ms(cpu)),
        wall_ms: Some(ms(wall)),
        memory_bytes: kib(request.memory_limit),
        processes: u32::try_from(request.max_processes_and_or_threads).ok(),
        stack_bytes: kib(request.stack_limit).map(|bytes| bytes.max(STACK)),
        file_size_bytes: kib(request.max_file_size),
        // In Judge0 standard output is a file.
        output_bytes: kib(request.max_file_size),
        ..LimitsSpec::default()
    }
}
