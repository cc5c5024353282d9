//! The bar on standard error.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Voice;

/// A bar over `len` steps; it draws nothing unless standard error is a terminal, and leaves
/// nothing behind.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar with nothing done.
    pub(crate) fn new(voice: Voice, len: usize) -> Self {
        if !voice.progress() {
            return Self(ProgressBar::hidden());
        }
        let target = ProgressDrawTarget::stderr();
        let bar = ProgressBar::with_draw_target(Some(len as u64), target);
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len} {wide_msg}")
            .expect("the template is a constant with known keys");
        bar.set_style(style.progress_chars("━╸─"));
        Self(bar)
    }

    /// The same where nobody knows how many steps there will be.
    pub(crate) fn open(voice: Voice) -> Self {
        if !voice.progress() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{spinner} {pos} tests {wide_msg}")
            .expect("the template is a constant with known keys");
        bar.set_style(style);
        Self(bar)
    }

    /// Says what is going on.
    pub(crate) fn say(&self, what: impl Into<std::borrow::Cow<'static, str>>) {
        self.0.set_message(what);
    }

    /// Says that one more step is done.
    pub(crate) fn step(&self) {
        self.0.inc(1);
    }

    /// Prints without tearing the bar.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
