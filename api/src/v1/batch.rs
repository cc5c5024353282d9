//! Many submissions in one request, answered in the order in which they end.
//!
//! A JSON array is taken as a whole or refused as a whole; a server that is killed while it hands it
//! to the queue leaves a beginning of it there, which the same array under its key completes. Of a
//! stream (NDJSON) each line is taken for itself, as soon as it is there; while the queue is full the
//! stream waits.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request as HttpRequest, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::stream;
use queue::{IdempotencyKey, Job, JobId, Lane};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::wire::{self, Line, Request, View};
use crate::access::{Caller, Submitter};
use crate::app::App;
use crate::body::{self, Pieces};
use crate::budget::Share;
use crate::hub::Ends;
use crate::intake::Error;
use crate::problem::{Document, Kind, Problem};

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
/// Lines that may wait for the connection.
const OUT: usize = 16;
/// A line above this waits alone.
const LARGE: usize = 256 << 10;
/// Jobs that are put on the queue at once, when there is room.
const CHUNK: usize = 100;
/// How long a stream waits for room on the queue.
const PATIENCE: Duration = Duration::from_secs(60);
/// Until the next try. Shorter than what others are told: this client waits in one place.
const AGAIN: Duration = Duration::from_millis(50);
/// Jobs that are looked at when nothing was heard for a while.
const LOOKS: usize = 100;

