//! A finished program: a folder of this machine that is mounted read-only at `/box`.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::{Contents, InputFile};

/// A folder that holds what a compiler made, or the sources of an interpreted program. It is
/// never changed once made; whoever owns the folder (the judge's cache) removes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artefact {
    dir: PathBuf,
    bytes: u64,
}

/// Writing an artefact failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} {path:?}")]
pub struct ArtefactError {
    step: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Artefact {
    /// Takes over a folder that already holds an artefact of `bytes` bytes.
    #[must_use]
    pub fn new(dir: PathBuf, bytes: u64) -> Self {
        Self { dir, bytes }
    }

    /// Writes `files` into the empty folder `dir`, readable by every box.
    ///
    /// # Errors
    /// The path that could not be written.
    pub fn from_files(dir: &Path, files: &[InputFile]) -> Result<Self, ArtefactError> {
        let at = |step, path: &Path| {
            let path = path.to_owned();
            move |source| ArtefactError { step, path, source }
        };
        let mut bytes = 0;
        for file in files {
            let path = dir.join(&file.path);
            if let Some(parent) = path.parent() {
                fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o755)
                    .create(parent)
                    .map_err(at("make folder", parent))?;
            }
            let mode = if file.executable { 0o755 } else { 0o644 };
            let mut out = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(&path)
                .map_err(at("create", &path))?;
            bytes += match &file.contents {
                Contents::Memory(data) => io::copy(&mut &data[..], &mut out),
                Contents::File(from) => {
                    fs::File::open(from).and_then(|mut f| io::copy(&mut f, &mut out))
                }
            }
            .map_err(at("write", &path))?;
        }
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).map_err(at("open up", dir))?;
        Ok(Self::new(dir.to_owned(), bytes))
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Bytes in all its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}
