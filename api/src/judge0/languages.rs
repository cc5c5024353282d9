//! Judge0's languages: all ids that its editions have ever had. Those for which evalX has a
//! language are aliases of it, whichever version they name, and their names say so; the others are
//! archived.

use std::sync::LazyLock;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use judge::language::{Language, Table};
use serde_json::{Value, json};

use super::door::Reader;
use super::refusal::Refusal;
use super::{Flavor, document};
use crate::app::{App, Installed};

/// The language of evalX that stands for whatever is only run: it has no source of its own.
pub(super) const MULTI_FILE: u32 = 89;
/// The source is the output.
pub(super) const PLAIN_TEXT: u32 = 43;
/// The source is the program.
pub(super) const EXECUTABLE: u32 = 44;

/// A language of Judge0.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Known {
    flavor: Flavor,
    pub(super) id: u32,
    name: &'static str,
    /// What the source is called; absent where there is none.
    pub(super) source: Option<&'static str>,
    /// Whether Judge0 compiles it. What evalX finds wrong before it runs the others is an error of
    /// the run there.
    pub(super) compiled: bool,
    /// The language of evalX; absent where its table has the id as an alias, if at all.
    judged_as: Option<&'static str>,
}

/// What can be judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer<'a> {
    pub(super) table: &'a Table,
    /// Absent when others judge.
    pub(super) installed: Option<&'a [Installed]>,
}

impl App {
    pub(super) fn offer(&self) -> Offer<'_> {
        Offer { table: self.table(), installed: self.installed() }
    }
}

/// The language of that id.
pub(super) fn find(flavor: Flavor, id: u32) -> Option<&'static Known> {
    ALL.iter().find(|known| known.flavor == flavor && known.id == id)
}

impl Known {
    /// The language of evalX that judges it; `None` when there is none or it is not installed.
    pub(super) fn judged<'a>(&self, offer: Offer<'a>) -> Option<&'a Language> {
        let language = match (self.flavor, self.judged_as) {
            (Flavor::Extra, None) => return None,
            (_, Some(name)) => offer.table.get(name),
            (Flavor::Ce, None) => offer.table.get(&self.id.to_string()),
        };
        let language = language.ok()?;
        let installed = offer.installed.is_none_or(|all| {
            all.iter().any(|one| one.id == language.id && one.unavailable.is_none())
        });
        installed.then_some(language)
    }

    /// Its name, which says what it is an alias of.
    pub(super) fn name(&self, offer: Offer<'_>) -> String {
        let Some(Language { id, .. }) = self.judged(offer) else { return self.name.to_owned() };
        self.name.strip_suffix(')').map_or_else(
            || format!("{} (alias of {id})", self.name),
            |name| format!("{name}, alias of {id})"),
        )
    }

    /// Whether its name in Judge0 begins with that word.
    pub(super) fn is_called(&self, word: &str) -> bool {
        self.name.split(' ').next() == Some(word)
    }

    fn whole(&self, offer: Offer<'_>) -> Value {
        let language = self.judged(offer);
        let argv = |argv: &[String]| self.command(argv);
        let own = self.id == MULTI_FILE;
        let compile = language.and_then(|l| l.compile.as_ref()).filter(|_| self.compiled && !own);
        json!({
            "id": self.id,
            "name": self.name(offer),
            "is_archived": language.is_none(),
            "source_file": self.source,
            "compile_cmd": compile.map(|compile| argv(&compile.argv)),
            "run_cmd": language.filter(|_| !own).map(|language| argv(&language.run.argv)),
        })
    }

    /// A command of evalX's table as Judge0 writes them.
    fn command(&self, argv: &[String]) -> String {
        let source = self.source.unwrap_or_default();
        let stem = source.rsplit_once('.').map_or(source, |(stem, _)| stem);
        let words = argv.iter().enumerate().filter(|(_, word)| *word != "{args}");
        let words = words.map(|(at, word)| {
            word.replace("{options}", "%s")
                .replace("{files}", source)
                .replace("{box}/", if at == 0 { "./" } else { "" })
                .replace("{entry}", source)
                .replace("{stem}", stem)
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

/// List languages that are judged
#[utoipa::path(
    get, path = "/languages", tag = "judge0",
    responses(
        (status = 200, description = "by name", body = Vec<document::Language>),
        (status = 401, description = "no valid token"),
        (status = "default", description = "it cannot be done", body = document::Error),
    ),
)]
pub(super) async fn list(State(app): State<App>, flavor: Flavor, Reader(_): Reader) -> Response {
    let offer = app.offer();
    let rows = sorted(flavor, offer).into_iter().filter(|(known, _)| known.judged(offer).is_some());
    let rows = rows.map(|(known, name)| json!({"id": known.id, "name": name}));
    axum::Json(rows.collect::<Vec<_>>()).into_response()
}

/// List all languages that Judge0 has ever had
#[utoipa::path(
    get, path = "/languages/all", tag = "judge0",
    responses(
        (status = 200, description = "by name", body = Vec<document::LanguageListed>),
        (status = 401, description = "no valid token"),
        (status = "default", description = "it cannot be done", body = document::Error),
    ),
)]
pub(super) async fn all(State(app): State<App>, flavor: Flavor, Reader(_): Reader) -> Response {
    let offer = app.offer();
    let rows = sorted(flavor, offer).into_iter().map(|(known, name)| {
        json!({"id": known.id, "name": name, "is_archived": known.judged(offer).is_none()})
    });
    axum::Json(rows.collect::<Vec<_>>()).into_response()
}

