//! The command line: what can be typed, and what is said of a slip.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::config::{self, File};
use crate::exit::{Exit, Failure, HELP};
use crate::output;
use crate::verb;

/// Judges untrusted programs: compiles and runs them in a sandbox, compares, gives a verdict
///
/// Examples:
///   evalx doctor                                 can this machine judge?
///   evalx calibrate                              ... and are its times stable?
///   evalx judge sum.cpp --tests tests/           one submission against a folder
///   evalx judge sum.cpp --problem sum.zip        ... against a problem package
///   evalx verify problems/*                      every example of these packages
///   evalx run hello.py                           just run it, in the sandbox
///   evalx up                                     serve and judge over HTTP
///   evalx worker --redis redis://localhost       judge what is in the shared queue
///   evalx submit sum.cpp --tests tests/ --wait   ... by a server
///   evalx config show --origin                   what is set, and where
#[derive(Debug, Parser)]
#[command(
    verbatim_doc_comment,
    name = "evalx",
    version,
    after_help = HELP,
    max_term_width = 80,
    styles = STYLES,
    disable_help_subcommand = true,
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) manners: Manners,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// How much is said, and how it looks.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Manners")]
pub(crate) struct Manners {
    /// When to colour; auto follows the terminal, NO_COLOR and CLICOLOR_FORCE
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
    /// Say only the result
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say also how it came about: engine, toolchain, stages
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// One file each below `verb/`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Judge(Box<verb::judge::Args>),
    Verify(verb::verify::Args),
    Run(Box<verb::run::Args>),
    Up(Box<verb::up::Args>),
    Server(Box<verb::server::Args>),
    Worker(Box<verb::worker::Args>),
    Submit(Box<verb::submit::Args>),
    Watch(verb::watch::Args),
    Queue(verb::queue::Args),
    Workers(verb::workers::Args),
    Languages(verb::languages::Args),
    Doctor(verb::doctor::Args),
    Calibrate(verb::calibrate::Args),
    Config(verb::config::Args),
    Completions(verb::completions::Args),
    Man(verb::man::Args),
}

/// What the machine gives: shared by every verb that judges.
#[derive(Debug, Args)]
#[command(next_help_heading = "Machine")]
pub(crate) struct Machine {
    /// Which sandbox runs the boxes; auto takes native where it works, else isolate
    #[arg(
        long,
        value_name = "ENGINE",
        default_value = "auto",
        env = "EVALX_ENGINE",
        hide_env_values = true
    )]
    pub(crate) engine: EngineName,
    /// Boxes that run at once [default: the CPUs this process may use]
    #[arg(long, value_name = "N", env = "MAX_CONCURRENT_SANDBOXES", hide_env_values = true)]
    pub(crate) slots: Option<std::num::NonZeroUsize>,
    /// Run each slot's tests on a CPU of its own, and compilers and checkers on CPUs that are left.
    /// For machines that judge short programs of one thread; a JVM's threads wait for each other
    #[arg(long, env = "EVALX_PIN", hide_env_values = true)]
    pub(crate) pin: bool,
    /// Where compiled programs are kept [default: $XDG_CACHE_HOME/evalx, as root
    /// /var/cache/evalx]
    // The default reads the machine, so it is not printed: help is the same everywhere.
    #[arg(long, value_name = "DIR", env = "EVALX_CACHE_DIR", hide_env_values = true,
          default_value_os_t = default_cache_dir(), hide_default_value = true)]
    pub(crate) cache_dir: PathBuf,
    /// A folder of YAML files that add languages or replace those of the same id
    #[arg(long, value_name = "DIR", env = "EVALX_LANGUAGES", hide_env_values = true)]
    pub(crate) languages: Option<PathBuf>,
    /// Draws the boxes' user ids in a container, where others on the machine are not seen: the pod's
    /// own id
    #[arg(long, value_name = "TEXT", env = "EVALX_UID_SEED", hide_env_values = true, hide = true)]
    pub(crate) uid_seed: Option<String>,
}

/// The names of the engines on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineName {
    Auto,
    Native,
    Isolate,
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs: one document on standard output, nothing else
    Json,
}

/// Reads the command line. `Err` is the exit code when all is said: help, version, or a slip.
pub(crate) fn parse(argv: impl Iterator<Item = OsString>) -> Result<Cli, Exit> {
    let argv: Vec<OsString> = argv.collect();
    let color = color_of(&argv);
    output::set_color(color);
    read(&argv, color).map_err(|slip| match slip {
        Slip::File(error) => output::failure(&Failure::usage(error)),
        Slip::Line { error, file } => said(&error, &file, &argv),
    })
}

/// Why there is no command line.
enum Slip {
    File(config::Error),
    Line { error: Box<clap::Error>, file: Box<File> },
}

/// Reads the line alone, then again with what the configuration file says: help is the same
/// everywhere and comes even when the file is broken.
fn read(argv: &[OsString], color: ColorChoice) -> Result<Cli, Slip> {
    let parse = |file: &File| {
        let command = config::completed(Cli::command(), config::environment, file).color(color);
        command.try_get_matches_from(argv).and_then(|matches| Cli::from_arg_matches(&matches))
    };
    let slip = |error, file| Slip::Line { error: Box::new(error), file: Box::new(file) };
    let alone = parse(&File::default());
    if let Err(error) = &alone
        && is_help(error.kind())
    {
        return alone.map_err(|error| slip(error, File::default()));
    }
    let settings = config::settings(&Cli::command());
    let file = File::read(config::environment, &settings).map_err(Slip::File)?;
    let cli = if file.is_empty() { alone } else { parse(&file) };
    cli.map_err(|error| slip(error, file))
}

