//! The store: problems with a card each, by hash. All who use one shelf see the same problems.
//!
//! A problem is there when its card is: the card is written after the bytes and deleted before
//! them. The same problem may be put by several at once; it is the same bytes.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt as _, RetryConfig};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use crate::address::Address;
use crate::hash::{Hash, Hasher};
use crate::redis::{LARGEST, Redis};

/// To reach S3.
const CONNECT: Duration = Duration::from_secs(5);
/// For one request to it: some hundred megabytes over a slow line.
const WHOLE: Duration = Duration::from_secs(300);
/// After the first failure of a request, how long it is repeated: somebody waits for it.
const PATIENCE: Duration = Duration::from_secs(15);

/// A store of problems.
#[derive(Debug)]
pub struct Shelf {
    backend: Backend,
}

#[derive(Debug)]
enum Backend {
    Objects { store: Arc<dyn ObjectStore>, prefix: Key },
    Redis(Redis),
}

/// Why a shelf cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be made.
    #[error("cannot make the folder {path:?} for problems")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The folder or bucket failed.
    #[error("the store of problems")]
    Objects(#[source] object_store::Error),
    /// The server failed.
    #[error("the store of problems in Redis")]
    Redis(#[source] redis::RedisError),
    /// A file of this machine cannot be read or written.
    #[error("cannot use {path:?}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// More than is kept there.
    #[error("it has {size} bytes; {place} at most {limit}")]
    TooLarge {
        /// How many it has; at least that many.
        size: u64,
        /// How many may be.
        limit: u64,
        /// Who says so.
        place: &'static str,
    },
    /// The bytes are others than the name says: somebody has changed them.
    #[error("what is kept as {wanted} is {found}: delete it and upload it again")]
    Differs {
        /// What was asked for.
        wanted: Hash,
        /// What came.
        found: Hash,
    },
}

impl Shelf {
    /// Opens one. A folder is made; a bucket must be there. For S3 the usual variables of its tools
    /// say the rest (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`,
    /// `AWS_ENDPOINT_URL_S3`, `AWS_ALLOW_HTTP`, …); others are left alone. Nothing is asked of the
    /// other side yet.
    ///
    /// # Errors
    /// When the folder cannot be made, or something is missing.
    pub fn open(
        address: &Address,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        // Somebody has to choose, once a process; who comes later keeps the choice.
        drop(rustls::crypto::ring::default_provider().install_default());
        let backend = match address {
            Address::Folder(path) => {
                let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
                made.map_err(|source| Error::Folder { path: path.clone(), source })?;
                // Empty folders of what was deleted go, too; what is written is on the disk.
                let store = LocalFileSystem::new_with_prefix(path).map_err(Error::Objects)?;
                let store = store.with_automatic_cleanup(true).with_fsync(true);
                Backend::Objects { store: Arc::new(store), prefix: Key::default() }
            }
            Address::S3 { bucket, prefix } => {
                let mut builder = AmazonS3Builder::new()
                    .with_client_options(
                        ClientOptions::new().with_connect_timeout(CONNECT).with_timeout(WHOLE),
                    )
                    .with_retry(RetryConfig {
                        max_retries: 4,
                        retry_timeout: PATIENCE,
                        ..RetryConfig::default()
                    });
                for (name, value) in variables {
                    let key = name.to_ascii_lowercase();
                    if let Some(key) = key.starts_with("aws_").then(|| key.parse().ok()).flatten() {
                        builder = builder.with_config(key, value);
                    }
                }
                let builder = builder.with_bucket_name(bucket);
                let store = Arc::new(builder.build().map_err(Error::Objects)?);
                Backend::Objects { store, prefix: Key::from(prefix.as_str()) }
            }
            Address::Redis(url) => Backend::Redis(Redis::new(url).map_err(Error::Redis)?),
        };
        Ok(Self { backend })
    }

    /// Puts a file there under its hash, which the caller has made of its bytes, with a card for
    /// whoever asks. Repeating it is fine.
    ///
    /// # Errors
    /// When it is too large for the place, or the place fails: then it may be there in part, and is
    /// not seen.
    pub async fn put(&self, hash: &Hash, file: &Path, card: &[u8]) -> Result<(), Error> {
        let failed = |source| Error::File { path: file.to_owned(), source };
        match &self.backend {
            Backend::Objects { store, prefix } => {
                let mut from = File::open(file).await.map_err(failed)?;
                let mut to = BufWriter::new(Arc::clone(store), bytes_key(prefix, hash));
                let copied = match tokio::io::copy(&mut from, &mut to).await {
                    Ok(_) => to.shutdown().await,
                    Err(error) => Err(error),
                };
                if let Err(error) = copied {
                    // What was sent of it lies there and costs money; if that fails, too, the first
                    // error says more.
                    drop(to.abort().await);
                    return Err(Error::Objects(foreign(error)));
                }
                let card = Bytes::copy_from_slice(card);
                let put = store.put(&card_key(prefix, hash), card.into()).await;
                put.map(drop).map_err(Error::Objects)
            }
            Backend::Redis(redis) => {
                let size = tokio::fs::metadata(file).await.map_err(failed)?.len();
                if size > LARGEST {
                    let place = "Redis keeps";
                    return Err(Error::TooLarge { size, limit: LARGEST, place });
                }
                let bytes = tokio::fs::read(file).await.map_err(failed)?;
                redis.put(hash, &bytes, card).await.map_err(Error::Redis)
            }
        }
    }

    /// The card of a problem; `None` when there is no such problem.
    ///
    /// # Errors
    /// When the place fails.
    pub async fn card(&self, hash: &Hash) -> Result<Option<Bytes>, Error> {
        match &self.backend {
            Backend::Objects { store, prefix } => {
                let Some(found) = found(store.get(&card_key(prefix, hash)).await)? else {
                    return Ok(None);
                };
                found.bytes().await.map(Some).map_err(Error::Objects)
            }
            Backend::Redis(redis) => redis.card(hash).await.map_err(Error::Redis),
        }
    }

    /// Writes a problem to a new file and compares it with its name. `None` when there is no such
    /// problem. Of more than `limit` bytes the rest is not read.
    ///
    /// # Errors
    /// When the place or the disk fails, it is too large, or the bytes are others.
    pub async fn fetch(&self, hash: &Hash, into: &Path, limit: u64) -> Result<Option<u64>, Error> {
        let failed = |source| Error::File { path: into.to_owned(), source };
        let too_large = |size| Error::TooLarge { size, limit, place: "this machine keeps" };
        let mut pieces = match &self.backend {
            Backend::Objects { store, prefix } => {
                let Some(found) = found(store.get(&bytes_key(prefix, hash)).await)? else {
                    return Ok(None);
                };
                found.into_stream().map(|piece| piece.map_err(Error::Objects)).boxed()
            }
            Backend::Redis(redis) => {
                let bytes = redis.bytes(hash).await.map_err(Error::Redis)?;
                let Some(bytes) = bytes else { return Ok(None) };
                futures_util::stream::iter([Ok(bytes)]).boxed()
            }
        };
        let mut file = File::create_new(into).await.map_err(failed)?;
        let (mut hasher, mut size) = (Hasher::default(), 0);
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            size += piece.len() as u64;
            if size > limit {
                return Err(too_large(size));
            }
            hasher.update(&piece);
            file.write_all(&piece).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)?;
        let found = hasher.finish();
        if found != *hash {
            return Err(Error::Differs { wanted: *hash, found });
        }
        Ok(Some(size))
    }

    /// Takes a problem away. False when there was none.
    ///
    /// # Errors
    /// When the place fails; it may be gone then, and may be deleted again.
    pub async fn delete(&self, hash: &Hash) -> Result<bool, Error> {
        match &self.backend {
            Backend::Objects { store, prefix } => {
                let there = self.card(hash).await?.is_some();
                // Order: without its card it is not there.
                for key in [card_key(prefix, hash), bytes_key(prefix, hash)] {
                    found(store.delete(&key).await)?;
                }
                Ok(there)
            }
            Backend::Redis(redis) => redis.delete(hash).await.map_err(Error::Redis),
        }
    }
}

/// In folders of a two-digit name: some thousand entries each are fine for any file system.
fn bytes_key(prefix: &Key, hash: &Hash) -> Key {
    let hex = hash.hex();
    prefix.clone().join(&hex[..2]).join(hex)
}

fn card_key(prefix: &Key, hash: &Hash) -> Key {
    let hex = hash.hex();
    prefix.clone().join(&hex[..2]).join(format!("{hex}.card"))
}

/// What is not there is no error.
fn found<T>(answer: object_store::Result<T>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(Error::Objects(error)),
    }
}

/// An error of the store that came through a writer.
fn foreign(error: io::Error) -> object_store::Error {
    object_store::Error::Generic { store: "upload", source: Box::new(error) }
}
