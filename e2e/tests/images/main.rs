//! The images that need no privilege, as their Dockerfile makes them (the worker's is what runs in
//! `tests/real`), and the compose file, which `start-dev.sh` brings up in an engine of containers.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "measurements for whoever looks")]

mod isolate;
mod words;

use std::process::{Command, ExitCode};

use e2e::machine;
use e2e::programs::{self, Profile, checkout};
use libtest_mimic::{Arguments, Failed, Trial};

/// What an image may have beside its program: the C library and the authorities of TLS.
const BESIDE: u64 = 8 << 20;

/// From images that are built to a submission that is judged, in milliseconds.
const UP: u64 = 30_000;

fn main() -> ExitCode {
    let trials = vec![
        trial("server and operator have what they need, and no more", machine::lack(), small),
        trial(
            "isolate is installed from a package or from a signed repository",
            machine::lack(),
            isolate::from_a_package_or_a_repository,
        ),
        trial("no architecture is named where all are meant", None, words::no_architecture),
        trial("all toolchains of the tiers are recorded", None, words::toolchains),
        trial("the compose file comes up and judges", machine::lack().or_else(no_compose), compose),
    ];
    // One measures how long something takes.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// One that is skipped where something is missing; with `CI=true` that is a failure.
fn trial(name: &str, lack: Option<String>, run: fn() -> Result<(), Failed>) -> Trial {
    let strict = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    let skipped = lack.is_some() && !strict;
    let kind = lack.as_ref().map(|lack| format!("skipped: {lack}")).filter(|_| skipped);
    let trial = Trial::test(name, move || lack.map_or_else(run, |lack| Err(lack.into())));
    trial.with_kind(kind.unwrap_or_default()).with_ignored_flag(skipped)
}

/// Compose is a plugin of docker, or a program of its own.
#[expect(clippy::disallowed_methods, reason = "no guest: a program of the machine")]
fn no_compose() -> Option<String> {
    let there = |program: &str, arguments: &[&str]| {
        let version = Command::new(program).args(arguments).output();
        version.is_ok_and(|version| version.status.success())
    };
    let found = there("docker", &["compose", "version"]) || there("docker-compose", &["version"]);
    (!found).then(|| "the compose file needs: apt-get install docker-compose".to_owned())
}

/// `scripts/compose` brings up server, four workers and Redis, as containers.
#[expect(clippy::disallowed_methods, reason = "no guest: a script of this checkout")]
fn compose() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let evalx = programs::evalx(Profile::Debug)?;
    let script = checkout().join("scripts/compose");
    let output = Command::new(script).arg(&evalx).arg(folder.path()).output()?;
    let log = std::fs::read_to_string(folder.path().join("log/compose.log"));
    let (said, log) = (String::from_utf8(output.stdout)?, log.unwrap_or_default());
    let complaint = String::from_utf8_lossy(&output.stderr);
    let all = || Failed::from(format!("{said}\n{complaint}\n{log}"));
    if !output.status.success() || !said.contains("AC  20 of 20 accepted") {
        return Err(all());
    }
    let took = |before: &str| {
        let (_, rest) = said.split_once(before)?;
        rest.split(' ').next()?.parse::<u64>().ok()
    };
    let up = took("Redis are up after ").ok_or_else(all)?;
    let judged = took("submitted, judged and fetched in ").ok_or_else(all)?;
    if up + judged > UP {
        return Err(format!("{up} ms until all are up, {judged} ms until it is judged").into());
    }
    // Each line begins with the name of its container.
    let of = |name: &str, what: &str| {
        log.lines().any(|line| line.starts_with(name) && line.contains(what))
    };
    let workers = ["worker-1", "worker-2", "worker-3", "worker-4"];
    let all_joined = workers.iter().all(|name| of(name, "joined the queue"));
    if !all_joined || !workers.iter().any(|name| of(name, "judged")) {
        return Err(all());
    }
    let bad =
        |line: &&str| line.contains("ERROR") || line.contains("WARN ") || line.contains("panicked");
    if let Some(line) = log.lines().find(bad) {
        return Err(line.into());
    }
    println!("all are up after {up} ms, and it is judged {judged} ms later");
    Ok(())
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
