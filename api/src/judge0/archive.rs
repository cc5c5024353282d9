//! `additional_files`: a zip, unpacked in memory within bounds.

use std::collections::BTreeSet;
use std::io::{Cursor, Read as _};

use judge::archive;
use judge::model::{Blob, ExtraFile};
use zip::result::ZipError;

/// What the directory of one zip may be.
const DIRECTORY: archive::Bounds = archive::Bounds { entries: 1000, directory: 1 << 20 };
/// Kinds of files in a mode (inode(7)).
const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;

/// What a zip may hold, unpacked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes of one file.
    pub(super) each: u64,
    /// Bytes of all.
    pub(super) all: u64,
}

/// Why a zip is not taken. What is said of it follows the field's name.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("is not a zip that can be read: {0}")]
    Zip(ZipError),
    #[error("has a directory that is refused: {0}")]
    Directory(archive::Error),
    #[error("has the entry {name:?}, which {reason}")]
    Entry { name: String, reason: String },
    #[error("has more than {} bytes in {name:?}", .limit)]
    Large { name: String, limit: u64 },
    #[error("has more than {limit} bytes unpacked")]
    Total { limit: u64 },
}

/// The files in it. Of several entries of one name the first counts, as with `unzip -n`.
pub(super) fn unpack(bytes: &[u8], bounds: Bounds) -> Result<Vec<ExtraFile>, Error> {
    let mut archive =
        archive::open(Cursor::new(bytes), DIRECTORY).map_err(|error| match error {
            archive::Error::Zip(error) => Error::Zip(error),
            error => Error::Directory(error),
        })?;
    let (mut files, mut names) = (Vec::new(), BTreeSet::new());
    let (mut left, mut packed) = (bounds.all, bytes.len() as u64);
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(Error::Zip)?;
        let name = entry.name().to_owned();
        let refuse = |reason: &str| {
            Err(Error::Entry { name: crate::body::cut(&name), reason: reason.to_owned() })
        };
        let plain = name.trim_end_matches('/').trim_start_matches("./");
        if name.starts_with('/')
            || name.contains('\\')
            || plain.split('/').any(|part| matches!(part, "" | "." | ".."))
        {
            return refuse("leads out of the folder");
        }
        let mode = entry.unix_mode();
        if entry.is_dir() {
            continue;
        }
        if mode.is_some_and(|mode| mode & KIND != REGULAR && mode & KIND != 0) {
            return refuse("is a link or a device");
        }
        // Else the same bytes would be read again and again.
        let Some(rest) = packed.checked_sub(entry.compressed_size()) else {
            return refuse("shares its bytes with others");
        };
        packed = rest;
        // Counted as unpacked, whatever the zip says of itself.
        let most = bounds.each.min(left);
        let mut contents = Vec::new();
        let read = entry.by_ref().take(most + 1).read_to_end(&mut contents);
        if let Err(error) = read {
            return refuse(&format!("cannot be unpacked: {error}"));
        }
        let len = contents.len() as u64;
        if len > bounds.each {
            return Err(Error::Large { name: crate::body::cut(&name), limit: bounds.each });
        }
        left = left.checked_sub(len).ok_or(Error::Total { limit: bounds.all })?;
        if names.insert(plain.to_owned()) {
            let executable = mode.is_some_and(|mode| mode & 0o111 != 0);
            let contents = Blob::from(contents);
            files.push(ExtraFile { name: plain.to_owned(), contents, executable });
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    const BOUNDS: Bounds = Bounds { each: 1 << 20, all: 2 << 20 };

    fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, contents) in entries {
            let mode = if name.ends_with(".sh") { 0o755 } else { 0o644 };
            let options = SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Deflated)
                .unix_permissions(mode);
            zip.start_file(*name, options).unwrap();
            zip.write_all(contents).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn refused(entries: &[(&str, &[u8])]) -> String {
        unpack(&zip(entries), BOUNDS).unwrap_err().to_string()
    }

    #[test]
    fn files_come_with_folders_and_modes() {
        let files = unpack(&zip(&[("a.h", b"1"), ("lib/b.sh", b"2")]), BOUNDS).unwrap();
        let seen: Vec<_> = files.iter().map(|f| (f.name.as_str(), f.executable)).collect();
        assert_eq!(seen, [("a.h", false), ("lib/b.sh", true)]);
        assert_eq!(files[1].contents, Blob::from("2"));
    }

    #[test]
    fn what_leads_out_of_the_folder_is_refused() {
        for name in ["../x", "/etc/passwd", "a/../../x", "a\\..\\x", "a//b", "."] {
            let said = refused(&[(name, b"")]);
            assert!(said.contains("leads out of the folder"), "{name}: {said}");
        }
        let mut link = ZipWriter::new(Cursor::new(Vec::new()));
        link.add_symlink("l", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        let said = unpack(&link.finish().unwrap().into_inner(), BOUNDS).unwrap_err().to_string();
        assert!(said.contains("link or a device"), "{said}");
    }

    #[test]
    fn a_bomb_is_refused_whatever_it_says_of_itself() {
        let zeros = vec![0; 3 << 20];
        assert_eq!(refused(&[("a", &zeros)]), "has more than 1048576 bytes in \"a\"");
        let some = vec![0; 900 << 10];
        let said = refused(&[("a", &some), ("b", &some), ("c", &some)]);
        assert_eq!(said, "has more than 2097152 bytes unpacked");
        let names: Vec<String> = (0..1001).map(|n| n.to_string()).collect();
        let many: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), &b""[..])).collect();
        assert_eq!(
            refused(&many),
            "has a directory that is refused: it has 1001 entries; 1000 are accepted"
        );
    }

    #[test]
    fn any_bytes_are_an_error_and_no_panic() {
        let whole = zip(&[("a.txt", b"hello hello hello")]);
        for cut in 0..whole.len() {
            assert!(unpack(&whole[..cut], BOUNDS).is_err(), "{cut}");
            let mut turned = whole.clone();
            turned[cut] ^= 0x55;
            // Whatever comes of it.
            drop(unpack(&turned, BOUNDS));
        }
    }

    proptest::proptest! {
        /// Whatever is changed: an error, or files within the bounds that stay in their folder.
        #[test]
        fn a_changed_zip_is_an_error_or_files_within_bounds(
            changes in proptest::collection::vec((proptest::num::usize::ANY, proptest::num::u8::ANY), 1..8),
            cut in proptest::option::of(proptest::num::usize::ANY),
        ) {
            let mut bytes = zip(&[("a.txt", b"hello hello hello"), ("lib/b.sh", &[7; 3000]), ("c", b"")]);
            for (at, byte) in changes {
                // The directory's end half of the time: it has the numbers.
                let (from, length) = if at % 2 == 0 { (0, bytes.len()) } else { (bytes.len() - 200, 200) };
                bytes[from + at / 2 % length] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(bytes.len() - cut % 50);
            }
            let bounds = Bounds { each: 4000, all: 5000 };
            if let Ok(files) = unpack(&bytes, bounds) {
                let sizes = files.iter().map(|file| file.contents.read().unwrap().len());
                proptest::prop_assert!(sizes.sum::<usize>() <= 5000);
                for file in files {
                    let name = std::path::Path::new(&file.name);
                    let plain = |part| matches!(part, std::path::Component::Normal(_));
                    proptest::prop_assert!(name.components().all(plain), "{}", file.name);
                }
            }
        }
    }
}
