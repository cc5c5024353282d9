//! Log lines on standard error: for people or as JSON. What is logged is names, numbers and reasons;
//! never source code, output, a token of a lease, or a password.

use std::io;
use std::str::FromStr;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

/// How lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Which lines there are: `info`, or `warn,worker=debug`.
#[derive(Debug, Clone)]
pub struct Level(Targets);

/// A text that is no level.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is no level; write it like info or warn,worker=debug")]
pub struct BadLevel {
    text: String,
}

impl FromStr for Level {
    type Err = BadLevel;

    fn from_str(text: &str) -> Result<Self, BadLevel> {
        // A lone word that is no level would otherwise be taken for a target.
        let plain = !text.contains([',', '=']);
        let known = ["trace", "debug", "info", "warn", "error", "off"];
        let bad = || BadLevel { text: text.chars().take(80).collect() };
        if plain && !known.contains(&text.to_ascii_lowercase().as_str()) {
            return Err(bad());
        }
        text.parse().map(Self).map_err(|_| bad())
    }
}

/// Starts logging. Only the first call of a process counts.
pub fn init(format: Format, level: Level) {
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Format::Human => layer.with_ansi(false).boxed(),
        Format::Json => layer.json().flatten_event(true).with_current_span(false).boxed(),
    };
    let _first = tracing_subscriber::registry().with(layer.with_filter(level.0)).try_init();
}

/// An address without its password, to be shown.
#[must_use]
pub fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "an address".to_owned() };
    // The last @ before the path: passwords may hold one.
    // A unix socket's password is a parameter.
    let (rest, parameters) = match rest.split_once('?') {
        // Or a password holds a question mark.
        Some((_, parameters)) if parameters.contains('@') => return format!("{scheme}://***"),
        Some((rest, _)) => (rest, "?***"),
        None => (rest, ""),
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let end = rest[end..].rfind('@').map_or(end, |at| end + at + 1);
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://***@{}{parameters}", &rest[at + 1..]),
        None => format!("{scheme}://{rest}{parameters}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        let shown = [
            ("redis://host:6379/0", "redis://host:6379/0"),
            ("redis://:secret@host/0", "redis://***@host/0"),
            ("rediss://me:se/cr@et@host/0", "rediss://***@host/0"),
            ("redis+sentinel://me:secret@a,b/m/1", "redis+sentinel://***@a,b/m/1"),
            ("unix:///run/redis.sock", "unix:///run/redis.sock"),
            ("unix:///run/redis.sock?user=me&pass=secr/et", "unix:///run/redis.sock?***"),
            ("redis://:se?cret@host/0", "redis://***"),
            ("secret", "an address"),
        ];
        for (url, wanted) in shown {
            assert_eq!(masked(url), wanted);
        }
    }

    #[test]
    fn levels() {
        for good in ["info", "WARN", "warn,worker=debug", "off"] {
            assert!(good.parse::<Level>().is_ok(), "{good}");
        }
        for bad in ["loud", "", "worker=loud"] {
            assert!(bad.parse::<Level>().is_err(), "{bad}");
        }
    }
}
