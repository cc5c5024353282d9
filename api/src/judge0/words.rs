//! Words of a command line as the user writes it: what a shell would make of it, without what only
//! a shell can do.

/// Judge0 takes these out before it gives the rest to bash.
const TAKEN_OUT: [char; 7] = ['$', '&', ';', '<', '>', '|', '`'];

/// The words; `None` when a quotation mark has no pair.
pub(super) fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars().filter(|c| !TAKEN_OUT.contains(c));
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            c @ ('"' | '\\') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_a_shell() {
        let cases: [(&str, Option<&[&str]>); 9] = [
            ("", Some(&[])),
            ("  -O3   --std=c++17\t-Wall\n", Some(&["-O3", "--std=c++17", "-Wall"])),
            ("a 'b c' \"d e\"", Some(&["a", "b c", "d e"])),
            ("a\\ b ''", Some(&["a b", ""])),
            ("\"a\\\"b\\n\"", Some(&["a\"b\\n"])),
            ("x$HOME; rm -rf / | y `z` > f &", Some(&["xHOME", "rm", "-rf", "/", "y", "z", "f"])),
            ("it's", None),
            ("\"", None),
            ("\"\\", None),
        ];
        for (text, words) in cases {
            let words = words.map(|w| w.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
            assert_eq!(split(text), words, "{text}");
        }
    }
}
