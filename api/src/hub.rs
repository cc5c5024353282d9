//! Follows the queue's event log once for all who wait: one reader a process, however many clients.
//!
//! Nobody depends on hearing everything: the log may be trimmed and a slow listener is cut off.
//! Whoever waits reads the job itself first and again from time to time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use queue::view::{Cursor, Entry, Event};
use queue::{JobId, Store};
use tokio::sync::mpsc;

/// Entries that are read at once.
const PAGE: usize = 1000;
/// Between two tries when the queue does not answer.
const PAUSE: Duration = Duration::from_millis(500);
/// What a listener may lag behind before it is cut off.
const LAG: usize = 512;
/// How long whoever waits for ends believes that it hears of them.
const LOOK: Duration = Duration::from_secs(5);

/// Who is told of which job.
#[derive(Debug, Default)]
pub(crate) struct Hub(Mutex<Board>);

#[derive(Debug, Default)]
struct Board {
    listeners: HashMap<JobId, Vec<(u64, Ear)>>,
    next: u64,
    /// Up to where everybody was told.
    cursor: Option<Cursor>,
}

/// What one listener wants.
#[derive(Debug)]
enum Ear {
    /// That the job has ended: once, so what waits in the channel is bounded by the jobs.
    End(mpsc::UnboundedSender<JobId>),
    /// Everything.
    All(mpsc::Sender<News>),
}

/// What one entry of the log says of a job.
#[derive(Debug, Clone)]
pub(crate) struct News {
    pub(crate) cursor: Cursor,
    pub(crate) events: Vec<Event>,
}

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Listener<T, S> {
    hub: Arc<Hub>,
    key: u64,
    jobs: Vec<JobId>,
    news: T,
    /// For jobs that come later.
    sender: S,
}

/// Listens for the end of jobs.
pub(crate) type Ends = Listener<mpsc::UnboundedReceiver<JobId>, mpsc::UnboundedSender<JobId>>;
/// Listens for everything about one job; the channel closes when it lags.
pub(crate) type Whole = Listener<mpsc::Receiver<News>, ()>;

impl Hub {
    /// Listens for the end of jobs.
    pub(crate) fn ends(self: &Arc<Self>) -> Ends {
        let (sender, news) = mpsc::unbounded_channel();
        let key = self.board().key();
        Listener { hub: Arc::clone(self), key, jobs: Vec::new(), news, sender }
    }

    /// Listens for everything about a job.
    pub(crate) fn all(self: &Arc<Self>, job: &JobId) -> Whole {
        let (ear, news) = mpsc::channel(LAG);
        let mut board = self.board();
        let key = board.key();
        board.add(job, key, Ear::All(ear));
        drop(board);
        Listener { hub: Arc::clone(self), key, jobs: vec![job.clone()], news, sender: () }
    }

    /// Up to where the log was followed.
    pub(crate) fn cursor(&self) -> Cursor {
        self.board().cursor.clone().unwrap_or_else(Cursor::start)
    }

    /// Follows the log for ever.
    pub(crate) async fn follow(&self, store: &dyn Store) {
        let mut cursor = Cursor::start();
        loop {
            match store.events(&cursor, PAGE).await {
                Ok(entries) => match entries.last() {
                    Some(last) => {
                        cursor = last.cursor.clone();
                        for entry in entries {
                            self.tell(&entry);
                        }
                    }
                    None => store.wait_for_events(&cursor).await,
                },
                Err(error) => {
                    let error = crate::problem::chain(&error);
                    tracing::warn!(error, "cannot read the queue's event log");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn tell(&self, entry: &Entry) {
        let mut board = self.board();
        board.cursor = Some(entry.cursor.clone());
        if board.listeners.is_empty() {
            return;
        }
        let mut heard: HashMap<&JobId, Vec<Event>> = HashMap::new();
        for event in &entry.events {
            if let Some(job) = subject(event)
                && board.listeners.contains_key(job)
            {
                heard.entry(job).or_default().push(event.clone());
            }
        }
        for (job, events) in heard {
            board.tell(job, &News { cursor: entry.cursor.clone(), events });
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    fn key(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn add(&mut self, job: &JobId, key: u64, ear: Ear) {
        self.listeners.entry(job.clone()).or_default().push((key, ear));
    }

    fn tell(&mut self, job: &JobId, news: &News) {
        let Some(ears) = self.listeners.get_mut(job) else { return };
        let over = news.events.iter().any(is_end);
        ears.retain(|(_, ear)| match ear {
            Ear::End(_) if !over => true,
            Ear::End(sender) => {
                // Whoever stopped listening will be gone in a moment.
                drop(sender.send(job.clone()));
                false
            }
            Ear::All(sender) => sender.try_send(news.clone()).is_ok(),
        });
        if ears.is_empty() {
            self.listeners.remove(job);
        }
    }

    fn remove(&mut self, job: &JobId, key: u64) {
        if let Some(ears) = self.listeners.get_mut(job) {
            ears.retain(|(other, _)| *other != key);
            if ears.is_empty() {
                self.listeners.remove(job);
            }
        }
    }
}

impl Ends {
    /// Listens for the end of these, too.
    pub(crate) fn listen(&mut self, jobs: &[JobId]) {
        let mut board = self.hub.board();
        for job in jobs {
            board.add(job, self.key, Ear::End(self.sender.clone()));
        }
        drop(board);
        self.jobs.extend_from_slice(jobs);
    }

    /// The next job that has ended; `None` when there is nothing for so long that it is worth a
    /// look at the jobs themselves. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<JobId> {
        tokio::time::timeout(LOOK, self.news.recv()).await.ok().flatten()
    }
}

impl Whole {
    /// What happened next; `None` when the listener was cut off. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<News> {
        self.news.recv().await
    }
}

impl<T, S> Drop for Listener<T, S> {
    fn drop(&mut self) {
        let mut board = self.hub.board();
        for job in &self.jobs {
            board.remove(job, self.key);
        }
    }
}

/// Which job an event is about.
fn subject(event: &Event) -> Option<&JobId> {
    match event {
        Event::Started(id)
        | Event::Step { id, .. }
        | Event::Returned(id)
        | Event::Finished(id)
        | Event::Dead(id)
        | Event::Cancelled(id) => Some(id),
        Event::BatchDone(_) => None,
    }
}

fn is_end(event: &Event) -> bool {
    matches!(event, Event::Finished(_) | Event::Dead(_) | Event::Cancelled(_))
}
