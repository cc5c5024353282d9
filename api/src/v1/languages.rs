//! The languages.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use judge::language::Language;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Reader;
use crate::app::App;
use crate::problem::Document;

/// A language.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Language)]
pub(crate) struct Row<'a> {
    /// Its id.
    id: &'a str,
    /// For people.
    name: &'a str,
    /// Other names that are taken.
    aliases: &'a [String],
    /// Of source files, without the dot.
    extensions: &'a [String],
    /// What a program of one file is called.
    source: &'a str,
    /// Whether it is compiled.
    compiled: bool,
    /// Whether it can be judged here; absent when other machines judge.
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<bool>,
    /// Why it cannot be judged here.
    #[serde(skip_serializing_if = "Option::is_none")]
    unavailable: Option<&'a str>,
}

/// List the languages
#[utoipa::path(
    get, path = "/v1/languages", tag = "fleet",
    responses(
        (status = 200, description = "the table of languages", body = Vec<Row>),
        (status = "default", description = "not for you", body = Document,
         content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list(State(app): State<App>, Reader(_): Reader) -> Response {
    let rows: Vec<Row<'_>> = app.table().iter().map(|language| row(language, &app)).collect();
    axum::Json(rows).into_response()
}

fn row<'a>(language: &'a Language, app: &'a App) -> Row<'a> {
    let Language { id, name, aliases, extensions, source, compile, .. } = language;
    let found = app.installed().map(|all| all.iter().find(|installed| installed.id == *id));
    let unavailable = found.map(|found| {
        found.map_or(Some("not looked for on this machine"), |f| f.unavailable.as_deref())
    });
    Row {
        id,
        name,
        aliases,
        extensions,
        source,
        compiled: compile.is_some(),
        available: unavailable.map(|why| why.is_none()),
        unavailable: unavailable.flatten(),
    }
}
