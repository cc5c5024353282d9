//! White space, and pieces of output short enough for a message.

/// White space as `isspace(3)` has it in the C locale.
pub(super) const fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t'..=b'\r')
}

/// Without what Ruby's `rstrip`, and so Judge0, takes away: white space and NULs.
pub(super) fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., last] = bytes {
        if !is_space(*last) && *last != 0 {
            break;
        }
        bytes = rest;
    }
    bytes
}

/// `bytes` in quotes, what cannot be printed escaped, cut so that a message stays readable.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    const MAX: usize = 40;
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX)]);
    let dots = if bytes.len() > MAX { "…" } else { "" };
    // A character cut in two at the end is not a fault of the output.
    let shown = if dots.is_empty() { &*shown } else { shown.trim_end_matches('\u{fffd}') };
    format!("{shown:?}{dots}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_printable_and_cut_between_characters() {
        assert_eq!(excerpt(b"a\tb\0"), r#""a\tb\0""#);
        assert_eq!(excerpt(b"\xff"), "\"\u{fffd}\"");
        let long = format!("{}é", "x".repeat(39));
        assert_eq!(excerpt(long.as_bytes()), format!("\"{}\"…", "x".repeat(39)));
    }

    #[test]
    fn the_end_is_trimmed_as_ruby_does() {
        for (text, trimmed) in [("a \0\n", "a"), (" a", " a"), ("\0\x0b\x0c\r", ""), ("", "")] {
            assert_eq!(trim_end(text.as_bytes()), trimmed.as_bytes());
        }
    }
}
