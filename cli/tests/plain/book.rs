//! The pages in docs/: each is in the book, and what they link to is there, and in the book as well.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::pages::{BLOCKS, Typed, commands, root};

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|is| is == extension)
}

/// The files below a folder whose names end so.
fn files(folder: &Path, extension: &str) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if has_extension(&path, extension) {
            found.insert(path);
        }
    }
    found
}

/// The pages below a folder.
fn pages(folder: &Path) -> BTreeSet<PathBuf> {
    files(folder, "md")
}

/// A page as mdBook reads it: a line `{{#include FILE}}` or `{{#include FILE:ANCHOR}}` stands for the
/// file, or for what of it comes after the line with `ANCHOR: NAME`.
fn text(page: &Path) -> String {
    let text = fs::read_to_string(page).unwrap();
    let lines = text.lines().map(|line| {
        let include = line.strip_prefix("{{#include ").and_then(|rest| rest.strip_suffix("}}"));
        let Some(include) = include else { return format!("{line}\n") };
        let (file, anchor) = include.split_once(':').unwrap_or((include, ""));
        let whole = fs::read_to_string(page.parent().unwrap().join(file))
            .unwrap_or_else(|error| panic!("{}: {include}: {error}", page.display()));
        if anchor.is_empty() {
            return whole;
        }
        let (_, rest) = whole.split_once(&format!("ANCHOR: {anchor} -->\n")).unwrap();
        rest.to_owned()
    });
    lines.collect()
}

/// What a page links to, outside of its code.
fn links(page: &Path) -> Vec<String> {
    let text = text(page);
    let mut code = false;
    let prose = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    });
    let linked = prose.flat_map(|line| line.split("](").skip(1));
    linked.filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

/// The anchors of a page, as renderers of Markdown make them of headings.
fn anchors(page: &Path) -> BTreeSet<String> {
    let text = text(page);
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let kept = line.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn what_pages_link_to_is_there() {
    let root = root();
    let mut all = pages(&root.join("docs"));
    all.extend(
        ["README.md", "ARCHITECTURE.md", "SPEC.md", "bench/README.md", "charts/evalx/README.md"]
            .map(|p| root.join(p)),
    );
    let mut checked = 0;
    let mut broken = Vec::new();
    for page in &all {
        for link in links(page).into_iter().filter(|link| !link.contains("://")) {
            checked += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path {
                "" => page.clone(),
                path => page.parent().unwrap().join(path),
            };
            let there = target.exists() && (anchor.is_empty() || anchors(&target).contains(anchor));
            // In the book there is nothing above its pages, and no folder is a page.
            let docs = root.join("docs");
            let inside = !page.starts_with(&docs)
                || target.is_file() && target.canonicalize().unwrap().starts_with(&docs);
            if !there || !inside {
                broken.push(format!("{}: {link}", page.strip_prefix(&root).unwrap().display()));
            }
        }
    }
    assert!(checked > 50, "only {checked} links were found");
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn each_page_is_in_the_book() {
    let docs = root().join("docs");
    let listed: BTreeSet<_> =
        links(&docs.join("SUMMARY.md")).into_iter().map(|link| docs.join(link)).collect();
    let mut there = pages(&docs);
    there.remove(&docs.join("SUMMARY.md"));
    assert_eq!(listed, there);
}

#[test]
fn each_picture_is_shown() {
    let docs = root().join("docs");
    let linked = pages(&docs).into_iter().flat_map(|page| {
        let folder = page.parent().unwrap().to_owned();
        links(&page).into_iter().map(move |link| folder.join(link))
    });
    let shown: BTreeSet<_> = linked.filter(|path| has_extension(path, "png")).collect();
    assert_eq!(shown, files(&docs, "png"));
}

#[test]
fn each_command_is_typed_by_a_test() {
    let root = root();
    let mut names = vec!["README.md".to_owned()];
    for entry in fs::read_dir(root.join("docs")).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if has_extension(Path::new(&name), "md") {
            names.push(format!("docs/{name}"));
        }
    }
    let mut used = 0;
    for page in &names {
        for block in commands(page) {
            let rows = BLOCKS.iter().filter(|row| row.page == page);
            let typed = rows.filter(|row| block[0].starts_with(row.begins)).count();
            assert_eq!(typed, 1, "{page}: tests/pages/mod.rs does not say who types {}", block[0]);
            used += 1;
        }
    }
    assert_eq!(used, BLOCKS.len(), "a row of tests/pages/mod.rs is of no block");
    // On a true node what begins with helm or kubectl, and the rest on one machine.
    let programs = ["helm", "kubectl", "evalx", "redis-cli", "curl", "df"];
    for page in files(&root.join("docs/runbooks"), "md") {
        let page = page.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        for line in commands(&page).iter().flatten().flat_map(|block| block.lines()) {
            let program = line.split(' ').next().unwrap();
            assert!(program.is_empty() || programs.contains(&program), "{page}: {line}");
        }
    }
    for row in BLOCKS {
        if let Typed::By(file) = row.typed {
            assert!(root.join(file).is_file(), "{row:?}");
        }
    }
}