fn is_help(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}

/// Says what clap says, and gives the code to end with.
fn said(error: &clap::Error, file: &File, argv: &[OsString]) -> Exit {
    let text = error.render();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let printed = output::stdout(&text.ansi().to_string());
            printed.map_or_else(|failure| output::failure(&failure), |()| Exit::Ok)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output::stderr(&text.ansi().to_string());
            Exit::Usage
        }
        _ => {
            let at = origin(error, file, argv).map(|at| format!("{at}: ")).unwrap_or_default();
            output::stderr_line(&format!("{at}{}", slip(&text.to_string(), verb_of(argv))));
            Exit::Usage
        }
    }
}

/// Where a bad value was set, when it was not on the command line.
fn origin(error: &clap::Error, file: &File, argv: &[OsString]) -> Option<String> {
    let Some(ContextValue::String(arg)) = error.get(ContextKind::InvalidArg) else { return None };
    let flag = arg.split([' ', '=']).next()?;
    let typed = |word: &OsString| word.to_string_lossy().split('=').next() == Some(flag);
    if argv.iter().any(typed) {
        return None;
    }
    let settings = config::settings(&Cli::command());
    let setting = settings.iter().find(|setting| setting.flag == flag)?;
    if let Some((name, _)) = config::variable(&setting.variable, config::environment) {
        return Some(name.to_owned());
    }
    file.get(&setting.key)?;
    file.path.as_ref().map(|path| output::clean(&format!("key {} of {path:?}", setting.key)))
}

/// The value of `--color`, looked up by hand because help and slips are printed before clap has
/// read the line to its end.
fn color_of(argv: &[OsString]) -> ColorChoice {
    let words = || argv.iter().map(|a| a.to_string_lossy()).take_while(|a| a != "--");
    let joined = words().filter_map(|a| a.strip_prefix("--color=").map(str::to_owned));
    let apart = words().zip(words().skip(1)).filter(|(a, _)| a == "--color").map(|(_, b)| b.into());
    let value: Option<String> = joined.chain(apart).last();
    value.and_then(|v| ColorChoice::from_str(&v, false).ok()).unwrap_or(ColorChoice::Auto)
}

/// The verb in the line, for a slip to point at its help.
fn verb_of(argv: &[OsString]) -> Option<&str> {
    let words = argv.iter().skip(1).filter_map(|a| a.to_str());
    words.take_while(|a| *a != "--").find(|w| Cli::command().find_subcommand(w).is_some())
}

/// Folds what clap says into one line: the fault, its tips, and where the help is.
fn slip(rendered: &str, verb: Option<&str>) -> String {
    let mut parts: Vec<String> = Vec::new();
    for paragraph in rendered.split("\n\n") {
        let text = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let text = text.strip_prefix("tip: ").unwrap_or(text);
        let about_help = text.starts_with("Usage: ") || text.starts_with("For more information");
        if !about_help && !text.is_empty() {
            parts.push(text.to_owned());
        }
    }
    let verb = verb.map(|v| format!("{v} ")).unwrap_or_default();
    output::clean(&format!("{}; try `evalx {verb}--help`", parts.join("; ")))
}

/// Root keeps artefacts where no other user may write: they are mounted into boxes.
fn default_cache_dir() -> PathBuf {
    // The owner of /proc/self is the effective user (proc_pid(5)).
    let root = std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
    if root {
        return PathBuf::from("/var/cache/evalx");
    }
    let absolute = |dir: OsString| Some(PathBuf::from(dir)).filter(|d| d.is_absolute());
    let home = || std::env::var_os("HOME").and_then(absolute).map(|home| home.join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME").and_then(absolute).or_else(home);
    base.unwrap_or_else(std::env::temp_dir).join("evalx")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn colour_is_known_before_the_line_is_read() {
        let color = |line: &str| color_of(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(color("evalx --color never --help"), ColorChoice::Never);
        assert_eq!(color("evalx --color=always judge"), ColorChoice::Always);
        assert_eq!(color("evalx run a.c -- --color=always"), ColorChoice::Auto);
        assert_eq!(color("evalx --color purple"), ColorChoice::Auto);
    }

    #[test]
    fn a_slip_is_one_line_with_a_way_out() {
        let fold = |line: &str| {
            let argv: Vec<_> = line.split(' ').map(OsString::from).collect();
            let error = Cli::try_parse_from(&argv).unwrap_err();
            slip(&error.render().to_string(), verb_of(&argv))
        };
        assert_eq!(
            fold("evalx judg"),
            "unrecognized subcommand 'judg'; a similar subcommand exists: 'judge'; \
             try `evalx --help`"
        );
        assert_eq!(
            fold("evalx run --cpu 3 a.c"),
            "invalid value '3' for '--cpu <TIME>': it has no unit; write it like 2s or 500ms; \
             try `evalx run --help`"
        );
    }
}
