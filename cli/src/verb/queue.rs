//! `evalx queue`: what waits, by lane.

use anyhow::Context as _;
use comfy_table::Cell;
use serde_json::Value;

use crate::args::Format;
use crate::client::wire::{Fleet, Lane};
use crate::client::{Client, ClientArgs};
use crate::exit::{self, Exit, Failure};
use crate::output::{self, DIM, Voice, styled};
use crate::{follow, report};

/// Lanes in the order in which they are served; what else a server has comes after them.
const ORDER: [&str; 4] = ["high", "normal", "low", "internal"];

/// Show what waits in a server's queue, by lane
///
/// Examples:
///   evalx queue
///   evalx queue --server https://judge.example
///   evalx queue -o json | jq .lanes.normal.oldest_ms
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_long_help = exit::HELP)]
pub(crate) struct Args {
    /// How it is printed; json is what the server says
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
            Format::Json => output::json(&said)?,
            Format::Table => output::stdout(&show(&fleet(said)?))?,
        }
        Ok(Exit::Ok)
    };
    follow::converse(talk, || None, voice)
}

/// What a server says of its fleet.
pub(crate) fn fleet(said: Value) -> Result<Fleet, Failure> {
    let fleet = serde_json::from_value(said);
    fleet.context("the server's answer is of another version of evalX").map_err(Failure::connection)
}

fn show(fleet: &Fleet) -> String {
    let Fleet { workers, running, delayed, dead, lanes, members: _ } = fleet;
    let mut table = report::empty(&["lane", "waiting", "oldest", "backlog"]);
    let place = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
    let mut rows: Vec<_> = lanes.iter().collect();
    rows.sort_by_key(|(name, _)| place(name));
    for (name, Lane { depth, backlog_ms, oldest_ms }) in rows {
        let backlog = if *depth == 0 { String::new() } else { ms(*backlog_ms) };
        table.add_row([
            Cell::new(output::clean(name)),
            Cell::new(depth),
            Cell::new(oldest_ms.map(ms).unwrap_or_default()),
            Cell::new(backlog),
        ]);
    }
    for column in 1..4 {
        report::right(&mut table, column);
    }
    let facts = [
        format!("{running} running"),
        format!("{delayed} to be tried again"),
        format!("{dead} given up"),
        format!("{workers} {}", if *workers == 1 { "worker" } else { "workers" }),
    ];
    format!("{}\n{}\n", report::trimmed(&table), styled(DIM, facts.join(" · ")))
}

/// Milliseconds in the unit that suits them.
pub(crate) fn ms(ms: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    report::time(ms as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_stand_in_the_order_in_which_they_are_served() {
        let lane = |depth: u64| serde_json::json!({"depth": depth, "backlog_ms": depth * 1500});
        let said = serde_json::json!({
            "workers": 1, "running": 2, "delayed": 0, "dead": 3, "totals": {},
            "lanes": {"high": lane(0), "internal": lane(0), "low": lane(1),
                "normal": {"depth": 2, "backlog_ms": 3000, "oldest_ms": 71}},
        });
        let shown = show(&fleet(said).unwrap());
        let plain = anstream::adapter::strip_str(&shown).to_string();
        let expected = "lane      waiting  oldest  backlog\n\
                        high            0\n\
                        normal          2   71 ms   3.00 s\n\
                        low             1           1.50 s\n\
                        internal        0\n\n\
                        2 running · 0 to be tried again · 3 given up · 1 worker\n";
        assert_eq!(plain, expected);
    }
}
