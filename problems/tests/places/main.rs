//! One suite on every place where problems are kept: a folder, Redis, and S3 as moto's server plays
//! it. Where that is not installed its cases are skipped, and with `CI=true` a skip is a failure.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod moto;
#[path = "../../../queue/tests/server/mod.rs"]
#[allow(clippy::disallowed_methods, reason = "starts redis-server")]
mod redis;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::{Arguments, Failed, Trial};
use problems::{Address, Cache, CacheError, Error, Hash, Shape, Shelf};
use tokio::runtime::Runtime;

/// A place for one case.
struct Place {
    address: String,
    /// What S3's tools are told by.
    variables: Vec<(String, String)>,
    /// What keeps it alive.
    _keeper: Box<dyn std::any::Any>,
}

impl Place {
    fn open(&self) -> Shelf {
        Shelf::open(&Address::parse(&self.address).unwrap(), self.variables.clone()).unwrap()
    }
}

fn folder() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let address = format!("file://{}/deep/er", dir.path().display());
    Place { address, variables: Vec::new(), _keeper: Box::new(dir) }
}

fn redis() -> Place {
    let server = redis::TestServer::start(&[]);
    Place { address: server.url(), variables: Vec::new(), _keeper: Box::new(server) }
}

type Case = (&'static str, fn(&Place));

const CASES: [Case; 5] = [
    ("what is put is there, once, until it is deleted", what_is_put_is_there),
    ("what was changed behind our back is found", what_was_changed_is_found),
    ("one of some megabytes comes back whole", some_megabytes),
    ("simultaneous requests fetch once", simultaneous_requests_fetch_once),
    ("the cache is bounded and keeps what is used", the_cache_is_bounded),
];

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let strict = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    let mut trials = Vec::new();
    let mut add = |kind: &str, place: fn() -> Place, skipped: Option<&str>| {
        for (name, case) in CASES {
            let reason = skipped.map(str::to_owned);
            let run = move || match reason {
                Some(reason) => Err(Failed::from(reason)),
                None => {
                    case(&place());
                    Ok(())
                }
            };
            let trial = Trial::test(format!("{kind}: {name}"), run);
            trials.push(trial.with_ignored_flag(skipped.is_some() && !strict));
        }
    };
    add("folder", folder, None);
    add("redis", redis, None);
    let missing = "moto_server is not on PATH: pip install -r scripts/python-tools.txt in a venv";
    let moto = moto::Moto::start();
    add("s3", moto::place, moto.is_none().then_some(missing));
    let ended = libtest_mimic::run(&args, trials);
    drop(moto);
    ended.exit_code()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    Runtime::new().unwrap().block_on(future)
}

async fn put(shelf: &Shelf, bytes: &[u8]) -> Hash {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    let hash = Hash::of(bytes);
    shelf.put(&hash, file.path(), b"a card").await.unwrap();
    hash
}

fn what_is_put_is_there(place: &Place) {
    block_on(async {
        let (shelf, dir) = (place.open(), tempfile::tempdir().unwrap());
        let hash = Hash::of(b"a problem");
        assert_eq!(shelf.card(&hash).await.unwrap(), None);
        assert_eq!(shelf.fetch(&hash, &dir.path().join("0"), 100).await.unwrap(), None);
        assert!(!shelf.delete(&hash).await.unwrap());
        for _ in 0..2 {
            assert_eq!(put(&shelf, b"a problem").await, hash);
        }
        // Another process over the same place.
        let shelf = place.open();
        assert_eq!(shelf.card(&hash).await.unwrap().unwrap(), "a card");
        let file = dir.path().join("1");
        assert_eq!(shelf.fetch(&hash, &file, 9).await.unwrap(), Some(9));
        assert_eq!(fs::read(&file).unwrap(), b"a problem");
        let small = shelf.fetch(&hash, &dir.path().join("2"), 8).await.unwrap_err();
        assert!(matches!(small, Error::TooLarge { size: 9, limit: 8, .. }), "{small}");
        assert!(shelf.delete(&hash).await.unwrap());
        assert!(!shelf.delete(&hash).await.unwrap());
        assert_eq!(shelf.fetch(&hash, &dir.path().join("3"), 100).await.unwrap(), None);
    });
}

fn what_was_changed_is_found(place: &Place) {
    block_on(async {
        let (shelf, dir) = (place.open(), tempfile::tempdir().unwrap());
        let file = dir.path().join("lie");
        fs::write(&file, "other bytes").unwrap();
        let hash = Hash::of(b"the right bytes");
        shelf.put(&hash, &file, b"").await.unwrap();
        let error = shelf.fetch(&hash, &dir.path().join("got"), 100).await.unwrap_err();
        let Error::Differs { wanted, found } = error else { panic!("{error}") };
        assert_eq!((wanted, found), (hash, Hash::of(b"other bytes")));
        let cache = Cache::open(dir.path(), 1 << 20, place.open(), Text::default()).unwrap();
        assert!(matches!(cache.get(&hash).await, Err(CacheError::Fetch { .. })));
    });
}

