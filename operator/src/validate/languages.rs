//! Whether files can be languages: their outer shape. What is in an entry is the judge's to say, and
//! a worker that refuses it says so when it starts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::yaml;

/// Why they cannot.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Problem {
    Key { key: String },
    Empty,
    NotYaml { key: String, why: String },
    NoList { key: String },
    NoId { key: String, index: usize },
    Twice { key: String, id: String },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { key } => write!(f, "key {key:?} does not end in .yaml"),
            Self::Empty => f.write_str("it has no key that ends in .yaml"),
            Self::NotYaml { key, why } => write!(f, "{key} is not YAML: {why}"),
            Self::NoList { key } => write!(f, "{key} is no list of languages"),
            Self::NoId { key, index } => write!(f, "{key}: entry {index} has no id"),
            Self::Twice { key, id } => write!(f, "{key}: the id {id:?} is there twice"),
        }
    }
}

pub(super) fn check(files: &BTreeMap<String, String>) -> Result<(), Problem> {
    if files.is_empty() {
        return Err(Problem::Empty);
    }
    let mut ids = BTreeSet::new();
    for (key, text) in files {
        let key = || key.clone();
        if !key().ends_with(".yaml") && !key().ends_with(".yml") {
            return Err(Problem::Key { key: key() });
        }
        let value: serde_json::Value = yaml::read(text)
            .map_err(|error| Problem::NotYaml { key: key(), why: error.to_string() })?;
        let list = value.as_array().ok_or_else(|| Problem::NoList { key: key() })?;
        for (index, entry) in list.iter().enumerate() {
            let id = entry.get("id").and_then(serde_json::Value::as_str);
            let id = id.ok_or_else(|| Problem::NoId { key: key(), index })?.to_ascii_lowercase();
            if !ids.insert(id.clone()) {
                return Err(Problem::Twice { key: key(), id });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(key: &str, text: &str) -> String {
        let files = BTreeMap::from([(key.to_owned(), text.to_owned())]);
        check(&files).map_or_else(|problem| problem.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn the_key_that_is_wrong_is_named() {
        assert_eq!(said("a.yaml", "- id: c17\n- id: c23\n"), "fine");
        assert_eq!(said("notes.txt", ""), "key \"notes.txt\" does not end in .yaml");
        assert!(said("a.yaml", "a: [").starts_with("a.yaml is not YAML: "));
        assert_eq!(said("a.yaml", "a: b"), "a.yaml is no list of languages");
        assert_eq!(said("a.yaml", "- name: x"), "a.yaml: entry 0 has no id");
        assert_eq!(said("a.yaml", "- id: X\n- id: x"), "a.yaml: the id \"x\" is there twice");
        assert_eq!(check(&BTreeMap::new()), Err(Problem::Empty));
    }
}
