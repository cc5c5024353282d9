//! `evalx submit`: one submission, judged by a server.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use judge::language::Table;
use judge::model::{Blob, Checker, LimitsSpec, Program, SourceFile, StopRule, Submission};
use problems::Hash;
use queue::JobId;
use serde::Serialize;

use crate::args::Format;
use crate::client::wire::{Shelved, View};
use crate::client::{Client, ClientArgs, Error, insist};
use crate::engine;
use crate::exit::{self, Exit, Failure};
use crate::follow;
use crate::output::{self, Voice};
use crate::package::packed;
use crate::progress::Progress;
use crate::submission::{Own, SubmissionArgs};
use crate::units;

/// The largest file that is sent; a server's own limit is below it unless it was raised.
const MOST: sandbox::Bytes = sandbox::Bytes::mib(64);

/// Hand a submission in to a server
///
/// Prints its id, for `evalx watch`. With --wait it follows the submission to its
/// end, and prints and ends as `evalx judge` does; Ctrl-C leaves it to the server.
/// However often it has to be sent, it is judged once. A package is handed in once
/// and named by its hash afterwards, where the server keeps problems and the token
/// may hand them in; else its tests go along.
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
    /// How long to try again what may pass: a server that is not there or full
    // A server is replaced, or says when to come back, within less.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    retry: Duration,
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

/// What is sent: all of it.
#[derive(Serialize)]
struct Request<'s> {
    #[serde(flatten)]
    submission: &'s Submission,
    lane: Lane,
}

/// What is sent: a program for a problem that the server has.
#[derive(Serialize)]
struct Answer<'s> {
    language: &'s str,
    files: &'s [SourceFile],
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<String>,
    problem: &'s str,
    limits: LimitsSpec,
    stop: StopRule,
    lane: Lane,
}

/// Submits.
pub(crate) fn run(args: &Args, voice: Voice) -> Result<Exit, Failure> {
    let Args { wait, lane: _, retry: _, format, what, client } = args;
    let client = Client::new(client)?;
    let (mut submission, problem) = what.prepare(|files| language(what.lang.as_deref(), files))?;
    // Of a package that the server has, nothing is read here but the program.
    let package = what.package().map(packed).transpose().map_err(Failure::usage)?;
    submission.files.iter_mut().try_for_each(source)?;
    if package.is_none() {
        load(&mut submission)?;
    }
    let id = OnceLock::new();
    let talk = async {
        let (view, graded) = hand_in(args, &client, &mut submission, package, voice).await?;
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
        follow::tell(over?, problem.as_ref().filter(|_| !graded), *format, voice)
    };
    let left = || id.get().map(|id| format!("the server goes on: `evalx watch {id}`"));
    follow::converse(talk, left, voice)
}

/// Hands it in, under a key that is drawn once: whatever gets lost on the way, it is judged once.
/// Also tells whether the server grades it, as it does where it has the problem.
async fn hand_in(
    args: &Args,
    client: &Client,
    submission: &mut Submission,
    package: Option<Vec<u8>>,
    voice: Voice,
) -> Result<(View, bool), Failure> {
    let Args { lane, retry, what, .. } = args;
    let problem = match package {
        Some(zip) => shelved(client, zip.into(), *retry, voice).await?,
        None => None,
    };
    let request = match &problem {
        Some(problem) => {
            let Own { mut files, entry, limits, stop } = what.own()?;
            files.iter_mut().try_for_each(source)?;
            let (language, files) = (submission.language.as_str(), files.as_slice());
            let lane = *lane;
            serde_json::to_vec(&Answer { language, files, entry, problem, limits, stop, lane })
        }
        None => {
            load(submission)?;
            serde_json::to_vec(&Request { submission, lane: *lane })
        }
    };
    let request = request.context("cannot write the submission as JSON").map_err(Failure::usage)?;
    let (request, key) = (Bytes::from(request), JobId::random().to_string());
    let view = insist(*retry, voice, async || client.submit(request.clone(), &key).await).await?;
    Ok((view, problem.is_some()))
}

/// The name of a package on the server, handed in if it was not there; `None` where the server keeps
/// no problems, or not for this caller.
async fn shelved(
    client: &Client,
    zip: Bytes,
    retry: Duration,
    voice: Voice,
) -> Result<Option<String>, Failure> {
    let path = format!("/v1/problems/{}", Hash::of(&zip));
    let known = insist(retry, voice, async || client.get::<Shelved>(&path).await).await;
    let shelved = match known {
        Err(Error::Refused { problem, .. }) if problem.is_not_for_us() => {
            insist(retry, voice, async || client.shelve(zip.clone()).await).await
        }
        known => known,
    };
    match shelved {
        Ok(Shelved { problem }) => Ok(Some(problem)),
        Err(Error::Refused { problem, .. }) if problem.is_not_for_us() => {
            voice.detail(&output::clean(&format!("{problem}; its tests go along")));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
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
    files.iter_mut().try_for_each(source)?;
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

fn source(file: &mut SourceFile) -> Result<(), Failure> {
    read(&mut file.contents).map_err(|failure| failure.context("source".to_owned()))
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
