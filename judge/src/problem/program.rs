//! Programs of a package: which files they have, in which language, and where they start.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::package::{self, Package};
use crate::model::SourceFile;

/// A program of a package that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder or file that cannot be read.
    #[error(transparent)]
    Package(#[from] package::Error),
    /// Not made of files of one language.
    #[error("{path:?} {fault}")]
    Program {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it and what to do.
        fault: &'static str,
    },
}

/// A program as the package has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sources {
    pub(super) files: Vec<SourceFile>,
    /// The file that starts.
    pub(super) entry: Option<String>,
    /// Its language as the format calls it, when its files are of one.
    pub(super) code: Option<&'static str>,
}

/// Codes and file endings of the format's appendix "Languages": those that determine one.
const CODES: &[(&str, &[&str])] = &[
    ("ada", &["adb", "ads"]),
    ("bash", &["sh"]),
    ("c", &["c"]),
    ("cobol", &["cob"]),
    ("cpp", &["cc", "cpp", "cxx", "c++", "C"]),
    ("crystal", &["cr"]),
    ("csharp", &["cs"]),
    ("d", &["d"]),
    ("dart", &["dart"]),
    ("elixir", &["ex", "exs"]),
    ("erlang", &["erl"]),
    ("fortran", &["f90"]),
    ("fsharp", &["fs"]),
    ("go", &["go"]),
    ("haskell", &["hs"]),
    ("java", &["java"]),
    ("javascript", &["js"]),
    ("julia", &["jl"]),
    ("kotlin", &["kt"]),
    ("lisp", &["lisp", "cl"]),
    ("lua", &["lua"]),
    ("nim", &["nim"]),
    ("ocaml", &["ml"]),
    ("pascal", &["pas"]),
    ("perl", &["pm"]),
    ("php", &["php"]),
    ("prolog", &["pl"]),
    ("python2", &["py2"]),
    ("python3", &["py", "py3"]),
    ("racket", &["rkt"]),
    ("ruby", &["rb"]),
    ("rust", &["rs"]),
    ("scala", &["scala"]),
    ("swift", &["swift"]),
    ("typescript", &["ts"]),
    ("zig", &["zig"]),
];

/// The language of a file by its ending, as the format calls it.
pub(super) fn code_of(file: &str) -> Option<&'static str> {
    let (_, ending) = file.rsplit_once('.')?;
    CODES.iter().find(|(_, endings)| endings.contains(&ending)).map(|(code, _)| *code)
}

/// Reads a program: `path` is one file, or a folder of them.
pub(super) fn read(
    package: &Package,
    path: &str,
    is_dir: bool,
    constants: &BTreeMap<String, String>,
) -> Result<Sources, Error> {
    let names = if is_dir {
        package.files_below(path)?
    } else {
        vec![path.rsplit('/').next().unwrap_or(path).to_owned()]
    };
    let mut files = Vec::new();
    let mut python2 = false;
    for name in names {
        let at = if is_dir { format!("{path}/{name}") } else { path.to_owned() };
        let bytes = package.read(&at)?.unwrap_or_default();
        python2 |= code_of(&name) == Some("python3") && is_python2(&bytes);
        let contents = match String::from_utf8(bytes) {
            Ok(text) => with_constants(&text, constants).into_bytes(),
            Err(binary) => binary.into_bytes(),
        };
        files.push(SourceFile { name, contents: contents.into() });
    }
    let code = match code(&files) {
        Some("python3") if python2 => Some("python2"),
        code => code,
    };
    let entry = entry(&files, code);
    Ok(Sources { files, entry, code })
}

/// The only validator of a folder: a file, a folder of files, or (`flat`) files side by side.
/// `None` when the folder is empty or not there.
pub(super) fn validator(
    package: &Package,
    folder: &str,
    flat: bool,
    constants: &BTreeMap<String, String>,
) -> Result<Option<Sources>, Error> {
    let fault = |path: &str, fault| Err(Error::Program { path: package.path(path), fault });
    let entries = package.list(folder)?;
    let is_program = |e: &&package::Entry| e.is_dir || code_of(&e.name).is_some();
    let programs: Vec<_> = entries.iter().filter(is_program).collect();
    let (path, is_dir) = match programs[..] {
        [] if entries.is_empty() => return Ok(None),
        [] => return fault(folder, "holds no source file of a language that evalX knows"),
        [only] if only.is_dir => (format!("{folder}/{}", only.name), true),
        // Headers beside a single source belong to it.
        [only] if entries.len() == 1 => (format!("{folder}/{}", only.name), false),
        [_] => (folder.to_owned(), true),
        _ if flat => (folder.to_owned(), true),
        _ => return fault(folder, "holds several validators; evalX runs one, keep that one"),
    };
    let sources = read(package, &path, is_dir, constants)?;
    if sources.files.iter().any(|f| f.name == "build" || f.name == "run") {
        return fault(&path, "has a build or run script; evalX runs none, give the sources only");
    }
    if sources.code.is_none() {
        return fault(&path, "has sources of several languages, or of none; keep one language");
    }
    Ok(Some(sources))
}

