//! YAML at the edge: the one function that knows which library reads it, so that the library
//! (unmaintained, RUSTSEC-2024-0449) can be exchanged in one place.

use serde::de::DeserializeOwned;

/// YAML that is not what it should be; the message has line and column.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(serde_yaml::Error);

/// Reads one document.
///
/// # Errors
/// Broken YAML, or a document that does not fit `T`; the message names the field and the line.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_yaml::from_str(text).map_err(Error)
}
