//! Commands of the table: which placeholders there are and what they become.

/// What the placeholders of a command stand for.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// `{files}`: source files with an extension of the language, relative names.
    pub files: &'a [String],
    /// `{entry}`: the file (or class) that starts; `{stem}` is its name without the extension.
    pub entry: &'a str,
    /// `{options}`: options for the compiler.
    pub options: &'a [String],
    /// `{args}`: arguments of the program.
    pub args: &'a [String],
    /// `{memory_mib}`: the memory limit in MiB, without what the language is granted over it.
    pub memory_mib: u64,
}

/// Where the artefact is mounted: `{box}`.
const BOX: &str = "/box";

/// Stand for a list, so they must be an element of their own.
const LISTS: [&str; 3] = ["files", "options", "args"];
const WORDS: [&str; 4] = ["entry", "stem", "memory_mib", "box"];

/// Fills in a command that has passed [`check`]. What is filled in is not looked at again.
pub(crate) fn expand(argv: &[String], context: &Context<'_>) -> Vec<String> {
    let mut out = Vec::with_capacity(argv.len() + context.files.len() + context.args.len());
    for element in argv {
        match element.as_str() {
            "{files}" => out.extend_from_slice(context.files),
            "{options}" => out.extend_from_slice(context.options),
            "{args}" => out.extend_from_slice(context.args),
            element => out.push(fill(element, context)),
        }
    }
    out
}

/// Whether the command uses this placeholder.
pub(crate) fn uses(argv: &[String], name: &str) -> bool {
    argv.iter().any(|e| pieces(e).any(|p| matches!(p, Piece::Placeholder(n) if n == name)))
}

/// Checks a command of the table.
///
/// # Errors
/// What is wrong, to be said after the name of the field.
pub(crate) fn check(argv: &[String]) -> Result<(), String> {
    if argv.first().is_none_or(String::is_empty) {
        return Err("is empty; it needs the program to run".to_owned());
    }
    for element in argv {
        for piece in pieces(element) {
            match piece {
                Piece::Placeholder(name) if WORDS.contains(&name) => {}
                Piece::Placeholder(name) if LISTS.contains(&name) => {
                    if element.len() != name.len() + 2 {
                        return Err(format!(
                            "has {{{name}}} inside {element:?}; it must be an element of its own"
                        ));
                    }
                }
                Piece::Placeholder(name) => {
                    let known: Vec<_> = LISTS.iter().chain(&WORDS).collect();
                    return Err(format!(
                        "has an unknown placeholder {{{name}}}; there are {known:?}"
                    ));
                }
                Piece::Text(text) if text.contains('\0') => {
                    return Err("has a NUL".to_owned());
                }
                Piece::Text(_) => {}
            }
        }
    }
    Ok(())
}

fn fill(element: &str, context: &Context<'_>) -> String {
    let mut out = String::new();
    for piece in pieces(element) {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Placeholder("entry") => out.push_str(context.entry),
            Piece::Placeholder("stem") => out.push_str(stem(context.entry)),
            Piece::Placeholder("memory_mib") => out.push_str(&context.memory_mib.to_string()),
            Piece::Placeholder(_) => out.push_str(BOX),
        }
    }
    out
}

/// The name without its extension; folders stay, a leading dot is no extension.
fn stem(entry: &str) -> &str {
    match entry.rsplit_once('.') {
        Some((stem, extension))
            if !stem.is_empty() && !stem.ends_with('/') && !extension.contains('/') =>
        {
            stem
        }
        _ => entry,
    }
}

#[derive(Debug, PartialEq)]
enum Piece<'a> {
    Text(&'a str),
    Placeholder(&'a str),
}

/// Splits at `{name}`, name being lower-case letters and underscores; other braces are text, so
/// that a command may hold a shell block or an Erlang tuple.
fn pieces(element: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = element;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (text, after) = match next_placeholder(rest) {
            Some((0, len)) => {
                let (found, after) = rest.split_at(len);
                rest = after;
                return Some(Piece::Placeholder(&found[1..len - 1]));
            }
            Some((at, _)) => rest.split_at(at),
            None => (rest, ""),
        };
        rest = after;
        Some(Piece::Text(text))
    })
}

fn next_placeholder(text: &str) -> Option<(usize, usize)> {
    text.match_indices('{').find_map(|(at, _)| {
        let name = text[at + 1..].split('}').next()?;
        let closed = text[at + 1..].len() > name.len();
        let word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        (closed && word).then_some((at, name.len() + 2))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(argv: &[&str]) -> Vec<String> {
        argv.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn every_placeholder_is_filled_in_once() {
        let files = strings(&["a.c", "{box}.c"]);
        let args = strings(&["x y", "{entry}"]);
        let options = strings(&["-O3", "{files}"]);
        let context = Context {
            files: &files,
            entry: "com/Main.java",
            options: &options,
            args: &args,
            memory_mib: 256,
        };
        let argv = strings(&[
            "cc",
            "{options}",
            "{files}",
            "-Xmx{memory_mib}m",
            "{box}/{stem}:{entry}",
            "{args}",
        ]);
        assert_eq!(check(&argv), Ok(()));
        assert_eq!(
            expand(&argv, &context),
            [
                "cc",
                "-O3",
                "{files}",
                "a.c",
                "{box}.c",
                "-Xmx256m",
                "/box/com/Main:com/Main.java",
                "x y",
                "{entry}"
            ]
        );
        assert!(uses(&argv, "stem") && uses(&argv, "files") && !uses(&argv, "memory"));
    }

    #[test]
    fn other_braces_are_text() {
        let argv = strings(&["sh", "-c", "f() { echo {; }; {A} {} {x y} {"]);
        assert_eq!(check(&argv), Ok(()));
        let context = Context { files: &[], entry: "", options: &[], args: &[], memory_mib: 0 };
        assert_eq!(expand(&argv, &context), argv);
    }

    #[test]
    fn a_stem_keeps_folders_and_leading_dots() {
        let cases = [
            ("a.b.c", "a.b"),
            ("Main", "Main"),
            (".x", ".x"),
            ("d/.x", "d/.x"),
            ("d.e/x", "d.e/x"),
        ];
        for (entry, expected) in cases {
            assert_eq!(stem(entry), expected);
        }
    }
}
