//! Whatever bytes are handed in as a zip or a problem: an error or a sound problem, in bounded time,
//! memory and disk, and nothing outside of the folder.
#![expect(clippy::unwrap_used, reason = "what is unexpected fails the test")]

use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use judge::archive::{self, Bounds, Error};
use judge::problem::Stored;
use proptest::prelude::*;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

const BOUNDS: Bounds = Bounds { entries: 1000, directory: 1 << 20 };
/// For one input on a busy machine; what is not bounded takes minutes.
const LONG: Duration = Duration::from_secs(20);

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (n, (name, contents)) in entries.iter().enumerate() {
        let method =
            if n % 2 == 0 { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(contents).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn sum() -> Vec<u8> {
    zip(&[
        ("sum/problem.yaml", b"name: Sum\nlimits: {memory: 64, time_limit: 1}\n"),
        ("sum/.timelimit", b"2"),
        ("sum/data/secret/1.in", b"1 2\n"),
        ("sum/data/secret/1.ans", b"3\n"),
        ("sum/data/secret/testdata.yaml", b"grader_flags: first_error\n"),
        ("sum/submissions/accepted/a.py", b"print(sum(map(int, input().split())))\n"),
    ])
}

fn files(folder: &Path, prefix: &str, found: &mut Vec<(String, Vec<u8>)>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = format!("{prefix}/{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            files(&path, &name, found);
        } else {
            found.push((name, fs::read(&path).unwrap()));
        }
    }
}

/// The example problems as they would be handed in, and a small one.
fn corpus() -> Vec<Vec<u8>> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/problems");
    let mut zips = vec![sum()];
    for name in ["bunting", "oars"] {
        let mut found = Vec::new();
        files(&examples.join(name), name, &mut found);
        // Without the large data: what is mutated is the structure.
        let stem = |name: &str| name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned();
        let large: Vec<String> =
            found.iter().filter(|(_, c)| c.len() > 10_000).map(|(name, _)| stem(name)).collect();
        found.retain(|(name, _)| !large.contains(&stem(name)));
        let entries: Vec<(&str, &[u8])> =
            found.iter().map(|(name, contents)| (name.as_str(), contents.as_slice())).collect();
        zips.push(zip(&entries));
    }
    zips
}

static CORPUS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(corpus);

/// Unpacks and reads it as server and worker do; an error is as good.
fn hand_in(bytes: &[u8]) -> Result<Stored, judge::problem::StoredError> {
    let dir = tempfile::tempdir().unwrap();
    let (file, open) = (dir.path().join("upload"), dir.path().join("open"));
    fs::write(&file, bytes).unwrap();
    fs::create_dir(&open).unwrap();
    let begun = Instant::now();
    let stored = Stored::unpack(&file, &open).and_then(|()| Stored::open(&open));
    assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
    let mut names: Vec<String> = fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["open", "upload"], "out of the folder");
    stored
}

