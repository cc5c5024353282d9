//! The engine that is measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use sandbox::{Cancel, Mount, NativeSandbox, native};

use crate::samples::Crowd;

/// Runs that a lane makes in one round of a crowd.
const RUNS: usize = 50;

/// An engine, and how many CPUs there are for it.
#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) sandbox: NativeSandbox,
    pub(crate) cancel: Cancel,
    pub(crate) lanes: usize,
}

impl Lab {
    pub(crate) fn open() -> Result<Self, native::Error> {
        let config = native::Config { mounts: mounts(), ..native::Config::default() };
        Ok(Self {
            sandbox: NativeSandbox::new(config)?,
            cancel: Cancel::new().expect("file descriptors are to be had"),
            lanes: thread::available_parallelism().map_or(1, usize::from),
        })
    }

    /// Another engine, of so many boxes.
    pub(crate) fn engine(boxes: u32) -> NativeSandbox {
        let config = native::Config { boxes, ..native::Config::default() };
        NativeSandbox::new(config).expect("there is one already")
    }

    /// `run` in as many lanes as there are CPUs, or so many.
    pub(crate) fn crowd(lanes: usize, run: impl Fn(usize) + Sync) -> Crowd {
        Crowd::of(lanes, RUNS, run)
    }
}

/// Debian's JDKs link to their configuration.
fn mounts() -> Vec<Mount> {
    let entries = fs::read_dir("/etc").into_iter().flatten().flatten().map(|entry| entry.path());
    let java = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("java-") && name.ends_with("-openjdk")
    };
    entries.filter(java).map(|path| Mount { from: path.clone(), to: path }).collect()
}

/// A number in a file of the kernel's, or what follows `key` in it.
pub(crate) fn number(path: &Path, key: &str) -> Option<f64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim_start_matches(':').split_whitespace().next()?.parse().ok()
}
