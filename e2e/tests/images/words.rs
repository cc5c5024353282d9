//! What files of the images have to say and what not: read, not run.

use std::fs;
use std::path::Path;

use e2e::programs::checkout;
use libtest_mimic::Failed;

/// Architectures, as Debian, Go, Node.js and the kernel call them.
const ARCHITECTURES: [&str; 6] = ["amd64", "x86_64", "x86-64", "arm64", "aarch64", "linux-x64"];

/// Who may name one, and why.
const MAY: [(&str, &str); 3] = [
    ("scripts/test", "the guest of cgroup v2 runs on one"),
    ("scripts/test-v2", "that guest"),
    ("scripts/web", "a package of Node.js for each, by `uname -m`"),
];

/// Images are for the builder's architecture or the one that is asked for (`--platform`): nothing that
/// makes them names one.
pub(super) fn no_architecture() -> Result<(), Failed> {
    let mut files = vec!["docker-compose.yml".into(), "start-dev.sh".into(), "Makefile".into()];
    for folder in ["images", "images/packages", "scripts"] {
        let entries = fs::read_dir(checkout().join(folder))?.flatten();
        let plain = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
        files.extend(plain.map(|entry| Path::new(folder).join(entry.file_name())));
    }
    let mut odd = Vec::new();
    for file in &files {
        // A package that somebody has put there is no text.
        let Ok(text) = fs::read_to_string(checkout().join(file)) else { continue };
        let named = ARCHITECTURES.iter().any(|architecture| text.contains(architecture));
        let may = MAY.iter().any(|(allowed, _)| file == Path::new(allowed));
        match (named, may) {
            (true, false) => odd.push(format!("{} names an architecture", file.display())),
            (false, true) => {
                odd.push(format!("{} names none, and so need not be allowed to", file.display()))
            }
            _ => {}
        }
    }
    if odd.is_empty() { Ok(()) } else { Err(odd.join("\n").into()) }
}

/// `images/describe` records a program of each language that `scripts/toolchains` installs.
pub(super) fn toolchains() -> Result<(), Failed> {
    let text = |file: &str| fs::read_to_string(checkout().join(file));
    let (installs, describes) = (text("scripts/toolchains")?, text("images/describe")?);
    let list = describes.split_once("for program in").and_then(|(_, rest)| rest.split_once("; do"));
    let (list, _) = list.ok_or("images/describe has no list of programs")?;
    let recorded: Vec<_> = list.split_whitespace().collect();
    let table = installs.split_once("table='\n").and_then(|(_, rest)| rest.split_once("\n'\n"));
    let (table, _) = table.ok_or("scripts/toolchains has no table")?;
    // Tier, language, programs that its boxes need, packages.
    let rows: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    let missing: Vec<_> = rows
        .iter()
        .filter(|row| {
            // The first is the language's own.
            let program = row.get(2).and_then(|programs| programs.split(',').next());
            !program.is_some_and(|program| recorded.contains(&program))
        })
        .map(|row| row.join(" "))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(missing.join("\n").into()) }
}
