//! Test data of version 2025-09: `sample`, and `secret` with tests or with groups of tests.
//!
//! Arguments that a group does not give are those of `secret`, as in the tools of the day; the
//! keys of scoring are each group's own.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::super::grading::latest::{Aggregation, Group, Scoring};
use super::{Data, Error, Grading, Item, Metadata, Package, Test, items, test, yaml};

const CONFIG: &str = "test_group.yaml";

/// `test_group.yaml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupFile {
    max_score: Option<Value>,
    score_aggregation: Option<Aggregation>,
    static_validation_score: Option<IgnoredAny>,
    static_validator_args: Option<IgnoredAny>,
    require_pass: Option<Names>,
    args: Option<Vec<String>>,
    output_validator_args: Option<Vec<String>>,
    #[serde(rename = "input_validator_args")]
    _input_validator_args: Option<IgnoredAny>,
    #[serde(rename = "input_visualizer_args")]
    _input_visualizer_args: Option<IgnoredAny>,
    #[serde(rename = "output_visualizer_args")]
    _output_visualizer_args: Option<IgnoredAny>,
    #[serde(rename = "full_feedback")]
    _full_feedback: Option<bool>,
}

/// The configuration of one test.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TestFile {
    args: Option<Vec<String>>,
    output_validator_args: Option<Vec<String>>,
    #[serde(rename = "input_validator_args")]
    _input_validator_args: Option<IgnoredAny>,
    #[serde(rename = "input_visualizer_args")]
    _input_visualizer_args: Option<IgnoredAny>,
    #[serde(rename = "output_visualizer_args")]
    _output_visualizer_args: Option<IgnoredAny>,
    #[serde(rename = "full_feedback")]
    _full_feedback: Option<bool>,
    #[serde(rename = "hint")]
    _hint: Option<String>,
    #[serde(rename = "description")]
    _description: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Clone, Default)]
struct Args {
    program: Vec<String>,
    validator: Vec<String>,
}

struct Reader<'a> {
    package: &'a Package,
    metadata: &'a Metadata,
    tests: Vec<Test>,
}

pub(super) fn read(package: &Package, metadata: &Metadata) -> Result<Data, Error> {
    let statics = package.list("static_validator")?;
    if !statics.is_empty() {
        let fault = "is a static validator; evalX does not run them";
        return Err(Error::Unsupported { path: package.path("static_validator"), fault });
    }
    let mut reader = Reader { package, metadata, tests: Vec::new() };
    let sample = reader.sample()?;
    let (secret, groups) = reader.secret()?;
    let tests = reader.tests;
    let grading = if metadata.scoring {
        Grading::Scoring(Scoring { sample, secret, groups })
    } else {
        Grading::PassFail
    };
    Ok(Data { tests, grading, unknown: Vec::new() })
}

