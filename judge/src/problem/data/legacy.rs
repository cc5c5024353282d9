//! Test data of version `legacy`: groups within groups, each with a `testdata.yaml` whose keys
//! the groups below it inherit.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::super::grading::legacy::{Grader, Group, Node, Scores, Verdicts};
use super::super::metadata::LegacyGrading;
use super::{Data, Error, Grading, Item, Metadata, Package, Test, items, test, yaml};

/// `testdata.yaml`, with what the groups above say.
#[derive(Debug, Clone, Default, Deserialize)]
struct File {
    on_reject: Option<String>,
    grading: Option<String>,
    grader_flags: Option<String>,
    #[serde(rename = "input_validator_flags")]
    _input_validator_flags: Option<IgnoredAny>,
    output_validator_flags: Option<Value>,
    accept_score: Option<f64>,
    reject_score: Option<f64>,
    range: Option<String>,
    #[serde(flatten)]
    others: BTreeMap<String, IgnoredAny>,
}

impl File {
    fn inherit(self, above: &Self) -> Self {
        let above = above.clone();
        Self {
            on_reject: self.on_reject.or(above.on_reject),
            grading: self.grading.or(above.grading),
            grader_flags: self.grader_flags.or(above.grader_flags),
            output_validator_flags: self.output_validator_flags.or(above.output_validator_flags),
            accept_score: self.accept_score.or(above.accept_score),
            reject_score: self.reject_score.or(above.reject_score),
            range: self.range.or(above.range),
            ..Self::default()
        }
    }

    /// What `grading` of `problem.yaml` says wins, as in problemtools.
    fn overridden(mut self, by: &LegacyGrading) -> Self {
        self.accept_score = by.accept_score.or(self.accept_score);
        self.reject_score = by.reject_score.or(self.reject_score);
        self.range = by.range.clone().or(self.range);
        match by.on_reject.as_deref() {
            Some("first_error") => self.on_reject = Some("break".to_owned()),
            Some("grade") => self.on_reject = Some("continue".to_owned()),
            _ => {}
        }
        self
    }
}

struct Reader<'a> {
    package: &'a Package,
    metadata: &'a Metadata,
    tests: Vec<Test>,
    unknown: Vec<String>,
}

pub(super) fn read(package: &Package, metadata: &Metadata) -> Result<Data, Error> {
    let mut reader = Reader { package, metadata, tests: Vec::new(), unknown: Vec::new() };
    let root = reader.group("", &File::default())?;
    let Reader { tests, unknown, .. } = reader;
    Ok(Data { tests, grading: Grading::Legacy(root), unknown })
}

impl Reader<'_> {
    /// Reads `data/{name}` and all below; the root of all, with the empty name, has only
    /// `sample` and `secret`.
    fn group(&mut self, name: &str, above: &File) -> Result<Group, Error> {
        let folder = if name.is_empty() { "data".to_owned() } else { format!("data/{name}") };
        let path = format!("{folder}/testdata.yaml");
        let file = self.file(&path)?.inherit(above).overridden(&self.metadata.grading);
        let flags = self.validator_flags(&path, file.output_validator_flags.as_ref())?;
        let mut nodes = Vec::new();
        for item in items(self.package, &folder)? {
            match item {
                Item::Group(base) if name.is_empty() => {
                    if base == "sample" || base == "secret" {
                        nodes.push(Node::Group(self.group(&base, &file)?));
                    }
                }
                Item::Test(..) if name.is_empty() => {}
                Item::Group(base) => {
                    nodes.push(Node::Group(self.group(&format!("{name}/{base}"), &file)?));
                }
                Item::Test(base, answered) => {
                    let test = test(self.package, name, &base, answered)?;
                    nodes.push(Node::Test(self.tests.len()));
                    self.tests.push(Test { checker_args: flags.clone(), ..test });
                }
            }
        }
        let grader = self.grader(&path, &file, name.is_empty())?;
        Ok(Group { name: name.to_owned(), grader, nodes })
    }

    fn file(&mut self, path: &str) -> Result<File, Error> {
        let Some(text) = self.package.text(path)? else { return Ok(File::default()) };
        let file = yaml::from_str::<Option<File>>(&text)
            .map_err(|source| Error::Yaml { path: self.package.path(path), source })?
            .unwrap_or_default();
        self.unknown.extend(file.others.keys().map(|key| format!("{path}: {key}")));
        Ok(file)
    }

    /// Those of `problem.yaml`, then those of the group.
    fn validator_flags(&self, path: &str, own: Option<&Value>) -> Result<Vec<String>, Error> {
        let own = match own {
            None | Some(Value::Null) => "",
            Some(Value::String(flags)) => flags,
            // The name chooses among several validators, and evalX takes one.
            Some(Value::Object(map)) => map.get("flags").and_then(Value::as_str).unwrap_or(""),
            Some(other) => {
                let cure = "it must be a string";
                return Err(self.fault(path, "output_validator_flags", other, cure));
            }
        };
        let common = self.metadata.validator_flags.iter().cloned();
        Ok(common.chain(own.split_whitespace().map(str::to_owned)).collect())
    }

    fn grader(&self, path: &str, file: &File, is_root: bool) -> Result<Grader, Error> {
        if file.grading.as_deref() == Some("custom") {
            let fault = "has grading: custom; evalX runs no graders, use grader_flags";
            return Err(Error::Unsupported { path: self.package.path(path), fault });
        }
        let on_reject = file.on_reject.as_deref().unwrap_or("break");
        let stop = match on_reject {
            "break" => true,
            "continue" => false,
            other => {
                let cure = "it must be break or continue";
                return Err(self.fault(path, "on_reject", other, cure));
            }
        };
        let mut grader = Grader {
            stop,
            accept_score: file.accept_score.unwrap_or(1.0),
            reject_score: file.reject_score.unwrap_or(0.0),
            range: self.range(path, file.range.as_deref())?,
            ..Grader::default()
        };
        for flag in file.grader_flags.as_deref().unwrap_or("").split_whitespace() {
            match flag {
                "worst_error" | "no_errors" => grader.verdicts = Verdicts::WorstError,
                "first_error" => grader.verdicts = Verdicts::FirstError,
                "always_accept" => grader.verdicts = Verdicts::AlwaysAccept,
                "sum" => grader.scores = Scores::Sum,
                "avg" => grader.scores = Scores::Average,
                "min" => grader.scores = Scores::Min,
                "max" => grader.scores = Scores::Max,
                // "Must only be used on the root level": what inherits it does not use it.
                "ignore_sample" => grader.ignore_sample = is_root,
                "accept_if_any_accepted" => grader.accept_if_any_accepted = true,
                other => {
                    let cure = "the default grader has no such flag";
                    return Err(self.fault(path, "grader_flags", other, cure));
                }
            }
        }
        Ok(grader)
    }

    fn range(&self, path: &str, text: Option<&str>) -> Result<(f64, f64), Error> {
        let Some(text) = text else { return Ok((f64::NEG_INFINITY, f64::INFINITY)) };
        let ends: Vec<f64> = text.split_whitespace().filter_map(|w| w.parse().ok()).collect();
        match ends[..] {
            [low, high] if low <= high => Ok((low, high)),
            _ => Err(self.fault(path, "range", text, "it must be two numbers, the lower first")),
        }
    }

    fn fault(
        &self,
        path: &str,
        key: &'static str,
        value: impl ToString,
        cure: &'static str,
    ) -> Error {
        Error::Value { path: self.package.path(path), key, value: value.to_string(), cure }
    }
}
