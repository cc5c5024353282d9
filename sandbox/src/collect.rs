//! Reading files out of a work directory once its box is dead. Whoever lived there chose the names
//! and kinds of everything in it: no link is followed, nothing but regular files is read, and
//! every size has a cap. What a guest can bring about is a result; that we have no descriptor or no
//! memory left is an error, or a file would be missing without anybody's knowing why.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    Dir, FileType, Mode, OFlags, ResolveFlags, SeekFrom, fchmod, fstat, ftruncate, mkdirat, openat,
    openat2, seek,
};
use rustix::io::Errno;

use crate::{Bytes, Collect, Collected, Refused};

/// A step of ours failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} {path:?}")]
pub struct Error {
    /// Which.
    pub step: &'static str,
    /// Below the work directory, or the folder it goes to.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// For `map_err`: names the step, and what it was about.
fn at<E: Into<io::Error>>(step: &'static str, path: &Path) -> impl FnOnce(E) -> Error {
    move |e| Error { step, path: path.to_owned(), source: e.into() }
}

/// Folders in folders that an artefact may have; what lies deeper is left.
const DEPTH_MAX: usize = 32;

/// Files and folders that an artefact may have.
const ENTRIES_MAX: usize = 16_384;

/// Reads what was asked for of the folder `w` of `root`.
pub(crate) fn files(root: BorrowedFd<'_>, wanted: &[Collect]) -> Result<Vec<Collected>, Error> {
    let read = |c: &Collect| Ok(Collected { path: c.path.clone(), contents: file(root, c)? });
    wanted.iter().map(read).collect()
}

fn file(
    root: BorrowedFd<'_>,
    Collect { path, max }: &Collect,
) -> Result<Result<Vec<u8>, Refused>, Error> {
    let fd = match openat2(root, Path::new("w").join(path), READ, Mode::empty(), beneath()) {
        Ok(fd) => fd,
        Err(errno) => return refusal(errno).map(Err).ok_or(errno).map_err(at("open", path)),
    };
    let stat = fstat(&fd).map_err(at("look at", path))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(Err(Refused::NotRegular));
    }
    if stat.st_size.cast_unsigned() > max.0 {
        return Ok(Err(Refused::TooLarge { max: *max }));
    }
    let mut bytes = Vec::new();
    File::from(fd).take(max.0).read_to_end(&mut bytes).map_err(at("read", path))?;
    Ok(Ok(bytes))
}

/// Why that which a guest left does not open. Not because of the guest: our failure.
fn refusal(errno: Errno) -> Option<Refused> {
    match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG => Some(Refused::Missing),
        // A link, a socket, a way out; a device, or a mode where we are not root of the whole machine.
        Errno::LOOP | Errno::NXIO | Errno::XDEV | Errno::ACCESS => Some(Refused::NotRegular),
        _ => None,
    }
}

/// NONBLOCK: opening a pipe must not wait for its writer.
const READ: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

fn beneath() -> ResolveFlags {
    ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS
}

/// Copies the regular files and folders of the folder `w` of `root` into `into`, `budget` bytes at
/// most (to fit, a sparse file is as large as it says); returns the bytes copied. What is over a bound is
/// left. Whoever runs the artefact may enter its folders and read its files.
pub(crate) fn tree(root: BorrowedFd<'_>, into: &Path, budget: Bytes) -> Result<u64, Error> {
    let from = openat(root, "w", FOLDER, Mode::empty()).map_err(at("open", Path::new("w")))?;
    let to = rustix::fs::open(into, FOLDER, Mode::empty()).map_err(at("open", into))?;
    fchmod(&to, Mode::from(0o755)).map_err(at("set the mode of", into))?;
    let mut copy = Copy { left: budget.0, entries: 0 };
    copy.folder(&from, &to, Path::new(""), 0)?;
    Ok(budget.0 - copy.left)
}

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

struct Copy {
    left: u64,
    entries: usize,
}

