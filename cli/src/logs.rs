//! The log lines of the verbs that go on until they are told to stop.

use worker::log::{self, Level};

/// How much is logged, and how it looks.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogArgs {
    /// Which log lines there are on standard error: error, warn, info, debug, or parts as
    /// warn,api=info [default: info; up: warn]
    #[arg(long, value_name = "LEVEL", env = "EVALX_LOG", hide_env_values = true)]
    log: Option<Level>,
    /// How log lines look
    #[arg(
        long,
        value_name = "FORMAT",
        env = "EVALX_LOG_FORMAT",
        hide_env_values = true,
        default_value = "human"
    )]
    log_format: Format,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One object a line
    Json,
}

/// What is logged when nothing is said.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Usual {
    /// Daemons say what they do.
    Info,
    /// Whoever sits before a terminal wants to know what is wrong.
    Warn,
}

impl LogArgs {
    /// Starts logging.
    pub(crate) fn start(&self, usual: Usual) {
        let format = match self.log_format {
            Format::Human => log::Format::Human,
            Format::Json => log::Format::Json,
        };
        let usual = match usual {
            Usual::Info => "info",
            Usual::Warn => "warn",
        };
        let level = self.log.clone();
        log::init(format, level.unwrap_or_else(|| usual.parse().expect("a level")));
    }
}
