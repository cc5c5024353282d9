//! The web page at `/`: the files of `api/page/`, which `scripts/web build` makes from `web/`, in
//! this program. They load nothing from elsewhere, and the policy sent with them forbids it.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::Embed;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::problem::{Kind, Problem};

/// No inline script or style, no other origin, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// The names in `assets/` carry a hash of what is in them.
const HASHED: &str = "public, max-age=31536000, immutable";

#[derive(Embed)]
#[folder = "page/"]
struct Files;

struct File {
    kind: &'static str,
    tag: String,
    plain: Bytes,
    gzip: Bytes,
}

/// Compressed once, when somebody asks first.
static PAGE: LazyLock<BTreeMap<String, File>> = LazyLock::new(|| {
    Files::iter().filter_map(|name| Some((name.to_string(), load(&name)?))).collect()
});

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(|headers: HeaderMap| answer("index.html".to_owned(), headers)))
        .route("/index.html", get(|headers: HeaderMap| answer("index.html".to_owned(), headers)))
        .route("/theme.js", get(|headers: HeaderMap| answer("theme.js".to_owned(), headers)))
        .route("/licenses.md", get(|headers: HeaderMap| answer("licenses.md".to_owned(), headers)))
        .route("/icon.svg", get(|headers: HeaderMap| answer("icon.svg".to_owned(), headers)))
        .route(
            "/assets/{name}",
            get(|Path(name): Path<String>, headers: HeaderMap| {
                answer(format!("assets/{name}"), headers)
            }),
        )
}

async fn answer(name: String, asked: HeaderMap) -> Response {
    let Some(file) = PAGE.get(&name) else {
        let name = crate::body::cut(&name).to_string();
        return Problem::new(Kind::NotFound, format!("the page has no file {name}"))
            .into_response();
    };
    let mut headers = HeaderMap::new();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let keep = if name.starts_with("assets/") { HASHED } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&file.tag) {
        headers.insert(header::ETAG, tag);
    }
    if lists(&asked, &header::IF_NONE_MATCH, &file.tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.kind));
    if lists(&asked, &header::ACCEPT_ENCODING, "gzip") {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        return (headers, file.gzip.clone()).into_response();
    }
    (headers, file.plain.clone()).into_response()
}

/// Whether a header that is a list names `item`; what follows a semicolon is its weight.
fn lists(headers: &HeaderMap, name: &HeaderName, item: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let mut items = values.flat_map(|value| value.split(','));
    items.any(|listed| {
        let (listed, weight) = listed.split_once(';').unwrap_or((listed, ""));
        listed.trim().trim_start_matches("W/") == item && weight.trim() != "q=0"
    })
}

fn load(name: &str) -> Option<File> {
    let plain = Bytes::from(Files::get(name)?.data.into_owned());
    let tag = format!("\"{}\"", hex(&Sha256::digest(&plain)[..12]));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    gzip.write_all(&plain).ok()?;
    let gzip = gzip.finish().ok()?.into();
    let kind = match name.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "md" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    };
    Some(File { kind, tag, plain, gzip })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
