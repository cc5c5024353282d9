//! First step of reading a problem: a folder, or a zip that is unpacked into a private folder.
//! Everything after it reads the package through [`Package`], which never leaves that folder.

use std::fs;
use std::io::{self, Read, Seek};
use std::path::{Component, Path, PathBuf};

use sandbox::Bytes;
use tempfile::TempDir;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::archive;

/// What a zip may hold.
#[derive(Clone, Copy)]
struct Bounds {
    directory: archive::Bounds,
    /// Unpacked, all together.
    bytes: u64,
    /// Unpacked, in sizes of the zip; looked at beyond `free` bytes only.
    ratio: u64,
    free: u64,
}

/// The largest public packages have some thousands of tests and some GiB. Deflate itself reaches a
/// ratio of 1032, generated test data stays below 50; small files of one repeated byte are free.
const BOUNDS: Bounds = Bounds {
    directory: archive::Bounds { entries: 50_000, directory: 16 << 20 },
    bytes: 4 << 30,
    ratio: 200,
    free: 64 << 20,
};

/// Folders in folders. The format has three, and some more below `attachments`; each costs an inode
/// and two bytes of a name, which may have 65,535.
const DEEP: usize = 32;

/// The most that is read of a configuration file or of a source file.
const MAX_TEXT: u64 = 16 << 20;

/// A package that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder that cannot be read.
    #[error("cannot read {path:?}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nothing of a package at that path.
    #[error("{path:?} holds no problem.yaml; give the folder or the zip of a problem package")]
    NotAPackage {
        /// What was given.
        path: PathBuf,
    },
    /// Not a zip, or a broken one.
    #[error("{path:?} is not a zip that can be read; pack the folder again, with deflate")]
    Zip {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: ZipError,
    },
    /// A zip whose directory is not as it should be.
    #[error("{path:?} is refused")]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: archive::Error,
    },
    /// An entry of a zip that cannot be unpacked.
    #[error("entry {entry:?} of {path:?} {fault}")]
    Entry {
        /// Which zip.
        path: PathBuf,
        /// Which entry, or its number when it has no readable name.
        entry: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A zip that is larger than what is accepted.
    #[error("{path:?} is refused: {fault}")]
    Bomb {
        /// Which zip.
        path: PathBuf,
        /// What is too large.
        fault: String,
    },
    /// Unpacking failed.
    #[error("cannot unpack {path:?} into a temporary folder")]
    Unpack {
        /// Which zip.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A link out of the package.
    #[error("{path:?} is a link that leaves the package; replace it by a copy")]
    Escapes {
        /// Which.
        path: PathBuf,
    },
    /// A configuration file or source that is not text of a sane size.
    #[error("{path:?} {fault}")]
    Text {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        fault: &'static str,
    },
}

/// An open package. An unpacked zip is removed when it is dropped.
#[derive(Debug)]
pub(super) struct Package {
    root: PathBuf,
    name: String,
    _unpacked: Option<TempDir>,
}

/// A visible entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) is_dir: bool,
}

