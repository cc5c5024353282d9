//! What a document tells its readers to type.

use anyhow::{Context, Result};

use crate::cluster::Cluster;
use crate::{helm, kubectl, programs};

/// The commands of a document's blocks for a shell that begin with helm or kubectl, as words.
pub fn commands(file: &str) -> Result<Vec<Vec<String>>> {
    let path = programs::checkout().join(file);
    let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(|block| {
        let whole = block.replace("\\\n", " ");
        let words = |line: &str| {
            let words = line.split_whitespace().take_while(|word| *word != "#");
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        whole.lines().map(words).collect::<Vec<_>>()
    });
    let ours =
        |words: &Vec<String>| matches!(words.first().map(String::as_str), Some("helm" | "kubectl"));
    Ok(lines.filter(ours).collect())
}

/// Types such a command, and hands out what it prints.
pub fn type_in(cluster: &Cluster, command: &[String]) -> Result<String> {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    match words.split_first() {
        Some((&"helm", rest)) => helm::run(cluster, rest),
        Some((_, rest)) => kubectl::run(cluster, rest),
        None => anyhow::bail!("no command"),
    }
}
