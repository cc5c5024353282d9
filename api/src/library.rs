//! Problems that are handed in once and named by their hash afterwards: checking one, and knowing
//! what is kept. The bytes are in a store that the workers read, too.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use judge::Invalid;
use judge::language::Table;
use judge::model::LimitsSpec;
use judge::problem::{Stored, StoredError};
use problems::{Hash, Hasher, Shelf};
use sandbox::Bytes;
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::app::App;
use crate::body::{self, Pieces};
use crate::problem::{Kind as Trouble, Problem, chain};
use crate::v1::wire::invalid;

/// Uploads at once: each may unpack some GiB on the disk. More wait.
const AT_ONCE: usize = 4;
/// For one of them to come.
const UPLOAD: Duration = Duration::from_secs(600);
/// How long a card is believed: other servers may delete the problem.
const FRESH: Duration = Duration::from_secs(30);
/// Cards that are remembered; some hundred bytes each.
const REMEMBERED: usize = 4096;

/// Where problems are.
#[derive(Debug)]
pub(crate) struct Library {
    shelf: Shelf,
    /// Short operations only; never held over an await.
    cards: Mutex<HashMap<Hash, (Arc<Card>, Instant)>>,
    uploads: Semaphore,
}

/// What is said of a problem without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Card {
    /// For people, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// What was handed in.
    pub(crate) kind: Kind,
    /// How many tests it has.
    pub(crate) tests: usize,
    /// Limits of each test; what is absent has its default.
    pub(crate) limits: LimitsSpec,
    /// Bytes that were handed in.
    pub(crate) size: u64,
    /// What is odd about it, yet no error.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
}

/// The two kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProblemKind)]
pub(crate) enum Kind {
    /// The zip of an ICPC/Kattis package.
    Package,
    /// A set of tests as JSON.
    Tests,
}

/// Why a problem is not taken, or not found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("this server keeps no problems: start it with --problems")]
    Nowhere,
    #[error(transparent)]
    Body(body::Error),
    #[error("{}", bare(.0))]
    Stored(Unpacked),
    #[error(transparent)]
    Invalid(Invalid),
    #[error("it has no tests")]
    NoTests,
    #[error(transparent)]
    Shelf(problems::Error),
    #[error("what is known of it cannot be read")]
    Card(#[source] serde_json::Error),
    #[error("cannot unpack it here")]
    Disk(#[source] io::Error),
    #[error("there is no problem {0}; hand it in by POST /v1/problems")]
    Unknown(Hash),
}

/// A fault of a problem, and the folder that its messages are about.
#[derive(Debug)]
pub(crate) struct Unpacked {
    error: StoredError,
    folder: String,
}

/// The message without the paths of this machine.
fn bare(fault: &Unpacked) -> String {
    let text = chain(&fault.error);
    let package = format!("{}/open/package", fault.folder);
    let text = text.replace(&format!("{package}/"), "").replace(&package, "the package");
    text.replace(&format!("{}/", fault.folder), "")
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = body::cut(&chain(&error));
        if is_full(&error) {
            tracing::error!(error = detail, "no space left for a problem");
            let detail = "there is no space left to unpack or keep it here; nothing of it was kept";
            return Self::new(Trouble::NoSpace, detail);
        }
        match error {
            Error::Nowhere | Error::Unknown(_) => Self::new(Trouble::NotFound, detail),
            Error::Body(error) => error.into(),
            Error::Stored(Unpacked { error: StoredError::Disk { .. }, .. })
            | Error::Disk(_)
            | Error::Card(_) => {
                tracing::error!(error = detail, "a problem cannot be kept");
                Self::new(Trouble::Internal, detail)
            }
            Error::Stored(_) | Error::NoTests => Self::new(Trouble::Invalid, detail),
            Error::Invalid(Invalid { field, reason }) => {
                Self::new(Trouble::Invalid, detail).fault(field, reason.to_string())
            }
            Error::Shelf(problems::Error::TooLarge { .. }) => Self::new(Trouble::TooLarge, detail),
            Error::Shelf(_) => {
                tracing::warn!(error = detail, "the store of problems gave no answer");
                let detail = "the store of problems gives no answer; try again";
                Self::new(Trouble::Unavailable, detail).retry_after(Duration::from_secs(1))
            }
        }
    }
}

/// Whether a disk is full, whatever was written to it.
fn is_full(error: &Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    let first: &(dyn std::error::Error + 'static) = match error {
        // Its messages are told without the paths of this machine, so it is no source.
        Error::Stored(Unpacked { error, .. }) => error,
        error => error,
    };
    let mut causes = std::iter::successors(Some(first), |cause| cause.source());
    causes.any(|cause| {
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        kind.is_some_and(|kind| matches!(kind, StorageFull | QuotaExceeded))
    })
}

impl Library {
    pub(crate) fn new(shelf: Shelf) -> Self {
        Self { shelf, cards: Mutex::default(), uploads: Semaphore::new(AT_ONCE) }
    }

    /// What is known of a problem; `None` when there is no such problem.
    async fn card(&self, hash: &Hash) -> Result<Option<Arc<Card>>, Error> {
        let now = Instant::now();
        let known = self.cards().get(hash).filter(|(_, at)| *at + FRESH > now).cloned();
        match known {
            Some((card, _)) => Ok(Some(card)),
            None => self.ask(hash).await,
        }
    }