fn some_megabytes(place: &Place) {
    block_on(async {
        let (shelf, dir) = (place.open(), tempfile::tempdir().unwrap());
        let is_redis = place.address.starts_with("unix:");
        // More than one part of an upload to S3.
        let size: u32 = if is_redis { 3 << 20 } else { 25 << 20 };
        let bytes: Vec<u8> =
            (0..size).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
        let hash = put(&shelf, &bytes).await;
        let file = dir.path().join("got");
        assert_eq!(shelf.fetch(&hash, &file, 1 << 30).await.unwrap(), Some(u64::from(size)));
        assert!(fs::read(&file).unwrap() == bytes);
        if is_redis {
            fs::write(dir.path().join("large"), vec![0; (4 << 20) + 1]).unwrap();
            let large = shelf.put(&hash, &dir.path().join("large"), b"").await.unwrap_err();
            assert_eq!(large.to_string(), "it has 4194305 bytes; Redis keeps at most 4194304");
        }
    });
}

/// Problems whose value is their text.
#[derive(Debug, Default)]
struct Text {
    unpacked: Arc<AtomicUsize>,
}

impl Shape for Text {
    type Value = String;
    type Error = std::io::Error;

    fn unpack(&self, fetched: &Path, into: &Path) -> std::io::Result<()> {
        self.unpacked.fetch_add(1, Ordering::Relaxed);
        fs::copy(fetched, into.join("text")).map(drop)
    }

    fn load(&self, folder: &Path) -> std::io::Result<String> {
        fs::read_to_string(folder.join("text"))
    }
}

fn simultaneous_requests_fetch_once(place: &Place) {
    block_on(async {
        let (shelf, dir) = (place.open(), tempfile::tempdir().unwrap());
        let (a, b) = (put(&shelf, b"a").await, put(&shelf, b"b").await);
        let unpacked = Arc::new(AtomicUsize::new(0));
        let text = Text { unpacked: Arc::clone(&unpacked) };
        let cache = Arc::new(Cache::open(dir.path(), 1 << 20, shelf, text).unwrap());
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..32 {
            let (cache, hash) = (Arc::clone(&cache), if n % 2 == 0 { a } else { b });
            tasks.spawn(async move { cache.get(&hash).await.unwrap().to_string() });
        }
        let mut got = tasks.join_all().await;
        got.sort();
        assert_eq!(
            (&got[0], &got[15], &got[16], &got[31]),
            (&"a".into(), &"a".into(), &"b".into(), &"b".into())
        );
        assert_eq!(unpacked.load(Ordering::Relaxed), 2);
        let unknown = Hash::of(b"nobody's");
        let error = cache.get(&unknown).await.unwrap_err().to_string();
        assert_eq!(error, format!("there is no problem {unknown}; was it deleted?"));
        // The next process finds what is there; one beside it has a folder of its own.
        let beside = Text::default();
        let also = Arc::clone(&beside.unpacked);
        let beside = Cache::open(dir.path(), 1 << 20, place.open(), beside).unwrap();
        beside.get(&a).await.unwrap();
        assert_eq!(also.load(Ordering::Relaxed), 1);
        drop(cache);
        let again = Text { unpacked: Arc::clone(&unpacked) };
        let again = Cache::open(dir.path(), 1 << 20, place.open(), again).unwrap();
        assert_eq!(*again.get(&a).await.unwrap(), "a");
        assert_eq!(unpacked.load(Ordering::Relaxed), 2);
    });
}

fn the_cache_is_bounded(place: &Place) {
    block_on(async {
        let (shelf, dir) = (place.open(), tempfile::tempdir().unwrap());
        let mut hashes = Vec::new();
        for text in ["a", "b", "c", "d"] {
            hashes.push(put(&shelf, text.as_bytes()).await);
        }
        let large = put(&shelf, &[b'x'; 20_000]).await;
        let unpacked = Arc::new(AtomicUsize::new(0));
        let text = Text { unpacked: Arc::clone(&unpacked) };
        // A problem here takes two blocks: its folder and its file. There is room for two.
        let cache = Cache::open(dir.path(), 4 * 4096, shelf, text).unwrap();
        let kept = || {
            let entries = fs::read_dir(dir.path().join("0")).unwrap();
            let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names.filter(|name| name != "lock").collect();
            names.sort();
            names
        };
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        let held = cache.get(&hashes[0]).await.unwrap();
        for hash in &hashes {
            cache.get(hash).await.unwrap();
        }
        // The first one is the oldest, but somebody has it.
        assert_eq!(kept(), sorted(vec![hashes[0].hex(), hashes[3].hex()]));
        drop(held);
        cache.get(&hashes[3]).await.unwrap();
        cache.get(&hashes[1]).await.unwrap();
        assert_eq!(kept(), sorted(vec![hashes[1].hex(), hashes[3].hex()]));
        assert_eq!(unpacked.load(Ordering::Relaxed), 5);
        let error = cache.get(&large).await.unwrap_err();
        assert!(matches!(error, CacheError::Fetch { .. } | CacheError::TooLarge { .. }), "{error}");
        assert_eq!(kept(), sorted(vec![hashes[1].hex(), hashes[3].hex()]));
    });
}
