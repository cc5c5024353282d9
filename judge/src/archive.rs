//! Opening the zip of a stranger: what it costs to look at its directory is bounded before anything
//! is believed. Called by the reader of packages, and by the API for `additional_files`.
//!
//! The zip library looks for a directory wherever a file claims to have one, tries the next claim
//! when one is broken, and reserves memory for as many entries as are claimed. So it gets to see the
//! one directory that ends the file, and only after its size and its number of entries are known to
//! be within bounds.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use zip::ZipArchive;
use zip::read::ArchiveOffset;
use zip::result::ZipError;

/// The end of a directory (APPNOTE.TXT 4.3.16): its signature, and its length without a comment.
const END: [u8; 4] = *b"PK\x05\x06";
const END_LEN: usize = 22;
/// The longest comment: its length has 16 bits.
const COMMENT: usize = 0xffff;
/// What a zip64 writes where its numbers are elsewhere (APPNOTE.TXT 4.4.1.4).
const ELSEWHERE: (u16, u32) = (u16::MAX, u32::MAX);

/// What a directory may be.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Entries, folders included.
    pub entries: usize,
    /// Bytes of the directory, which is in memory while the zip is open: names, mostly.
    pub directory: u64,
}

/// A zip that is not opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a zip, or a broken one.
    #[error("it cannot be read")]
    Zip(#[source] ZipError),
    /// Not a zip as everybody reads it: readers may differ in what they see in it.
    #[error("it {0}; pack the files again")]
    Shape(&'static str),
    /// Too many entries.
    #[error("it has {count} entries; {most} are accepted")]
    Entries {
        /// How many.
        count: usize,
        /// How many may be.
        most: usize,
    },
    /// Too long a directory.
    #[error("its directory has {bytes} bytes; {most} are accepted")]
    Directory {
        /// How many.
        bytes: u64,
        /// How many may be.
        most: u64,
    },
}

/// A reader that shows zeros in the place of what lies before the directory until that is read.
#[derive(Debug)]
pub struct Gate<R> {
    inner: R,
    at: u64,
    /// Where the directory begins, until it has been read.
    hidden: Rc<Cell<u64>>,
}

impl<R: Read + Seek> Read for Gate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let covered = self.hidden.get().saturating_sub(self.at);
        let covered = usize::try_from(covered).unwrap_or(usize::MAX).min(read);
        buffer[..covered].fill(0);
        self.at += read as u64;
        Ok(read)
    }
}

impl<R: Seek> Seek for Gate<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.inner.seek(to)?;
        Ok(self.at)
    }
}

/// Where a directory is.
struct Directory {
    start: u64,
    end: u64,
    entries: usize,
}

/// Opens a zip. Takes memory for the directory, within the bounds, and time in proportion to it.
///
/// What its entries say of themselves is not looked at: who unpacks counts.
///
/// # Errors
/// When it is no zip, or goes beyond the bounds.
pub fn open<R: Read + Seek>(mut reader: R, bounds: Bounds) -> Result<ZipArchive<Gate<R>>, Error> {
    let Directory { start, end, entries } = directory(&mut reader)?;
    let Bounds { entries: most, directory } = bounds;
    if entries > most {
        return Err(Error::Entries { count: entries, most });
    }
    if end - start > directory {
        return Err(Error::Directory { bytes: end - start, most: directory });
    }
    if holds_another_end(&mut reader, start, end)? {
        return Err(Error::Shape("claims to have several directories"));
    }
    let hidden = Rc::new(Cell::new(start));
    let gate = Gate { inner: reader, at: 0, hidden: Rc::clone(&hidden) };
    let config = zip::read::Config { archive_offset: ArchiveOffset::Known(0) };
    let archive = ZipArchive::with_config(config, gate).map_err(Error::Zip)?;
    hidden.set(0);
    Ok(archive)
}

/// The directory that ends the file.
fn directory(reader: &mut (impl Read + Seek)) -> Result<Directory, Error> {
    let failed = |error| Error::Zip(ZipError::Io(error));
    let size = reader.seek(SeekFrom::End(0)).map_err(failed)?;
    let from = size.saturating_sub((END_LEN + COMMENT) as u64);
    reader.seek(SeekFrom::Start(from)).map_err(failed)?;
    let mut tail = Vec::new();
    reader.take((END_LEN + COMMENT) as u64).read_to_end(&mut tail).map_err(failed)?;
    let broken = |what: &'static str| Error::Zip(ZipError::InvalidArchive(what.into()));
    let at = tail.windows(END.len()).rposition(|window| window == END);
    let Some(at) = at else { return Err(broken("no directory ends it")) };
    let Some(record) = tail.get(at..at + END_LEN) else { return Err(broken("its end is cut off")) };
    let two = |at: usize| u16::from_le_bytes([record[at], record[at + 1]]);
    let four = |at: usize| u32::from(two(at)) | (u32::from(two(at + 2)) << 16);
    let (disk, disks, here, entries) = (two(4), two(6), two(8), two(10));
    let (length, start, comment) = (four(12), four(16), two(20));
    if at + END_LEN + usize::from(comment) != tail.len() {
        return Err(Error::Shape("goes on after its end"));
    }
    if (disk, disks) != (0, 0) || here != entries {
        return Err(Error::Shape("is one of several volumes"));
    }
    if entries == ELSEWHERE.0 || length == ELSEWHERE.1 || start == ELSEWHERE.1 {
        return Err(Error::Shape("is a zip64, for which it is not large enough"));
    }
    let end = from + at as u64;
    if u64::from(start) + u64::from(length) != end {
        return Err(Error::Shape("has something before it or beside its directory"));
    }
    Ok(Directory { start: start.into(), end, entries: entries.into() })
}

/// Whether the library could take something within the directory, a name for instance, for an end.
fn holds_another_end(reader: &mut (impl Read + Seek), start: u64, end: u64) -> Result<bool, Error> {
    let failed = |error| Error::Zip(ZipError::Io(error));
    reader.seek(SeekFrom::Start(start)).map_err(failed)?;
    let mut bytes = Vec::new();
    // With the beginning of the right one, in case the two overlap.
    let length = end - start + END.len() as u64 - 1;
    reader.take(length).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes.windows(END.len()).any(|window| window == END))
}