impl Copy {
    fn folder(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        path: &Path,
        depth: usize,
    ) -> Result<(), Error> {
        for entry in Dir::read_from(from).map_err(at("list", path))? {
            let entry = entry.map_err(at("list", path))?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                return Ok(());
            }
            let path = path.join(String::from_utf8_lossy(name.to_bytes()).as_ref());
            match openat(from, name, READ, Mode::empty()) {
                Ok(fd) => self.entry(fd, to, name, &path, depth)?,
                // A link or a socket does not open; it is left.
                Err(errno) if refusal(errno).is_some() => {}
                Err(errno) => return Err(at("open", &path)(errno)),
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        fd: OwnedFd,
        to: &OwnedFd,
        name: &CStr,
        path: &Path,
        depth: usize,
    ) -> Result<(), Error> {
        let stat = fstat(&fd).map_err(at("look at", path))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile if stat.st_size.cast_unsigned() <= self.left => {
                let mode = if stat.st_mode & 0o100 == 0 { 0o644 } else { 0o755 };
                self.left -= regular(fd, to, name, mode).map_err(at("copy", path))?;
                Ok(())
            }
            FileType::Directory if depth < DEPTH_MAX => {
                let make = || {
                    mkdirat(to, name, Mode::from(0o755))?;
                    let below = openat(to, name, FOLDER, Mode::empty())?;
                    // mkdir honours the umask, chmod does not.
                    fchmod(&below, Mode::from(0o755))?;
                    Ok::<_, Errno>(below)
                };
                let below = make().map_err(at("make a copy of", path))?;
                self.folder(&fd, &below, path, depth + 1)
            }
            _ => Ok(()),
        }
    }
}

