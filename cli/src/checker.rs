//! `--checker KIND[:FLAG,…]`.

use std::num::ParseFloatError;

use judge::model::{Checker, Tokens};

/// A checker that is not written as it should be.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum CheckerError {
    /// Not one of the three.
    #[error("it is none of exact, lines, tokens (a program is given by a --problem)")]
    UnknownKind,
    /// Flags for a checker that has none.
    #[error("only tokens takes flags")]
    NoFlags,
    /// Not a flag of `tokens`.
    #[error("flag {flag:?} is none of case, space, float=N, float_absolute=N, float_relative=N")]
    UnknownFlag {
        /// What was given.
        flag: String,
    },
    /// A tolerance that is not a number.
    #[error("the tolerance of {flag:?} is not a number")]
    Tolerance {
        /// What was given.
        flag: String,
        /// Why.
        #[source]
        source: ParseFloatError,
    },
    /// A tolerance that makes no sense.
    #[error("the tolerance of {flag:?} must be zero or more, and finite")]
    Range {
        /// What was given.
        flag: String,
    },
}

/// Reads a checker: `exact`, `lines`, or `tokens` with the flags of the ICPC default validator
/// after a colon.
pub(crate) fn parse(text: &str) -> Result<Checker, CheckerError> {
    let (kind, flags) = match text.split_once(':') {
        Some((kind, flags)) => (kind, Some(flags)),
        None => (text, None),
    };
    match (kind, flags) {
        ("exact", None) => Ok(Checker::Exact),
        ("lines", None) => Ok(Checker::Lines),
        ("tokens", flags) => tokens(flags.unwrap_or_default()).map(Checker::Tokens),
        ("exact" | "lines", Some(_)) => Err(CheckerError::NoFlags),
        _ => Err(CheckerError::UnknownKind),
    }
}

fn tokens(flags: &str) -> Result<Tokens, CheckerError> {
    let mut tokens = Tokens::default();
    for flag in flags.split(',').map(str::trim).filter(|f| !f.is_empty()) {
        let (name, value) = flag.split_once('=').map_or((flag, None), |(n, v)| (n, Some(v)));
        match (name.replace('-', "_").as_str(), value) {
            ("case" | "case_sensitive", None) => tokens.case_sensitive = true,
            ("space" | "space_change_sensitive", None) => tokens.space_change_sensitive = true,
            ("float" | "float_tolerance", Some(v)) => {
                let both = Some(tolerance(flag, v)?);
                (tokens.float_absolute, tokens.float_relative) = (both, both);
            }
            ("float_absolute" | "float_absolute_tolerance", Some(v)) => {
                tokens.float_absolute = Some(tolerance(flag, v)?);
            }
            ("float_relative" | "float_relative_tolerance", Some(v)) => {
                tokens.float_relative = Some(tolerance(flag, v)?);
            }
            _ => return Err(CheckerError::UnknownFlag { flag: flag.to_owned() }),
        }
    }
    Ok(tokens)
}

fn tolerance(flag: &str, value: &str) -> Result<f64, CheckerError> {
    let number: f64 = value
        .parse()
        .map_err(|source| CheckerError::Tolerance { flag: flag.to_owned(), source })?;
    if number.is_finite() && number >= 0.0 {
        Ok(number)
    } else {
        Err(CheckerError::Range { flag: flag.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_kinds_and_every_flag_are_read() {
        assert_eq!(parse("exact"), Ok(Checker::Exact));
        assert_eq!(parse("lines"), Ok(Checker::Lines));
        assert_eq!(parse("tokens"), Ok(Checker::Tokens(Tokens::default())));
        let all = Tokens {
            case_sensitive: true,
            space_change_sensitive: true,
            float_absolute: Some(1e-6),
            float_relative: Some(0.5),
        };
        let text = "tokens:case,space,float=1e-6,float-relative=0.5";
        assert_eq!(parse(text), Ok(Checker::Tokens(all)));
    }

    #[test]
    fn a_slip_is_named() {
        assert_eq!(parse("diff"), Err(CheckerError::UnknownKind));
        assert_eq!(parse("exact:case"), Err(CheckerError::NoFlags));
        let flag = || "caze".to_owned();
        assert_eq!(parse("tokens:caze"), Err(CheckerError::UnknownFlag { flag: flag() }));
        assert!(matches!(parse("tokens:float=x"), Err(CheckerError::Tolerance { .. })));
        for bad in ["-1", "inf", "nan"] {
            let found = parse(&format!("tokens:float={bad}"));
            assert!(matches!(found, Err(CheckerError::Range { .. })), "{bad}");
        }
    }
}
