//! Following a submission to its end, and telling it.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use judge::problem::Problem;
use serde::de::DeserializeOwned;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};

use crate::args::Format;
use crate::client::wire::{Change, Status, Step, View};
use crate::client::{Client, Error, Event, escaped};
use crate::exit::{Exit, Failure};
use crate::output::{self, Voice};
use crate::progress::Progress;
use crate::report;

/// How long a server that was there may be away: it is replaced within half of it.
const AWAY: Duration = Duration::from_secs(60);
/// Until the next attempt, doubling from the first to the second.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];

/// Runs a conversation with a server until it is over or a signal ends it. What then goes on is
/// said by `left`.
pub(crate) fn converse(
    talk: impl Future<Output = Result<Exit, Failure>>,
    left: impl FnOnce() -> Option<String>,
    voice: Voice,
) -> Result<Exit, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(Failure::judge)?;
    let ended = runtime.block_on(async {
        let watch = |kind| signal(kind).context("cannot watch for signals").map_err(Failure::judge);
        let mut int = watch(SignalKind::interrupt())?;
        let mut term = watch(SignalKind::terminate())?;
        let mut hup = watch(SignalKind::hangup())?;
        tokio::pin!(talk);
        let (exit, what) = tokio::select! {
            ended = &mut talk => return ended,
            _ = int.recv() => (Exit::Interrupted, "interrupted"),
            _ = term.recv() => (Exit::Cancelled, "cancelled by a signal"),
            _ = hup.recv() => (Exit::Cancelled, "cancelled by a signal"),
        };
        voice.note(&left().map_or_else(|| what.to_owned(), |left| format!("{what}; {left}")));
        Ok(exit)
    });
    // A name that is being looked up would hold up the end.
    runtime.shutdown_background();
    ended
}

/// Waits until a submission is over. A server that goes away meanwhile has a while to come back; what
/// was heard is not told again. `known` says that this server was there a moment ago.
pub(crate) async fn follow(
    client: &Client,
    id: &str,
    mut known: bool,
    progress: &Progress,
    voice: Voice,
) -> Result<View, Error> {
    let mut heard = Heard::default();
    let (mut away, mut pause) = (None, PAUSES[0]);
    loop {
        let before = heard.events;
        let error = match listen(client, id, &mut heard, progress).await {
            Ok(view) => return Ok(view),
            Err(error) => error,
        };
        if heard.events > before {
            (known, away, pause) = (true, None, PAUSES[0]);
        }
        let since = *away.get_or_insert_with(Instant::now);
        if !known || !error.may_pass() || since.elapsed() > AWAY {
            return Err(error);
        }
        if pause == PAUSES[0] {
            let why = output::chain(&error);
            progress.aside(|| voice.note(&format!("{why}; trying again")));
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES[1]);
    }
}

/// What was told so far.
#[derive(Debug, Default)]
struct Heard {
    /// Where to go on after a break.
    last: Option<String>,
    tests: HashSet<u32>,
    events: u64,
}

async fn listen(
    client: &Client,
    id: &str,
    heard: &mut Heard,
    progress: &Progress,
) -> Result<View, Error> {
    let whole = || async { client.get(&format!("/v1/submissions/{}", escaped(id))).await };
    let Some(mut events) = client.events(id, heard.last.as_deref()).await? else {
        return whole().await;
    };
    loop {
        let Event { name, data, id: at } = events.next().await?;
        heard.events += 1;
        heard.last = at.or_else(|| heard.last.take());
        match name.as_str() {
            "status" => {
                if let Some(Change { status }) = read(&data) {
                    progress.say(status.word());
                }
            }
            "test" => {
                if let Some(Step { index }) = read(&data)
                    && heard.tests.insert(index)
                {
                    progress.step();
                }
            }
            "end" => match read(&data) {
                Some(view) => return Ok(view),
                None => return whole().await,
            },
            _ => {}
        }
    }
}

fn read<T: DeserializeOwned>(data: &str) -> Option<T> {
    serde_json::from_str(data).ok()
}

impl Status {
    /// As it is shown.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Retrying => "will be tried again",
            Self::Finished => "finished",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Tells how a submission ended, and with which code this does. The grading of a problem is this
/// side's: the server knows tests and weights.
pub(crate) fn tell(
    mut view: View,
    problem: Option<&Problem>,
    format: Format,
    voice: Voice,
) -> Result<Exit, Failure> {
    if let (Some(problem), Some(report)) = (problem, &view.report) {
        view.report = Some(problem.grade(report));
    }
    if let Some(report) = &view.report {
        let toolchain = output::clean(&report.toolchain);
        voice.detail(&format!("toolchain {}: {toolchain}", report.language));
    }
    match (format, &view.report) {
        (Format::Json, _) => output::json(&view)?,
        (Format::Table, Some(report)) => output::stdout(&report::table(report, voice))?,
        (Format::Table, None) => {}
    }
    let View { id, status, report, refusal, error, rest: _ } = view;
    if let Some(report) = report {
        return Ok(crate::verb::judge::end(&report));
    }
    let reason = refusal.map(|refusal| match refusal.field {
        Some(field) => format!("{field}: {}", refusal.reason),
        None => refusal.reason,
    });
    let why = reason.or(error).unwrap_or_else(|| "no reason was given".to_owned());
    let word = status.word();
    match status {
        Status::Refused => Err(Failure::usage(anyhow!("submission {id} is {word}: {why}"))),
        Status::Cancelled => {
            voice.note(&output::clean(&format!("submission {id} was called off")));
            Ok(Exit::Cancelled)
        }
        _ => Err(Failure::judge(anyhow!("submission {id} has {word}: {why}"))),
    }
}
