//! Log lines on standard error. What is logged is names, numbers and reasons; never an address of a
//! queue or anything of a secret.

use std::io;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

use crate::args::LogFormat;

/// Starts logging. Only the first call of a process counts.
pub fn init(format: LogFormat, level: Targets) {
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Human => layer.with_ansi(false).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let _first = tracing_subscriber::registry().with(layer.with_filter(level)).try_init();
}
