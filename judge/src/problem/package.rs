//! First step of reading a problem: a folder, or a zip that is unpacked into a private folder.
//! Everything after it reads the package through [`Package`], which never leaves that folder.

use std::fs;
use std::io::{self, Read, Seek};
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;
use zip::ZipArchive;
use zip::result::ZipError;

/// Entries a zip may have. The largest public packages have some thousands of tests.
const MAX_ENTRIES: usize = 50_000;
/// Bytes a zip may unpack to.
const MAX_BYTES: u64 = 4 << 30;
/// A zip that unpacks to more than [`FREE_BYTES`] may not grow by more than this: deflate itself
/// reaches 1032, generated test data stays below 50.
const MAX_RATIO: u64 = 200;
/// Bytes below which no ratio is looked at: small files of one repeated byte are not an attack.
const FREE_BYTES: u64 = 64 << 20;
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
        let unpacked = if meta.is_dir() { None } else { Some(unpack(path, meta.len())?) };
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
fn unpack(path: &Path, size: u64) -> Result<TempDir, Error> {
    let failed = |source| Error::Unpack { path: path.to_owned(), source };
    let broken = |source| Error::Zip { path: path.to_owned(), source };
    let file =
        fs::File::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let mut archive = ZipArchive::new(io::BufReader::new(file)).map_err(broken)?;
    if archive.len() > MAX_ENTRIES {
        let fault = format!("it has {} entries; {MAX_ENTRIES} are accepted", archive.len());
        return Err(Error::Bomb { path: path.to_owned(), fault });
    }
    let dir = tempfile::Builder::new().prefix("evalx-problem-").tempdir().map_err(failed)?;
    let limit = MAX_BYTES.min(size.saturating_mul(MAX_RATIO).max(FREE_BYTES));
    let mut left = limit;
    for index in 0..archive.len() {
        left = unpack_entry(path, &mut archive, index, dir.path(), left)?.ok_or_else(|| {
            let fault =
                format!("it unpacks to more than {} MiB, {MAX_RATIO} times its size", limit >> 20);
            Error::Bomb { path: path.to_owned(), fault }
        })?;
    }
    Ok(dir)
}

/// Unpacks one entry below `into`. Says how many of the `left` bytes are left, or `None` when
/// they are not enough: counted as written, whatever the zip declares.
fn unpack_entry<R: Read + Seek>(
    path: &Path,
    archive: &mut ZipArchive<R>,
    index: usize,
    into: &Path,
    left: u64,
) -> Result<Option<u64>, Error> {
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
    if entry.is_symlink() {
        return refuse("is a link; pack the file itself");
    }
    let target = into.join(relative);
    if entry.is_dir() {
        fs::create_dir_all(&target).map_err(failed)?;
        return Ok(Some(left));
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
    let written = io::copy(&mut (&mut entry).take(left.saturating_add(1)), &mut out)
        .map_err(|source| broken(ZipError::Io(source)))?;
    Ok(left.checked_sub(written))
}
