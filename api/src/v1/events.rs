//! Watching a submission: server-sent events, test by test.
//!
//! The id of an event is a place in the queue's log. A client that comes back with it
//! (`Last-Event-ID`) is told what it has not heard; a test may be told twice, none is left out.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use queue::JobId;
use queue::view::{Cursor, Event};
use serde::Serialize;
use utoipa::ToSchema;

use super::submissions::Id;
use super::wire::{Partial, Status, View};
use crate::access::{Caller, Reader};
use crate::app::App;
use crate::hub::{News, Whole};
use crate::intake::{Error, State as Stage};
use crate::problem::{Document, Problem};

/// Without news for so long the job itself is looked at.
const LOOK: Duration = Duration::from_secs(10);
/// Log entries that are read for a client that comes back; behind that it is told everything.
const BACK: usize = 20_000;
/// Log entries that are read at once.
const PAGE: usize = 1000;
/// The id of the last event. A browser that comes back with it is told to stop.
const OVER: &str = "over";

/// Where a submission is now: the data of `status`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Change {
    /// Where it is.
    status: Status,
}

/// Watch a submission
///
/// Server-sent events: `status` (`{"status": "running"}`), `test` (a test that is over, with its
/// `index`), at last `end` (all that is known, as `GET` says it).
#[utoipa::path(
    get, path = "/v1/submissions/{id}/events", tag = "submissions",
    params(
        ("id" = String, Path, description = "its id"),
        ("Last-Event-ID" = Option<String>, Header, description = "go on after this event"),
    ),
    responses(
        (status = 200, description = "events", body = String, content_type = "text/event-stream"),
        (status = 204, description = "it is over and all is told"),
        (status = "default", description = "there is no such thing", body = Document,
         content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn stream(
    State(app): State<App>,
    Reader(caller): Reader,
    headers: HeaderMap,
    Id(id): Id,
) -> Result<Response, Problem> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let known = app.known(&id, &caller).await?;
    if last == Some(OVER) && known.state.is_over() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    // First listen, then look: what happens in between is heard.
    let news = app.hub().all(&id);
    let mut feed = Feed::new(app, caller, id, news);
    if let Some(last) = last.and_then(Cursor::parse) {
        feed.resume(&last).await?;
    }
    feed.look().await?;
    let events = stream::unfold(feed, |mut feed| async move {
        let sent = feed.next().await?;
        Some((Ok::<_, Infallible>(sent), feed))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

/// What one client is told.
struct Feed {
    app: App,
    caller: Caller,
    id: JobId,
    news: Whole,
    status: Option<Status>,
    told: HashSet<u32>,
    due: VecDeque<Sent>,
    over: bool,
}

impl Feed {
    fn new(app: App, caller: Caller, id: JobId, news: Whole) -> Self {
        let (status, told, due) = (None, HashSet::new(), VecDeque::new());
        Self { app, caller, id, news, status, told, due, over: false }
    }

    /// Finds out what a client has heard already. When the log does not go back so far, nothing.
    async fn resume(&mut self, last: &Cursor) -> Result<(), Error> {
        let store = self.app.store();
        let first = store.events(&Cursor::start(), 1).await.map_err(Error::Queue)?;
        if first.first().is_none_or(|first| place(&first.cursor) > place(last)) {
            return Ok(());
        }
        let log = store.events(last, BACK).await.map_err(Error::Queue)?;
        if log.len() == BACK {
            return Ok(());
        }
        let since: HashSet<u32> = log
            .iter()
            .flat_map(|entry| &entry.events)
            .filter_map(|event| match event {
                Event::Step { id, index, .. } if *id == self.id => Some(*index),
                _ => None,
            })
            .collect();
        let known = self.app.known(&self.id, &self.caller).await?;
        if let Stage::Running { tests } | Stage::Retrying { tests } = known.state {
            let all = tests.into_iter().map(|(index, _)| index);
            self.told = all.filter(|index| !since.contains(index)).collect();
        }
        Ok(())
    }

    /// Tells what the job itself says.
    async fn look(&mut self) -> Result<(), Error> {
        let cursor = self.log_end().await?;
        let known = self.app.known(&self.id, &self.caller).await?;
        let mut view = View::of(&self.id, known);
        if view.status().is_over() {
            self.end(&view);
            return Ok(());
        }
        self.status(view.status());
        for test in view.take_tests() {
            self.test(&test);
        }
        self.mark(&cursor);
        Ok(())
    }

    /// A place in the log before which everything is in the job already.
    async fn log_end(&self) -> Result<Cursor, Error> {
        let mut end = self.app.hub().cursor();
        loop {
            let more = self.app.store().events(&end, PAGE).await.map_err(Error::Queue)?;
            let Some(last) = more.last() else { return Ok(end) };
            end = last.cursor.clone();
            if more.len() < PAGE {
                return Ok(end);
            }
        }
    }

    async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some(sent) = self.due.pop_front() {
                return Some(sent);
            }
            if self.over {
                return None;
            }
            let heard = match tokio::time::timeout(LOOK, self.news.next()).await {
                Ok(Some(news)) => self.hear(news).await,
                // Cut off because this client is slow: listen anew, and look.
                Ok(None) => {
                    self.news = self.app.hub().all(&self.id);
                    self.look().await
                }
                Err(_) => self.look().await,
            };
            match heard {
                Ok(()) => {}
                // The queue is away for a moment; the client stays.
                Err(Error::Queue(_)) => tokio::time::sleep(Duration::from_secs(1)).await,
                Err(_) => return None,
            }
        }
    }

    async fn hear(&mut self, news: News) -> Result<(), Error> {
        let News { cursor, events } = news;
        for event in events {
            match event {
                Event::Started(_) => self.status(Status::Running),
                Event::Returned(_) => self.status(Status::Retrying),
                Event::Step { id: _, index, report } => {
                    if let Ok(report) = serde_json::from_slice(&report) {
                        self.test(&Partial { index, report });
                    }
                }
                Event::Finished(_) | Event::Dead(_) | Event::Cancelled(_) => {
                    let known = self.app.known(&self.id, &self.caller).await?;
                    self.end(&View::of(&self.id, known));
                }
                Event::BatchDone(_) => {}
            }
        }
        self.mark(&cursor);
        Ok(())
    }

    fn status(&mut self, status: Status) {
        if self.status.replace(status) != Some(status) {
            self.due.push_back(event("status", &Change { status }));
        }
    }

    fn test(&mut self, test: &Partial) {
        if self.told.insert(test.index) {
            self.due.push_back(event("test", test));
        }
    }

    fn end(&mut self, view: &View) {
        self.over = true;
        self.due.push_back(event("end", view).id(OVER));
    }

    /// Gives the last event that is due the place up to which all is told.
    fn mark(&mut self, cursor: &Cursor) {
        if !self.over
            && let Some(last) = self.due.pop_back()
        {
            self.due.push_back(last.id(cursor.to_string()));
        }
    }
}

fn event(name: &str, data: &impl Serialize) -> Sent {
    let json = serde_json::to_string(data).expect("answers become JSON");
    Sent::default().event(name).data(json)
}

/// A cursor's numbers, to be compared.
fn place(cursor: &Cursor) -> (u64, u64) {
    let text = cursor.to_string();
    let (ms, seq) = text.split_once('-').unwrap_or((&text, "0"));
    (ms.parse().unwrap_or(0), seq.parse().unwrap_or(0))
}