    /// The same, from the store itself.
    async fn ask(&self, hash: &Hash) -> Result<Option<Arc<Card>>, Error> {
        let Some(bytes) = self.shelf.card(hash).await.map_err(Error::Shelf)? else {
            self.cards().remove(hash);
            return Ok(None);
        };
        let card = Arc::new(serde_json::from_slice(&bytes).map_err(Error::Card)?);
        self.remember(hash, &card);
        Ok(Some(card))
    }

    fn remember(&self, hash: &Hash, card: &Arc<Card>) {
        let mut cards = self.cards();
        if cards.len() >= REMEMBERED {
            let now = Instant::now();
            cards.retain(|_, (_, at)| *at + FRESH > now);
        }
        if cards.len() < REMEMBERED {
            cards.insert(*hash, (Arc::clone(card), Instant::now()));
        }
    }

    fn cards(&self) -> MutexGuard<'_, HashMap<Hash, (Arc<Card>, Instant)>> {
        // Every change is complete before anything in it could panic.
        self.cards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    fn library(&self) -> Result<&Library, Error> {
        self.problems().ok_or(Error::Nowhere)
    }

    /// Takes a problem in: to the disk, looked through as it will be where it is judged, and only
    /// then to the store. True when it is new.
    pub(crate) async fn take_problem(
        &self,
        mut pieces: Pieces,
    ) -> Result<(Hash, Arc<Card>, bool), Error> {
        let library = self.library()?;
        let permit = library.uploads.acquire().await;
        let _permit = permit.expect("nobody closes it");
        let scratch = tempfile::Builder::new().prefix("evalx-upload-").tempdir();
        let scratch = scratch.map_err(Error::Disk)?;
        let file = scratch.path().join("upload");
        let received = tokio::time::timeout(UPLOAD, receive(&mut pieces, &file)).await;
        let (hash, size) = received.unwrap_or(Err(Error::Body(body::Error::Slow)))?;
        if let Some(card) = library.ask(&hash).await? {
            return Ok((hash, card, false));
        }
        let app = self.clone();
        // The folder goes along: if nobody waits any more it is removed when this is over.
        let looking = tokio::task::spawn_blocking(move || {
            let source_limit = Bytes(app.config().source_limit);
            let card = look_through(scratch.path(), size, app.table(), source_limit);
            (card, scratch)
        });
        let (card, _scratch) = match looking.await {
            Ok((card, scratch)) => (Arc::new(card?), scratch),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let json = serde_json::to_vec(&*card).expect("text and numbers become JSON");
        library.shelf.put(&hash, &file, &json).await.map_err(Error::Shelf)?;
        library.remember(&hash, &card);
        Ok((hash, card, true))
    }

    /// What is known of a problem.
    pub(crate) async fn known_problem(&self, hash: &Hash) -> Result<Arc<Card>, Error> {
        self.library()?.card(hash).await?.ok_or(Error::Unknown(*hash))
    }

    /// Takes a problem away. What waits for a worker and names it cannot be judged any more.
    pub(crate) async fn drop_problem(&self, hash: &Hash) -> Result<(), Error> {
        let library = self.library()?;
        let was_there = library.shelf.delete(hash).await.map_err(Error::Shelf)?;
        library.cards().remove(hash);
        if was_there { Ok(()) } else { Err(Error::Unknown(*hash)) }
    }

    /// The problem that a submission names in `field`. For every API that takes submissions.
    pub(crate) async fn problem_of(
        &self,
        name: &str,
        field: &str,
    ) -> Result<(Hash, Arc<Card>), Problem> {
        let hash = Hash::parse(name).map_err(|error| invalid(field, error.to_string()))?;
        match self.known_problem(&hash).await {
            Ok(card) => Ok((hash, card)),
            Err(error @ (Error::Unknown(_) | Error::Nowhere)) => {
                Err(invalid(field, error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Writes what comes to a new file.
async fn receive(pieces: &mut Pieces, file: &Path) -> Result<(Hash, u64), Error> {
    let mut out = File::create_new(file).await.map_err(Error::Disk)?;
    let (mut hasher, mut size) = (Hasher::default(), 0);
    let mut written = Ok(());
    while let Some(piece) = pieces.next().await.map_err(Error::Body)? {
        hasher.update(&piece);
        size += piece.len() as u64;
        // Of a full disk the client is told once it listens: who is hung up on while it sends
        // mostly learns nothing.
        if written.is_ok() {
            written = out.write_all(&piece).await;
        }
    }
    if written.is_ok() {
        written = out.flush().await;
    }
    written.map_err(Error::Disk)?;
    Ok((hasher.finish(), size))
}

/// Unpacks and reads it as a worker will. Blocks.
fn look_through(folder: &Path, size: u64, table: &Table, source: Bytes) -> Result<Card, Error> {
    // As the messages say it.
    let folder = folder.canonicalize().map_err(Error::Disk)?;
    let open = folder.join("open");
    std::fs::create_dir(&open).map_err(Error::Disk)?;
    let unpacked = Stored::unpack(&folder.join("upload"), &open);
    let read = unpacked.and_then(|()| Stored::open(&open));
    let stored = read.map_err(|error| {
        let folder = folder.to_string_lossy().into_owned();
        Error::Stored(Unpacked { error, folder })
    })?;
    if stored.tests().is_empty() {
        return Err(Error::NoTests);
    }
    stored.check(table, source).map_err(Error::Invalid)?;
    let (kind, warnings) = match &stored {
        Stored::Package(problem) => (Kind::Package, problem.warnings.clone()),
        Stored::Tests(_) => (Kind::Tests, Vec::new()),
    };
    let (name, limits) = (stored.name().map(str::to_owned), stored.limits().clone());
    Ok(Card { name, kind, tests: stored.tests().len(), limits, size, warnings })
}
