//! `problem.yaml` of version 2025-09: an unknown key is an error.

use std::path::Path;

use super::{
    BTreeMap, Deserialize, Error, IgnoredAny, LegacyGrading, Limits, Metadata, Name, Place, Value,
    Version, yaml,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "problem_format_version")]
    _version: IgnoredAny,
    r#type: Option<OneOrMany>,
    name: Name,
    uuid: String,
    #[serde(rename = "version")]
    _problem_version: Option<IgnoredAny>,
    #[serde(rename = "credits")]
    _credits: Option<IgnoredAny>,
    #[serde(rename = "source")]
    _source: Option<IgnoredAny>,
    #[serde(rename = "license")]
    _license: Option<License>,
    #[serde(rename = "rights_owner")]
    _rights_owner: Option<IgnoredAny>,
    #[serde(rename = "embargo_until")]
    _embargo_until: Option<IgnoredAny>,
    limits: Option<FileLimits>,
    #[serde(rename = "keywords")]
    _keywords: Option<Vec<String>>,
    languages: Option<OneOrMany>,
    // The box always has a writable directory of its own: what is `false` here only takes away
    // the right to use it, and no output is judged from it.
    #[serde(rename = "allow_file_writing")]
    _allow_file_writing: Option<bool>,
    #[serde(default)]
    constants: BTreeMap<String, Constant>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
