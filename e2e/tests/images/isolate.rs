//! How isolate comes into the worker's image: from a package beside the Dockerfile, or from a signed
//! repository. Only the steps of the Dockerfile for that are run (`scripts/isolate-trial`), with a
//! stand-in for isolate; with isolate itself and all the toolchains an image takes minutes.

use std::process::Command;

use e2e::programs::{self, Profile, checkout};
use libtest_mimic::Failed;

/// What a trial has said, one line each.
struct Trial<'a>(Vec<&'a str>);

impl<'a> Trial<'a> {
    fn of(said: &'a str, name: &str) -> Self {
        let lines = said.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        Self(lines.collect())
    }

    fn says(&self, what: &str) -> Result<(), Failed> {
        if self.0.iter().any(|line| line.contains(what)) {
            return Ok(());
        }
        Err(format!("no line has {what:?}:\n{}", self.0.join("\n")).into())
    }

    fn ends(&self, code: u8) -> Result<(), Failed> {
        let end = format!("ends with {code}");
        if self.0.last() == Some(&&*end) {
            return Ok(());
        }
        Err(format!("it does not end with {code}:\n{}", self.0.join("\n")).into())
    }
}

#[expect(clippy::disallowed_methods, reason = "no guest: a script of this checkout")]
pub(super) fn from_a_package_or_a_repository() -> Result<(), Failed> {
    let evalx = programs::evalx(Profile::Debug)?;
    let script = checkout().join("scripts/isolate-trial");
    let output = Command::new(script).arg(&evalx).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let said = String::from_utf8(output.stdout)?;
    for from in ["package", "repository"] {
        let trial = Trial::of(&said, from);
        trial.ends(0)?;
        // The build's own words, what the image says of itself, and the worker's self-check, which
        // a program that only knows its version does not pass.
        trial.says("isolate: a stand-in for isolate 9.9")?;
        trial.says(&format!("describe: isolate {from}"))?;
        trial.says("describe: isolate isolate 9.9-1 sha256:")?;
        trial.says("isolate is not usable: isolate's answer to --version makes no sense")?;
    }
    let stranger = Trial::of(&said, "stranger");
    stranger.says("it is not signed by the key of http://127.0.0.1:")?;
    stranger.ends(1)?;
    let nobody = Trial::of(&said, "nobody");
    nobody.says("isolate: there is no key at http://127.0.0.1:")?;
    nobody.ends(1)
}
