//! The OpenAPI document is what the code says. After a change on purpose write it anew with
//! `UPDATE=1 cargo test -p api --test service document` and read the diff.

use std::fs;
use std::path::Path;

use crate::scene::Scene;

#[tokio::test]
async fn the_committed_document_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let made = api::document();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "openapi.json is old; write it anew with UPDATE=1");
    assert_eq!(Scene::new().get("/openapi.json").await.text, made);
}
