//! `submissions/submissions.yaml` of version 2025-09.

use std::collections::BTreeMap as Map;

use serde::Deserialize;
use serde_json::Value;

use super::super::expected::{Bound, Class, Expected, Rule};
use super::super::glob;
use super::{Error, Example, FOLDER, Package, yaml};

const FILE: &str = "submissions.yaml";

/// The entries of the file: by pattern, then by key.
#[derive(Debug, Default)]
pub(super) struct Rules {
    path: std::path::PathBuf,
    entries: Map<String, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    language: Option<String>,
    entrypoint: Option<String>,
    rules: Vec<Rule>,
}

/// A condition as written: on all tests, or under the name of some.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    permitted: Option<Vec<String>>,
    required: Option<Vec<String>>,
    score: Option<Score>,
    message: Option<String>,
    use_for_time_limit: Option<Value>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Score {
    One(f64),
    Range([f64; 2]),
}

impl Rules {
    pub(super) fn read(package: &Package) -> Result<Self, Error> {
        let file = format!("{FOLDER}/{FILE}");
        let path = package.path(&file);
        let text = package.text(&file)?.unwrap_or_default();
        let mut written = yaml::from_str::<Option<Map<String, Option<Map<String, Value>>>>>(&text)
            .map_err(|source| Error::Yaml { path: path.clone(), source })?
            .unwrap_or_default();
        for (folder, permitted, required) in DEFAULTS {
            let list = |codes: &[&str]| Value::from(codes.to_vec());
            let keys = written.entry((*folder).to_owned()).or_default().get_or_insert_default();
            for (key, codes) in [("permitted", permitted), ("required", required)] {
                if !codes.is_empty() {
                    keys.entry(key.to_owned()).or_insert_with(|| list(codes));
                }
            }
            // "Note that by default these are not used for determining the time limit."
            if *folder == "brute_force" {
                keys.entry("use_for_time_limit".to_owned()).or_insert(Value::Bool(false));
            }
        }
        let mut rules = Self { path, entries: Map::new() };
        for (pattern, keys) in written {
            let entry = rules.entry(&pattern, keys.unwrap_or_default())?;
            rules.entries.insert(pattern, entry);
        }
        Ok(rules)
    }

    /// What the submission at `path` (below `submissions/`) should get; sets its language and
    /// entry when the file has them.
    pub(super) fn apply(&self, path: &str, example: &mut Example) -> Expected {
        let mut rules = Vec::new();
        for (pattern, entry) in &self.entries {
            if !glob::matches(pattern, path) {
                continue;
            }
            rules.extend(entry.rules.iter().cloned());
            if let Some(language) = &entry.language {
                example.language = Some(language.clone());
            }
            if let Some(entrypoint) = &entry.entrypoint {
                example.entry = Some(entrypoint.clone());
            }
        }
        Expected { rules, ..Expected::default() }
    }

    fn entry(&self, pattern: &str, keys: Map<String, Value>) -> Result<Entry, Error> {
        let mut entry = Entry::default();
        let mut whole = serde_json::Map::new();
        for (key, value) in keys {
            match (key.as_str(), &value) {
                ("language", Value::String(text)) => entry.language = Some(text.clone()),
                ("entrypoint", Value::String(text)) => entry.entrypoint = Some(text.clone()),
                ("authors" | "model_solution", _) => {}
                ("permitted" | "required" | "score" | "message" | "use_for_time_limit", _) => {
                    whole.insert(key, value);
                }
                (_, Value::Object(_)) => {
                    let condition = self.condition(pattern, &key, value)?;
                    entry.rules.push(self.rule(pattern, Some(key), condition)?);
                }
                _ => {
                    let fault = "is unknown; a key that is no setting names tests and holds some";
                    return Err(self.fault(pattern, &key, fault));
                }
            }
        }
        if !whole.is_empty() {
            let condition = self.condition(pattern, "its settings", Value::Object(whole))?;
            entry.rules.push(self.rule(pattern, None, condition)?);
        }
        Ok(entry)
    }

    fn condition(&self, pattern: &str, key: &str, value: Value) -> Result<Condition, Error> {
        let fault = "must hold permitted, required, score, message or use_for_time_limit, each \
                     as the format has it";
        serde_json::from_value(value).map_err(|_| self.fault(pattern, key, fault))
    }

    fn rule(
        &self,
        pattern: &str,
        tests: Option<String>,
        condition: Condition,
    ) -> Result<Rule, Error> {
        let Condition { permitted, required, score, message, use_for_time_limit } = condition;
        let permitted = self.classes(pattern, "permitted", permitted)?;
        let required = self.classes(pattern, "required", required)?;
        let by_rule = if required == [Class::TimeLimit] {
            Some(Bound::Upper)
        } else if permitted.contains(&Class::TimeLimit) {
            None
        } else {
            Some(Bound::Lower)
        };
        let bound = match &use_for_time_limit {
            None | Some(Value::Bool(true)) => by_rule,
            Some(Value::Bool(false)) => None,
            Some(Value::String(side)) if side == "lower" => Some(Bound::Lower),
            Some(Value::String(side)) if side == "upper" => Some(Bound::Upper),
            Some(_) => {
                let fault = "must be true, false, lower or upper";
                return Err(self.fault(pattern, "use_for_time_limit", fault));
            }
        };
        let score = score.map(|score| match score {
            Score::One(score) => (score, score),
            Score::Range([low, high]) => (low, high),
        });
        Ok(Rule { tests, permitted, required, score, message, bound })
    }

    fn classes(
        &self,
        pattern: &str,
        key: &str,
        codes: Option<Vec<String>>,
    ) -> Result<Vec<Class>, Error> {
        let Some(codes) = codes else { return Ok(Class::ALL.to_vec()) };
        let class = |code: &String| match code.as_str() {
            "AC" => Some(Class::Accepted),
            "WA" => Some(Class::Wrong),
            "TLE" => Some(Class::TimeLimit),
            "RTE" => Some(Class::RuntimeError),
            _ => None,
        };
        let classes = codes.iter().map(class).collect::<Option<Vec<_>>>();
        classes.ok_or_else(|| self.fault(pattern, key, "may name AC, WA, TLE and RTE only"))
    }

    fn fault(&self, pattern: &str, key: &str, fault: &'static str) -> Error {
        Error::Entry {
            path: self.path.clone(),
            pattern: pattern.to_owned(),
            key: key.to_owned(),
            fault,
        }
    }
}

/// "By default, the following requirements are defined": folder, permitted, required.
const DEFAULTS: &[(&str, &[&str], &[&str])] = &[
    ("accepted", &["AC"], &[]),
    ("rejected", &[], &["RTE", "TLE", "WA"]),
    ("wrong_answer", &["AC", "WA"], &["WA"]),
    ("time_limit_exceeded", &["AC", "TLE"], &["TLE"]),
    ("run_time_error", &["AC", "RTE"], &["RTE"]),
    ("brute_force", &["AC", "RTE", "TLE"], &["RTE", "TLE"]),
];
