//! `evalx watch`: a submission that was handed in, to its end.

use crate::args::Format;
use crate::client::{Client, ClientArgs};
use crate::exit::{self, Exit, Failure};
use crate::follow;
use crate::output::Voice;
use crate::progress::Progress;

/// Follow a submission to its end
///
/// Goes on where it was when the connection breaks. Prints and ends as `evalx
/// judge` does; one that was called off ends with 5. Ctrl-C ends only the watching.
///
/// Examples:
///   evalx watch a60b7268-37b5-4c09-9f28-0f3f7c2f7c4b
///   evalx watch $(evalx submit sum.cpp --tests tests/ -q) -o json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_long_help = exit::HELP)]
pub(crate) struct Args {
    /// The id of the submission
    id: String,
    /// How the result is printed; json is what the server knows of it
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "table")]
    format: Format,
    #[command(flatten)]
    client: ClientArgs,
}

/// Watches.
pub(crate) fn run(args: &Args, voice: Voice) -> Result<Exit, Failure> {
    let Args { id, format, client } = args;
    let client = Client::new(client)?;
    let talk = async {
        let progress = Progress::open(voice);
        let over = Box::pin(follow::follow(&client, id, false, &progress, voice)).await;
        drop(progress);
        follow::tell(over?, None, *format, voice)
    };
    follow::converse(talk, || Some("the server goes on".to_owned()), voice)
}
