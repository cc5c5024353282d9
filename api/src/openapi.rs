//! The description of the API, made from the code.

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::OpenApi;

use crate::v1::{batch, events, fleet, languages, problems, submissions};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "evalX",
        description = "Judges programs: source code in, compiled and run against tests in a sandbox, a verdict out.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        submissions::create, batch::create, submissions::show, submissions::cancel,
        events::stream, problems::create, problems::show, problems::delete,
        languages::list, fleet::show,
    ),
    tags(
        (name = "submissions", description = "Handing in, watching, calling off"),
        (name = "problems", description = "Tests that are handed in once and named by their hash"),
        (name = "fleet", description = "What can be judged, and how it goes"),
    ),
)]
struct Api;

/// The OpenAPI document, as it is committed and served.
///
/// # Panics
/// Never: it is text.
#[must_use]
pub fn document() -> String {
    let mut json = Api::openapi().to_pretty_json().expect("the document is text");
    json.push('\n');
    json
}

pub(crate) async fn serve() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document())
}
