//! The built-in comparisons. Called by the judge for each test whose checker is not a program.

use super::text::{excerpt, trim_end};
use super::tokens;
use crate::model::Checker;

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Whether the output is right.
    pub accepted: bool,
    /// For the jury: where the first difference is and what it is. Absent when accepted.
    pub message: Option<String>,
}

impl Comparison {
    pub(super) const ACCEPTED: Self = Self { accepted: true, message: None };

    pub(super) fn rejected(message: String) -> Self {
        Self { accepted: false, message: Some(message) }
    }
}

/// Compares `output` with `answer` byte by byte, line by line or token by token. Takes any bytes,
/// never fails, and holds nothing but the two slices. `None` when the checker is a program.
#[must_use]
pub fn compare(checker: &Checker, answer: &[u8], output: &[u8]) -> Option<Comparison> {
    match checker {
        Checker::Exact => Some(exact(answer, output)),
        Checker::Lines => Some(lines(answer, output)),
        Checker::Tokens(flags) => Some(tokens::compare(flags, answer, output)),
        Checker::Custom { .. } | Checker::Interactive { .. } => None,
    }
}

fn exact(answer: &[u8], output: &[u8]) -> Comparison {
    if answer == output {
        return Comparison::ACCEPTED;
    }
    let same = answer.iter().zip(output).take_while(|(a, b)| a == b).count();
    let line = 1 + answer[..same].iter().filter(|&&b| b == b'\n').count();
    let (found, expected) = (byte(output.get(same)), byte(answer.get(same)));
    let at = same + 1;
    Comparison::rejected(format!("byte {at} (line {line}): found {found}, expected {expected}"))
}

fn byte(b: Option<&u8>) -> String {
    b.map_or_else(|| "the end".to_owned(), |b| format!("'{}'", b.escape_ascii()))
}

/// Judge0's rule: white space at the end of each line and of the whole counts for nothing.
fn lines(answer: &[u8], output: &[u8]) -> Comparison {
    let mut theirs = trim_end(output).split(|&b| b == b'\n').map(trim_end);
    let mut ours = trim_end(answer).split(|&b| b == b'\n').map(trim_end);
    let mut line = 0_usize;
    loop {
        line += 1;
        let message = match (ours.next(), theirs.next()) {
            (None, None) => return Comparison::ACCEPTED,
            (Some(a), Some(b)) if a == b => continue,
            (Some(a), Some(b)) => {
                format!("line {line}: found {}, expected {}", excerpt(b), excerpt(a))
            }
            (Some(a), None) => {
                format!("line {line}: output ends, expected {}", excerpt(a))
            }
            (None, Some(b)) => {
                format!("line {line}: found {}, expected the end", excerpt(b))
            }
        };
        return Comparison::rejected(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tokens;

    fn check(checker: &Checker, answer: &[u8], output: &[u8]) -> Option<String> {
        let found = compare(checker, answer, output).unwrap();
        assert_eq!(found.accepted, found.message.is_none());
        found.message
    }

    #[test]
    fn exact_compares_every_byte() {
        for (answer, output, message) in [
            (&b""[..], &b""[..], None),
            (b"a\n", b"a\n", None),
            (b"a\n", b"a", Some("byte 2 (line 1): found the end, expected '\\n'")),
            (b"a\nb", b"a\nc", Some("byte 3 (line 2): found 'c', expected 'b'")),
            (b"a", b"a\0", Some("byte 2 (line 1): found '\\x00', expected the end")),
        ] {
            assert_eq!(check(&Checker::Exact, answer, output).as_deref(), message);
        }
    }

    #[test]
    fn lines_ignore_white_space_at_the_end_of_lines_and_of_the_whole() {
        for (answer, output, message) in [
            (&b""[..], &b""[..], None),
            (b"", b" \n\t\n", None),
            (b"a\nb\n", b"a  \r\nb\n\n\n", None),
            (b"a\0\n", b"a", None),
            (b"\n\na", b"\n\na\n", None),
            (b"a\n\nb", b"a\n \t\nb", None),
            (b"a\nb", b"a\n b", Some(r#"line 2: found " b", expected "b""#)),
            (b"a b", b"a  b", Some(r#"line 1: found "a  b", expected "a b""#)),
            (b"a\nb", b"a", Some(r#"line 2: output ends, expected "b""#)),
            (b"a", b"a\n\nb", Some(r#"line 2: found "", expected the end"#)),
            (b"a", b"", Some(r#"line 1: found "", expected "a""#)),
            (b"A", b"a", Some(r#"line 1: found "a", expected "A""#)),
        ] {
            assert_eq!(check(&Checker::Lines, answer, output).as_deref(), message);
        }
    }

    #[test]
    fn a_program_is_not_a_comparison() {
        let json = r#"{"kind":"custom","abi":"icpc","program":{"language":"c","files":[]}}"#;
        let checker: Checker = serde_json::from_str(json).unwrap();
        assert_eq!(compare(&checker, b"", b""), None);
    }

    /// Every string of up to three of the bytes that mean something to a comparison, against every
    /// seventh one: no panic, and what is equal byte for byte is equal to every comparison.
    #[test]
    fn any_bytes_compare_without_a_panic() {
        let alphabet = [b' ', b'\n', 0, 0xff, b'1', b'.', b'e', b'-', b'x'];
        let mut words: Vec<Vec<u8>> = vec![Vec::new()];
        for length in 1..=3_u32 {
            for n in 0..alphabet.len().pow(length) {
                let digit = |i| alphabet[n / alphabet.len().pow(i) % alphabet.len()];
                words.push((0..length).map(digit).collect());
            }
        }
        let floats = Tokens { float_absolute: Some(0.1), ..Tokens::default() };
        let spaces = Tokens { space_change_sensitive: true, case_sensitive: true, ..floats };
        let checkers = [Checker::Exact, Checker::Lines, Checker::Tokens(floats.clone())];
        for a in &words {
            for checker in checkers.iter().chain([&Checker::Tokens(spaces.clone())]) {
                assert_eq!(check(checker, a, a), None, "{a:?}");
            }
            for b in words.iter().step_by(7) {
                let [exact, lines, tokens] = checkers.each_ref().map(|c| check(c, a, b).is_none());
                assert!(!exact || lines, "{a:?} {b:?}");
                assert!(!exact || tokens, "{a:?} {b:?}");
            }
        }
    }
}
