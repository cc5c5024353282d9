//! The page that is in the program: all of it is served, none of it from elsewhere.

use std::io::Read;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use tower::ServiceExt;

use crate::scene::Scene;

/// What `web/` promises, too.
const MOST: usize = 300_000;

/// The status, the bytes, and the value of a header.
async fn get(scene: &Scene, path: &str, ask: Option<(header::HeaderName, &str)>) -> Got {
    let mut request = Request::get(path);
    if let Some((name, value)) = ask {
        request = request.header(name, value);
    }
    let request = request.body(Body::empty()).unwrap();
    let (parts, body) = scene.router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = to_bytes(body, 10 << 20).await.unwrap().to_vec();
    Got { status: parts.status, headers: parts.headers, bytes }
}

struct Got {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    bytes: Vec<u8>,
}

impl Got {
    fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// The files in the folder that is embedded, as paths of the service.
fn files() -> Vec<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
    let names = |folder: &str| {
        let entries = std::fs::read_dir(root.join(folder)).unwrap().map(Result::unwrap);
        let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
        files.map(|f| format!("{folder}/{}", f.file_name().to_str().unwrap())).collect::<Vec<_>>()
    };
    let assets = names("assets").into_iter().map(|name| format!("/{name}"));
    names("").into_iter().chain(assets).collect()
}

#[tokio::test]
async fn all_of_the_page_is_served_compressed_and_under_its_policy() {
    let scene = Scene::new();
    let mut sent = 0;
    let files = files();
    assert!(files.len() > 5, "{files:?}");
    for path in &files {
        let plain = get(&scene, path, None).await;
        assert_eq!(plain.status, StatusCode::OK, "{path}");
        assert_eq!(plain.header(header::CONTENT_ENCODING), "");
        let policy = plain.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{path}: {policy}");
        assert_eq!(plain.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        let gzip = get(&scene, path, Some((header::ACCEPT_ENCODING, "br;q=1.0, gzip;q=0.8"))).await;
        assert_eq!(gzip.header(header::CONTENT_ENCODING), "gzip", "{path}");
        let mut again = Vec::new();
        flate2::read::GzDecoder::new(&*gzip.bytes).read_to_end(&mut again).unwrap();
        assert_eq!(again, plain.bytes, "{path}");
        sent += gzip.bytes.len();
    }
    assert!(sent < MOST, "{sent} bytes");
}

#[tokio::test]
async fn the_start_names_only_files_that_are_there() {
    let scene = Scene::new();
    let start = get(&scene, "/", None).await;
    assert_eq!(start.header(header::CONTENT_TYPE), "text/html; charset=utf-8");
    assert_eq!(start.header(header::CACHE_CONTROL), "no-cache");
    let html = String::from_utf8(start.bytes).unwrap();
    let named: Vec<&str> = html
        .split(['"', '\''])
        .filter_map(|word| word.strip_prefix("./"))
        .filter(|word| word.contains('.'))
        .collect();
    assert!(named.iter().any(|name| name.starts_with("assets/index-")), "{html}");
    for name in named {
        let file = get(&scene, &format!("/{name}"), None).await;
        assert_eq!(file.status, StatusCode::OK, "{name}");
    }
}

#[tokio::test]
async fn who_has_a_file_gets_it_no_second_time() {
    let scene = Scene::new();
    let tag = get(&scene, "/", None).await.header(header::ETAG).to_owned();
    for known in [tag.clone(), format!("\"other\", W/{tag}")] {
        let again = get(&scene, "/", Some((header::IF_NONE_MATCH, &known))).await;
        assert_eq!((again.status, again.bytes.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
    }
    let changed = get(&scene, "/", Some((header::IF_NONE_MATCH, "\"other\""))).await;
    assert_eq!(changed.status, StatusCode::OK);
    let gone = scene.get("/assets/none.js").await;
    assert_eq!(gone.problem().0, 404);
}
