//! What a guest may use: the limits of one run, their defaults and their bounds.

use std::fmt;
use std::time::Duration;

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

impl Bytes {
    /// `n` kibibytes.
    #[must_use]
    pub const fn kib(n: u64) -> Self {
        Self(n << 10)
    }

    /// `n` mebibytes.
    #[must_use]
    pub const fn mib(n: u64) -> Self {
        Self(n << 20)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, unit) = match self.0 {
            n if n >= 1 << 30 => (n, 30),
            n if n >= 1 << 20 => (n, 20),
            n if n >= 1 << 10 => (n, 10),
            n => return write!(f, "{n} B"),
        };
        let name = ["KiB", "MiB", "GiB"][unit / 10 - 1];
        let (whole, tenth) = (n >> unit, ((n & ((1 << unit) - 1)) * 10) >> unit);
        if tenth == 0 { write!(f, "{whole} {name}") } else { write!(f, "{whole}.{tenth} {name}") }
    }
}

/// The limits of one run. They hold for the whole box, all its processes together, except
/// `stack`, `file_size` and `open_files`, which the kernel counts a process or a file at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// CPU time of all processes together. Default 10 s.
    pub cpu: Duration,
    /// Time on the clock; a guest that reaches it without using its CPU time is idle. Default 20 s.
    pub wall: Duration,
    /// Memory of all processes together, page tables and tmpfs pages included. Default 256 MiB.
    pub memory: Bytes,
    /// Processes and threads that may live at once. Default 64: JVM and Go need tens of threads.
    pub processes: u32,
    /// Stack of the main thread; `None` lets it grow up to `memory`. Default `None`.
    pub stack: Option<Bytes>,
    /// Largest single file (`RLIMIT_FSIZE`). Default 64 MiB.
    pub file_size: Bytes,
    /// Standard output kept; one byte more ends the run. Default 16 MiB.
    pub output: Bytes,
    /// Standard error kept; what exceeds it is dropped, the run goes on. Default 64 KiB.
    pub stderr: Bytes,
    /// Open files a process. Default 256.
    pub open_files: u32,
    /// Files and folders in the writable directories together. Default 4096.
    pub inodes: u32,
    /// Bytes in the writable directories together; they count as memory too. Default 64 MiB.
    pub disk: Bytes,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu: Duration::from_secs(10),
            wall: Duration::from_secs(20),
            memory: Bytes::mib(256),
            processes: 64,
            stack: None,
            file_size: Bytes::mib(64),
            output: Bytes::mib(16),
            stderr: Bytes::kib(64),
            open_files: 256,
            inodes: 4096,
            disk: Bytes::mib(64),
        }
    }
}

/// A limit outside of what evalX grants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("limit {field} is {value}; it must be between {min} and {max}")]
pub struct LimitError {
    /// The field of [`Limits`].
    pub field: &'static str,
    /// What was asked for.
    pub value: String,
    /// The least that is granted.
    pub min: String,
    /// The most that is granted.
    pub max: String,
}

impl Limits {
    /// Checks every limit against its bounds.
    ///
    /// # Errors
    /// The first field that is out of bounds, with what was asked and what is granted.
    pub fn check(&self) -> Result<(), LimitError> {
        let Self {
            cpu,
            wall,
            memory,
            processes,
            stack,
            file_size,
            output,
            stderr,
            open_files,
            inodes,
            disk,
        } = self;
        let (tick, hour) = (Duration::from_millis(1), Duration::from_secs(3600));
        let time = |f, v: Duration| within(f, v, tick, hour, |d| format!("{} s", d.as_secs_f64()));
        let size = |f, v: Bytes, lo, hi| within(f, v, lo, hi, |b| b.to_string());
        let count = |f, v: u32, hi| within(f, v, 1, hi, |n| n.to_string());
        time("cpu", *cpu)?;
        time("wall", *wall)?;
        size("memory", *memory, Bytes::mib(1), Bytes::mib(64 << 10))?;
        count("processes", *processes, 4096)?;
        if let Some(stack) = stack {
            size("stack", *stack, Bytes::kib(64), Bytes::mib(64 << 10))?;
        }
        size("file_size", *file_size, Bytes(1), Bytes::mib(16 << 10))?;
        size("output", *output, Bytes(1), Bytes::mib(1 << 10))?;
        size("stderr", *stderr, Bytes(1), Bytes::mib(64))?;
        count("open_files", *open_files, 65_536)?;
        count("inodes", *inodes, 1 << 20)?;
        size("disk", *disk, Bytes::kib(4), Bytes::mib(16 << 10))
    }
}

fn within<T: PartialOrd + Copy>(
    field: &'static str,
    value: T,
    min: T,
    max: T,
    show: impl Fn(T) -> String,
) -> Result<(), LimitError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(LimitError { field, value: show(value), min: show(min), max: show(max) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_bounds() {
        assert_eq!(Limits::default().check(), Ok(()));
    }

    #[test]
    fn zero_and_beyond_the_maximum_name_the_field() {
        let zero = Limits { cpu: Duration::ZERO, ..Limits::default() }.check().unwrap_err();
        assert_eq!(zero.to_string(), "limit cpu is 0 s; it must be between 0.001 s and 3600 s");
        let huge = Limits { memory: Bytes(u64::MAX), ..Limits::default() }.check().unwrap_err();
        assert_eq!(huge.field, "memory");
    }

    #[test]
    fn sizes_read_as_people_write_them() {
        let shown = [0, 1023, 1024, 1536, 256 << 20, 5 << 30].map(|n| Bytes(n).to_string());
        assert_eq!(shown, ["0 B", "1023 B", "1 KiB", "1.5 KiB", "256 MiB", "5 GiB"]);
    }
}
