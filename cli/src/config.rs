//! Settings: what environment and file say before the command line is read. A flag goes before a
//! variable, a variable before the file, the file before the default.

mod file;
#[cfg(test)]
mod reference;
mod setting;

use std::ffi::{OsStr, OsString};

use clap::builder::Resettable;
use clap::{Arg, Command};

pub(crate) use self::file::{Error, File};
pub(crate) use self::setting::{Setting, key, settings};

/// Variables that go before another one, which may be meant for a neighbour, too.
const BEFORE: [(&str, &str); 1] = [("EVALX_REDIS", "REDIS_URL")];

/// The variables of the process.
pub(crate) fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The variable that is set for a setting. One that is empty is as good as absent: compose files
/// and charts write those.
pub(crate) fn variable(
    name: &str,
    env: impl Fn(&str) -> Option<OsString>,
) -> Option<(&str, OsString)> {
    let before = BEFORE.iter().filter(|(_, after)| *after == name).map(|(before, _)| *before);
    let set = |name| env(name).filter(|value| !value.is_empty()).map(|value| (name, value));
    before.chain([name]).find_map(set)
}

/// The command line as environment and file complete it.
pub(crate) fn completed(
    command: Command,
    env: impl Fn(&str) -> Option<OsString>,
    file: &File,
) -> Command {
    command.mut_subcommands(|verb| {
        verb.mut_args(|arg| {
            let Some(name) = variable_of(&arg) else { return arg };
            let arg = match variable(&name, &env) {
                Some((from, _)) if from == name => arg,
                Some((from, _)) => arg.env(from.to_owned()),
                None if env(&name).is_some() => arg.env(Resettable::Reset),
                None => arg,
            };
            match file.get(&key(&name)) {
                Some(values) => arg.required(false).default_values(values.to_vec()),
                None => arg,
            }
        })
    })
}

fn variable_of(arg: &Arg) -> Option<String> {
    arg.get_env().and_then(OsStr::to_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::parser::ValueSource;

    use super::*;
    use crate::args::Cli;

    fn file(text: &str) -> File {
        File::parse("config.toml".into(), text, &settings(&Cli::command())).unwrap()
    }

    /// The value of a setting of `evalx worker`, and where it comes from.
    fn value(id: &str, text: &str, flags: &[&str]) -> (String, Option<ValueSource>) {
        let command = completed(Cli::command(), |_| None, &file(text));
        let line = [&["evalx", "worker"], flags].concat();
        let matches = command.try_get_matches_from(line).unwrap();
        let (_, worker) = matches.subcommand().unwrap();
        let raw = worker.get_raw(id).unwrap().next().unwrap();
        (raw.to_str().unwrap().to_owned(), worker.value_source(id))
    }

    #[test]
    fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
        let redis = "redis_url = \"redis://file\"\n";
        let both = format!("{redis}queue = \"file\"\n");
        let default = Some(ValueSource::DefaultValue);
        assert_eq!(value("queue", redis, &[]), ("default".to_owned(), default));
        assert_eq!(value("queue", &both, &[]), ("file".to_owned(), default));
        let flag = Some(ValueSource::CommandLine);
        assert_eq!(value("queue", &both, &["--queue", "flag"]), ("flag".to_owned(), flag));
        assert_eq!(value("redis", redis, &[]).0, "redis://file", "what is required may be there");
    }

    #[test]
    fn ours_goes_before_the_common_variable_and_an_empty_one_is_none() {
        let of = |set: &[(&str, &str)]| {
            let env = |name: &str| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            };
            variable("REDIS_URL", env).map(|(name, value)| format!("{name}={}", value.display()))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("REDIS_URL", "")]), None);
        assert_eq!(of(&[("REDIS_URL", "a")]).unwrap(), "REDIS_URL=a");
        assert_eq!(of(&[("REDIS_URL", "a"), ("EVALX_REDIS", "")]).unwrap(), "REDIS_URL=a");
        assert_eq!(of(&[("REDIS_URL", "a"), ("EVALX_REDIS", "b")]).unwrap(), "EVALX_REDIS=b");
    }
}
