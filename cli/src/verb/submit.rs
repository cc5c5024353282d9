//! `evalx submit`: one submission, judged by a server.

use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::{Context as _, anyhow};
use judge::language::Table;
use judge::model::{Blob, Checker, Program, SourceFile, Submission};
use sandbox::Bytes;
use serde::Serialize;

use crate::args::Format;
use crate::client::wire::View;
use crate::client::{Client, ClientArgs};
use crate::engine;
use crate::exit::{self, Exit, Failure};
use crate::follow;
use crate::output::{self, Voice};
use crate::progress::Progress;
use crate::submission::SubmissionArgs;

/// The largest file that is sent; a server's own limit is below it unless it was raised.
const MOST: Bytes = Bytes::mib(64);

/// Hand a submission in to a server
///
/// Prints its id, for `evalx watch`. With --wait it follows the submission to its
/// end, and prints and ends as `evalx judge` does; Ctrl-C leaves it to the server.
///
/// Examples:
///   evalx submit sum.cpp --tests tests/ --wait
///   evalx submit sum.py --problem problems/pumphouse --wait -o json
///   EVALX_SERVER=https://judge.example EVALX_TOKEN=… evalx submit sum.rs --tests t
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_long_help = exit::HELP)]
pub(crate) struct Args {
    /// Follow it to its end
    #[arg(long, short)]
    wait: bool,
    /// How soon it is judged
    #[arg(long, value_name = "LANE", default_value = "normal")]
    lane: Lane,
    /// How the result is printed; json is what the server knows of it
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "table")]
    format: Format,
    #[command(flatten)]
    what: SubmissionArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// The lanes that clients may choose.
#[derive(Debug, Clone, Copy, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
enum Lane {
    /// Somebody waits for it
    High,
    /// As most do
    Normal,
    /// Nobody waits for it
    Low,
}

/// What is sent.
#[derive(Serialize)]
struct Request<'s> {
    #[serde(flatten)]
    submission: &'s Submission,
    lane: Lane,
}

/// Submits.
pub(crate) fn run(args: &Args, voice: Voice) -> Result<Exit, Failure> {
    let Args { wait, lane, format, what, client } = args;
    let client = Client::new(client)?;
    let (mut submission, problem) = what.prepare(|files| language(what.lang.as_deref(), files))?;
    load(&mut submission)?;
    let request = serde_json::to_vec(&Request { submission: &submission, lane: *lane });
    let request = request.context("cannot write the submission as JSON").map_err(Failure::usage)?;
    let id = OnceLock::new();
    let talk = async {
        let view: View = client.post("/v1/submissions", request).await?;
        let id = id.get_or_init(|| view.id.clone());
        if !wait {
            match format {
                Format::Json => output::json(&view)?,
                Format::Table => output::stdout(&output::clean(&format!("{id}\n")))?,
            }
            voice.note(&output::clean(&format!("queued; `evalx watch {id}` follows it")));
            return Ok(Exit::Ok);
        }
        voice.detail(&output::clean(&format!("submission {id}")));
        let progress = Progress::new(voice, submission.tests.len());
        progress.say(view.status.word());
        let over = Box::pin(follow::follow(&client, id, true, &progress, voice)).await;
        drop(progress);
        follow::tell(over?, problem.as_ref(), *format, voice)
    };
    let left = || id.get().map(|id| format!("the server goes on: `evalx watch {id}`"));
    follow::converse(talk, left, voice)
}

/// The language as the server is to read it: what was named, else what the name of a file tells.
fn language(named: Option<&str>, files: &[SourceFile]) -> Result<String, Failure> {
    match named {
        Some(name) => Ok(name.to_owned()),
        None => Ok(engine::language(&Table::builtin(), None, files)?.id.clone()),
    }
}

/// Reads all files. What is not read here would be sent as nothing.
fn load(submission: &mut Submission) -> Result<(), Failure> {
    let Submission { files, tests, checker, .. } = submission;
    for file in files {
        read(&mut file.contents).map_err(|failure| failure.context("source".to_owned()))?;
    }
    for test in tests {
        read(&mut test.input)?;
        test.answer.as_mut().map_or(Ok(()), read)?;
    }
    match checker {
        Checker::Exact | Checker::Lines | Checker::Tokens(_) => {}
        Checker::Custom { abi: _, program } | Checker::Interactive { abi: _, program } => {
            let Program { files, .. } = program;
            files.iter_mut().try_for_each(|file| read(&mut file.contents))?;
        }
    }
    Ok(())
}

fn read(blob: &mut Blob) -> Result<(), Failure> {
    let Blob::File(path) = blob else { return Ok(()) };
    let path: PathBuf = path.clone();
    let about = path.metadata().with_context(|| format!("{path:?} cannot be read"));
    let about = about.map_err(Failure::usage)?;
    if !about.is_file() {
        return Err(Failure::usage(anyhow!("{path:?} is not a file")));
    }
    if about.len() > MOST.0 {
        let size = about.len();
        return Err(Failure::usage(anyhow!("{path:?} has {size} bytes; {MOST} are sent at most")));
    }
    let bytes = blob.read().with_context(|| format!("{path:?} cannot be read"));
    *blob = Blob::Memory(bytes.map_err(Failure::usage)?);
    Ok(())
}