impl Package {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let meta = fs::metadata(path).map_err(read)?;
        let stem = if meta.is_dir() { path.file_name() } else { path.file_stem() };
        let name = stem.unwrap_or_default().to_string_lossy().into_owned();
        let unpacked = if meta.is_dir() { None } else { Some(unpack(path, meta.len(), &BOUNDS)?) };
        let top = unpacked.as_ref().map_or(path, TempDir::path);
        // Links are compared with the root by their resolved paths.
        let top = top.canonicalize().map_err(read)?;
        let root = root(&top).ok_or_else(|| Error::NotAPackage { path: path.to_owned() })?;
        Ok(Self { root, name, _unpacked: unpacked })
    }

    /// Name of the folder or zip.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where a file of the package is on this machine.
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The entries of a folder by name; none when it is not there. "The judging system shall
    /// behave as if" names outside of `[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,254}` were not there.
    pub(super) fn list(&self, folder: &str) -> Result<Vec<Entry>, Error> {
        let path = self.path(folder);
        let read = |source| Error::Read { path: path.clone(), source };
        if is_absent(&path) {
            return Ok(Vec::new());
        }
        self.inside(&path)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(&path).map_err(read)? {
            let entry = entry.map_err(read)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if is_visible(&name) {
                let is_dir = self.inside(&entry.path())?.is_dir();
                found.push(Entry { name, is_dir });
            }
        }
        found.sort();
        Ok(found)
    }

    /// All visible files below a folder, relative to it.
    pub(super) fn files_below(&self, folder: &str) -> Result<Vec<String>, Error> {
        let mut files = Vec::new();
        for Entry { name, is_dir } in self.list(folder)? {
            if is_dir {
                let below = self.files_below(&format!("{folder}/{name}"))?;
                files.extend(below.into_iter().map(|f| format!("{name}/{f}")));
            } else {
                files.push(name);
            }
        }
        Ok(files)
    }

    /// The bytes of a small file; `None` when it is not there.
    pub(super) fn read(&self, file: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(file);
        let read = |source| Error::Read { path: path.clone(), source };
        if is_absent(&path) {
            return Ok(None);
        }
        let meta = self.inside(&path)?;
        if meta.len() > MAX_TEXT {
            return Err(Error::Text { path, fault: "is larger than 16 MiB; make it smaller" });
        }
        fs::read(&path).map(Some).map_err(read)
    }

    /// The text of a configuration file; `None` when it is not there.
    pub(super) fn text(&self, file: &str) -> Result<Option<String>, Error> {
        let Some(bytes) = self.read(file)? else { return Ok(None) };
        let fault = "is not UTF-8; save it as UTF-8";
        let text = String::from_utf8(bytes);
        text.map(Some).map_err(|_| Error::Text { path: self.path(file), fault })
    }

    /// What a path is, links followed, once it is known to stay inside.
    fn inside(&self, path: &Path) -> Result<fs::Metadata, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let is_link = path.symlink_metadata().map_err(read)?.is_symlink();
        let target = path.canonicalize().map_err(read)?;
        // A link to a folder it is in would be walked for ever.
        let above = is_link && path.starts_with(&target);
        if !target.starts_with(&self.root) || above {
            return Err(Error::Escapes { path: path.to_owned() });
        }
        target.metadata().map_err(read)
    }
}

/// The folder with `problem.yaml`: the top one or, as zips are often made, the only one in it.
fn root(top: &Path) -> Option<PathBuf> {
    if top.join("problem.yaml").is_file() {
        return Some(top.to_owned());
    }
    let folders = fs::read_dir(top).ok()?.filter_map(Result::ok);
    let mut packages = folders.map(|e| e.path()).filter(|p| p.join("problem.yaml").is_file());
    match (packages.next(), packages.next()) {
        (Some(only), None) if !only.is_symlink() => Some(only),
        _ => None,
    }
}

fn is_absent(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
}

fn is_visible(name: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    name.len() <= 255
        && name.bytes().next().is_some_and(word)
        && name.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

/// Unpacks a zip of `size` bytes into a temporary folder that only this user can enter.
fn unpack(path: &Path, size: u64, bounds: &Bounds) -> Result<TempDir, Error> {
    let failed = |source| Error::Unpack { path: path.to_owned(), source };
    let dir = tempfile::Builder::new().prefix("evalx-problem-").tempdir().map_err(failed)?;
    unpack_bounded(path, size, bounds, dir.path())?;
    Ok(dir)
}

/// Unpacks a zip of `size` bytes into an empty folder.
pub(super) fn unpack_into(path: &Path, size: u64, into: &Path) -> Result<(), Error> {
    unpack_bounded(path, size, &BOUNDS, into)
}

fn unpack_bounded(path: &Path, size: u64, bounds: &Bounds, into: &Path) -> Result<(), Error> {
    let file =
        fs::File::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let Bounds { directory, bytes, ratio, free } = *bounds;
    let opened = archive::open(io::BufReader::new(file), directory);
    let mut archive = opened.map_err(|source| match source {
        archive::Error::Zip(source) => Error::Zip { path: path.to_owned(), source },
        source => Error::Directory { path: path.to_owned(), source },
    })?;
    let limit = bytes.min(size.saturating_mul(ratio).max(free));
    let mut left = Left { packed: size, unpacked: limit };
    for index in 0..archive.len() {
        if !unpack_entry(path, &mut archive, index, into, &mut left)? {
            let fault = format!(
                "it unpacks to more than {}; {ratio} times its own size and {} are accepted",
                Bytes(limit),
                Bytes(bytes)
            );
            return Err(Error::Bomb { path: path.to_owned(), fault });
        }
    }
    Ok(())
}

/// What may still be read and written.
struct Left {
    /// Bytes of the zip. Entries that share some would have it read again and again.
    packed: u64,
    unpacked: u64,
}

/// Unpacks one entry below `into`; false when it is too large: counted as written, whatever the zip
/// declares.
fn unpack_entry<R: Read + Seek>(
    path: &Path,
    archive: &mut ZipArchive<R>,
    index: usize,
    into: &Path,
    left: &mut Left,
) -> Result<bool, Error> {
    let broken = |source| Error::Zip { path: path.to_owned(), source };
    let failed = |source| Error::Unpack { path: path.to_owned(), source };
    let mut entry = archive.by_index(index).map_err(broken)?;
    let name = entry.name().to_owned();
    let refuse = |fault| {
        let (path, entry) = (path.to_owned(), name.clone());
        Err(Error::Entry { path, entry, fault })
    };
    let relative = Path::new(&name);
    let plain = relative.components().all(|c| matches!(c, Component::Normal(_)));
    if !plain || name.is_empty() || name.contains(['\\', '\0']) {
        return refuse("has a path that leaves the package; rename it");
    }
    if relative.components().count() > DEEP {
        return refuse("lies too deep in folders; 32 are accepted");
    }
    if entry.is_symlink() {
        return refuse("is a link; pack the file itself");
    }
    let Some(packed) = left.packed.checked_sub(entry.compressed_size()) else {
        return refuse("shares its bytes with others; pack the folder again");
    };
    left.packed = packed;
    let target = into.join(relative);
    if entry.is_dir() {
        fs::create_dir_all(&target).map_err(failed)?;
        return Ok(true);
    }
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let mut out = match fs::File::create_new(&target) {
        Ok(out) => out,
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            return refuse("is in the zip twice; pack the folder again");
        }
        Err(source) => return Err(failed(source)),
    };
    let most = left.unpacked;
    let written =
        io::copy(&mut (&mut entry).take(most.saturating_add(1)), &mut out).map_err(|source| {
            match source.kind() {
                // That is no fault of the zip: reading has no use for space.
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => failed(source),
                _ => broken(ZipError::Io(source)),
            }
        })?;
    left.unpacked = most.saturating_sub(written);
    Ok(written <= most)
}