/// One thing that is done to a zip.
#[derive(Debug, Clone)]
enum Change {
    Set(prop::sample::Index, u8),
    /// Numbers: sizes, offsets, counts.
    Four(prop::sample::Index, u32),
    Cut(prop::sample::Index),
    Twice(prop::sample::Index, prop::sample::Index),
    Append(Vec<u8>),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let at = any::<prop::sample::Index>;
    let odd =
        prop_oneof![Just(0), Just(1), Just(u32::MAX), Just(0xffff), Just(1 << 31), any::<u32>()];
    let one = prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        4 => (at(), odd).prop_map(|(at, number)| Change::Four(at, number)),
        1 => at().prop_map(Change::Cut),
        1 => (at(), at()).prop_map(|(from, to)| Change::Twice(from, to)),
        1 => prop::collection::vec(any::<u8>(), 0..50).prop_map(Change::Append),
    ];
    prop::collection::vec(one, 1..6)
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        if bytes.len() < 4 {
            break;
        }
        match change {
            Change::Set(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Change::Four(at, number) => {
                let at = at.index(bytes.len() - 3);
                bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
            }
            Change::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Change::Twice(from, to) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let piece = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.splice(to..to, piece);
            }
            Change::Append(more) => bytes.extend(more),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_zip_is_an_error_or_a_sound_problem(
        which in any::<prop::sample::Index>(), changes in changes(),
    ) {
        let bytes = changed(which.get(&CORPUS).clone(), &changes);
        if let Ok(stored) = hand_in(&bytes) {
            // It can be asked what a server asks.
            let _asked = (stored.tests().len(), stored.name().map(str::len), stored.limits().clone());
        }
    }

    #[test]
    fn a_changed_directory_is_an_error_or_opens_within_its_bounds(
        which in any::<prop::sample::Index>(), end in changes(),
    ) {
        // The changes are in the last bytes, where the numbers are.
        let mut bytes = which.get(&CORPUS).clone();
        let tail = bytes.split_off(bytes.len() - 200);
        bytes.extend(changed(tail, &end));
        if let Ok(mut archive) = archive::open(Cursor::new(&bytes), BOUNDS) {
            prop_assert!(archive.len() <= BOUNDS.entries);
            for index in 0..archive.len() {
                let Ok(entry) = archive.by_index(index) else { continue };
                let mut unpacked = Vec::new();
                drop(entry.take(1 << 20).read_to_end(&mut unpacked));
            }
        }
    }

    #[test]
    fn changed_yaml_is_an_error_or_a_sound_problem(
        file in 0..3_usize, changes in changes(),
    ) {
        let mut yaml = [
            b"name: Sum\nlimits: {memory: 64}\nvalidation: custom\n".to_vec(),
            b"2".to_vec(),
            b"grader_flags: first_error\nrange: 0 10\n".to_vec(),
        ];
        yaml[file] = changed(yaml[file].clone(), &changes);
        let bytes = zip(&[
            ("problem.yaml", &yaml[0]),
            (".timelimit", &yaml[1]),
            ("data/secret/testdata.yaml", &yaml[2]),
            ("data/secret/1.in", b"1 2\n"),
            ("data/secret/1.ans", b"3\n"),
        ]);
        drop(hand_in(&bytes));
    }

    #[test]
    fn changed_json_is_an_error_or_a_sound_set(changes in changes()) {
        let json = br#"{"name":"Sum","tests":[{"input":"1 2","answer":"3","weight":1.0},
            {"input":{"base64":"MSAy"},"name":"b"}],"limits":{"cpu_ms":1000},"checker":{"kind":"exact"}}"#;
        drop(hand_in(&changed(json.to_vec(), &changes)));
    }
}

/// The end of a directory that claims these.
fn end(entries: u16, length: u32, start: u32) -> Vec<u8> {
    let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
    end.extend([entries.to_le_bytes(), entries.to_le_bytes()].concat());
    end.extend([length.to_le_bytes(), start.to_le_bytes()].concat());
    end.extend([0, 0]);
    end
}

#[test]
fn what_is_valid_is_a_problem() {
    for bytes in &*CORPUS {
        let stored =
            hand_in(bytes).map_err(|e| format!("{e}: {:?}", std::error::Error::source(&e)));
        assert!(!stored.unwrap().tests().is_empty());
    }
}

/// Each of a million ends claims a directory; looking for a good one among them would take hours.
#[test]
fn a_file_of_ends_is_looked_at_once() {
    let header = [b"PK\x01\x02".as_slice(), &[0; 42]].concat();
    let headers = header.repeat(65_534);
    let length = u32::try_from(headers.len()).unwrap();
    let mut bytes = headers;
    for _ in 0..500_000 {
        bytes.extend(end(65_534, length, 0));
    }
    let begun = Instant::now();
    for _ in 0..10 {
        assert!(archive::open(Cursor::new(&bytes), BOUNDS).is_err());
    }
    // The same before a directory that looks well and whose entries are broken.
    let start = u32::try_from(bytes.len()).unwrap();
    let mut broken = header.repeat(900);
    broken[899 * header.len()] = b'X';
    bytes.extend(&broken);
    bytes.extend(end(900, u32::try_from(broken.len()).unwrap(), start));
    assert!(matches!(archive::open(Cursor::new(&bytes), BOUNDS), Err(Error::Zip(_))));
    assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
    assert!(hand_in(&bytes).is_err());
}

/// One that is hidden in a name, for when the right one is broken.
#[test]
fn an_end_within_the_directory_is_refused() {
    let name = String::from_utf8(b"a PK\x05\x06 b".to_vec()).unwrap();
    let bytes = zip(&[("a", b""), (&name, b"")]);
    assert!(matches!(archive::open(Cursor::new(&bytes), BOUNDS), Err(Error::Shape(_))));
}

