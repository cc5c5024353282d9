//! `evalx workers`: who judges.

use comfy_table::Cell;
use serde_json::Value;

use super::queue;
use crate::args::Format;
use crate::client::wire::{Fleet, Member};
use crate::client::{Client, ClientArgs};
use crate::exit::{self, Exit, Failure};
use crate::output::{self, DIM, Voice, styled};
use crate::{follow, report};

/// Show the workers behind a server
///
/// Examples:
///   evalx workers
///   evalx workers --server https://judge.example
///   evalx workers -o json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_long_help = exit::HELP)]
pub(crate) struct Args {
    /// How they are printed; json is what the server says
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "table")]
    format: Format,
    #[command(flatten)]
    client: ClientArgs,
}

/// Shows.
pub(crate) fn run(args: &Args, voice: Voice) -> Result<Exit, Failure> {
    let Args { format, client } = args;
    let client = Client::new(client)?;
    let talk = async {
        let said: Value = client.get("/v1/fleet").await?;
        match format {
            Format::Json => output::json(&serde_json::json!({
                "workers": said.get("workers"),
                "members": said.get("members"),
            }))?,
            Format::Table => {
                let fleet = queue::fleet(said)?;
                output::stdout(&show(&fleet))?;
                if fleet.workers == 0 {
                    voice.note("no worker is there; start one with `evalx worker`");
                }
            }
        }
        Ok(Exit::Ok)
    };
    follow::converse(talk, || None, voice)
}

fn show(fleet: &Fleet) -> String {
    let Some(members) = &fleet.members else {
        let is = if fleet.workers == 1 { "worker is" } else { "workers are" };
        return format!("{} {is} alive\n", fleet.workers);
    };
    let mut table = report::empty(&["worker", "slots", "busy", "heard", "engine", "version"]);
    for Member { id, slots, busy, heard_ms, engine, version } in members {
        let text = |text: &Option<String>| output::clean(text.as_deref().unwrap_or_default());
        table.add_row([
            Cell::new(output::clean(id)),
            Cell::new(slots.map(|slots| slots.to_string()).unwrap_or_default()),
            Cell::new(busy),
            Cell::new(heard_ms.map(|ms| format!("{} ago", queue::ms(ms))).unwrap_or_default()),
            Cell::new(text(engine)),
            Cell::new(text(version)),
        ]);
    }
    for column in 1..4 {
        report::right(&mut table, column);
    }
    let busy: u64 = members.iter().map(|member| member.busy).sum();
    let slots: u64 = members.iter().filter_map(|member| member.slots).sum();
    let facts = format!(
        "{} {} · {busy} of {slots} slots busy",
        members.len(),
        if members.len() == 1 { "worker" } else { "workers" }
    );
    format!("{}\n{}\n", report::trimmed(&table), styled(DIM, facts))
}