#[cfg(test)]
pub(super) mod fixture {
    use super::*;

    /// A folder with these files.
    pub(in crate::problem) fn folder(files: &[(&str, &str)]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::fixture::folder;
    use super::*;

    fn zip(entries: &[(&str, &[u8])]) -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sum.zip");
        let mut writer = ZipWriter::new(fs::File::create(&path).unwrap());
        for (name, bytes) in entries {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap();
        (dir, path)
    }

    fn chain(error: &dyn std::error::Error) -> String {
        let causes = error.source().map(chain);
        causes.map_or_else(|| error.to_string(), |causes| format!("{error}: {causes}"))
    }

    fn names(package: &Package, folder: &str) -> Vec<String> {
        package.list(folder).unwrap().into_iter().map(|e| e.name).collect()
    }

    #[test]
    fn a_folder_shows_its_entries_by_name_without_hidden_ones() {
        let dir = folder(&[
            ("problem.yaml", ""),
            ("data/b", ""),
            ("data/a.in", ""),
            ("data/.git", ""),
            ("data/-x", ""),
            ("data/a b", ""),
            ("data/c/d/e", ""),
            ("data/c/.hidden/e", ""),
        ]);
        let package = Package::open(dir.path()).unwrap();
        assert_eq!(names(&package, "data"), ["a.in", "b", "c"]);
        assert_eq!(names(&package, "nothing"), Vec::<String>::new());
        assert_eq!(package.files_below("data").unwrap(), ["a.in", "b", "c/d/e"]);
        assert_eq!(package.text("data/none").unwrap(), None);
    }

    #[test]
    fn a_zip_is_unpacked_and_removed_again() {
        for prefix in ["", "sum/"] {
            let yaml = format!("{prefix}problem.yaml");
            let input = format!("{prefix}data/secret/1.in");
            let (_dir, path) = zip(&[(&yaml, b"name: x"), (&input, b"1 2")]);
            let package = Package::open(&path).unwrap();
            assert_eq!(package.name(), "sum");
            assert_eq!(package.text("problem.yaml").unwrap().as_deref(), Some("name: x"));
            assert_eq!(names(&package, "data/secret"), ["1.in"]);
            let unpacked = package.path("problem.yaml");
            drop(package);
            assert!(!unpacked.exists());
        }
    }

    #[test]
    fn what_is_no_package_is_told() {
        let dir = folder(&[("a.txt", "no zip")]);
        let open = |path: &Path| Package::open(path).unwrap_err();
        assert!(matches!(open(&dir.path().join("none")), Error::Read { .. }));
        assert!(matches!(open(dir.path()), Error::NotAPackage { .. }));
        assert!(matches!(open(&dir.path().join("a.txt")), Error::Zip { .. }));
        let (_dir, path) = zip(&[("readme", b"")]);
        assert!(matches!(open(&path), Error::NotAPackage { .. }));
    }

    #[test]
    fn entries_that_leave_the_folder_are_refused() {
        for name in ["../x", "/x", "a/../../x", "a\\..\\x", "..", "/"] {
            let (_dir, path) = zip(&[("problem.yaml", b""), (name, b"x")]);
            let error = Package::open(&path).unwrap_err();
            assert!(matches!(error, Error::Entry { .. }), "{name:?}: {error}");
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("link.zip");
        let mut writer = ZipWriter::new(fs::File::create(&path).unwrap());
        writer.add_symlink("link", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        writer.finish().unwrap();
        let error = Package::open(&path).unwrap_err().to_string();
        assert!(error.contains("is a link; pack the file itself"), "{error}");
    }

    /// Two bytes of a name are a folder: 50,000 long names would be a hundred million.
    #[test]
    fn a_tower_of_folders_is_refused() {
        let (_dir, path) = zip(&[("problem.yaml", b""), (&"a/".repeat(31), b""), ("b/c", b"")]);
        assert!(Package::open(&path).is_ok());
        for name in ["a/".repeat(33), format!("{}x", "a/".repeat(2000))] {
            let (_dir, path) = zip(&[("problem.yaml", b""), (&name, b"")]);
            let error = Package::open(&path).unwrap_err().to_string();
            assert!(error.contains("too deep in folders"), "{error}");
        }
    }

    #[test]
    fn a_zip_bomb_is_refused() {
        let zeros = [0; 100_000];
        let (_dir, path) = zip(&[("a", &zeros), ("b", b"x")]);
        let size = fs::metadata(&path).unwrap().len();
        assert!(size < 1000, "{size}");
        let unpacked = |bounds: &Bounds| unpack(&path, size, bounds).map_err(|e| chain(&e));
        let directory = archive::Bounds { entries: 2, directory: 1000 };
        let small = Bounds { directory, bytes: 100_001, ratio: 0, free: 100_001 };
        let one = archive::Bounds { entries: 1, ..directory };
        assert!(unpacked(&small).is_ok());
        assert!(unpacked(&Bounds { free: 0, ratio: 1000, ..small }).is_ok());
        for (bounds, message) in [
            (Bounds { directory: one, ..small }, "it has 2 entries; 1 are accepted"),
            (Bounds { bytes: 100_000, ..small }, "it unpacks to more than 97.6 KiB"),
            (Bounds { ratio: 10, free: 9, ..small }, "10 times its own size and 97.6 KiB are"),
        ] {
            let error = unpacked(&bounds).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }

    /// The names and sizes in a zip are what its maker wrote there.
    #[test]
    fn a_zip_of_any_bytes_is_an_error_and_no_panic() {
        let (_dir, path) = zip(&[("problem.yaml", b"name: x"), ("data/secret/1.in", b"1 2 3 4 5")]);
        let whole = fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(3) {
            let mut broken = whole.clone();
            broken[at] ^= 0xff;
            fs::write(&path, &broken).unwrap();
            // Either is right; that it returns is what counts.
            drop(Package::open(&path));
            fs::write(&path, &whole[..at]).unwrap();
            assert!(Package::open(&path).is_err());
        }
    }

    #[test]
    fn a_link_may_stay_inside_and_not_lead_out() {
        let outside = folder(&[("secret", "x")]);
        let dir = folder(&[("problem.yaml", ""), ("data/a", "a"), ("data/sub/b", "b")]);
        let at = |path: &str| dir.path().join(path);
        symlink("a", at("data/to-file")).unwrap();
        symlink("sub", at("data/to-folder")).unwrap();
        let package = Package::open(dir.path()).unwrap();
        assert_eq!(package.text("data/to-file").unwrap().as_deref(), Some("a"));
        assert_eq!(names(&package, "data/to-folder"), ["b"]);

        symlink(outside.path().join("secret"), at("data/sub/out")).unwrap();
        assert!(matches!(package.read("data/sub/out"), Err(Error::Escapes { .. })));
        assert!(matches!(package.list("data/sub"), Err(Error::Escapes { .. })));
        symlink(outside.path(), at("include")).unwrap();
        assert!(matches!(package.list("include"), Err(Error::Escapes { .. })));
        fs::create_dir(at("loop")).unwrap();
        symlink("..", at("loop/up")).unwrap();
        assert!(matches!(package.files_below("loop"), Err(Error::Escapes { .. })));
    }

    #[test]
    fn a_configuration_must_be_text() {
        let dir = folder(&[("problem.yaml", "")]);
        fs::write(dir.path().join("x.yaml"), b"\xff").unwrap();
        let package = Package::open(dir.path()).unwrap();
        assert!(matches!(package.text("x.yaml"), Err(Error::Text { .. })));
    }
}
