//! Second step: `problem.yaml` of either version of the format, as one type.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::package::Package;
use crate::yaml;

mod latest;
mod legacy;

/// A `problem.yaml` that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not YAML, or a key that should not be there or has a value of the wrong type.
    #[error("{path:?} is not as format {version} has it")]
    Yaml {
        /// The file.
        path: PathBuf,
        /// The format it was read as.
        version: &'static str,
        /// What is wrong, with the line.
        #[source]
        source: yaml::Error,
    },
    /// A version of the format that evalX does not read.
    #[error("{path:?} has problem_format_version {version:?}; use legacy or 2025-09")]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        version: String,
    },
    /// A value that cannot be.
    #[error("{path:?} has {key} {value}; {cure}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The key at fault.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        cure: &'static str,
    },
}

/// The versions of the format that evalX reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Before there were versions; nearly all public packages.
    Legacy,
    /// The stable version of September 2025.
    V2025_09,
}

impl Version {
    /// As `problem_format_version` has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::V2025_09 => "2025-09",
        }
    }
}

/// What evalX needs of `problem.yaml`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Metadata {
    pub(super) version: Version,
    pub(super) name: Option<String>,
    pub(super) scoring: bool,
    pub(super) interactive: bool,
    /// What `validation` says; `None` in 2025-09, where the folder decides.
    pub(super) custom: Option<Custom>,
    pub(super) validator_flags: Vec<String>,
    pub(super) limits: Limits,
    pub(super) grading: LegacyGrading,
    /// Codes of the languages that may be used; `None` for all.
    pub(super) languages: Option<Vec<String>>,
    /// Texts that stand for `{{name}}`, by name.
    pub(super) constants: BTreeMap<String, String>,
    /// Keys that no version of the format has.
    pub(super) unknown: Vec<String>,
}

/// `validation` of legacy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Custom {
    /// `custom` rather than `default`.
    pub(super) custom: bool,
    /// Whether the validator gives the score.
    pub(super) score: bool,
}

/// `limits`, with the defaults of the format: times in seconds, sizes in the unit of the format.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Limits {
    pub(super) time_limit: Option<f64>,
    pub(super) ac_to_time_limit: f64,
    pub(super) time_limit_to_tle: f64,
    pub(super) time_resolution: f64,
    pub(super) memory_mib: u64,
    pub(super) output_mib: u64,
    pub(super) code_kib: u64,
    pub(super) validation_time: u64,
    pub(super) validation_memory_mib: u64,
    pub(super) validation_output_mib: u64,
}

impl Limits {
    /// The "typical system defaults" of both versions, and the multipliers given.
    const fn typical(ac_to_time_limit: f64, time_limit_to_tle: f64) -> Self {
        Self {
            time_limit: None,
            ac_to_time_limit,
            time_limit_to_tle,
            time_resolution: 1.0,
            memory_mib: 2048,
            output_mib: 8,
            code_kib: 128,
            validation_time: 60,
            validation_memory_mib: 2048,
            validation_output_mib: 8,
        }
    }
}

/// `grading` of legacy, with the keys from before legacy that old packages have and problemtools
/// still reads: they override those of every `testdata.yaml`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(super) struct LegacyGrading {
    objective: Option<String>,
    pub(super) accept_score: Option<f64>,
    pub(super) reject_score: Option<f64>,
    pub(super) range: Option<String>,
    pub(super) on_reject: Option<String>,
}

impl LegacyGrading {
    /// Whether the lowest score is the best.
    pub(super) fn minimise(&self) -> bool {
        self.objective.as_deref() == Some("min")
    }
}

