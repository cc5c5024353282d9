//! `problem.yaml` of version `legacy`: loose, with keys that nobody knows.

use std::path::Path;

use super::{
    BTreeMap, Custom, Deserialize, Error, IgnoredAny, LegacyGrading, Limits, Metadata, Name, Place,
    Version, yaml,
};

/// What may be there besides the keys evalX reads.
const KNOWN: &[&str] = &[
    "problem_format_version",
    "uuid",
    "author",
    "source",
    "source_url",
    "license",
    "rights_owner",
    "keywords",
];
const KNOWN_LIMITS: &[&str] = &["compilation_time", "compilation_memory"];

#[derive(Default, Deserialize)]
struct File {
    name: Option<Name>,
    r#type: Option<String>,
    limits: Option<FileLimits>,
    validation: Option<String>,
    validator_flags: Option<String>,
    grading: Option<LegacyGrading>,
    #[serde(flatten)]
    others: BTreeMap<String, IgnoredAny>,
}

#[derive(Default, Deserialize)]
struct FileLimits {
    // Of no legacy text, yet written in legacy packages: the tools of the day read it.
    time_limit: Option<f64>,
    time_multiplier: Option<f64>,
    time_safety_margin: Option<f64>,
    memory: Option<u64>,
    output: Option<u64>,
    code: Option<u64>,
    validation_time: Option<u64>,
    validation_memory: Option<u64>,
    validation_output: Option<u64>,
    #[serde(flatten)]
    others: BTreeMap<String, IgnoredAny>,
}

pub(super) fn parse(path: &Path, text: &str) -> Result<Metadata, Error> {
    let file = yaml::from_str::<Option<File>>(text).map_err(|source| {
        let path = path.to_owned();
        Error::Yaml { path, version: "legacy", source }
    })?;
    let File { name, r#type, limits, validation, validator_flags, grading, others } =
        file.unwrap_or_default();
    let place = Place(path);
    let scoring = match r#type.as_deref() {
        None | Some("pass-fail") => false,
        Some("scoring") => true,
        Some(other) => return Err(place.fault("type", other, "it must be pass-fail or scoring")),
    };
    let grading = grading.unwrap_or_default();
    if let Some(other) = grading.objective.as_deref().filter(|o| !matches!(*o, "max" | "min")) {
        return Err(place.fault("grading.objective", other, "it must be max or min"));
    }
    let (custom, interactive) = validation_of(&place, validation.as_deref(), scoring)?;
    let (limits, odd) = limits_of(&place, limits.unwrap_or_default())?;
    let others = others.into_keys().filter(|k| !KNOWN.contains(&k.as_str()));
    Ok(Metadata {
        version: Version::Legacy,
        name: name.and_then(Name::pick),
        scoring,
        interactive,
        custom: Some(custom),
        validator_flags: words(validator_flags.as_deref()),
        limits,
        grading,
        languages: None,
        constants: BTreeMap::new(),
        unknown: odd.into_iter().chain(others).collect(),
    })
}

fn words(text: Option<&str>) -> Vec<String> {
    text.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// Who validates, and whether interactively.
fn validation_of(
    place: &Place<'_>,
    text: Option<&str>,
    scoring: bool,
) -> Result<(Custom, bool), Error> {
    let text = text.unwrap_or("default");
    let fault = |cure| Err(place.fault("validation", text, cure));
    let mut words = text.split_whitespace();
    let mut custom = Custom { custom: false, score: false };
    let mut interactive = false;
    match words.next() {
        None | Some("default") => {}
        Some("custom") => custom.custom = true,
        Some(_) => return fault("it must begin with default or custom"),
    }
    for word in words {
        match word {
            "score" if custom.custom => custom.score = true,
            "interactive" if custom.custom => interactive = true,
            _ => return fault("after custom there may be interactive and score, nothing else"),
        }
    }
    if custom.score && !scoring {
        return fault("score needs type: scoring");
    }
    Ok((custom, interactive))
}

/// The limits, and the keys nobody knows.
fn limits_of(place: &Place<'_>, file: FileLimits) -> Result<(Limits, Vec<String>), Error> {
    let FileLimits {
        time_limit,
        time_multiplier,
        time_safety_margin,
        memory,
        output,
        code,
        validation_time,
        validation_memory,
        validation_output,
        others,
    } = file;
    let cure = "it must be at least 1";
    let factor = place.at_least("limits.time_multiplier", time_multiplier, 1.0, cure)?;
    let margin = place.at_least("limits.time_safety_margin", time_safety_margin, 1.0, cure)?;
    let typical = Limits::typical(factor.unwrap_or(5.0), margin.unwrap_or(2.0));
    let size = |key, value, default| Ok(place.positive(key, value)?.unwrap_or(default));
    let limits = Limits {
        time_limit: place.positive("limits.time_limit", time_limit)?,
        memory_mib: size("limits.memory", memory, typical.memory_mib)?,
        output_mib: size("limits.output", output, typical.output_mib)?,
        code_kib: size("limits.code", code, typical.code_kib)?,
        validation_time: size("limits.validation_time", validation_time, typical.validation_time)?,
        validation_memory_mib: size(
            "limits.validation_memory",
            validation_memory,
            typical.validation_memory_mib,
        )?,
        validation_output_mib: size(
            "limits.validation_output",
            validation_output,
            typical.validation_output_mib,
        )?,
        ..typical
    };
    let odd = others.into_keys().filter(|k| !KNOWN_LIMITS.contains(&k.as_str()));
    Ok((limits, odd.map(|k| format!("limits.{k}")).collect()))
}