/// `text` with the constants of 2025-09 in place of `{{name}}`; what is none of them stays.
pub(super) fn with_constants(text: &str, constants: &BTreeMap<String, String>) -> String {
    if constants.is_empty() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let (before, after) = rest.split_at(start);
        out.push_str(before);
        let constant = after[2..]
            .split_once("}}")
            .and_then(|(name, tail)| constants.get(name).map(|text| (text, tail)));
        match constant {
            Some((text, tail)) => {
                out.push_str(text);
                rest = tail;
            }
            None => {
                out.push('{');
                rest = &after[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// The one language of the files; C files among C++ files are C++.
fn code(files: &[SourceFile]) -> Option<&'static str> {
    let codes: BTreeSet<_> = files.iter().filter_map(|f| code_of(&f.name)).collect();
    match codes.into_iter().collect::<Vec<_>>()[..] {
        [code] => Some(code),
        ["c", "cpp"] => Some("cpp"),
        _ => None,
    }
}

/// "The default entry point", `__main__.py` or `main.*` by the name, else the first file of the
/// language.
fn entry(files: &[SourceFile], code: Option<&str>) -> Option<String> {
    let same = |f: &&SourceFile| {
        let of = code_of(&f.name);
        of == code || code == Some("cpp") && of == Some("c") || code == Some("python2")
    };
    let names: Vec<&str> = files.iter().filter(same).map(|f| f.name.as_str()).collect();
    let named = |stem: &str| {
        let matches =
            |name: &&&str| name.rsplit_once('.').is_some_and(|(s, _)| s.eq_ignore_ascii_case(stem));
        names.iter().find(matches).copied()
    };
    let entry = named("__main__").or_else(|| named("main")).or_else(|| names.first().copied());
    entry.map(str::to_owned)
}

/// "The shebang line must match `^#!.*python2`."
fn is_python2(bytes: &[u8]) -> bool {
    let line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    line.starts_with(b"#!") && line.windows(7).any(|w| w == b"python2")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(names: &[&str]) -> Vec<SourceFile> {
        names.iter().map(|n| SourceFile { name: (*n).to_owned(), contents: "".into() }).collect()
    }

    #[test]
    fn a_language_and_an_entry_follow_from_the_names() {
        for (names, expected_code, expected_entry) in [
            (&["a.py"][..], Some("python3"), Some("a.py")),
            (&["b.py", "__main__.py", "main.py"], Some("python3"), Some("__main__.py")),
            (&["Helper.java", "Main.java"], Some("java"), Some("Main.java")),
            (&["a.h", "b.c", "c.cc"], Some("cpp"), Some("b.c")),
            (&["x.go", "data.txt"], Some("go"), Some("x.go")),
            (&["a.py", "b.rb"], None, None),
            (&["README"], None, None),
        ] {
            let files = sources(names);
            let code = code(&files);
            assert_eq!(code, expected_code, "{names:?}");
            if code.is_some() {
                assert_eq!(entry(&files, code).as_deref(), expected_entry, "{names:?}");
            }
        }
    }

    #[test]
    fn the_table_knows_languages_by_the_codes_of_the_format() {
        let table = crate::language::Table::builtin();
        for (code, endings) in CODES {
            if endings.iter().any(|e| table.by_extension(e).is_some()) {
                assert!(table.get(code).is_ok(), "{code} is no alias in the table");
            }
        }
    }

    #[test]
    fn constants_are_replaced_and_other_braces_stay() {
        let constants = BTreeMap::from([
            ("n".to_owned(), "5".to_owned()),
            ("n.tex".to_owned(), "{{n}}".to_owned()),
        ]);
        for (text, replaced) in [
            ("{{n}} {{n.tex}}", "5 {{n}}"),
            ("{{{n}}} {{m}} {{ n }}", "{5} {{m}} {{ n }}"),
            ("{{n", "{{n"),
            ("f({{1, 2}, {3, 4}})", "f({{1, 2}, {3, 4}})"),
        ] {
            assert_eq!(with_constants(text, &constants), replaced);
        }
    }
}