pub(super) fn read(package: &Package) -> Result<Metadata, Error> {
    const FILE: &str = "problem.yaml";
    #[derive(Default, Deserialize)]
    struct Head {
        problem_format_version: Option<String>,
    }
    let path = package.path(FILE);
    // `Package::open` found the file; a race with its removal reads as an empty one.
    let text = package.text(FILE).ok().flatten().unwrap_or_default();
    let head = yaml::from_str::<Option<Head>>(&text).map_err(|source| {
        let path = path.clone();
        Error::Yaml { path, version: "legacy or 2025-09", source }
    })?;
    match head.unwrap_or_default().problem_format_version.as_deref() {
        None | Some("legacy" | "legacy-icpc") => legacy::parse(&path, &text),
        Some("2025-09") => latest::parse(&path, &text),
        Some(version) => Err(Error::Version { path, version: version.to_owned() }),
    }
}

/// A name, or one a language.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Name {
    One(String),
    ByLanguage(BTreeMap<String, String>),
}

impl Name {
    /// The English one, else the first.
    fn pick(self) -> Option<String> {
        match self {
            Self::One(name) => Some(name),
            Self::ByLanguage(mut names) => {
                names.remove("en").or_else(|| names.into_values().next())
            }
        }
    }
}

/// A file of metadata, for errors about it.
struct Place<'a>(&'a std::path::Path);

