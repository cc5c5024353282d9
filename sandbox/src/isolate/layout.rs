//! What every box of an engine sees: the base system, a small `/etc` and `/dev`, and the mounts of
//! the engine, as rules for isolate; and the folder of this machine that the rules point into.

use std::fs;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use super::argv::{Access, Rule, Unspeakable};
use super::boxes::lock_file;
use crate::{Job, Mount};

/// The base system. Where `/bin` is a link to `/usr/bin` isolate binds what it leads to.
const BASE: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Folders of the box that no mount may touch.
const OURS: &[&str] = &["/box", "/w", "/tmp", "/dev", "/proc"];

/// The whole of `/etc` beside `ld.so.cache`: nothing of this machine.
const ETC: &[(&str, &str)] = &[
    ("group", "root:x:0:\nnogroup:x:65534:\n"),
    ("hosts", "127.0.0.1 localhost evalx\n"),
    ("hostname", "evalx\n"),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
];

/// Character devices by major and minor number (Documentation/admin-guide/devices.txt).
const DEVICES: &[(&str, u32, u32)] =
    &[("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9)];

/// Why the folder of an engine cannot be made, or a mount not be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder refused.
    #[error("cannot {step} {path:?}")]
    Step {
        /// What was tried.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A mount from nowhere.
    #[error("mount {from:?} does not exist on this machine")]
    From {
        /// As given.
        from: PathBuf,
    },
    /// A mount to where it cannot go.
    #[error(
        "mount target {to:?} must be an absolute path outside of /box, /w, /tmp, /dev and /proc, \
         and a folder that exists where it lies below another mount or the base system"
    )]
    To {
        /// As given.
        to: PathBuf,
    },
    /// A path with `:` or `=`.
    #[error("a mount cannot be shown")]
    Unspeakable(#[source] Unspeakable),
}

impl Error {
    fn at(step: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Step { step, path: path.to_owned(), source }
    }
}

/// The folder of an engine and the rules that hold for all its boxes. The folder is removed on
/// drop, and by the next engine's start when its owner died.
#[derive(Debug)]
pub(super) struct Layout {
    dir: PathBuf,
    locks: PathBuf,
    rules: Vec<Shown>,
    /// Held as long as this engine lives.
    _lock: OwnedFd,
}

/// A rule and what we need to know of it.
#[derive(Debug, Clone)]
struct Shown {
    inside: PathBuf,
    outside: PathBuf,
    rule: Rule,
}

impl Layout {
    /// Makes the folder of an engine below `state`, after those of dead ones were removed. `users`
    /// are those of its boxes.
    pub(super) fn make(state: &Path, mounts: &[Mount], users: Range<u32>) -> Result<Self, Error> {
        sweep(state)?;
        static ENGINES: AtomicU32 = AtomicU32::new(0);
        let number = ENGINES.fetch_add(1, Ordering::Relaxed);
        let name = format!("engine-{}-{number}", std::process::id());
        let (dir, lock) = (state.join(&name), state.join(format!("{name}.lock")));
        // The lock comes first: a folder without an owner is swept away.
        let held = lock_file(&lock).map_err(Error::at("lock", &lock))?;
        let held = held.ok_or_else(|| {
            Error::at("lock", &lock)(io::Error::from(io::ErrorKind::ResourceBusy))
        })?;
        remove(&dir)?;
        folder(&dir, 0o700)?;
        let locks = state.join("boxes");
        folders(&locks)?;
        let mut layout = Self { dir, locks, rules: Vec::new(), _lock: held };
        layout.fill(users)?;
        let mut mounts = mounts.to_vec();
        // A mount point below another mount is there only after that one.
        mounts.sort_by(|a, b| a.to.cmp(&b.to));
        for mount in &mounts {
            layout.mount(mount)?;
        }
        Ok(layout)
    }

    /// Where the locks of box ids are, for all engines together.
    pub(super) fn locks(&self) -> PathBuf {
        self.locks.clone()
    }

    /// Where the work folder of a run is attached, in the mount namespace of that run.
    pub(super) fn work(&self) -> PathBuf {
        self.dir.join("work")
    }

    /// The rules of a run.
    pub(super) fn rules(&self, job: &Job) -> Result<Vec<Rule>, Unspeakable> {
        let mut rules: Vec<_> = self.rules.iter().map(|shown| shown.rule.clone()).collect();
        let (work, empty) = (self.work(), self.dir.join("empty"));
        let artefact = job.artefact.as_ref().map_or(empty.as_path(), |a| a.dir());
        rules.push(Rule::new(Path::new("/box"), artefact, Access::Read)?);
        for (inside, name) in [("/w", "w"), ("/tmp", "tmp"), ("/dev/shm", "shm")] {
            rules.push(Rule::new(Path::new(inside), &work.join(name), Access::Write)?);
        }
        if job.proc {
            // isolate mounts it with hidepid=2: the guest sees its own processes only.
            rules.push(Rule::new(Path::new("/proc"), Path::new("proc"), Access::FileSystem)?);
        }
        Ok(rules)
    }

    /// Whether the box has a program at `path`. isolate reports one that is missing like a program
    /// that returned 127.
    pub(super) fn has_program(&self, job: &Job, path: &str) -> bool {
        let path = Path::new(path);
        if let Ok(inside) = path.strip_prefix("/w") {
            return job.files.iter().any(|f| f.executable && f.path == inside);
        }
        let there = match (path.strip_prefix("/box"), &job.artefact) {
            (Ok(inside), Some(artefact)) => Some(artefact.dir().join(inside)),
            (Ok(_), None) => None,
            (Err(_), _) => self.outside(path),
        };
        let executable = |m: fs::Metadata| m.is_file() && m.permissions().mode() & 0o111 != 0;
        there.is_some_and(|file| fs::metadata(file).is_ok_and(executable))
    }

    /// What of this machine is to be seen at `inside`.
    fn outside(&self, inside: &Path) -> Option<PathBuf> {
        let covering = self.rules.iter().filter(|shown| inside.starts_with(&shown.inside));
        let nearest = covering.max_by_key(|shown| shown.inside.components().count())?;
        let rest = inside.strip_prefix(&nearest.inside).ok()?;
        // `join` with nothing would end in a slash, which no file has.
        Some(if rest == Path::new("") {
            nearest.outside.clone()
        } else {
            nearest.outside.join(rest)
        })
    }

    fn fill(&mut self, users: Range<u32>) -> Result<(), Error> {
        for name in ["work", "empty", "etc", "dev", "dev/shm"] {
            folder(&self.dir.join(name), 0o755)?;
        }
        for base in BASE {
            self.show(Path::new(base), Path::new(base), Access::Maybe)?;
        }
        let etc = self.dir.join("etc");
        for (name, text) in ETC {
            let path = etc.join(name);
            fs::write(&path, text).map_err(Error::at("write", &path))?;
        }
        let path = etc.join("passwd");
        fs::write(&path, passwd(users)).map_err(Error::at("write", &path))?;
        copy(Path::new("/etc/ld.so.cache"), &etc.join("ld.so.cache"))?;
        self.show(Path::new("/etc"), &etc, Access::Read)?;
        // Debian's commands lead through it.
        folder(&etc.join("alternatives"), 0o755)?;
        self.show(Path::new("/etc/alternatives"), Path::new("/etc/alternatives"), Access::Maybe)?;
        let dev = self.dir.join("dev");
        for (name, major, minor) in DEVICES {
            let path = dev.join(name);
            let mode = Mode::from_raw_mode(0o666);
            mknodat(CWD, &path, FileType::CharacterDevice, mode, makedev(*major, *minor))
                .map_err(|e| Error::at("make the device", &path)(e.into()))?;
            // mknod honours the umask, chmod does not.
            let all = fs::Permissions::from_mode(0o666);
            fs::set_permissions(&path, all).map_err(Error::at("open up", &path))?;
        }
        let streams = [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")];
        for (name, of) in streams {
            let path = dev.join(name);
            symlink(format!("/proc/self/fd{of}"), &path).map_err(Error::at("link", &path))?;
        }
        self.show(Path::new("/dev"), &dev, Access::Devices)
    }

    fn mount(&mut self, Mount { from, to }: &Mount) -> Result<(), Error> {
        let plain = to.components().skip(1).all(|c| matches!(c, Component::Normal(_)));
        let ours = OURS.iter().any(|ours| to.starts_with(ours) || Path::new(ours).starts_with(to));
        if !to.is_absolute() || !plain || ours {
            return Err(Error::To { to: to.clone() });
        }
        let meta = fs::metadata(from).map_err(|_| Error::From { from: from.clone() })?;
        let below = self.outside(to);
        if below.as_ref().is_some_and(|below| below == from) {
            return Ok(());
        }
        let etc = self.dir.join("etc");
        let in_etc = to.strip_prefix("/etc").ok().map(|rest| etc.join(rest));
        match (meta.is_dir(), in_etc, below) {
            (true, Some(point), _) => {
                folders(&point)?;
                self.show(to, from, Access::Read)
            }
            (true, None, None) => self.show(to, from, Access::Read),
            (true, None, Some(point)) if point.is_dir() => self.show(to, from, Access::Read),
            (false, Some(copied), _) => {
                folders(copied.parent().unwrap_or(&etc))?;
                copy(from, &copied)
            }
            // isolate binds folders only, so a file gets a folder of ours around it.
            (false, None, None) => self.file(from, to),
            _ => Err(Error::To { to: to.clone() }),
        }
    }

    fn file(&mut self, from: &Path, to: &Path) -> Result<(), Error> {
        let (Some(parent), Some(name)) = (to.parent(), to.file_name()) else {
            return Err(Error::To { to: to.to_owned() });
        };
        let Ok(inside) = parent.strip_prefix("/") else {
            return Err(Error::To { to: to.to_owned() });
        };
        if inside == Path::new("") {
            return Err(Error::To { to: to.to_owned() });
        }
        let around = self.dir.join("files").join(inside);
        folders(&around)?;
        copy(from, &around.join(name))?;
        self.show(parent, &around, Access::Read)
    }

    fn show(&mut self, inside: &Path, outside: &Path, access: Access) -> Result<(), Error> {
        let rule = Rule::new(inside, outside, access).map_err(Error::Unspeakable)?;
        self.rules.push(Shown { inside: inside.to_owned(), outside: outside.to_owned(), rule });
        Ok(())
    }
}

/// Whichever user a guest runs as, it finds itself.
fn passwd(users: Range<u32>) -> String {
    let guest = |uid| format!("guest:x:{uid}:{uid}:guest:/w:/bin/sh\n");
    let known = ["root:x:0:0:root:/:/bin/false\n", "nobody:x:65534:65534:nobody:/:/bin/false\n"];
    known.into_iter().map(str::to_owned).chain(users.map(guest)).collect()
}

impl Drop for Layout {
    fn drop(&mut self) {
        // What stays is removed by the next start.
        let _later = fs::remove_dir_all(&self.dir);
        let _later = fs::remove_file(self.dir.with_extension("lock"));
    }
}

/// Removes the folders of engines whose owner is dead.
fn sweep(state: &Path) -> Result<(), Error> {
    folders(state)?;
    for entry in fs::read_dir(state).map_err(Error::at("list", state))?.flatten() {
        let lock = entry.path();
        let engine = entry.file_name().to_string_lossy().starts_with("engine-");
        if !engine || lock.extension().is_none_or(|e| e != "lock") {
            continue;
        }
        if let Some(_held) = lock_file(&lock).map_err(Error::at("lock", &lock))? {
            remove(&lock.with_extension(""))?;
            fs::remove_file(&lock).map_err(Error::at("remove", &lock))?;
        }
    }
    Ok(())
}

fn remove(dir: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::at("remove", dir)(e)),
        _ => Ok(()),
    }
}

fn folder(path: &Path, mode: u32) -> Result<(), Error> {
    fs::DirBuilder::new().mode(mode).create(path).map_err(Error::at("make the folder", path))?;
    let mode = fs::Permissions::from_mode(mode);
    fs::set_permissions(path, mode).map_err(Error::at("open up", path))
}

fn folders(path: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o755).create(path).map_err(Error::at("make the folder", path))
}

/// Copies a file of this machine, if it exists, for everyone to read.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    match fs::copy(from, to) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map(|_bytes| ()).map_err(Error::at("copy", from)),
    }
}