#[test]
fn claims_of_size_reserve_nothing() {
    let far = u32::MAX - 1;
    for bytes in [
        end(65_534, 0, 0),
        end(65_534, far, 0),
        end(u16::MAX, u32::MAX, u32::MAX),
        [vec![0; 10 << 20], end(999, 0, 10 << 20)].concat(),
        [vec![0; 10 << 20], end(999, 10 << 20, 0)].concat(),
    ] {
        assert!(archive::open(Cursor::new(&bytes), BOUNDS).is_err());
    }
    // The same in the words of a zip64: 2^24 entries, which the library would reserve room for.
    let mut zip64 = vec![0; 1 << 24];
    let count = (1_u64 << 24).to_le_bytes();
    let at = zip64.len() as u64;
    zip64.extend(
        [b"PK\x06\x06".as_slice(), &44_u64.to_le_bytes(), &[45, 0, 45, 0], &[0; 8]].concat(),
    );
    zip64.extend([count, count, 0_u64.to_le_bytes(), at.to_le_bytes()].concat());
    zip64.extend([b"PK\x06\x07".as_slice(), &[0; 4], &at.to_le_bytes(), &[1, 0, 0, 0]].concat());
    zip64.extend(end(u16::MAX, u32::MAX, u32::MAX));
    assert!(matches!(archive::open(Cursor::new(&zip64), BOUNDS), Err(Error::Shape(_))));
}

/// Entries of a directory that all point to the same bytes: few in the zip, many to unpack, and
/// even more to read where they unpack to nothing.
fn overlapping(packed: &[u8], count: u16) -> Vec<u8> {
    let size = u32::try_from(packed.len()).unwrap();
    let fields = |name: &str| {
        let name = u16::try_from(name.len()).unwrap();
        let mut fields = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0];
        fields.extend([0_u32.to_le_bytes(), size.to_le_bytes(), 1_u32.to_le_bytes()].concat());
        fields.extend([name.to_le_bytes(), [0, 0]].concat());
        fields
    };
    let local = |name: &str| [b"PK\x03\x04".as_slice(), &fields(name), name.as_bytes()].concat();
    let mut bytes = local("00000");
    bytes.extend(packed);
    let start = u32::try_from(bytes.len()).unwrap();
    for n in 0..count {
        let name = format!("{n:05}");
        bytes.extend(
            [b"PK\x01\x02\x14\0".as_slice(), &fields(&name), &[0; 14], name.as_bytes()].concat(),
        );
    }
    let length = u32::try_from(bytes.len()).unwrap() - start;
    bytes.extend(end(count, length, start));
    bytes
}

#[test]
fn entries_that_share_their_bytes_are_refused() {
    // A megabyte of empty blocks (RFC 1951, 3.2.4): deflate that unpacks to nothing.
    let mut empty = b"\0\0\0\xff\xff".repeat(200_000);
    empty.extend(b"\x01\0\0\xff\xff");
    let bytes = overlapping(&empty, 900);
    assert_eq!(archive::open(Cursor::new(&bytes), BOUNDS).unwrap().len(), 900);
    let said = hand_in(&bytes).unwrap_err();
    assert!(said.to_string().contains("shares its bytes with others"), "{said}");
}

/// Refused by what comes out, whatever was said.
#[test]
fn a_bomb_of_a_thousand_to_one_is_refused() {
    let zeros = vec![0; 16 << 20];
    let names: Vec<String> = (0..5).map(|n| format!("{}.in", 2 * n + 1)).collect();
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for name in &names {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(&zeros).unwrap();
    }
    let mut bomb = zip.finish().unwrap().into_inner();
    assert!(bomb.len() < 1 << 20);
    let said = hand_in(&bomb).unwrap_err().to_string();
    assert!(said.contains("it unpacks to more than"), "{said}");
    // With sizes that lie, the same.
    let at = bomb.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    bomb[at + 24..at + 28].copy_from_slice(&1_u32.to_le_bytes());
    assert!(hand_in(&bomb).is_err());
}

/// A zip within a zip stays one file.
#[test]
fn what_is_nested_is_not_unpacked() {
    let mut inner = vec![0; 1 << 20];
    for _ in 0..5 {
        inner = zip(&[("nothing", b""), ("inner.zip", &inner)]);
    }
    let bytes = zip(&[
        ("problem.yaml", b"name: x\n"),
        (".timelimit", b"1"),
        ("data/secret/1.in", b""),
        ("data/secret/1.ans", b""),
        ("attachments/inner.zip", &inner),
    ]);
    assert_eq!(hand_in(&bytes).unwrap().tests().len(), 1);
}