impl Reader<'_> {
    fn sample(&mut self) -> Result<Vec<usize>, Error> {
        let path = format!("data/sample/{CONFIG}");
        let file = self.file(&path)?;
        if file.max_score.is_some()
            || file.score_aggregation.is_some()
            || file.require_pass.is_some()
        {
            let fault = "has a key of scoring; samples give no score, remove it";
            return Err(self.unsupported(&path, fault));
        }
        let args = args(file, &Args::default());
        self.tests_below("sample", "sample", &args)
    }

    /// `secret` itself, and its groups; the tests are in one or the other.
    fn secret(&mut self) -> Result<(Group, Vec<Group>), Error> {
        let path = format!("data/secret/{CONFIG}");
        let file = self.file(&path)?;
        let max = self.max_score(&path, file.max_score.as_ref())?.unwrap_or(Some(100.0));
        let (aggregation, requires) = self.scoring_keys(&path, &file, Aggregation::Sum)?;
        let args = args(file, &Args::default());
        let mut secret =
            Group { name: "secret".to_owned(), max, aggregation, requires, tests: Vec::new() };
        let mut folders = Vec::new();
        for item in items(self.package, "data/secret")? {
            if let Item::Group(base) = item
                && self.package.text(&format!("data/secret/{base}/{CONFIG}"))?.is_some()
            {
                folders.push(base);
            }
        }
        if folders.is_empty() {
            secret.tests = self.tests_below("secret", "secret", &args)?;
            self.known(&path, &secret, &[("sample", Aggregation::PassFail)])?;
            return Ok((secret, Vec::new()));
        }
        self.known(&path, &secret, &[("sample", Aggregation::PassFail)])?;
        let mut groups: Vec<Group> = Vec::new();
        for item in items(self.package, "data/secret")? {
            let base = match item {
                Item::Group(base) if folders.contains(&base) => base,
                Item::Group(base) | Item::Test(base, _) => {
                    let fault = "is beside groups with test_group.yaml; put it into a group";
                    return Err(self.unsupported(&format!("data/secret/{base}"), fault));
                }
            };
            let earlier: Vec<_> = std::iter::once(("sample", Aggregation::PassFail))
                .chain(groups.iter().map(|g| (g.name.as_str(), g.aggregation)))
                .collect();
            let group = self.group(&base, &args, &earlier)?;
            groups.push(group);
        }
        self.bounds(&secret, &groups)?;
        Ok((secret, groups))
    }

    fn group(
        &mut self,
        base: &str,
        above: &Args,
        earlier: &[(&str, Aggregation)],
    ) -> Result<Group, Error> {
        let name = format!("secret/{base}");
        let path = format!("data/{name}/{CONFIG}");
        let file = self.file(&path)?;
        let max = self.max_score(&path, file.max_score.as_ref())?.unwrap_or(None);
        let (aggregation, requires) = self.scoring_keys(&path, &file, Aggregation::PassFail)?;
        let tests = self.tests_below(&name, &name, &args(file, above))?;
        if tests.is_empty() {
            return Err(Error::NoTests { path: self.package.path(&format!("data/{name}")) });
        }
        let group = Group { name, max, aggregation, requires, tests };
        self.known(&path, &group, earlier)?;
        Ok(group)
    }

    /// The tests in `data/{folder}` and in the folders below, which are no groups.
    fn tests_below(&mut self, group: &str, folder: &str, args: &Args) -> Result<Vec<usize>, Error> {
        let mut found = Vec::new();
        for item in items(self.package, &format!("data/{folder}"))? {
            match item {
                Item::Group(base) => {
                    let below = format!("{folder}/{base}");
                    let config = format!("data/{below}/{CONFIG}");
                    if self.package.text(&config)?.is_some() {
                        let fault = "makes a group within a group; 2025-09 has none, remove it";
                        return Err(self.unsupported(&config, fault));
                    }
                    found.extend(self.tests_below(group, &below, args)?);
                }
                Item::Test(base, answered) => {
                    let test = test(self.package, folder, &base, answered)?;
                    found.push(self.tests.len());
                    let test = self.configured(test, group, args)?;
                    self.tests.push(test);
                }
            }
        }
        Ok(found)
    }

    /// With its group, and what its own file or the group says.
    fn configured(&self, test: Test, group: &str, args: &Args) -> Result<Test, Error> {
        let path = format!("data/{}.yaml", test.name);
        let file = match self.package.text(&path)? {
            Some(text) => yaml::from_str::<Option<TestFile>>(&text)
                .map_err(|source| Error::Yaml { path: self.package.path(&path), source })?
                .unwrap_or_default(),
            None => TestFile::default(),
        };
        Ok(Test {
            group: Some(group.to_owned()),
            args: file.args.unwrap_or_else(|| args.program.clone()),
            checker_args: file.output_validator_args.unwrap_or_else(|| args.validator.clone()),
            ..test
        })
    }

    fn file(&self, path: &str) -> Result<GroupFile, Error> {
        let Some(text) = self.package.text(path)? else { return Ok(GroupFile::default()) };
        let text = super::super::program::with_constants(&text, &self.metadata.constants);
        let file = yaml::from_str::<Option<GroupFile>>(&text)
            .map_err(|source| Error::Yaml { path: self.package.path(path), source })?
            .unwrap_or_default();
        if file.static_validation_score.is_some() || file.static_validator_args.is_some() {
            return Err(self.unsupported(path, "wants a static validator; evalX does not run them"));
        }
        Ok(file)
    }

    /// `None` when it is not given, `Some(None)` for `unbounded`.
    fn max_score(&self, path: &str, value: Option<&Value>) -> Result<Option<Option<f64>>, Error> {
        match value {
            None => Ok(None),
            Some(Value::String(text)) if text == "unbounded" => Ok(Some(None)),
            Some(value) => match value.as_u64().and_then(|n| u32::try_from(n).ok()) {
                Some(max) => Ok(Some(Some(f64::from(max)))),
                None => {
                    let cure = "it must be an integer from 0, or unbounded";
                    Err(self.fault(path, "max_score", value.to_string(), cure))
                }
            },
        }
    }

    fn scoring_keys(
        &self,
        path: &str,
        file: &GroupFile,
        default: Aggregation,
    ) -> Result<(Aggregation, Vec<String>), Error> {
        let given = file.max_score.is_some()
            || file.score_aggregation.is_some()
            || file.require_pass.is_some();
        if given && !self.metadata.scoring {
            let fault = "has a key of scoring; set type: scoring in problem.yaml or remove it";
            return Err(self.unsupported(path, fault));
        }
        let requires = match &file.require_pass {
            None => Vec::new(),
            Some(Names::One(name)) => vec![name.clone()],
            Some(Names::Many(names)) => names.clone(),
        };
        Ok((file.score_aggregation.unwrap_or(default), requires))
    }

    /// What a group requires must come before it and be graded by pass or fail.
    fn known(
        &self,
        path: &str,
        group: &Group,
        earlier: &[(&str, Aggregation)],
    ) -> Result<(), Error> {
        let pass_fail =
            |name: &str| earlier.iter().any(|(n, how)| *n == name && *how == Aggregation::PassFail);
        match group.requires.iter().find(|name| !pass_fail(name)) {
            None => Ok(()),
            Some(name) => {
                let cure = "it must name sample or an earlier group with pass-fail aggregation";
                Err(self.fault(path, "require_pass", name.clone(), cure))
            }
        }
    }

    /// "Test data groups may only have unbounded maximum score if secret is unbounded", and what
    /// passes or fails as a whole has a score to give.
    fn bounds(&self, secret: &Group, groups: &[Group]) -> Result<(), Error> {
        if !self.metadata.scoring {
            return Ok(());
        }
        for group in groups {
            let path = format!("data/{}/{CONFIG}", group.name);
            let fault = |cure| Err(self.fault(&path, "max_score", "unbounded".to_owned(), cure));
            if group.max.is_none() && secret.max.is_some() {
                return fault("secret is bounded (by default 100), so give the group a number");
            }
            if group.max.is_none() && group.aggregation == Aggregation::PassFail {
                return fault("a group with pass-fail aggregation needs a number");
            }
            if secret.aggregation == Aggregation::PassFail
                && group.aggregation != Aggregation::PassFail
            {
                let cure = "secret has pass-fail, so its groups must have it too";
                let value = format!("{:?}", group.aggregation).to_lowercase();
                return Err(self.fault(&path, "score_aggregation", value, cure));
            }
        }
        Ok(())
    }

    fn unsupported(&self, path: &str, fault: &'static str) -> Error {
        Error::Unsupported { path: self.package.path(path), fault }
    }

    fn fault(&self, path: &str, key: &'static str, value: String, cure: &'static str) -> Error {
        Error::Value { path: self.package.path(path), key, value, cure }
    }
}

fn args(file: GroupFile, above: &Args) -> Args {
    Args {
        program: file.args.unwrap_or_else(|| above.program.clone()),
        validator: file.output_validator_args.unwrap_or_else(|| above.validator.clone()),
    }
}
