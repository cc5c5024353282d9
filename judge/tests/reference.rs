//! `docs/verdicts.md` and `docs/languages.md` are made from the definitions of verdicts and of languages;
//! `UPDATE=1 cargo test -p judge --test reference` rewrites them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

const VERDICTS: &str = "\
# Verdicts

What a submission, and each of its tests, is found to be. The codes are the same in reports, in the HTTP
API, in metrics and on the command line. A submission has the verdict of its first test that is not
accepted, unless its problem says otherwise.

This page is made from the judge's definition.

| code | name | |
|---|---|---|
";

const LANGUAGES: &str = "\
# Languages

What comes with evalX. A worker judges those whose toolchains it has: an image of the tier `core` has
those of that tier, one of `full` has all. `evalx languages` and `/v1/languages` say what is there, and in
which version. A submission names an id, a short name, or a language id of Judge0.

This page is made from the judge's table.

| id | name | tier | files | names | Judge0's ids |
|---|---|---|---|---|---|
";

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn compare(name: &str, page: &str) {
    let path = Path::new(&here()).join("../docs").join(name);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, page).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "UPDATE=1 cargo test -p judge --test reference rewrites {name}");
}

#[test]
fn the_page_on_verdicts_is_as_committed() {
    let source = fs::read_to_string(here().join("src/model/verdict.rs")).unwrap();
    let (_, source) = source.split_once("pub enum Verdict {\n").unwrap();
    let (source, _) = source.split_once("\n}").unwrap();
    let mut page = VERDICTS.to_owned();
    let (mut text, mut code) = (String::new(), "");
    for line in source.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("///") {
            text += words;
        } else if let Some(rest) = line.strip_prefix("#[serde(rename = \"") {
            code = rest.trim_end_matches("\")]");
        } else {
            // `TimeLimit` → `time limit`.
            let name = line.trim_end_matches(',');
            let name = name.chars().map(|c| match c {
                c if c.is_uppercase() => format!(" {}", c.to_lowercase()),
                c => c.to_string(),
            });
            let name = name.collect::<String>();
            writeln!(page, "| `{code}` | {} | {} |", name.trim(), text.trim()).unwrap();
            text.clear();
        }
    }
    assert!(page.contains("| `TLE` | time limit | More CPU time than granted. |\n"), "{page}");
    // What the README tells in other words is the same list.
    let readme = fs::read_to_string(here().join("../README.md")).unwrap();
    let (_, table) = readme.split_once("## Verdicts\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let codes = |page: &str| {
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.map(|row| row.split('`').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codes(table), codes(&page));
    compare("verdicts.md", &page);
}

#[test]
fn the_page_on_languages_is_as_committed() {
    let text = fs::read_to_string(here().join("src/language/languages.yaml")).unwrap();
    let languages: Value = judge::yaml::from_str(&text).unwrap();
    let mut page = LANGUAGES.to_owned();
    for language in languages.as_array().unwrap() {
        let words = |key: &str| -> Vec<&str> {
            let all = language[key].as_array().into_iter().flatten();
            all.map(|word| word.as_str().unwrap()).collect()
        };
        let (ids, names): (Vec<_>, Vec<_>) = words("aliases")
            .into_iter()
            .partition(|alias| alias.bytes().all(|byte| byte.is_ascii_digit()));
        let code = |words: Vec<&str>, dot: &str| {
            words.iter().map(|word| format!("`{dot}{word}`")).collect::<Vec<_>>().join(", ")
        };
        let of = |key: &str| language[key].as_str().unwrap();
        writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} |",
            of("id"),
            of("name"),
            of("tier"),
            code(words("extensions"), "."),
            code(names, ""),
            ids.join(", "),
        )
        .unwrap();
    }
    compare("languages.md", &page);
}
