//! The ICPC default validator: the output is compared token by token.
//!
//! Where the format's text leaves a choice, this follows the validator of Kattis' problemtools: a
//! tolerance concerns only tokens of the answer that are finite numbers, and within either of two
//! tolerances is near enough.

use super::compare::Comparison;
use super::number;
use super::text::{excerpt, is_space};
use crate::model::Tokens;

/// Compares under the flags of the validator.
pub(super) fn compare(flags: &Tokens, answer: &[u8], output: &[u8]) -> Comparison {
    let (mut ours, mut theirs) = (Cursor::new(answer), Cursor::new(output));
    let found = loop {
        if let Err(message) = spaces(flags.space_change_sensitive, &mut ours, &mut theirs) {
            // The white space belongs to the token that would have come after it.
            theirs.tokens += 1;
            break message;
        }
        match (ours.token(), theirs.token()) {
            ([], []) => return Comparison::ACCEPTED,
            ([], extra) => break format!("found {}, expected the end", excerpt(extra)),
            (missing, []) => break format!("output ends, expected {}", excerpt(missing)),
            (expected, found) => {
                if let Err(message) = token(flags, expected, found) {
                    break message;
                }
            }
        }
    };
    let (Cursor { line, tokens, .. }, there) = (theirs, ours.line);
    Comparison::rejected(format!("line {line}, token {tokens}: {found} (answer: line {there})"))
}

/// Moves both beyond the white space before their next tokens.
fn spaces(sensitive: bool, ours: &mut Cursor<'_>, theirs: &mut Cursor<'_>) -> Result<(), String> {
    if !sensitive {
        while ours.space().is_some() {}
        while theirs.space().is_some() {}
        return Ok(());
    }
    loop {
        match (ours.peek_space(), theirs.peek_space()) {
            (None, None) => return Ok(()),
            (expected, found) if expected == found => {
                ours.space();
                theirs.space();
            }
            (expected, found) => {
                let show = |space: Option<u8>| {
                    space.map_or_else(|| "none".to_owned(), |b| format!("'{}'", b.escape_ascii()))
                };
                return Err(format!(
                    "white space differs: found {}, expected {}",
                    show(found),
                    show(expected)
                ));
            }
        }
    }
}

/// Compares two tokens.
fn token(flags: &Tokens, expected: &[u8], found: &[u8]) -> Result<(), String> {
    let tolerance = |t: Option<f64>| t.filter(|t| *t >= 0.0);
    let (absolute, relative) = (tolerance(flags.float_absolute), tolerance(flags.float_relative));
    if (absolute.is_some() || relative.is_some())
        && let Some(wanted) = number::parse(expected)
    {
        let Some(got) = number::parse(found) else {
            return Err(format!(
                "found {}, expected the number {}",
                excerpt(found),
                excerpt(expected)
            ));
        };
        let error = (wanted - got).abs();
        let near = |limit: f64| error <= limit;
        if absolute.is_some_and(near) || relative.is_some_and(|r| near(r * wanted.abs())) {
            return Ok(());
        }
        let relative_error = if wanted == 0.0 { f64::INFINITY } else { error / wanted.abs() };
        return Err(format!(
            "found {}, expected {}: absolute error {error:.3e}, relative error {relative_error:.3e}",
            excerpt(found),
            excerpt(expected),
        ));
    }
    let same =
        if flags.case_sensitive { expected == found } else { expected.eq_ignore_ascii_case(found) };
    if same {
        return Ok(());
    }
    Err(format!("found {}, expected {}", excerpt(found), excerpt(expected)))
}

