//! What the documents say of this program.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser as _;

use crate::args::Cli;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every document for users: its path, its text.
fn documents() -> Vec<(PathBuf, String)> {
    let mut found: Vec<PathBuf> =
        ["README.md", "charts/evalx/README.md"].iter().map(|name| root().join(name)).collect();
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// Lines of the blocks for a shell, each command on one line, and without the prompt of `console`.
fn commands(text: &str) -> Vec<String> {
    let (mut commands, mut within, mut open) = (Vec::new(), None, String::new());
    for line in text.lines() {
        match (within, line.trim_end().strip_prefix("```")) {
            (None, Some(kind)) => within = Some(kind),
            (Some(_), Some(_)) => within = None,
            (Some("sh"), None) => match line.strip_suffix('\\') {
                Some(part) => open.push_str(part),
                None => commands.push(std::mem::take(&mut open) + line),
            },
            (Some("console"), None) => {
                commands.extend(line.strip_prefix("$ ").map(str::to_owned));
            }
            _ => {}
        }
    }
    commands
}

/// The words of a command up to what only a shell understands.
fn words(command: &str) -> Vec<&str> {
    let ends = |word: &&str| !matches!(*word, "|" | "&" | "&&" | ">" | "#" | "<<'END'");
    command.split_whitespace().take_while(ends).collect()
}

#[test]
fn commands_in_the_documents_are_understood() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (path, text) in documents() {
        for command in commands(&text) {
            let words = words(&command);
            // Variables before a command are the shell's.
            let begin = words.iter().position(|word| !word.contains('=')).unwrap_or(0);
            if words.get(begin) != Some(&"evalx") {
                continue;
            }
            seen += 1;
            if let Err(error) = Cli::try_parse_from(&words[begin..])
                && error.use_stderr()
            {
                wrong.push(format!("{}: {command}\n{error}", path.display()));
            }
        }
    }
    assert!(seen >= 15, "only {seen} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_in_commands_are_there() {
    let mut wrong = Vec::new();
    let tops = ["examples/", "charts/", "manifests/", "crds/", "images/", "scripts/", "./"];
    for (path, text) in documents() {
        let name = path.strip_prefix(root()).unwrap().display();
        for command in commands(&text) {
            for word in words(&command) {
                let named = tops.iter().any(|top| word.starts_with(top)) && !word.contains('*');
                if named && !root().join(word).exists() {
                    wrong.push(format!("{name}: {word} in {command:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
