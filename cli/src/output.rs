//! What reaches the terminal: results on standard output, everything else on standard error.
//! Text of submissions, compilers and checkers is cleaned first, so that none of it can drive the
//! terminal.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use anyhow::{Context as _, Error};
use clap::ColorChoice;
use crossterm::style::force_color_output;
use judge::model::Verdict;

use crate::args::Manners;
use crate::exit::{Exit, Failure};

/// Secondary things.
pub(crate) const DIM: Style = Style::new().dimmed();
/// The one thing to read.
pub(crate) const BOLD: Style = Style::new().bold();

/// As it should be.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Not as it should be.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();

/// What may be said on standard error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voice {
    quiet: bool,
    verbose: bool,
}

impl Voice {
    /// As asked for.
    pub(crate) fn new(manners: Manners) -> Self {
        let Manners { color: _, quiet, verbose } = manners;
        Self { quiet, verbose }
    }

    /// Whether only the result is wanted.
    pub(crate) fn quiet(self) -> bool {
        self.quiet
    }

    /// Whether a progress bar is welcome.
    pub(crate) fn progress(self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Says how something came about, when asked to.
    pub(crate) fn detail(self, text: &str) {
        if self.verbose {
            stderr_line(text);
        }
    }

    /// Says something worth knowing.
    pub(crate) fn note(self, text: &str) {
        if !self.quiet {
            stderr_line(text);
        }
    }
}

/// Colour for the rest of the process. Cells are always styled; the stream drops what is not
/// wanted, so one place decides.
pub(crate) fn set_color(choice: ColorChoice) {
    force_color_output(true);
    match choice {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

/// Prints a result. A reader that has gone away is not an error: it has seen enough.
pub(crate) fn stdout(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Prints bytes as they are.
pub(crate) fn stdout_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

/// Prints a value as JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value)
        .context("cannot write the result as JSON")
        .map_err(Failure::judge)?;
    text.push('\n');
    stdout_bytes(text.as_bytes())
}

fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::judge(Error::new(error).context("cannot write to standard output")))
        }
        _ => Ok(()),
    }
}

/// Prints one line, as `evalx: …`, on standard error. When that is gone there is nobody to tell.
pub(crate) fn stderr_line(text: &str) {
    let style = BOLD;
    let _gone = writeln!(anstream::stderr(), "{style}evalx{style:#}: {text}");
}

/// Prints text on standard error.
pub(crate) fn stderr(text: &str) {
    let _gone = anstream::stderr().write_all(text.as_bytes());
}

/// Prints bytes as they are on standard error.
pub(crate) fn stderr_bytes(bytes: &[u8]) {
    let _gone = io::stderr().write_all(bytes);
}

/// Prints what went wrong and gives the code to end with.
pub(crate) fn failure(failure: &Failure) -> Exit {
    stderr_line(&clean(&failure.line()));
    failure.exit()
}

/// `text` without anything a terminal acts on: control characters but for line feed and tab are
/// shown as escapes, and so are the marks that reorder text.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        match c {
            '\n' | '\t' => out.push(c),
            c if c.is_control() || reorders => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// An error with its causes on one line, cleaned.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut causes: Vec<_> =
        std::iter::successors(Some(error), |e| e.source()).map(ToString::to_string).collect();
    // A transparent error says what its source says.
    causes.dedup();
    clean(&causes.join(": "))
}

/// The colour of a verdict.
pub(crate) fn verdict_color(verdict: Verdict) -> AnsiColor {
    match verdict {
        Verdict::Accepted => AnsiColor::Green,
        Verdict::WrongAnswer | Verdict::RuntimeError => AnsiColor::Red,
        Verdict::TimeLimit
        | Verdict::IdlenessLimit
        | Verdict::MemoryLimit
        | Verdict::OutputLimit => AnsiColor::Yellow,
        Verdict::CompileError => AnsiColor::Blue,
        Verdict::Skipped => AnsiColor::BrightBlack,
        Verdict::InternalError => AnsiColor::Magenta,
    }
}

/// A verdict in its colour.
pub(crate) fn verdict(verdict: Verdict) -> String {
    let style = verdict_color(verdict).on_default().bold();
    format!("{style}{verdict}{style:#}")
}

/// A verdict in its colour, as wide as the longest of the usual ones.
pub(crate) fn verdict_padded(verdict: Verdict) -> String {
    let style = verdict_color(verdict).on_default().bold();
    format!("{style}{verdict:3}{style:#}")
}

/// Whether something is as it should be.
pub(crate) fn mark(ok: bool) -> String {
    if ok { styled(GOOD, "✓") } else { styled(BAD, "✗") }
}

/// Text in a style.
pub(crate) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_guest_drives_the_terminal() {
        assert_eq!(clean("a\x1b[2J\tb\r\n\u{7f}\u{9b}"), "a\\u{1b}[2J\tb\\r\n\\u{7f}\\u{9b}");
        assert_eq!(clean("x\u{202e}y é 漢"), "x\\u{202e}y é 漢");
    }
}
