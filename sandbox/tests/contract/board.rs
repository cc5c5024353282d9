//! The table at the end: each case, its attack, and how it went in each engine.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::Mutex;

use sandbox::Engine;

use crate::attacks;
use crate::engines::Opened;

/// How a case went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    Passed,
    Failed,
    Skipped,
}

/// Filled in as the cases end.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<BTreeMap<String, Row>>);

#[derive(Debug, Default)]
struct Row {
    attack: String,
    native: Option<Cell>,
    isolate: Option<Cell>,
}

impl Board {
    /// Notes how the case `id` went.
    pub(crate) fn note(&self, id: &str, attack: &str, engine: Engine, cell: Cell) {
        // A poisoned board still shows what it holds.
        let mut rows = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let row = rows.entry(id.to_owned()).or_default();
        attack.clone_into(&mut row.attack);
        match engine {
            Engine::Native => row.native = Some(cell),
            Engine::Isolate => row.isolate = Some(cell),
        }
    }

    /// The table, and below it which engine was skipped and why.
    pub(crate) fn show(&self, engines: &[(Engine, Opened)]) -> String {
        let rows = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut text = String::new();
        let wide = rows.keys().map(String::len).max().unwrap_or(0);
        let mut line = |id: &str, attack: &str, native: &str, isolate: &str| {
            let _never_fails = writeln!(text, "{id:wide$}  {attack:8}  {native:8}  {isolate}");
        };
        line("id", "attack", "native", "isolate");
        for (id, row) in &*rows {
            let [native, isolate] = [row.native, row.isolate]
                .map(|cell| cell.map_or_else(|| "-".to_owned(), |c| c.to_string()));
            line(id, &row.attack, &native, &isolate);
        }
        for attack in attacks::ALL.iter().filter(|a| a.note.starts_with("cannot apply")) {
            let _never_fails = writeln!(text, "attack {} {}", attack.number, attack.note);
        }
        for (engine, opened) in engines {
            let _never_fails = match opened {
                Opened::Skipped(why) => writeln!(text, "engine {engine} was skipped: {why}"),
                Opened::Failed(why) => writeln!(text, "engine {engine} failed: {why}"),
                Opened::Ready(_) | Opened::Unwanted => Ok(()),
            };
        }
        text
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "ok",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
        })
    }
}
