//! Whether files are languages. A worker that meets a wrong entry ends at its start, and it meets it
//! by a new template: so everything that a worker refuses is refused here before.
//!
//! The operator knows the entries of its own version. Workers of a newer one may know more fields;
//! their operator comes first, as with every upgrade.

mod entry;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

use crate::yaml;
use entry::{Entry, Fault};

/// Why they are none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Problem {
    Key { key: String },
    Empty,
    NotYaml { key: String, why: String },
    NoList { key: String },
    Shape { key: String, why: String },
    Rule { key: String, id: String, fault: Fault },
    Twice { key: String, id: String, name: String },
    Mounts { key: String, id: String, other: String, to: PathBuf },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { key } => write!(f, "key {key:?} does not end in .yaml"),
            Self::Empty => f.write_str("it has no key that ends in .yaml"),
            Self::NotYaml { key, why } => write!(f, "{key} is not YAML: {why}"),
            Self::NoList { key } => write!(f, "{key} is no list of languages"),
            // It begins with the place of the entry and the field: `[0].run: missing field `argv``.
            Self::Shape { key, why } => write!(f, "{key}: entry {why}"),
            Self::Rule { key, id, fault: Fault { field, problem } } => {
                write!(f, "{key}: language {id:?}: {field} {problem}")
            }
            Self::Twice { key, id, name } => {
                write!(f, "{key}: language {id:?}: the name {name:?} is there twice")
            }
            Self::Mounts { key, id, other, to } => {
                write!(
                    f,
                    "{key}: language {id:?}: mounts has another folder at {to:?} than {other:?}"
                )
            }
        }
    }
}

pub(super) fn check(files: &BTreeMap<String, String>) -> Result<(), Problem> {
    if files.is_empty() {
        return Err(Problem::Empty);
    }
    let (mut ids, mut before) = (BTreeSet::new(), Vec::<Entry>::new());
    for (key, text) in files {
        if !key.ends_with(".yaml") && !key.ends_with(".yml") {
            return Err(Problem::Key { key: key.clone() });
        }
        // A later file may take over an alias, but two of one id are a slip.
        let mut names = BTreeSet::new();
        for entry in read(key, text)? {
            let (key, id) = (|| key.clone(), entry.id.clone());
            entry.check().map_err(|fault| Problem::Rule { key: key(), id: id.clone(), fault })?;
            let own = entry.aliases.iter().chain([&id]);
            let twice =
                own.map(|name| name.to_ascii_lowercase()).find(|n| !names.insert(n.clone()));
            let twice = twice.or_else(|| (!ids.insert(id.clone())).then(|| id.clone()));
            if let Some(name) = twice {
                return Err(Problem::Twice { key: key(), id, name });
            }
            // What is built in is the worker's own, of its version: it is not known here.
            if let Some((to, other)) =
                before.iter().find_map(|b| entry.clashes(b).map(|to| (to, b)))
            {
                let (to, other) = (to.to_owned(), other.id.clone());
                return Err(Problem::Mounts { key: key(), id, other, to });
            }
            before.push(entry);
        }
    }
    Ok(())
}

/// Straight from the text, as a worker does it: by way of another form, a number that stands for a
/// text would be refused, and a field that is there twice would not.
fn read(key: &str, text: &str) -> Result<Vec<Entry>, Problem> {
    let key = key.to_owned();
    yaml::read(text).map_err(|error| match yaml::read::<Value>(text) {
        Err(error) => Problem::NotYaml { key, why: error.to_string() },
        Ok(Value::Array(_)) => {
            // `.[0].run: …`
            let why = error.to_string().trim_start_matches('.').to_owned();
            Problem::Shape { key, why }
        }
        Ok(_) => Problem::NoList { key },
    })
}

#[cfg(test)]
mod tests;
