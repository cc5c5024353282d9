//! The configuration file: TOML, one key a setting.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use toml::Value;

use super::Setting;

/// Far above what it can need.
const MOST: u64 = 1 << 20;
/// From here on a key is taken for another one misspelt, as clap does.
const NEAR: f64 = 0.7;

/// What a file sets.
#[derive(Debug, Default)]
pub(crate) struct File {
    /// Where it is, if it is there.
    pub(crate) path: Option<PathBuf>,
    values: BTreeMap<String, Vec<String>>,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It cannot be read.
    #[error("cannot read the configuration in {path:?}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no TOML.
    #[error("the configuration in {path:?} is no TOML at line {line}: {}", source.message())]
    Toml {
        /// Which.
        path: PathBuf,
        /// Where.
        line: usize,
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// A key that is none.
    #[error(
        "the configuration in {path:?} has the unknown key {key:?}{}; `evalx config show` lists \
         all keys",
        near.as_ref().map(|near| format!(", did you mean {near}?")).unwrap_or_default()
    )]
    Unknown {
        /// In which file.
        path: PathBuf,
        /// The key.
        key: String,
        /// One that is near.
        near: Option<String>,
    },
    /// A value that no flag could have.
    #[error("the configuration in {path:?} has for {key:?} {what}; write it like {example}")]
    Value {
        /// In which file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What it is.
        what: &'static str,
        /// What would be right.
        example: &'static str,
    },
}

impl File {
    /// The file that `EVALX_CONFIG` names, else the user's; that one need not be there.
    pub(crate) fn read(
        env: impl Fn(&str) -> Option<OsString>,
        settings: &[Setting],
    ) -> Result<Self, Error> {
        let named = env("EVALX_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        let must = named.is_some();
        let Some(path) = named.or_else(|| usual(&env)) else { return Ok(Self::default()) };
        match text(&path) {
            Ok(text) => Self::parse(path, &text, settings),
            Err(error) if !must && is_absent(&error) => Ok(Self::default()),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    /// A file with this text.
    pub(crate) fn parse(path: PathBuf, text: &str, settings: &[Setting]) -> Result<Self, Error> {
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(source) => {
                let source: toml::de::Error = source;
                let before = source.span().map_or(0, |span| span.start).min(text.len());
                let line = text.as_bytes()[..before].iter().filter(|b| **b == b'\n').count() + 1;
                return Err(Error::Toml { path, line, source: Box::new(source) });
            }
        };
        let mut values = BTreeMap::new();
        for (key, value) in table {
            let Some(setting) = settings.iter().find(|setting| setting.key == key) else {
                let near = near(&key, settings);
                return Err(Error::Unknown { path, key, near });
            };
            match texts(value, setting.list) {
                Ok(texts) => drop(values.insert(key, texts)),
                Err((what, example)) => return Err(Error::Value { path, key, what, example }),
            }
        }
        Ok(Self { path: Some(path), values })
    }

    /// What it says of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&[String]> {
        self.values.get(key).map(Vec::as_slice)
    }

    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// Where the file of a user is (XDG Base Directory Specification: what is not absolute is ignored).
fn usual(env: &impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
    Some(base?.join("evalx/config.toml"))
}

fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(MOST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has more than 1 MiB"));
    }
    Ok(text)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// A value as its flag would have it.
fn texts(value: Value, list: bool) -> Result<Vec<String>, (&'static str, &'static str)> {
    let one = |value| match value {
        Value::String(text) => Ok(text),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(flag) => Ok(flag.to_string()),
        Value::Datetime(_) => Err(("a date", "\"text\"")),
        Value::Array(_) => Err(("a list", "\"text\"")),
        Value::Table(_) => Err(("a table", "\"text\"")),
    };
    match value {
        Value::Array(values) if list => values.into_iter().map(one).collect(),
        value => Ok(vec![one(value)?]),
    }
}

fn near(key: &str, settings: &[Setting]) -> Option<String> {
    let score = |setting: &&Setting| strsim::jaro(key, &setting.key);
    let best = settings.iter().max_by(|a, b| score(a).total_cmp(&score(b)))?;
    (score(&best) > NEAR).then(|| best.key.clone())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::args::Cli;

    fn parse(text: &str) -> Result<File, String> {
        let settings = super::super::settings(&Cli::command());
        File::parse("c.toml".into(), text, &settings).map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_read_as_flags_would_have_them() {
        let text = "server = \"http://h\"\nbatch_limit = 7\nopen_to_all = true\n\
                    cors = [\"https://a\", \"https://b\"]\n";
        let file = parse(text).unwrap();
        let get = |key: &str| file.get(key).unwrap().join(" ");
        assert_eq!(get("server"), "http://h");
        assert_eq!(get("batch_limit"), "7");
        assert_eq!(get("open_to_all"), "true");
        assert_eq!(get("cors"), "https://a https://b");
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_cure() {
        let error = |text| parse(text).unwrap_err();
        assert_eq!(
            error("sever = \"x\""),
            "the configuration in \"c.toml\" has the unknown key \"sever\", did you mean server?; \
             `evalx config show` lists all keys"
        );
        assert!(error("max-concurrent-sandboxes = 2").contains("did you mean max_concurrent_s"));
        assert!(!error("zzz = 2").contains("did you mean"));
        assert_eq!(
            error("server = [\"a\"]"),
            "the configuration in \"c.toml\" has for \"server\" a list; write it like \"text\""
        );
        assert!(error("[server]\nurl = 1").contains("has for \"server\" a table"));
        assert!(
            error("\nserver = \n").contains("is no TOML at line 2: "),
            "{}",
            error("\nserver = \n")
        );
    }

    #[test]
    fn the_file_is_the_one_that_is_named_else_the_users() {
        let of = |set: &[(&str, &str)]| {
            let env = |name: &str| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
            };
            usual(&env).map(|path| path.display().to_string())
        };
        let home = ("HOME", "/home/me");
        assert_eq!(of(&[home]).unwrap(), "/home/me/.config/evalx/config.toml");
        let relative = ("XDG_CONFIG_HOME", "here");
        assert_eq!(of(&[home, relative]).unwrap(), "/home/me/.config/evalx/config.toml");
        let absolute = ("XDG_CONFIG_HOME", "/etc/me");
        assert_eq!(of(&[home, absolute]).unwrap(), "/etc/me/evalx/config.toml");
        assert_eq!(of(&[]), None);
    }
}
