//! The source files named on the command line.

use std::path::{Path, PathBuf};

use judge::model::{Blob, SourceFile};

/// A source file that cannot be submitted under its name. Everything else that can be wrong with
/// it is said by [`judge::check`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// A name that is not UTF-8.
    #[error("source {path:?} has a name that is not text; rename it")]
    OddName {
        /// As given.
        path: PathBuf,
    },
    /// A path that ends in `..` or `/`.
    #[error("source {path:?} is a folder; name the files of the submission one by one")]
    NoName {
        /// As given.
        path: PathBuf,
    },
}

/// The files of one submission; each is known by the last part of its path.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<SourceFile>, SourceError> {
    paths.iter().map(|path| file(path)).collect()
}

fn file(path: &Path) -> Result<SourceFile, SourceError> {
    let odd = || SourceError::OddName { path: path.to_owned() };
    let none = || SourceError::NoName { path: path.to_owned() };
    if path.is_dir() {
        return Err(none());
    }
    let name = path.file_name().ok_or_else(none)?.to_str().ok_or_else(odd)?;
    Ok(SourceFile { name: name.to_owned(), contents: Blob::file(path) })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_file_is_known_by_its_last_part() {
        let files = files(&["a/b/main.cpp".into(), "lib.h".into()]).unwrap();
        let names: Vec<_> = files.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["main.cpp", "lib.h"]);
    }

    #[test]
    fn what_has_no_name_in_a_box_is_refused() {
        let odd = PathBuf::from(OsStr::from_bytes(b"\xff.c"));
        assert!(matches!(files(&[odd]), Err(SourceError::OddName { .. })));
        assert!(matches!(files(&["..".into()]), Err(SourceError::NoName { .. })));
        assert!(matches!(files(&["/".into()]), Err(SourceError::NoName { .. })));
    }
}
