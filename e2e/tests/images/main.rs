//! The images that need no privilege, as their Dockerfile makes them. (The worker's is what runs in
//! `tests/real`.)
#![forbid(unsafe_code)]

use std::process::{Command, ExitCode};

use e2e::machine;
use e2e::programs::{self, Profile, checkout};
use libtest_mimic::{Arguments, Failed, Trial};

/// What an image may have beside its program: the C library and the authorities of TLS.
const BESIDE: u64 = 8 << 20;

fn main() -> ExitCode {
    let strict = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    let lack = machine::lack();
    let skipped = lack.is_some() && !strict;
    let kind = lack.as_ref().map(|lack| format!("skipped: {lack}")).filter(|_| skipped);
    let trial =
        Trial::test("server and operator have what they need, and no more", move || match &lack {
            Some(lack) => Err(lack.into()),
            None => small(),
        });
    let trial = trial.with_kind(kind.unwrap_or_default()).with_ignored_flag(skipped);
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

/// `scripts/small-images` builds both and runs them: read-only, as nobody, without a capability.
#[expect(clippy::disallowed_methods, reason = "no guest: a script of this checkout")]
fn small() -> Result<(), Failed> {
    let (evalx, operator) = (programs::evalx(Profile::Debug)?, programs::operator(Profile::Debug)?);
    let script = checkout().join("scripts/small-images");
    let output = Command::new(script).arg(&evalx).arg(&operator).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let said = String::from_utf8(output.stdout)?;
    for (image, program, says) in
        [("server", &evalx, "evalx "), ("operator", &operator, "evalx-operator ")]
    {
        let line = said.lines().find(|line| line.starts_with(image)).ok_or(said.as_str())?;
        let words: Vec<&str> = line.splitn(5, ' ').collect();
        let [_, size, user, revision, version] = words[..] else { return Err(line.into()) };
        let most = std::fs::metadata(program)?.len() + BESIDE;
        if size.parse::<u64>()? > most {
            return Err(format!("{image} has {size} bytes and not at most {most}").into());
        }
        if (user, revision) != ("65532:65532", "tried") || !version.starts_with(says) {
            return Err(line.into());
        }
    }
    Ok(())
}
