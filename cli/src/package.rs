//! Packing a problem package, so that it can be handed in: the same files give the same bytes, and
//! so the same name.

use std::fs;
use std::io::{self, Cursor, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sandbox::Bytes;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// The largest package; a server's own limit is below it unless it was raised.
const MOST: Bytes = Bytes::mib(1024);
/// Folders in each other; what is deeper no server takes.
const DEEPEST: usize = 32;
/// At its top: example submissions are for whoever makes the problem, and no judge reads them.
const LEFT_OUT: [&str; 2] = ["submissions", ".git"];

/// A package that cannot be packed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{path:?} cannot be read")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path:?} has a name that is not text; rename it")]
    Name { path: PathBuf },
    #[error("{path:?} is more than {DEEPEST} folders deep")]
    Deep { path: PathBuf },
    #[error("the package {path:?} has more than {MOST}")]
    Large { path: PathBuf },
    #[error("cannot pack {path:?}")]
    Pack {
        path: PathBuf,
        #[source]
        source: zip::result::ZipError,
    },
}

/// A package as a zip: as it is, or made of a folder.
pub(crate) fn packed(path: &Path) -> Result<Vec<u8>, Error> {
    let about = fs::metadata(path).map_err(read(path))?;
    if !about.is_dir() {
        if about.len() > MOST.0 {
            return Err(Error::Large { path: path.to_owned() });
        }
        return fs::read(path).map_err(read(path));
    }
    let mut files = Vec::new();
    list(path, "", 0, &mut files)?;
    // Folders are listed in any order.
    files.sort();
    let pack = |source| Error::Pack { path: path.to_owned(), source };
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut left = MOST.0;
    for (name, file) in files {
        let bytes = fs::read(&file).map_err(read(&file))?;
        let mode = fs::metadata(&file).map_err(read(&file))?.permissions().mode();
        left = left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| Error::Large { path: path.to_owned() })?;
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(if mode & 0o111 == 0 { 0o644 } else { 0o755 });
        zip.start_file(name, options).map_err(pack)?;
        zip.write_all(&bytes).map_err(|source| pack(source.into()))?;
    }
    Ok(zip.finish().map_err(pack)?.into_inner())
}

fn list(
    folder: &Path,
    prefix: &str,
    depth: usize,
    files: &mut Vec<(String, PathBuf)>,
) -> Result<(), Error> {
    if depth > DEEPEST {
        return Err(Error::Deep { path: folder.to_owned() });
    }
    for entry in fs::read_dir(folder).map_err(read(folder))? {
        let path = entry.map_err(read(folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| Error::Name { path: path.clone() })?;
        if depth == 0 && LEFT_OUT.contains(&name) {
            continue;
        }
        let name = format!("{prefix}{name}");
        let about = fs::metadata(&path).map_err(read(&path))?;
        if about.is_dir() {
            list(&path, &format!("{name}/"), depth + 1, files)?;
        } else if about.is_file() {
            files.push((name, path));
        }
    }
    Ok(())
}

fn read(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Read { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_are_the_same_bytes() {
        let make = |times: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            for name in times {
                let path = folder.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, name).unwrap();
            }
            packed(folder.path()).unwrap()
        };
        let one = make(&["problem.yaml", "data/secret/1.in", "submissions/accepted/a.py"]);
        let other = make(&["data/secret/1.in", "problem.yaml"]);
        assert_eq!(one, other);
        assert!(!make(&["problem.yaml"]).is_empty() && one != make(&["problem.yaml"]));
    }
}
