//! Bytes of a submission: at hand, or a file of this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Bytes. On the wire a plain string when they are UTF-8, `{"base64": "…"}` otherwise. A file of
/// this machine never crosses the wire in either direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub enum Blob {
    /// In memory.
    Memory(Arc<[u8]>),
    /// On this machine's disk.
    File(PathBuf),
}

/// Bytes that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The text after `base64` is not base64.
    #[error("the field base64 does not hold base64")]
    Base64(#[source] base64::DecodeError),
    /// The file cannot be read.
    #[error("cannot read {path:?}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Blob {
    /// The bytes themselves.
    ///
    /// # Errors
    /// When it is a file that cannot be read.
    pub fn read(&self) -> Result<Arc<[u8]>, BlobError> {
        match self {
            Self::Memory(bytes) => Ok(Arc::clone(bytes)),
            Self::File(path) => match std::fs::read(path) {
                Ok(bytes) => Ok(bytes.into()),
                Err(source) => Err(BlobError::Read { path: path.clone(), source }),
            },
        }
    }

    /// A file of this machine.
    #[must_use]
    pub fn file(path: &Path) -> Self {
        Self::File(path.to_owned())
    }

    /// As the sandbox takes it.
    #[must_use]
    pub fn contents(&self) -> sandbox::Contents {
        match self {
            Self::Memory(bytes) => sandbox::Contents::Memory(Arc::clone(bytes)),
            Self::File(path) => sandbox::Contents::File(path.clone()),
        }
    }
}

impl From<&[u8]> for Blob {
    fn from(bytes: &[u8]) -> Self {
        Self::Memory(bytes.into())
    }
}

impl From<&str> for Blob {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Memory(bytes.into())
    }
}

#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Wire {
    /// Text.
    Text(String),
    /// Any bytes.
    Binary(Binary),
}

#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Binary {
    /// The bytes in base64, padded.
    base64: String,
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Blob {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        Wire::schema()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Blob {
    fn schemas(
        schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>,
    ) {
        schemas.push((
            <Binary as utoipa::ToSchema>::name().into_owned(),
            <Binary as utoipa::PartialSchema>::schema(),
        ));
    }
}

impl TryFrom<Wire> for Blob {
    type Error = BlobError;

    fn try_from(wire: Wire) -> Result<Self, BlobError> {
        use base64::Engine as _;
        match wire {
            Wire::Text(text) => Ok(Self::Memory(text.into_bytes().into())),
            Wire::Binary(Binary { base64 }) => base64::engine::general_purpose::STANDARD
                .decode(base64)
                .map(Self::from)
                .map_err(BlobError::Base64),
        }
    }
}

impl From<Blob> for Wire {
    fn from(blob: Blob) -> Self {
        use base64::Engine as _;
        // A file is read when a job is made, before anything is serialized; what cannot be read
        // was refused there.
        let bytes = blob.read().unwrap_or_else(|_| Arc::from([]));
        match std::str::from_utf8(&bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Binary(Binary {
                base64: base64::engine::general_purpose::STANDARD.encode(&bytes),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_and_binary_is_base64() {
        let json = |b: Blob| serde_json::to_string(&b).unwrap();
        assert_eq!(json(Blob::from("a\n")), r#""a\n""#);
        assert_eq!(json(Blob::from(&[0xffu8, 0][..])), r#"{"base64":"/wA="}"#);
        let back: Blob = serde_json::from_str(r#"{"base64":"/wA="}"#).unwrap();
        assert_eq!(back, Blob::from(&[0xffu8, 0][..]));
    }

    #[test]
    fn broken_base64_says_so() {
        let err = serde_json::from_str::<Blob>(r#"{"base64":"%"}"#).unwrap_err();
        assert!(err.to_string().contains("does not hold base64"), "{err}");
    }
}
