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

    proptest::proptest! {
        #[test]
        fn what_was_encoded_is_read_with_or_without_its_lines_and_padding(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
            breaks in proptest::collection::vec((0..500_usize, "[ \t\r\n]{1,3}"), 0..5),
            bare in proptest::bool::ANY,
        ) {
            let mut text = encode(&bytes);
            if bare {
                text.retain(|c| c != '\n' && c != '=');
            }
            for (at, space) in breaks {
                text.insert_str(at.min(text.len()), &space);
            }
            proptest::prop_assert_eq!(decode(&text), Some(bytes));
        }

        #[test]
        fn any_text_is_read_to_no_more_than_it_can_hold(text in "[A-Za-z0-9+/= \\n\\PC]{0,200}") {
            if let Some(bytes) = decode(&text) {
                proptest::prop_assert!(bytes.len() <= text.len() / 4 * 3 + 3);
                // What was read says the same when it is written.
                proptest::prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
            }
        }
    }
}
