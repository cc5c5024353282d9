//! `evalx config`: what is set, and where.

use std::os::unix::fs::PermissionsExt as _;

use clap::CommandFactory as _;
use comfy_table::{Attribute, Cell};
use serde::Serialize;

use crate::args::{Cli, Format};
use crate::config::{self, File, Setting};
use crate::exit::{Exit, Failure};
use crate::output::{self, Voice};
use crate::report;

/// Show the settings of flags, variables and the configuration file
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Show(ShowArgs),
}

/// Show each setting's value; secrets are masked
///
/// A flag goes before a variable, a variable before the configuration file, the
/// file before the default. The file is evalx/config.toml below $XDG_CONFIG_HOME
/// or ~/.config, or what EVALX_CONFIG names.
///
/// Examples:
///   evalx config show --origin
///   evalx config show -o json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ShowArgs {
    /// Say also where each value comes from
    #[arg(long)]
    origin: bool,
    /// How they are printed; json always says where values come from
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "table")]
    format: Format,
    /// As other verbs take it, to see what it does
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// As other verbs take it, to see what it does
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
}

/// One setting as it stands.
#[derive(Debug, Serialize)]
struct Row {
    key: String,
    value: Option<String>,
    origin: Origin,
    /// The flag, the variable or the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Origin {
    Flag,
    Variable,
    File,
    Default,
    Unset,
}

/// Shows.
pub(crate) fn run(args: &Args, voice: Voice) -> Result<Exit, Failure> {
    let Args { verb: Verb::Show(show) } = args;
    let settings = config::settings(&Cli::command());
    let file = File::read(config::environment, &settings).map_err(Failure::usage)?;
    let rows: Vec<Row> = settings.iter().map(|setting| row(setting, show, &file)).collect();
    match show.format {
        Format::Json => output::json(&rows)?,
        Format::Table => output::stdout(&table(&rows, show.origin))?,
    }
    if let Some(path) = &file.path
        && file.get("token").is_some()
        && path.metadata().is_ok_and(|about| about.permissions().mode() & 0o077 != 0)
    {
        voice.note(&format!("{path:?} holds a token and others may read it; chmod 600 mends that"));
    }
    Ok(Exit::Ok)
}

fn row(setting: &Setting, args: &ShowArgs, file: &File) -> Row {
    let flag = match setting.key.as_str() {
        "server" => args.server.clone(),
        "token" => args.token.clone(),
        _ => None,
    };
    let key = setting.key.clone();
    let shown = |value: &str| Some(setting.shown(value));
    if let Some(value) = flag {
        let from = Some(setting.flag.clone());
        return Row { key, value: shown(&value), origin: Origin::Flag, from };
    }
    if let Some((name, value)) = config::variable(&setting.variable, config::environment) {
        let (value, from) = (shown(&value.to_string_lossy()), Some(name.to_owned()));
        return Row { key, value, origin: Origin::Variable, from };
    }
    if let Some(values) = file.get(&key) {
        let from = file.path.as_ref().map(|path| path.display().to_string());
        return Row { key, value: shown(&values.join(",")), origin: Origin::File, from };
    }
    let value = setting.default();
    let origin = if value.is_some() { Origin::Default } else { Origin::Unset };
    Row { key, value, origin, from: None }
}

fn table(rows: &[Row], origins: bool) -> String {
    let header: &[&str] = if origins { &["key", "value", "origin"] } else { &["key", "value"] };
    let mut table = report::empty(header);
    for Row { key, value, origin, from } in rows {
        let value = output::clean(value.as_deref().unwrap_or_default());
        let from = output::clean(from.as_deref().unwrap_or_default());
        let mut cells = vec![Cell::new(key), Cell::new(value)];
        if origins {
            let said = match origin {
                Origin::Flag => format!("flag {from}"),
                Origin::Variable => format!("variable {from}"),
                Origin::File => format!("file {from}"),
                Origin::Default => "default".to_owned(),
                Origin::Unset => String::new(),
            };
            let dim = matches!(origin, Origin::Default);
            let cell = Cell::new(said);
            cells.push(if dim { cell.add_attribute(Attribute::Dim) } else { cell });
        }
        table.add_row(cells);
    }
    report::trimmed(&table)
}
