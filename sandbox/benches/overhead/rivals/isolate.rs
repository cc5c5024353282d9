//! The isolate program, as its callers use it: one command to make a box, one to run, one to clean up.

use std::process::Stdio;

use crate::programs::{Program, command};

/// A box that others seldom take: callers begin at 0, our own engine at the end.
const BOX: &str = "--box-id=77";

#[derive(Debug)]
pub(crate) struct Isolate {
    pub(crate) version: String,
    /// Shows the program's folder in the box; nothing is copied.
    folder: String,
}

impl Isolate {
    /// The one on `PATH`, if it can run the program here.
    pub(crate) fn find(program: &Program) -> Result<Self, String> {
        let told = command("isolate").arg("--version").output();
        let told = told.map_err(|_| "isolate is not on PATH".to_owned())?;
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let first = told.lines().next().unwrap_or_default();
        let version = first.trim_start_matches("The process isolator ").to_owned();
        let folder = format!("--dir=program={}", program.folder().display());
        let isolate = Self { version: format!("isolate {version}"), folder };
        let whole = isolate.step(&["--init"])
            && isolate.step(&[&isolate.folder, "--run", "--", "/program/program"]);
        // Whatever it says: nothing stays.
        let clean = isolate.step(&["--cleanup"]);
        if whole && clean { Ok(isolate) } else { Err("isolate does not run here".to_owned()) }
    }

    /// Its three commands.
    pub(crate) fn run(&self) {
        assert!(self.step(&["--init"]), "isolate makes its box");
        assert!(self.step(&[&self.folder, "--run", "--", "/program/program"]), "it runs");
        assert!(self.step(&["--cleanup"]), "isolate removes its box");
    }

    fn step(&self, words: &[&str]) -> bool {
        let mut isolate = command("isolate");
        isolate.args([BOX, "--silent"]).args(words).stdin(Stdio::null()).stdout(Stdio::null());
        isolate.status().is_ok_and(|status| status.success())
    }
}
