//! Which settings there are: every flag that has a variable. The command line's definition is the
//! only list of them.

use clap::{ArgAction, Command};

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Its name in the configuration file.
    pub(crate) key: String,
    /// Its variable.
    pub(crate) variable: String,
    /// Its flag, with the dashes.
    pub(crate) flag: String,
    /// What it is.
    pub(crate) help: String,
    /// Whether it holds several values.
    pub(crate) list: bool,
    /// The verbs that have it, each with its default.
    pub(crate) uses: Vec<(String, Option<String>)>,
}

/// The key of a variable: its name in small letters, without ours in front.
pub(crate) fn key(variable: &str) -> String {
    variable.strip_prefix("EVALX_").unwrap_or(variable).to_ascii_lowercase()
}

/// All settings, by key.
pub(crate) fn settings(command: &Command) -> Vec<Setting> {
    let mut settings: Vec<Setting> = Vec::new();
    for verb in command.get_subcommands() {
        for arg in verb.get_arguments() {
            let Some(variable) = arg.get_env().and_then(|name| name.to_str()) else { continue };
            // What the operator alone sets, in each pod to something else, is no setting.
            if arg.is_hide_set() {
                continue;
            }
            let shown = !arg.is_hide_default_value_set();
            let defaults = arg.get_default_values().iter().filter(|_| shown);
            let defaults: Vec<_> = defaults.map(|value| value.to_string_lossy()).collect();
            let default = (!defaults.is_empty()).then(|| defaults.join(","));
            let found = settings.iter_mut().find(|setting| setting.variable == variable);
            let used = (verb.get_name().to_owned(), default);
            match found {
                Some(setting) => setting.uses.push(used),
                None => settings.push(Setting {
                    key: key(variable),
                    variable: variable.to_owned(),
                    flag: format!("--{}", arg.get_long().unwrap_or_default()),
                    help: arg.get_help().map(ToString::to_string).unwrap_or_default(),
                    list: matches!(arg.get_action(), ArgAction::Append),
                    uses: vec![used],
                }),
            }
        }
    }
    settings.sort_by(|a, b| a.key.cmp(&b.key));
    settings
}

impl Setting {
    /// The default; where verbs differ, each with its own.
    pub(crate) fn default(&self) -> Option<String> {
        let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
        for (verb, default) in &self.uses {
            let default = default.as_deref().unwrap_or_default();
            match groups.iter_mut().find(|(known, _)| *known == default) {
                Some((_, verbs)) => verbs.push(verb),
                None => groups.push((default, vec![verb])),
            }
        }
        match groups.as_slice() {
            [("", _)] | [] => None,
            [(default, _)] => Some((*default).to_owned()),
            several => {
                let each =
                    several.iter().map(|(value, verbs)| format!("{value} ({})", verbs.join(", ")));
                Some(each.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// A value as it may be shown.
    pub(crate) fn shown(&self, value: &str) -> String {
        match self.key.as_str() {
            "token" => "***".to_owned(),
            // A password is a part of it.
            "redis_url" => worker::log::masked(value),
            _ => value.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn a_setting_is_the_same_for_every_verb_that_has_it() {
        let command = Cli::command();
        for setting in settings(&command) {
            for (verb, _) in &setting.uses {
                let verb = command.find_subcommand(verb).unwrap();
                let flag = setting.flag.trim_start_matches('-');
                let arg = verb.get_arguments().find(|arg| arg.get_long() == Some(flag)).unwrap();
                assert_eq!(arg.get_env().unwrap().to_str().unwrap(), setting.variable);
                let list = matches!(arg.get_action(), ArgAction::Append);
                assert_eq!(list, setting.list, "{flag}");
            }
        }
    }

    #[test]
    fn every_setting_has_a_key_of_its_own() {
        let mut keys: Vec<_> = settings(&Cli::command()).into_iter().map(|s| s.key).collect();
        let all = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), all);
        assert!(keys.iter().any(|key| key == "max_concurrent_sandboxes"), "{keys:?}");
    }

    #[test]
    fn secrets_are_masked() {
        let shown = |key: &str, value: &str| {
            let all = settings(&Cli::command());
            all.iter().find(|setting| setting.key == key).unwrap().shown(value)
        };
        assert_eq!(shown("token", "secret"), "***");
        assert_eq!(shown("redis_url", "redis://me:secret@host/0"), "redis://***@host/0");
        assert_eq!(shown("server", "http://h"), "http://h");
    }
}
