//! What README.md and the pages of docs/ tell their readers to type in a shell, and which test types
//! it: each block has a row here, or the test `book` fails.

use std::fs;
use std::path::{Path, PathBuf};

/// A block for a shell.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) page: &'static str,
    /// How its first command begins.
    pub(crate) begins: &'static str,
    pub(crate) typed: Typed,
}

/// Who types it.
#[derive(Debug)]
#[allow(dead_code, reason = "each target reads of it what it needs")]
pub(crate) enum Typed {
    /// `up_root`, before an `evalx up`; these words are in what comes of it.
    Up(&'static [&'static str]),
    /// `up_root`: it starts servers that stay.
    Servers,
    /// That file.
    By(&'static str),
    /// Nobody, and why.
    Never(&'static str),
}

const fn block(page: &'static str, begins: &'static str, typed: Typed) -> Block {
    Block { page, begins, typed }
}

use Typed::{By, Never, Servers, Up};

const ACCEPTED: &[&str] = &["AC  1 of 1 accepted"];
const VERDICT: &[&str] = &[r#""status":"finished""#, r#""verdict":"AC""#];

pub(crate) const BLOCKS: &[Block] = &[
    // `make demo` and `make test` are what scripts/test is made of, and the script itself.
    block("README.md", "./start-dev.sh", By("cli/tests/up_root/dev.rs")),
    block("README.md", "mkdir tests;", Up(ACCEPTED)),
    block("README.md", "evalx up &", Up(VERDICT)),
    block("README.md", "export EVALX_SERVER=", Up(ACCEPTED)),
    block("README.md", "curl -s localhost:2358/v1/problems", Up(VERDICT)),
    block("README.md", "python3 -m venv judge0", Up(&[r#"{"description":"Accepted","id":3}"#])),
    block("README.md", "redis-server --appendonly", Servers),
    block("README.md", "docker build", By("scripts/worker-root")),
    block("README.md", "helm install", By("e2e/tests/chart/install.rs")),
    block(
        "README.md",
        "cargo install mdbook",
        Never("it is built for minutes; `book` reads what it reads"),
    ),
    block("docs/start.md", "./start-dev.sh", By("cli/tests/up_root/dev.rs")),
    block("docs/start.md", "cargo build --release", By("scripts/test")),
    block("docs/start.md", "mkdir -p tests", Up(ACCEPTED)),
    block("docs/start.md", "curl -s 'localhost:2358/v1/submissions?wait=10'", Up(VERDICT)),
    block("docs/cluster.md", "docker build", By("scripts/worker-root")),
    block("docs/cluster.md", "helm install", By("e2e/src/machine/release.rs")),
    block("docs/cluster.md", "kubectl apply --server-side", By("e2e/tests/chart/manifests.rs")),
    block("docs/cluster.md", "kubectl create namespace", By("e2e/src/machine/release.rs")),
    block("docs/cluster.md", "kubectl -n judges port-forward", By("e2e/tests/real/hands.rs")),
    block("docs/judge0.md", "export JUDGE0_CE_ENDPOINT", By("cli/tests/judge0_root/main.rs")),
    block(
        "docs/rewards.md",
        "curl -sN 'localhost:2358/v1/submissions:batch'",
        Up(&[r#""verdict":"AC""#, r#""verdict":"WA""#, r#""tags":["sample-2"]"#]),
    ),
    block("docs/contests.md", "evalx verify examples/problems/*", By("scripts/test")),
    block("docs/contests.md", "evalx server --redis", Servers),
    block("docs/contests.md", "evalx submit examples/problems", Up(&["AC  "])),
    block("docs/harden.md", "TOKEN=", Servers),
    block("docs/harden.md", "kubectl -n judges create secret", By("e2e/tests/chart/service.rs")),
    block("docs/nodes.md", "kubectl -n judges exec", By("e2e/tests/real/hands.rs")),
    block("docs/nodes.md", "evalx calibrate", By("cli/tests/root.rs")),
    block("docs/monitoring.md", "helm upgrade", By("e2e/tests/real/monitoring.rs")),
    block("docs/troubleshoot.md", "evalx doctor", By("cli/tests/root.rs")),
    block("docs/benchmarks.md", "make bench", Never("it measures, for half an hour")),
    block("docs/benchmarks.md", "evalx doctor", By("cli/tests/root.rs")),
    block("docs/upgrade.md", "helm upgrade", By("e2e/tests/chart/upgrade.rs")),
    block("docs/upgrade.md", "helm rollback", By("e2e/tests/chart/upgrade.rs")),
    block("docs/upgrade.md", "helm install", By("e2e/tests/chart/takeover.rs")),
];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The commands of a page's blocks for a shell. Where a block has answers, too, its commands are those
/// behind `$ `, with the lines that a quote goes on in; else all of it is one.
pub(crate) fn commands(page: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if !line.starts_with("```") {
            continue;
        }
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match line {
            "```sh" => blocks.push(vec![block.join("\n")]),
            "```console" => blocks.push(typed(&block)),
            _ => {}
        }
    }
    blocks
}

fn typed(block: &[&str]) -> Vec<String> {
    let mut commands = Vec::<String>::new();
    let mut open = false;
    for line in block {
        if let Some(begins) = line.strip_prefix("$ ") {
            commands.push(begins.to_owned());
        } else if open {
            let command = commands.last_mut().expect("an open command");
            *command = format!("{command}\n{line}");
        }
        let last = commands.last().map_or("", String::as_str);
        open = last.ends_with('\\') || last.matches('\'').count() % 2 == 1;
    }
    commands
}

/// The commands of a block.
#[allow(dead_code, reason = "one of two targets types them")]
pub(crate) fn commands_of(block: &Block) -> Vec<String> {
    let mut all = commands(block.page).into_iter();
    all.find(|commands| commands[0].starts_with(block.begins)).expect("the test `book` has seen it")
}
