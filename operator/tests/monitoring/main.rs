//! Dashboards, alerts and runbooks: what they name is there, and they are made as Grafana's linter
//! and Prometheus' own tool want them.
#![expect(clippy::unwrap_used, reason = "tests")]

mod dashboards;
mod promql;
mod reference;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use promql::{Selector, Use};
use reference::Families;

/// What whoever scrapes adds to each series. `cluster` is added by those who have several.
const TARGET: [&str; 8] =
    ["cluster", "namespace", "judgecluster", "node", "pod", "job", "instance", "container"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files of a folder that end so, by name.
fn files(folder: &str, extension: &str) -> BTreeMap<String, String> {
    let folder = root().join(folder);
    let paths = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.extension().is_some_and(|end| end == extension));
    let files: BTreeMap<String, String> = files
        .map(|path| {
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (stem, fs::read_to_string(path).unwrap())
        })
        .collect();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

/// Every metric that a process of ours shows.
#[derive(Debug)]
struct Known(Vec<Families>);

impl Known {
    fn read() -> Self {
        Self(["Service", "Worker", "Operator"].map(reference::documented).into())
    }

    /// The labels that a series of this name has besides those of its target.
    fn labels(&self, metric: &str) -> Option<BTreeSet<String>> {
        let mut found = None;
        for families in &self.0 {
            let ends = ["", "_bucket", "_sum", "_count"].iter();
            for end in ends {
                let Some(family) = metric.strip_suffix(end).and_then(|name| families.get(name))
                else {
                    continue;
                };
                if end.is_empty() == (family.kind == "histogram") {
                    continue;
                }
                let labels: &mut BTreeSet<String> = found.get_or_insert_default();
                labels.extend(family.labels.iter().cloned());
                if *end == "_bucket" {
                    labels.insert("le".to_owned());
                }
            }
        }
        found
    }

    /// Whether there is such a metric, or such a series of one.
    fn has(&self, name: &str) -> bool {
        self.labels(name).is_some() || self.0.iter().any(|families| families.contains_key(name))
    }

    /// What is wrong with an expression's names.
    fn wrong(&self, uses: &Use) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut all: BTreeSet<String> = TARGET.map(str::to_owned).into();
        // `label_replace` makes labels; what it reads is of its selector.
        all.extend(uses.made.iter().cloned());
        for Selector { metric, matchers, range, function } in &uses.selectors {
            let Some(labels) = self.labels(metric) else {
                wrong.push(format!("{metric} is nowhere in docs/metrics.md"));
                continue;
            };
            for (label, _, _) in matchers {
                if !labels.contains(label) && !TARGET.contains(&label.as_str()) {
                    wrong.push(format!("{metric} has no label {label}"));
                }
            }
            let counted = ["rate", "irate", "increase"].contains(&function.as_str());
            if metric.ends_with("_total") && !(counted && range.is_some()) {
                wrong.push(format!("{metric} is a counter, and neither rate nor increase"));
            }
            all.extend(labels);
        }
        let strangers = uses.grouped.iter().filter(|label| !all.contains(*label));
        wrong.extend(strangers.map(|label| format!("nothing has a label {label}")));
        wrong
    }
}

/// Runs Prometheus' own tool. `None` where it is not installed; with `CI=true` that is a failure.
#[expect(clippy::disallowed_methods, reason = "no guest: the tool that checks rules")]
fn promtool(arguments: &[&str]) -> Option<Output> {
    let done = Command::new("promtool").args(arguments).output();
    let strict = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(done.is_ok() || !strict, "promtool is needed: apt-get install prometheus");
    done.ok()
}

/// That it found nothing.
fn clean(done: Option<Output>) {
    let Some(Output { status, stdout, stderr }) = done else { return };
    let text = |bytes| String::from_utf8(bytes).unwrap();
    assert!(status.success(), "{}{}", text(stdout), text(stderr));
}
