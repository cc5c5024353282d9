//! `docs/metrics.md`, made from what processes really show: each of its tables is compared with a
//! scrape by whoever has one, so that dashboards and alerts need only be compared with the page.
//! `UPDATE=1` rewrites a table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What a metric is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) labels: BTreeSet<String>,
    pub(crate) help: String,
}

pub(crate) type Families = BTreeMap<String, Family>;

/// Compares a table of the page with a scrape.
#[allow(dead_code, reason = "not every target that includes this file has a scrape")]
pub(crate) fn compare(section: &str, scrape: &str) {
    compare_families(section, &families(scrape));
}

fn compare_families(section: &str, shown: &Families) {
    let page = fs::read_to_string(path()).unwrap();
    let (before, old, after) = split(&page, section);
    let new = table(shown);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path(), [before, &new, after].concat()).unwrap();
        return;
    }
    assert!(
        old == new,
        "the table {section} of docs/metrics.md is not what is scraped; write it with UPDATE=1, and \
         look at the difference\n{old}\n{new}"
    );
}

/// The same with a process that is `other` as well; what is only that one's is in the other table.
#[allow(dead_code, reason = "not every target that includes this file has such a scrape")]
pub(crate) fn compare_beside(section: &str, other: &str, scrape: &str) {
    let (own, others) = (documented(section), documented(other));
    let only_others = |name: &String| others.contains_key(name) && !own.contains_key(name);
    let (beside, shown) =
        families(scrape).into_iter().partition::<Families, _>(|(name, _)| only_others(name));
    compare_families(section, &shown);
    assert!(!beside.is_empty(), "nothing of {other}");
    for (name, Family { kind, labels, help }) in beside {
        let page = &others[&name];
        let same = (&kind, &help) == (&page.kind, &page.help) && labels.is_subset(&page.labels);
        assert!(same, "{name} is not as in the table {other}");
    }
}

/// The metrics of one table of the page.
#[allow(dead_code, reason = "not every target that includes this file reads the page")]
pub(crate) fn documented(section: &str) -> Families {
    let page = fs::read_to_string(path()).unwrap();
    let mut families = Families::new();
    for row in split(&page, section).1.lines().skip(2) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, help] = cells[..] else { panic!("{row}") };
        let labels = labels.split(", ").map(|label| label.trim_matches('`').to_owned());
        let labels = labels.filter(|label| !label.is_empty()).collect();
        let family = Family { kind: kind.to_owned(), labels, help: help.to_owned() };
        families.insert(name.trim_matches('`').to_owned(), family);
    }
    assert!(!families.is_empty(), "{section} is empty");
    families
}

fn path() -> PathBuf {
    // Every crate lies beside docs/.
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md")
}

/// What is before a section's table, the table, and what is after it.
fn split<'a>(page: &'a str, section: &str) -> (&'a str, &'a str, &'a str) {
    let heading = format!("\n## {section}\n");
    let start = page.find(&heading).unwrap_or_else(|| panic!("no section {section}"));
    let start = start + heading.len();
    let end = page[start..].find("\n## ").map_or(page.len(), |end| start + end);
    let begin = page[start..end].find("| metric").map_or(end, |at| start + at);
    (&page[..begin], &page[begin..end], &page[end..])
}

/// Reads the text format of Prometheus.
fn families(scrape: &str) -> Families {
    let mut families = Families::new();
    for line in scrape.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, help] => {
                families.entry(name.to_owned()).or_default().help = help.to_owned();
            }
            ["#", "TYPE", name, kind] => {
                families.entry(name.to_owned()).or_default().kind = kind.to_owned();
            }
            _ => sample(line, &mut families),
        }
    }
    families
}

fn sample(line: &str, families: &mut Families) {
    let Some((name, rest)) = line.split_once('{') else { return };
    let ends = ["", "_bucket", "_sum", "_count"].iter();
    let mut names = ends.filter_map(|end| name.strip_suffix(end));
    let name = names.find(|name| families.contains_key(*name)).unwrap();
    let labels = rest.rsplit_once('}').unwrap().0.split("\",");
    let labels = labels.map(|label| label.split_once('=').unwrap().0.to_owned());
    let family = families.get_mut(name).unwrap();
    // That of a histogram's buckets is not the metric's.
    family.labels.extend(labels.filter(|label| label != "le"));
}

fn table(families: &Families) -> String {
    let mut text = "| metric | type | labels | |\n|---|---|---|---|\n".to_owned();
    for (name, Family { kind, labels, help }) in families {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        text += &format!("| `{name}` | {kind} | {} | {help} |\n", labels.join(", "));
    }
    text
}