/// Look at a language
#[utoipa::path(
    get, path = "/languages/{id}", tag = "judge0",
    params(
        ("id" = u32, Path, description = "Judge0's number"),
    ),
    responses(
        (status = 200, description = "all that is known of it", body = document::LanguageDetails),
        (status = 401, description = "no valid token"),
        (status = "default", description = "it cannot be done", body = document::Error),
    ),
)]
pub(super) async fn show(
    State(app): State<App>,
    flavor: Flavor,
    Reader(_): Reader,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let known = id.parse().ok().and_then(|id| find(flavor, id)).ok_or_else(Refusal::not_found)?;
    Ok(axum::Json(known.whole(app.offer())).into_response())
}

/// By name, as Judge0 lists them.
fn sorted(flavor: Flavor, offer: Offer<'_>) -> Vec<(&'static Known, String)> {
    let mut rows: Vec<(&Known, String)> = ALL
        .iter()
        .filter(|known| known.flavor == flavor)
        .map(|known| (known, known.name(offer)))
        .collect();
    rows.sort_by(|(a, a_name), (b, b_name)| (a_name, a.id).cmp(&(b_name, b.id)));
    rows
}

static ALL: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let lines = include_str!("languages.tsv").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| row(line).expect("a test reads all lines")).collect()
});

fn row(line: &'static str) -> Option<Known> {
    let mut cells = line.split('\t');
    let flavor = match cells.next()? {
        "ce" => Flavor::Ce,
        "extra" => Flavor::Extra,
        _ => return None,
    };
    let id = cells.next()?.parse().ok()?;
    let name = cells.next()?;
    let given = |cell: &'static str| (cell != "-").then_some(cell);
    let source = given(cells.next()?);
    let compiled = cells.next()? == "compiled";
    let judged_as = cells.next().and_then(given);
    Some(Known { flavor, id, name, source, compiled, judged_as })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_ids_are_those_of_judge0_and_none_is_there_twice() {
        let ids = |flavor| {
            let ids: Vec<u32> = ALL.iter().filter(|k| k.flavor == flavor).map(|k| k.id).collect();
            let unique: BTreeSet<u32> = ids.iter().copied().collect();
            assert_eq!(ids.len(), unique.len());
            unique
        };
        assert_eq!(ids(Flavor::Ce), (1..=113).collect());
        assert!(ids(Flavor::Extra).is_superset(&[1, 2, 4, 10, 22, 89].into()));
    }

    #[test]
    fn each_is_judged_as_what_it_names_and_its_source_is_one_of_that_language() {
        let table = Table::builtin();
        let mut judged = 0;
        for known in ALL.iter() {
            let language = match known.judged_as {
                Some(name) => table.get(name).unwrap(),
                None if known.flavor == Flavor::Extra => continue,
                None => match table.get(&known.id.to_string()) {
                    Ok(language) => language,
                    Err(_) => continue,
                },
            };
            judged += 1;
            let Some(source) = known.source else { continue };
            assert!(
                language.owns_file(source) || language.id == "multifile",
                "{known:?} {}",
                language.id
            );
        }
        assert!(judged > 80, "{judged}");
    }
}