enum License {
    #[serde(rename = "unknown")]
    Unknown,
    #[serde(rename = "public domain")]
    PublicDomain,
    #[serde(rename = "cc0")]
    Cc0,
    #[serde(rename = "cc by")]
    CcBy,
    #[serde(rename = "cc by-sa")]
    CcBySa,
    #[serde(rename = "educational")]
    Educational,
    #[serde(rename = "permission")]
    Permission,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Constant {
    Variants(BTreeMap<String, Value>),
    Scalar(Value),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLimits {
    time_limit: Option<f64>,
    time_multipliers: Option<Multipliers>,
    time_resolution: Option<f64>,
    memory: Option<u64>,
    output: Option<u64>,
    code: Option<u64>,
    compilation_time: Option<u64>,
    compilation_memory: Option<u64>,
    validation_time: Option<u64>,
    validation_memory: Option<u64>,
    validation_output: Option<u64>,
    validation_passes: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Multipliers {
    ac_to_time_limit: Option<f64>,
    time_limit_to_tle: Option<f64>,
}

pub(super) fn parse(path: &Path, text: &str) -> Result<Metadata, Error> {
    let file = yaml::from_str::<File>(text).map_err(|source| {
        let path = path.to_owned();
        Error::Yaml { path, version: "2025-09", source }
    })?;
    let place = Place(path);
    let File { r#type, name, uuid, limits, languages, constants, .. } = file;
    if uuid.trim().is_empty() {
        return Err(place.fault("uuid", "\"\"", "give the problem one, for example by uuidgen"));
    }
    let (scoring, interactive) = types(&place, r#type)?;
    let languages = match languages {
        None => None,
        Some(OneOrMany::One(all)) if all == "all" => None,
        Some(OneOrMany::Many(codes)) if codes.is_empty() => {
            return Err(place.fault("languages", "[]", "it must be all or name at least one"));
        }
        Some(OneOrMany::One(code)) => Some(vec![code]),
        Some(OneOrMany::Many(codes)) => Some(codes),
    };
    Ok(Metadata {
        version: Version::V2025_09,
        name: name.pick(),
        scoring,
        interactive,
        custom: None,
        validator_flags: Vec::new(),
        limits: limits_of(&place, limits.unwrap_or_default())?,
        grading: LegacyGrading::default(),
        languages,
        constants: constants_of(&place, constants)?,
        unknown: Vec::new(),
    })
}

/// Whether it is scoring, and whether interactive.
fn types(place: &Place<'_>, types: Option<OneOrMany>) -> Result<(bool, bool), Error> {
    let types = match types {
        None => return Ok((false, false)),
        Some(OneOrMany::One(one)) => vec![one],
        Some(OneOrMany::Many(many)) => many,
    };
    let fault = |cure| Err(place.fault("type", types.join(", "), cure));
    let has = |name: &str| types.iter().any(|t| t == name);
    if types.is_empty() {
        return fault("it must name at least one type");
    }
    for name in &types {
        match name.as_str() {
            "pass-fail" | "scoring" | "interactive" => {}
            "multi-pass" => return fault("evalX does not judge multi-pass problems"),
            "submit-answer" => return fault("evalX does not judge submit-answer problems"),
            _ => return fault("it may be pass-fail or scoring, and interactive"),
        }
    }
    if types.iter().enumerate().any(|(i, t)| types[..i].contains(t)) {
        return fault("each may be there once");
    }
    if has("pass-fail") && has("scoring") {
        return fault("pass-fail and scoring exclude each other");
    }
    Ok((has("scoring"), has("interactive")))
}

fn limits_of(place: &Place<'_>, file: FileLimits) -> Result<Limits, Error> {
    let FileLimits {
        time_limit,
        time_multipliers,
        time_resolution,
        memory,
        output,
        code,
        compilation_time,
        compilation_memory,
        validation_time,
        validation_memory,
        validation_output,
        validation_passes,
    } = file;
    let Multipliers { ac_to_time_limit, time_limit_to_tle } = time_multipliers.unwrap_or_default();
    let cure = "it must be at least 1";
    let factor =
        place.at_least("limits.time_multipliers.ac_to_time_limit", ac_to_time_limit, 1.0, cure)?;
    let margin = place.at_least(
        "limits.time_multipliers.time_limit_to_tle",
        time_limit_to_tle,
        1.0,
        cure,
    )?;
    let typical = Limits::typical(factor.unwrap_or(2.0), margin.unwrap_or(1.5));
    let size = |key, value, default| Ok(place.positive(key, value)?.unwrap_or(default));
    // Compilers have the limits of their language; the table grants what these ask for by default.
    place.positive("limits.compilation_time", compilation_time)?;
    place.positive("limits.compilation_memory", compilation_memory)?;
    if let Some(passes) = validation_passes {
        let cure = "only multi-pass problems have it, which evalX does not judge";
        return Err(place.fault("limits.validation_passes", passes, cure));
    }
    let limits = Limits {
        time_limit: place.positive("limits.time_limit", time_limit)?,
        time_resolution: place.positive("limits.time_resolution", time_resolution)?.unwrap_or(1.0),
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
    if let Some(limit) = limits.time_limit {
        let steps = limit / limits.time_resolution;
        if (steps - steps.round()).abs() > 1e-9 * steps {
            let cure = "it must be a multiple of limits.time_resolution (by default 1)";
            return Err(place.fault("limits.time_limit", limit, cure));
        }
    }
    Ok(limits)
}

/// Each constant under `name` and `name.variant`.
fn constants_of(
    place: &Place<'_>,
    constants: BTreeMap<String, Constant>,
) -> Result<BTreeMap<String, String>, Error> {
    let word = |name: &str| {
        name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
    };
    let mut texts = BTreeMap::new();
    for (name, constant) in constants {
        if !word(&name) {
            let cure = "a name is a letter or _ and then letters, digits and _";
            return Err(place.fault("constants", name, cure));
        }
        let variants = match constant {
            Constant::Variants(variants) => variants,
            Constant::Scalar(value) => BTreeMap::from([("value".to_owned(), value)]),
        };
        if !variants.contains_key("value") {
            return Err(place.fault("constants", name, "it needs a value"));
        }
        for (variant, value) in variants {
            let text = match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                _ => return Err(place.fault("constants", name, "a value is a number or a string")),
            };
            if variant == "value" {
                texts.insert(name.clone(), text.clone());
            }
            texts.insert(format!("{name}.{variant}"), text);
        }
    }
    Ok(texts)
}
