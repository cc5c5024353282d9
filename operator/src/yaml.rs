//! YAML at the edge: the one file that knows which library reads and writes it (unmaintained,
//! RUSTSEC-2024-0320), so that it can be exchanged in one place.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// YAML that is not what it should be; the message has line and column.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(serde_yaml::Error);

/// Reads one document.
///
/// # Errors
/// Broken YAML, or a document that does not fit `T`.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_yaml::from_str(text).map_err(Error)
}

/// Writes one document.
///
/// # Errors
/// When it has a map whose keys are no texts.
pub fn write(value: &impl Serialize) -> Result<String, Error> {
    serde_yaml::to_string(value).map_err(Error)
}
