//! The command line of the ICPC default validator, as [`Tokens`].

use std::borrow::Cow;

use super::number;
use crate::model::{Checker, Tokens};

/// Flags that the default validator does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// No such flag.
    #[error(
        "the checker has no flag {flag:?}; it has case_sensitive, space_change_sensitive, \
         float_tolerance, float_absolute_tolerance and float_relative_tolerance"
    )]
    Unknown {
        /// The flag.
        flag: String,
    },
    /// A tolerance without a number, or with one that is none.
    #[error("the checker's flag {flag} needs a number that is not negative after it")]
    Tolerance {
        /// The flag.
        flag: String,
    },
    /// Arguments for a checker that takes none.
    #[error("checker_args are given, but this checker takes none; use kind: tokens")]
    NoArguments,
}

/// The checker for a test that has `args` as its own: the flags of `tokens` and those of the test
/// together; the arguments of a program stay where they are, on its command line.
///
/// # Errors
/// When the checker has no such arguments.
pub fn with_args<'a>(checker: &'a Checker, args: &[String]) -> Result<Cow<'a, Checker>, FlagError> {
    match checker {
        _ if args.is_empty() => Ok(Cow::Borrowed(checker)),
        Checker::Tokens(own) => Ok(Cow::Owned(Checker::Tokens(parse(own.clone(), args)?))),
        Checker::Exact | Checker::Lines => Err(FlagError::NoArguments),
        Checker::Custom { .. } | Checker::Interactive { .. } => Ok(Cow::Borrowed(checker)),
    }
}

/// `flags` and those of a command line.
fn parse(mut flags: Tokens, args: &[String]) -> Result<Tokens, FlagError> {
    let mut args = args.iter();
    while let Some(flag) = args.next() {
        let mut tolerance = || {
            let value = args.next().and_then(|a| number::parse(a.as_bytes()));
            let error = || FlagError::Tolerance { flag: flag.clone() };
            value.filter(|v| *v >= 0.0).ok_or_else(error).map(Some)
        };
        match flag.as_str() {
            "case_sensitive" => flags.case_sensitive = true,
            "space_change_sensitive" => flags.space_change_sensitive = true,
            "float_absolute_tolerance" => flags.float_absolute = tolerance()?,
            "float_relative_tolerance" => flags.float_relative = tolerance()?,
            "float_tolerance" => {
                flags.float_absolute = tolerance()?;
                flags.float_relative = flags.float_absolute;
            }
            _ => return Err(FlagError::Unknown { flag: flag.clone() }),
        }
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(checker: &Checker, args: &str) -> Result<Checker, FlagError> {
        let args: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
        with_args(checker, &args).map(Cow::into_owned)
    }

    #[test]
    fn flags_of_a_test_add_to_those_of_the_checker() {
        let plain = Checker::Tokens(Tokens::default());
        for (args, expected) in [
            ("", Tokens::default()),
            ("case_sensitive", Tokens { case_sensitive: true, ..Tokens::default() }),
            (
                "space_change_sensitive float_absolute_tolerance 1e-6",
                Tokens {
                    space_change_sensitive: true,
                    float_absolute: Some(1e-6),
                    ..Tokens::default()
                },
            ),
            (
                "float_tolerance .5",
                Tokens {
                    float_absolute: Some(0.5),
                    float_relative: Some(0.5),
                    ..Tokens::default()
                },
            ),
        ] {
            assert_eq!(with(&plain, args), Ok(Checker::Tokens(expected)), "{args:?}");
        }
        let own = Checker::Tokens(Tokens { case_sensitive: true, ..Tokens::default() });
        let both = Tokens { case_sensitive: true, float_relative: Some(1.0), ..Tokens::default() };
        assert_eq!(with(&own, "float_relative_tolerance 1"), Ok(Checker::Tokens(both)));
    }

    #[test]
    fn what_is_no_flag_is_named() {
        let plain = Checker::Tokens(Tokens::default());
        for (args, message) in [
            ("float_tolerance", "flag float_tolerance needs a number"),
            ("float_tolerance x", "flag float_tolerance needs a number"),
            ("float_absolute_tolerance -1", "flag float_absolute_tolerance needs a number"),
            ("tolerance 1", "no flag \"tolerance\""),
        ] {
            let error = with(&plain, args).unwrap_err().to_string();
            assert!(error.contains(message), "{args:?}: {error}");
        }
        assert_eq!(with(&Checker::Lines, "x"), Err(FlagError::NoArguments));
        assert_eq!(with(&Checker::Exact, ""), Ok(Checker::Exact));
    }
}