impl Place<'_> {
    fn fault(&self, key: &'static str, value: impl ToString, cure: &'static str) -> Error {
        Error::Value { path: self.0.to_owned(), key, value: value.to_string(), cure }
    }

    fn at_least(
        &self,
        key: &'static str,
        value: Option<f64>,
        least: f64,
        cure: &'static str,
    ) -> Result<Option<f64>, Error> {
        match value {
            Some(v) if !v.is_finite() || v < least => Err(self.fault(key, v, cure)),
            value => Ok(value),
        }
    }

    fn positive<T: PartialOrd + Default + ToString + Copy>(
        &self,
        key: &'static str,
        value: Option<T>,
    ) -> Result<Option<T>, Error> {
        match value {
            Some(v) if v > T::default() => Ok(Some(v)),
            Some(v) => Err(self.fault(key, v, "it must be more than 0")),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Metadata, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("problem.yaml"), text).unwrap();
        let package = Package::open(dir.path()).unwrap();
        read(&package).map_err(|e| {
            let source = std::error::Error::source(&e).map(|s| format!(": {s}"));
            format!("{e}{}", source.unwrap_or_default())
        })
    }

    const LATEST: &str = "problem_format_version: 2025-09\nname: Sum\nuuid: 1-2\n";

    fn latest(more: &str) -> Result<Metadata, String> {
        parse(&format!("{LATEST}{more}"))
    }

    #[test]
    fn an_empty_file_is_a_legacy_problem_with_the_defaults() {
        for text in ["", "# nothing\n", "limits:\nauthor:\n", "problem_format_version: legacy\n"] {
            let read = parse(text).unwrap();
            assert_eq!(
                (read.version, read.scoring, read.interactive),
                (Version::Legacy, false, false)
            );
            assert_eq!(read.limits, Limits::typical(5.0, 2.0));
            assert_eq!(read.custom, Some(Custom { custom: false, score: false }));
            assert_eq!(read.unknown, Vec::<String>::new());
        }
    }

    #[test]
    fn legacy_keys_are_read_and_unknown_ones_reported() {
        let read = parse(
            "name: {sv: Summa, en: Sum}\ntype: scoring\nvalidation: custom interactive score\n\
             validator_flags: float_tolerance 1e-6\nkeywords: a b\n\
             limits: {time_multiplier: 2.5, memory: 64, output: 1, code: 10, odd: 1}\n\
             grading: {objective: min, show_test_data_groups: true}\nmine: 1\n",
        )
        .unwrap();
        assert_eq!(read.name.as_deref(), Some("Sum"));
        assert!(read.scoring && read.interactive && read.grading.minimise());
        assert_eq!(read.custom, Some(Custom { custom: true, score: true }));
        assert_eq!(read.validator_flags, ["float_tolerance", "1e-6"]);
        let limits =
            Limits { memory_mib: 64, output_mib: 1, code_kib: 10, ..Limits::typical(2.5, 2.0) };
        assert_eq!(read.limits, limits);
        assert_eq!(read.unknown, ["limits.odd", "mine"]);
    }

    #[test]
    fn the_latest_format_is_read() {
        let read = latest(
            "type: [scoring, interactive]\nlicense: cc by-sa\nrights_owner: we\ncredits: me\n\
             version: 1.0-a\nsource: [{name: X, url: y}, Z]\nembargo_until: 2026-01-01\n\
             keywords: [a]\nlanguages: [cpp, python3]\nallow_file_writing: true\n\
             constants: {n: 5, big: {value: 10, tex: '1\\,0'}}\n\
             limits: {time_limit: 1.5, time_resolution: 0.5, time_multipliers: \
             {ac_to_time_limit: 3}, memory: 100, compilation_time: 9}\n",
        )
        .unwrap();
        assert_eq!(read.name.as_deref(), Some("Sum"));
        assert!(read.scoring && read.interactive);
        assert_eq!(read.custom, None);
        let expected = Limits {
            time_limit: Some(1.5),
            time_resolution: 0.5,
            memory_mib: 100,
            ..Limits::typical(3.0, 1.5)
        };
        assert_eq!(read.limits, expected);
        assert_eq!(read.languages.unwrap(), ["cpp", "python3"]);
        let constants = read.constants.iter().map(|(k, v)| format!("{k}={v}"));
        assert_eq!(
            constants.collect::<Vec<_>>(),
            ["big=10", "big.tex=1\\,0", "big.value=10", "n=5", "n.value=5"]
        );
    }

    #[test]
    fn what_cannot_be_is_named_with_its_cure() {
        for (text, message) in [
            ("name: [", "is not as format legacy or 2025-09 has it: "),
            ("problem_format_version: 2023-07\n", "\"2023-07\"; use legacy or 2025-09"),
            ("type: fun\n", "has type fun; it must be pass-fail or scoring"),
            ("validation: maybe\n", "has validation maybe; it must begin with default or custom"),
            ("validation: custom fast\n", "has validation custom fast; after custom there may"),
            (
                "validation: custom score\n",
                "has validation custom score; score needs type: scoring",
            ),
            (
                "limits: {time_multiplier: 0.5}\n",
                "has limits.time_multiplier 0.5; it must be at least 1",
            ),
            ("limits: {memory: 0}\n", "has limits.memory 0; it must be more than 0"),
            ("limits: {memory: much}\n", "limits.memory: invalid type"),
            ("grading: {objective: mean}\n", "has grading.objective mean; it must be max or min"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
        for (text, message) in [
            ("author: me\n", "unknown field `author`"),
            ("limits: {odd: 1}\n", "unknown field `odd`"),
            (
                "type: [scoring, pass-fail]\n",
                "has type scoring, pass-fail; pass-fail and scoring exclude",
            ),
            ("type: [scoring, scoring]\n", "has type scoring, scoring; each may be there once"),
            ("type: []\n", "has type ; it must name at least one"),
            ("type: multi-pass\n", "has type multi-pass; evalX does not judge multi-pass problems"),
            ("type: submit-answer\n", "has type submit-answer; evalX does not judge"),
            ("limits: {time_limit: 0}\n", "has limits.time_limit 0; it must be more than 0"),
            ("limits: {time_limit: 1.5}\n", "has limits.time_limit 1.5; it must be a multiple of"),
            ("constants: {1x: 2}\n", "has constants 1x; a name is a letter or _"),
            ("license: mit\n", "unknown variant `mit`"),
            ("languages: []\n", "has languages []; it must be all or name at least one"),
        ] {
            let error = latest(text).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
        let error = parse("problem_format_version: 2025-09\nname: x\n").unwrap_err();
        assert!(error.contains("missing field `uuid`"), "{error}");
    }
}
