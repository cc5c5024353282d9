//! How a verb ends: the exit code, and failures that carry theirs.

use std::process::ExitCode;

use anyhow::Error;

/// The exit codes, as `--help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Accepted, or nothing to complain of.
    Ok = 0,
    /// Judged, and not accepted; `verify`: something differs; `calibrate`: times move too much.
    NotAccepted = 1,
    /// The command line or what it points to is wrong.
    Usage = 2,
    /// No server, or one that will not do.
    Connection = 3,
    /// The judge failed or cannot judge on this machine.
    Judge = 4,
    /// Withdrawn by SIGTERM or SIGHUP.
    Cancelled = 5,
    /// Ctrl-C.
    Interrupted = 130,
}

/// The table of exit codes in `--help` and the man page.
pub(crate) const HELP: &str = "\
Exit codes:
  0    accepted; verify: all as expected; up, server, worker: told to stop;
       submit without --wait: queued
  1    judged, and not accepted; verify: a verdict differs;
       calibrate: times move too much
  2    wrong usage or bad input: the message says what and how to mend it
  3    no connection to a server, one that cannot be used, no valid token
  4    judge error: the sandbox failed, or a toolchain is missing here
  5    cancelled by SIGTERM or SIGHUP; submit, watch: called off
  130  interrupted by Ctrl-C";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        // Every discriminant is a byte.
        Self::from(exit as u8)
    }
}

/// An error and the code the process ends with because of it.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    error: Error,
}

impl Failure {
    /// `error` is the caller's mistake.
    pub(crate) fn usage(error: impl Into<Error>) -> Self {
        Self { exit: Exit::Usage, error: error.into() }
    }

    /// `error` is the server's, or of the way to it.
    pub(crate) fn connection(error: impl Into<Error>) -> Self {
        Self { exit: Exit::Connection, error: error.into() }
    }

    /// `error` is ours, or this machine's.
    pub(crate) fn judge(error: impl Into<Error>) -> Self {
        Self { exit: Exit::Judge, error: error.into() }
    }

    /// The same failure, with where it happened in front.
    #[must_use]
    pub(crate) fn context(self, text: String) -> Self {
        Self { error: self.error.context(text), ..self }
    }

    /// The code to end with.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// The whole chain in one line. No error repeats its source, and a backtrace is never shown:
    /// it says nothing to whoever typed the command.
    pub(crate) fn line(&self) -> String {
        let mut chain: Vec<_> = self.error.chain().map(|e| one_line(&e.to_string())).collect();
        // A transparent error says what its source says.
        chain.dedup();
        chain.join(": ")
    }
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn the_chain_is_one_line_outermost_first() {
        let inner = std::io::Error::other("no\n  such luck\n");
        let error = Err::<(), _>(inner).context("cannot read \"x\"").unwrap_err();
        assert_eq!(Failure::usage(error).line(), "cannot read \"x\": no such luck");
    }
}
