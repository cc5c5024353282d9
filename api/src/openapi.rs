//! The description of the API, made from the code.

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::OpenApi;
use utoipa::openapi::{PathItem, Server};

use crate::judge0;
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
    let mut judge0 = judge0::Document::openapi();
    for item in judge0.paths.paths.values_mut() {
        item.servers = Some(["/", "/extra-ce"].map(Server::new).to_vec());
    }
    let mut api = Api::openapi();
    api.merge(judge0);
    for (path, item) in &mut api.paths.paths {
        name(path, item);
    }
    let mut json = api.to_pretty_json().expect("the document is text");
    json.push('\n');
    json
}

/// Names the operations of a path: by default they are called as their functions, several of which
/// are called alike.
fn name(path: &str, item: &mut PathItem) {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words = words.collect::<Vec<_>>().join("_");
    let methods = [("get", &mut item.get), ("post", &mut item.post), ("delete", &mut item.delete)];
    for (method, operation) in methods {
        if let Some(operation) = operation {
            operation.operation_id = Some(format!("{method}_{words}"));
        }
    }
}

pub(crate) async fn serve() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document())
}
