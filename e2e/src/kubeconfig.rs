//! Kubeconfig files. JSON is YAML, so nothing more than JSON is needed.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Who is asking.
#[derive(Debug)]
pub enum Credentials {
    /// A certificate and its key, as files.
    Certificate(String, String),
    /// A ServiceAccount's token.
    Token(String),
}

/// Writes a kubeconfig with one user for the server at `url`.
pub fn write(
    path: &Path,
    url: &str,
    authority: &str,
    user: &Credentials,
    namespace: &str,
) -> Result<()> {
    let user: Value = match user {
        Credentials::Certificate(certificate, key) => {
            json!({"client-certificate": certificate, "client-key": key})
        }
        Credentials::Token(token) => json!({"token": token}),
    };
    let cluster = json!({"server": url, "certificate-authority": authority});
    let context = json!({"cluster": "e2e", "user": "e2e", "namespace": namespace});
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "e2e", "cluster": cluster}],
        "users": [{"name": "e2e", "user": user}],
        "contexts": [{"name": "e2e", "context": context}],
        "current-context": "e2e",
    });
    fs::write(path, config.to_string())
        .with_context(|| format!("{} cannot be written", path.display()))
}
