//! Base64 as Ruby writes it (a line break after every 60 characters and at the end), and reading
//! it as clients write it: with or without line breaks and padding.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LINE: usize = 60;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) fn encode(bytes: &[u8]) -> String {
    let whole = LENIENT.encode(bytes);
    let mut lines = String::with_capacity(whole.len() + whole.len() / LINE + 1);
    let mut rest = whole.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        lines.push_str(line);
        lines.push('\n');
        rest = after;
    }
    lines
}

/// The bytes; `None` when it is no base64.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let bare: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    LENIENT.decode(bare).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_60_characters_and_all_end() {
        assert_eq!(encode(b""), "");
        assert_eq!(encode(b"hello\n"), "aGVsbG8K\n");
        let long = encode(&[b'x'; 46]);
        assert_eq!(long.lines().map(str::len).collect::<Vec<_>>(), [60, 4]);
        assert!(long.ends_with('\n'));
        assert_eq!(decode(&long).unwrap(), [b'x'; 46]);
    }

    #[test]
    fn padding_may_lack_and_nonsense_is_none() {
        assert_eq!(decode("aGk"), Some(b"hi".to_vec()));
        assert_eq!(decode(" aGk= \r\n"), Some(b"hi".to_vec()));
        assert_eq!(decode(""), Some(Vec::new()));
        for nonsense in ["a", "a%b=", "print(1)", "aGk=x"] {
            assert_eq!(decode(nonsense), None, "{nonsense}");
        }
    }
}