/// Copies what the file holds; holes stay holes, so that no more is written than the guest wrote.
fn regular(from: OwnedFd, to: &OwnedFd, name: &CStr, mode: u32) -> io::Result<u64> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let mut out = File::from(openat(to, name, flags, Mode::from(0o600))?);
    let mut from = File::from(from);
    let (mut at, mut copied) = (0, 0);
    loop {
        let data = match seek(&from, SeekFrom::Data(at)) {
            Ok(data) => data,
            // Nothing but a hole is left (lseek(2), SEEK_DATA).
            Err(Errno::NXIO) => break,
            Err(e) => return Err(e.into()),
        };
        let end = seek(&from, SeekFrom::Hole(data))?;
        seek(&from, SeekFrom::Start(data))?;
        seek(&out, SeekFrom::Start(data))?;
        copied += io::copy(&mut (&mut from).take(end - data), &mut out)?;
        at = end;
    }
    ftruncate(&out, fstat(&from)?.st_size.cast_unsigned())?;
    fchmod(&out, Mode::from(mode))?;
    Ok(copied)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::{CString, OsStr};
    use std::fs;
    use std::os::fd::{AsFd as _, AsRawFd as _};
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::FileTypeExt;
    use std::process::Command;

    use proptest::prelude::*;
    use rustix::fs::{CWD, mknodat, symlinkat};
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    use super::*;
    use crate::Job;

    /// In a file beside the work directory; nothing a guest may get holds it.
    const SECRET: &[u8] = b"the answer";

    /// What a guest may leave.
    #[derive(Debug, Clone)]
    enum Kind {
        File(Vec<u8>),
        Program,
        Folder,
        Link(&'static [u8]),
        Pipe,
        Socket,
    }

    /// Names as no user would choose them: control characters, what terminals, shells, JSON and zips
    /// take for theirs, bytes that are no text, dots, and the longest one.
    fn names() -> impl Strategy<Value = Vec<u8>> {
        let odd = prop::sample::select(b"\n\r\x1b\x07\x7f\x80\xff\"\\'%.-~ :;$a".to_vec());
        let byte = prop_oneof![3 => odd, 1 => any::<u8>()]
            .prop_filter("names have neither", |b| !matches!(b, 0 | b'/'));
        prop_oneof![
            8 => prop::collection::vec(byte, 1..12),
            1 => prop::sample::select(vec![b".".to_vec(), b"..".to_vec(), b"...".to_vec(), vec![b'x'; 255], vec![b'x'; 256]]),
        ]
    }

    /// Names with where they are: in the folder of an entry before them, if that is one.
    fn entries() -> impl Strategy<Value = Vec<(usize, Vec<u8>, Kind)>> {
        let targets: Vec<&[u8]> =
            vec![b"/", b".", b"..", b"../secret", b"../../secret", b"/proc/self/root", b"w"];
        let kind = prop_oneof![
            3 => prop::collection::vec(any::<u8>(), 0..6).prop_map(Kind::File),
            1 => Just(Kind::Program),
            3 => Just(Kind::Folder),
            2 => prop::sample::select(targets).prop_map(Kind::Link),
            1 => Just(Kind::Pipe),
            1 => Just(Kind::Socket),
        ];
        prop::collection::vec((any::<usize>(), names(), kind), 0..16)
    }

    /// Makes them below `w`; what cannot be made is left out. Returns each path that was tried, with
    /// what is there if it is a regular file.
    fn make(w: &Path, entries: &[(usize, Vec<u8>, Kind)]) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let (mut folders, mut made) = (vec![w.to_owned()], BTreeMap::new());
        for (parent, name, kind) in entries {
            let path = folders[parent % folders.len()].join(OsStr::from_bytes(name));
            let node = |kind| mknodat(CWD, &path, kind, Mode::from(0o600), 0).is_ok();
            let contents = match kind {
                Kind::File(bytes) => Some(bytes.clone()),
                Kind::Program => Some(b"#!".to_vec()),
                _ => None,
            };
            let there = match kind {
                Kind::File(_) | Kind::Program => {
                    let new = File::create_new(&path);
                    new.is_ok_and(|mut file| {
                        io::Write::write_all(&mut file, contents.as_ref().unwrap()).is_ok()
                    })
                }
                Kind::Folder => fs::create_dir(&path).is_ok(),
                Kind::Link(to) => symlinkat(CString::new(*to).unwrap(), CWD, &path).is_ok(),
                Kind::Pipe => node(FileType::Fifo),
                Kind::Socket => node(FileType::Socket),
            };
            if there && matches!(kind, Kind::Folder) {
                folders.push(path.clone());
            }
            let below = path.strip_prefix(w).unwrap().to_owned();
            if there || !made.contains_key(&below) {
                made.insert(below, contents.filter(|_| there));
            }
        }
        made
    }

    /// All below `folder`, links not followed: regular files with their contents, folders without.
    fn listing(folder: &Path, at: &Path, found: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
        for entry in fs::read_dir(folder.join(at)).unwrap() {
            let entry = entry.unwrap();
            let (path, kind) = (at.join(entry.file_name()), entry.file_type().unwrap());
            assert!(!kind.is_symlink() && !kind.is_fifo() && !kind.is_socket(), "{path:?}");
            let contents = kind.is_file().then(|| fs::read(folder.join(&path)).unwrap());
            found.insert(path.clone(), contents);
            if kind.is_dir() {
                listing(folder, &path, found);
            }
        }
    }

    /// What a user asks for; only what jobs may ask for comes this far.
    fn wanted(path: &Path) -> Option<Collect> {
        let collect = Collect { path: path.to_owned(), max: Bytes(64) };
        let job = Job { collect: vec![collect.clone()], ..Job::new(vec!["/bin/true".to_owned()]) };
        job.check().is_ok().then_some(collect)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Whatever a guest left, and by whatever names: an artefact has its regular files and folders
        /// under the same names, below its folder and nowhere else.
        #[test]
        fn what_is_kept_of_a_box_stays_in_its_folder(entries in entries()) {
            let outer = tempfile::tempdir().unwrap();
            let [w, into, secret] = ["w", "into", "secret"].map(|name| outer.path().join(name));
            [&w, &into].into_iter().for_each(|folder| fs::create_dir(folder).unwrap());
            fs::write(&secret, SECRET).unwrap();
            let made = make(&w, &entries);
            let root = rustix::fs::open(outer.path(), FOLDER, Mode::empty()).unwrap();
            let bytes = tree(root.as_fd(), &into, Bytes(1 << 10)).unwrap();
            let mut kept = BTreeMap::new();
            listing(&into, Path::new(""), &mut kept);
            let files = made.iter().filter(|(_, contents)| contents.is_some());
            let kept_files: BTreeMap<_, _> = kept.iter().filter(|(_, c)| c.is_some()).collect();
            prop_assert_eq!(kept_files, files.collect::<BTreeMap<_, _>>());
            let total: usize = kept.values().flatten().map(Vec::len).sum();
            prop_assert!(total as u64 == bytes && bytes <= 1 << 10);
            prop_assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 3);
            prop_assert_eq!(fs::read(&secret).unwrap(), SECRET);
        }

        /// A file that is asked for by name: it, or why not; never what a link leads to.
        #[test]
        fn what_is_read_of_a_box_is_a_file_of_that_name(
            entries in entries(),
            others in prop::collection::vec(names(), 0..4),
        ) {
            let outer = tempfile::tempdir().unwrap();
            let w = outer.path().join("w");
            fs::create_dir(&w).unwrap();
            fs::write(outer.path().join("secret"), SECRET).unwrap();
            let made = make(&w, &entries);
            let root = rustix::fs::open(outer.path(), FOLDER, Mode::empty()).unwrap();
            let below = |path: &PathBuf| path.join("secret");
            let mut asked: Vec<PathBuf> = made.keys().cloned().collect();
            asked.extend(made.keys().map(below));
            asked.extend(others.iter().map(|name| PathBuf::from(OsStr::from_bytes(name))));
            let asked: Vec<Collect> = asked.iter().filter_map(|path| wanted(path)).collect();
            for Collected { path, contents } in files(root.as_fd(), &asked).unwrap() {
                match contents {
                    Ok(bytes) => prop_assert_eq!(Some(&Some(bytes)), made.get(&path), "{:?}", path),
                    Err(refused) => {
                        let there = made.get(&path).is_some_and(Option::is_some);
                        prop_assert!(!there, "{path:?}: {refused}");
                        prop_assert!(!refused.to_string().contains(char::is_control));
                    }
                }
            }
        }

        /// A name reaches terminals, logs and JSON in the text of an error only, and there as one line
        /// of text.
        #[test]
        fn a_name_in_an_error_is_text_on_one_line(name in names()) {
            let path = PathBuf::from(OsStr::from_bytes(&name));
            let error = Error { step: "copy", path, source: Errno::NOSPC.into() };
            let said = error.to_string();
            prop_assert!(!said.contains(char::is_control), "{said:?}");
            let json = serde_json::to_string(&said).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), said);
        }
    }

    #[test]
    fn only_what_a_guest_can_bring_about_is_a_result() {
        use Errno as E;
        for errno in [E::NOENT, E::NOTDIR, E::NAMETOOLONG] {
            assert_eq!(refusal(errno), Some(Refused::Missing));
        }
        for errno in [E::LOOP, E::NXIO, E::XDEV, E::ACCESS] {
            assert_eq!(refusal(errno), Some(Refused::NotRegular));
        }
        for errno in [E::MFILE, E::NFILE, E::NOMEM, E::IO, E::PERM, E::AGAIN, E::INVAL, E::BADF] {
            assert_eq!(refusal(errno), None, "{errno}");
        }
    }

    /// In a process of its own, whose limit it lowers.
    #[test]
    fn no_file_is_left_out_for_want_of_descriptors() {
        const ITSELF: &str = "EVALX_TEST_FEW_DESCRIPTORS";
        if std::env::var_os(ITSELF).is_some() {
            return with_few_descriptors();
        }
        #[expect(clippy::disallowed_methods, reason = "this binary itself")]
        let mut again = Command::new(std::env::current_exe().unwrap());
        let name = "collect::tests::no_file_is_left_out_for_want_of_descriptors";
        let output = again.args(["--exact", name]).env(ITSELF, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }

    /// One more at each turn, until there are enough.
    fn with_few_descriptors() {
        let outer = tempfile::tempdir().unwrap();
        let w = outer.path().join("w");
        fs::create_dir(&w).unwrap();
        fs::write(w.join("a"), b"kept").unwrap();
        let root = rustix::fs::open(outer.path(), FOLDER, Mode::empty()).unwrap();
        let asked = [Collect { path: "a".into(), max: Bytes(64) }];
        let usual = getrlimit(Resource::Nofile);
        let next = rustix::io::dup(&root).unwrap().as_raw_fd();
        let (mut read, mut copied) = (0, 0);
        for few in 0..8 {
            let into = outer.path().join(format!("into{few}"));
            fs::create_dir(&into).unwrap();
            let current = Some(u64::try_from(next).unwrap() + few);
            setrlimit(Resource::Nofile, Rlimit { current, ..usual }).unwrap();
            let found = (files(root.as_fd(), &asked), tree(root.as_fd(), &into, Bytes(64)));
            setrlimit(Resource::Nofile, usual).unwrap();
            let want = |error: Error| {
                assert_eq!(error.source.raw_os_error(), Some(libc::EMFILE), "{error}");
            };
            match found.0 {
                Ok(found) => {
                    assert_eq!(found[0].contents.as_deref(), Ok(&b"kept"[..]));
                    read += 1;
                }
                Err(error) => want(error),
            }
            match found.1 {
                Ok(bytes) => {
                    assert_eq!((bytes, fs::read(into.join("a")).unwrap()), (4, b"kept".to_vec()));
                    copied += 1;
                }
                Err(error) => want(error),
            }
        }
        assert!((1..8).contains(&read) && (1..8).contains(&copied), "{read} {copied}");
    }
}