/// A position in a text: the line, and which token.
struct Cursor<'a> {
    rest: &'a [u8],
    line: u64,
    tokens: u64,
}

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, line: 1, tokens: 0 }
    }

    fn peek_space(&self) -> Option<u8> {
        self.rest.first().copied().filter(|b| is_space(*b))
    }

    fn space(&mut self) -> Option<u8> {
        let space = self.peek_space()?;
        self.rest = &self.rest[1..];
        self.line += u64::from(space == b'\n');
        Some(space)
    }

    /// The next token; empty at the end.
    fn token(&mut self) -> &'a [u8] {
        let length = self.rest.iter().take_while(|b| !is_space(**b)).count();
        let (token, rest) = self.rest.split_at(length);
        self.rest = rest;
        self.tokens += 1;
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(text: &str) -> Tokens {
        let mut flags = Tokens::default();
        for flag in text.split(' ').filter(|f| !f.is_empty()) {
            match flag.split_at(1) {
                ("c", _) => flags.case_sensitive = true,
                ("s", _) => flags.space_change_sensitive = true,
                ("a", value) => flags.float_absolute = Some(value.parse().unwrap()),
                ("r", value) => flags.float_relative = Some(value.parse().unwrap()),
                _ => panic!("{flag:?}"),
            }
        }
        flags
    }

    /// Flags, answer, output, and whether it is accepted; each verdict was confirmed by the
    /// default validator of problemtools 1.20260907. (Its one known difference is left out: glibc's
    /// `scanf` takes "1e" for a number, the grammar of format 2025-09 does not.)
    const TABLE: &[(&str, &str, &str, bool)] = &[
        ("", "", "", true),
        ("", "", " \n", true),
        ("", "a b\n", "a\n\tb", true),
        ("", "a b", "A B", true),
        ("c", "a b", "A b", false),
        ("", "a b", "ab", false),
        ("", "a", "", false),
        ("", "a", "  ", false),
        ("", "a", "a a", false),
        ("", "é", "É", false),
        ("", "1.0", "1.00", false),
        ("", "a\u{b}b\u{c}c", "a b\rc", true),
        ("", "a\u{a0}b", "a b", false),
        ("s", "a b\n", "a b\n", true),
        ("s", "a b\n", "a b", false),
        ("s", "a b", "a b\n", false),
        ("s", "a b", "a  b", false),
        ("s", "a  b", "a b", false),
        ("s", "a b", "a\nb", false),
        ("s", "", "\n", false),
        ("s", "A b\n", "a B\n", true),
        ("s c", "A b\n", "a b\n", false),
        ("s a0.1", "1 2\n", "1.05 2\n", true),
        ("s a0.1", "1 2\n", "1.05  2\n", false),
        ("a1e-2", "0.0314", "3.14000000e-2", true),
        ("a0.1", "1", "1.0999", true),
        ("a0.1", "1", "1.11", false),
        ("a0.125", "1", "1.125", true),
        ("a0.1", "100", "101", false),
        ("r0.1", "100", "109.9", true),
        ("r0.1", "100", "110.1", false),
        ("r0.1", "-100", "-90.5", true),
        ("r0.1", "0", "0", true),
        ("r0.1", "0", "1e-300", false),
        ("r0.1", "0", "-0.0", true),
        ("a0 r0.1", "0", "0.0", true),
        ("a1 r0.1", "100", "105", true),
        ("a1 r0.001", "100", "100.9", true),
        ("a1 r0.001", "100", "101.1", false),
        ("a0", "1", "1.0", true),
        ("a0", "1", "1.0000001", false),
        ("a-1", "1", "1.0", false),
        ("a0.1", "1", "x", false),
        ("a0.1", "1", "nan", false),
        ("a0.1", "1", "inf", false),
        ("a0.1", "1e999", "1e999", true),
        ("a0.1", "1e999", "inf", false),
        ("a0.1", "inf", "INF", true),
        ("a0.1", "inf", "infinity", false),
        ("a0.1", "nan", "NaN", true),
        ("a0.1", "nan", "0", false),
        ("a0.1", "x", "1", false),
        ("a0.1", "x", "X", true),
        ("a0.1 c", "x 1", "X 1", false),
        ("a0.1", "1x", "1.01x", false),
        ("a0.1", "0x10", "16.05", true),
        ("a0.1", "1.", "+1.0", true),
        ("a0.1", "1", "1,0", false),
        ("a1e308 r1e308", "1e308", "-1e308", true),
        ("a1e-9", "1e-999", "0", true),
    ];

    #[test]
    fn the_flags_mean_what_the_default_validator_does() {
        for (given, answer, output, accepted) in TABLE {
            let found = compare(&flags(given), answer.as_bytes(), output.as_bytes());
            assert_eq!(found.accepted, *accepted, "{given:?} {answer:?} {output:?}: {found:?}");
        }
    }

    #[test]
    fn a_message_says_where_and_what() {
        for (given, answer, output, message) in [
            ("", "a\nb", "a\n\nc", r#"line 3, token 2: found "c", expected "b" (answer: line 2)"#),
            ("", "a b", "a", r#"line 1, token 2: output ends, expected "b" (answer: line 1)"#),
            ("", "a", "", r#"line 1, token 1: output ends, expected "a" (answer: line 1)"#),
            ("", "a", "a\nb", r#"line 2, token 2: found "b", expected the end (answer: line 1)"#),
            (
                "s",
                "a b",
                "a\nb",
                r"line 1, token 2: white space differs: found '\n', expected ' ' (answer: line 1)",
            ),
            (
                "s",
                "a\n",
                "a",
                r"line 1, token 2: white space differs: found none, expected '\n' (answer: line 1)",
            ),
            (
                "a0.1",
                "2",
                "x",
                r#"line 1, token 1: found "x", expected the number "2" (answer: line 1)"#,
            ),
            (
                "r0.1",
                "2",
                "3",
                r#"line 1, token 1: found "3", expected "2": absolute error 1.000e0, relative error 5.000e-1 (answer: line 1)"#,
            ),
        ] {
            let found = compare(&flags(given), answer.as_bytes(), output.as_bytes());
            assert_eq!(found.message.as_deref(), Some(message));
        }
    }
}