/// Hand in many submissions
///
/// A JSON array, or a stream with one submission a line (`application/x-ndjson`). The answer is a
/// stream of lines: each submission's first one says that it is queued, its second one how it
/// ended; or one says why it was not taken. With `wait=0` the answer ends when all are queued.
#[utoipa::path(
    post, path = "/v1/submissions:batch", tag = "submissions",
    request_body(content(
        (Vec<Request> = "application/json"),
        (Request = "application/x-ndjson"),
    )),
    params(
        ("wait" = Option<f64>, Query, description = "end the answer after so many seconds; default: when all are over"),
        ("Idempotency-Key" = Option<String>, Header, description = "sent again, nothing is judged again"),
    ),
    responses(
        (status = 200, description = "one line an event", body = Line, content_type = "application/x-ndjson"),
        (status = "default", description = "nothing was taken", body = Document,
         content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    Submitter(caller): Submitter,
    request: HttpRequest,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let wait = wire::wait(&parts.uri, &parts.headers)?;
    let key = wire::key(&parts.headers)?;
    let kind = body::expect(&parts.headers, &[JSON, NDJSON])?;
    let (out, lines) = mpsc::channel(OUT);
    let config = app.config().clone();
    let limit = if kind == JSON { config.body_limit } else { config.stream_limit };
    let pieces = Pieces::new(body, limit);
    let end = wait.map(|wait| Instant::now() + wait);
    let budget = app.budget().clone();
    let mut batch = Batch::new(app, caller, key, end, out);
    if kind == JSON {
        let (bytes, _share) = pieces.whole(&budget).await?;
        batch.whole(&bytes).await?;
    } else {
        let share = budget.share();
        batch.input = Some(Input { pieces, rest: BytesMut::new(), share, looked: 0 });
    }
    // The task ends with the answer: when the client goes away, too.
    let mut task = JoinSet::new();
    task.spawn(batch.run());
    let lines = stream::unfold((lines, task), |(mut lines, task)| async {
        let line: Bytes = lines.recv().await?;
        Some((Ok::<_, Infallible>(line), (lines, task)))
    });
    Ok(([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response())
}

struct Batch {
    app: App,
    caller: Caller,
    key: Option<IdempotencyKey>,
    /// When the answer ends, whatever is missing.
    end: Option<Instant>,
    /// What is still to be read.
    input: Option<Input>,
    /// Read so far.
    count: u32,
    /// Not on the queue yet, in order, with their positions.
    held: VecDeque<(u32, Job)>,
    /// How many of them are tried at once; fewer after the queue was full.
    chunk: usize,
    /// How many of them have been taken from what the tenant may send.
    charged: usize,
    /// When the queue is tried again, and since when it is full.
    full: Option<(Instant, Instant)>,
    ends: Ends,
    /// On the queue, and not answered for.
    pending: HashMap<JobId, Vec<u32>>,
    /// Over, or to be looked at.
    ready: VecDeque<JobId>,
    /// Lines that are due.
    due: VecDeque<Bytes>,
    /// Whether the last line was a large one.
    large: bool,
    out: mpsc::Sender<Bytes>,
}

struct Input {
    pieces: Pieces,
    /// The beginning of a line.
    rest: BytesMut,
    /// Its memory.
    share: Share,
    /// How much of it has been looked at.
    looked: usize,
}

impl Input {
    fn end_of_line(&self) -> Option<usize> {
        let end = self.rest[self.looked..].iter().position(|byte| *byte == b'\n');
        end.map(|end| self.looked + end)
    }
}

/// What happens next to a batch.
enum Turn {
    Read(Result<Option<Bytes>, body::Error>),
    Offer,
    Over(Option<JobId>),
    Write,
    Gone,
    End,
}

impl Batch {
    fn new(
        app: App,
        caller: Caller,
        key: Option<IdempotencyKey>,
        end: Option<Instant>,
        out: mpsc::Sender<Bytes>,
    ) -> Self {
        let ends = app.hub().ends();
        Self {
            app,
            caller,
            key,
            end,
            input: None,
            count: 0,
            held: VecDeque::new(),
            chunk: CHUNK,
            charged: 0,
            full: None,
            ends,
            pending: HashMap::new(),
            ready: VecDeque::new(),
            due: VecDeque::new(),
            large: false,
            out,
        }
    }

    /// Takes a whole array, or nothing.
    async fn whole(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        let requests: Vec<Request> = body::parse(bytes)?;
        let limit = self.app.config().batch_limit;
        if requests.len() > limit {
            return Err(too_many(limit));
        }
        let mut jobs = Vec::with_capacity(requests.len());
        for request in requests {
            let index = self.count;
            self.count += 1;
            jobs.push(self.job(request, index).await.map_err(|problem| problem.within(index))?);
        }
        self.app.access().charge(&self.caller, jobs.len())?;
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id.clone()).collect();
        self.ends.listen(&ids);
        let known = self.app.enqueue(&jobs).await?;
        for (index, job) in (0..).zip(&jobs) {
            self.queued(index, &job.id, job.lane);
        }
        self.counted(jobs.len(), known);
        Ok(())
    }

    async fn job(&mut self, request: Request, index: u32) -> Result<Job, Problem> {
        let order = request.order(&self.app, self.key.as_ref(), index).await?;
        Ok(self.app.job(order, &self.caller)?)
    }

    async fn run(mut self) {
        while !self.is_done() {
            match self.turn().await {
                Turn::Read(piece) => self.read(piece).await,
                Turn::Offer => self.offer().await,
                Turn::Over(Some(id)) => self.ready.push_back(id),
                // Nothing was heard for a while: perhaps nothing was said.
                Turn::Over(None) => {
                    self.ready.extend(self.pending.keys().take(LOOKS).cloned());
                }
                Turn::Write => {
                    if self.due.is_empty() {
                        self.look().await;
                    }
                    if let Some(line) = self.due.pop_front() {
                        self.large = line.len() > LARGE;
                        // There was room a moment ago, and nobody else writes.
                        drop(self.out.try_send(line));
                    }
                }
                Turn::Gone => return,
                Turn::End => {
                    self.end = None;
                    self.input = None;
                    self.held.clear();
                    self.pending.clear();
                    self.ready.clear();
                }
            }
        }
    }

    fn is_done(&self) -> bool {
        self.input.is_none()
            && self.held.is_empty()
            && self.pending.is_empty()
            && self.due.is_empty()
    }

    /// Waits for whatever can go on. Reading never waits for writing: a client may send all before
    /// it reads anything.
    async fn turn(&mut self) -> Turn {
        let again = self.full.map(|(again, _)| again);
        let writable = !self.due.is_empty() || !self.ready.is_empty();
        let (waits, end) = (self.held.is_empty(), self.end);
        // With wait=0 all is queued and read first.
        let end = end.filter(|_| self.input.is_none() && waits && self.due.is_empty());
        let read = async {
            match &mut self.input {
                Some(input) if waits => input.pieces.next().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.out.closed() => Turn::Gone,
            () = at(again.or_else(|| (!waits).then(Instant::now))) => Turn::Offer,
            piece = read => Turn::Read(piece),
            () = room(&self.out, self.large), if writable => Turn::Write,
            () = at(end) => Turn::End,
            id = self.ends.next(), if !self.pending.is_empty() => Turn::Over(id),
        }
    }

    /// Makes jobs of the lines that have come.
    async fn read(&mut self, piece: Result<Option<Bytes>, body::Error>) {
        let Some(mut input) = self.input.take() else { return };
        let limit = self.app.config().body_limit;
        match piece {
            Err(error) => return self.refuse(self.count, &error.into()),
            Ok(None) => {
                let rest = std::mem::take(&mut input.rest);
                self.line(&rest).await;
                return;
            }
            Ok(Some(piece)) => {
                if let Err(full) = body::extend(&mut input.rest, &piece, &mut input.share) {
                    return self.refuse(self.count, &body::Error::from(full).into());
                }
                // What was there before holds no end of a line.
                input.looked = input.rest.len() - piece.len();
            }
        }
        while let Some(end) = input.end_of_line() {
            let line = input.rest.split_to(end);
            input.rest.advance(1);
            input.looked = 0;
            if !self.line(&line).await {
                return;
            }
        }
        if input.rest.len() > limit {
            return self.refuse(self.count, &body::Error::TooLarge { limit }.into());
        }
        self.input = Some(input);
    }

    /// Makes a job of one line. False when no more are taken.
    async fn line(&mut self, line: &[u8]) -> bool {
        if line.iter().all(u8::is_ascii_whitespace) {
            return true;
        }
        let (index, limit) = (self.count, self.app.config().batch_limit);
        if index as usize >= limit {
            self.refuse(index, &too_many(limit));
            return false;
        }
        self.count += 1;
        let job = match body::parse(line) {
            Ok(request) => self.job(request, index).await,
            Err(error) => Err(error.into()),
        };
        match job {
            Ok(job) => self.held.push_back((index, job)),
            Err(problem) => self.refuse(index, &problem),
        }
        true
    }

    /// Tries to put what is held on the queue.
    async fn offer(&mut self) {
        let now = Instant::now();
        let chunk: Vec<Job> =
            self.held.iter().take(self.chunk).map(|(_, job)| job.clone()).collect();
        let ids: Vec<JobId> = chunk.iter().map(|job| job.id.clone()).collect();
        // Once for each, however often the queue is full.
        let uncharged = chunk.len().saturating_sub(self.charged);
        let charged = match uncharged {
            0 => Ok(()),
            more => self.app.access().charge(&self.caller, more),
        };
        let taken = match charged {
            Err(error) => Err((AGAIN, Problem::from(error))),
            Ok(()) => {
                self.charged += uncharged;
                self.ends.listen(&ids);
                self.app.enqueue(&chunk).await.map_err(|error| match error {
                    Error::Full { .. } => (AGAIN, error.into()),
                    other => (Duration::from_secs(1), other.into()),
                })
            }
        };
        match taken {
            Ok(known) => {
                (self.full, self.chunk) = (None, (self.chunk * 2).min(CHUNK));
                self.charged -= chunk.len();
                for (index, job) in self.held.drain(..chunk.len()).collect::<Vec<_>>() {
                    self.queued(index, &job.id, job.lane);
                }
                self.counted(chunk.len(), known);
            }
            Err((after, problem)) => {
                let since = self.full.map_or(now, |(_, since)| since);
                self.chunk = (self.chunk / 2).max(1);
                self.full = Some((now + after, since));
                if now.duration_since(since) > PATIENCE {
                    for (index, _) in std::mem::take(&mut self.held) {
                        self.refuse(index, &problem);
                    }
                    self.full = None;
                }
            }
        }
    }

    fn queued(&mut self, index: u32, id: &JobId, lane: Lane) {
        self.pending.entry(id.clone()).or_default().push(index);
        self.write(&Line { index, submission: Some(View::queued(id, lane)), problem: None });
    }

    /// Those that were known before may be over: nobody will say so again.
    fn counted(&mut self, count: usize, known: Vec<JobId>) {
        self.app.metrics().received("v1", count - known.len());
        self.ready.extend(known);
    }

    fn refuse(&mut self, index: u32, problem: &Problem) {
        self.app.metrics().rejected(problem.kind().name());
        self.write(&Line { index, submission: None, problem: Some(problem.document()) });
    }

    /// Looks at one that is said to be over.
    async fn look(&mut self) {
        let Some(id) = self.ready.pop_front() else { return };
        if !self.pending.contains_key(&id) {
            return;
        }
        let known = match self.app.known(&id, &self.caller).await {
            Ok(known) if !known.state.is_over() => return,
            Ok(known) => Ok(known),
            // It will be looked at again.
            Err(Error::Queue(_)) => return,
            Err(error) => Err(Problem::from(error)),
        };
        let places = self.pending.remove(&id).unwrap_or_default();
        match known {
            Ok(known) => {
                let view = View::of(&id, known);
                for index in places {
                    let submission = Some(view.clone());
                    self.write(&Line { index, submission, problem: None });
                }
            }
            Err(problem) => places.into_iter().for_each(|index| self.refuse(index, &problem)),
        }
    }

    fn write(&mut self, line: &Line<'_>) {
        let mut json = serde_json::to_vec(line).expect("answers become JSON");
        json.push(b'\n');
        self.due.push_back(json.into());
    }
}

fn too_many(limit: usize) -> Problem {
    Problem::new(Kind::TooLarge, format!("a batch has at most {limit} submissions"))
}

/// At that time, or never.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// When there is room for a line: after a large one, when nothing waits any more.
async fn room(out: &mpsc::Sender<Bytes>, large: bool) {
    drop(out.reserve_many(if large { OUT } else { 1 }).await);
}
