//! Where problems are kept, as it is written on the command line.

use std::path::PathBuf;

use url::Url;

/// Where problems are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// A folder of this machine, or one that several share.
    Folder(PathBuf),
    /// A bucket, and what names begin with in it.
    S3 {
        /// Its name.
        bucket: String,
        /// May be empty.
        prefix: String,
    },
    /// A Redis server; for small problems.
    Redis(String),
}

/// A text that is no such address. Does not repeat it: there may be a password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "problems are kept at file:///FOLDER, s3://BUCKET/PREFIX, or redis://, rediss:// or unix:// \
     with a server"
)]
pub struct Error;

impl Address {
    /// Reads one.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let url = Url::parse(text).map_err(|_| Error)?;
        match url.scheme() {
            "file" => {
                let path = url.to_file_path().map_err(|()| Error)?;
                if path.parent().is_none() { Err(Error) } else { Ok(Self::Folder(path)) }
            }
            "s3" => {
                let bucket = url.host_str().filter(|host| !host.is_empty()).ok_or(Error)?;
                let prefix = url.path().trim_matches('/').to_owned();
                Ok(Self::S3 { bucket: bucket.to_owned(), prefix })
            }
            "redis" | "rediss" | "unix" => Ok(Self::Redis(text.to_owned())),
            _ => Err(Error),
        }
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{path:?}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            // Not the address: there may be a password in it.
            Self::Redis(_) => f.write_str("redis"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_place_is_read() {
        let of = |text| Address::parse(text).unwrap();
        assert_eq!(of("file:///var/lib/a%20b"), Address::Folder("/var/lib/a b".into()));
        let s3 = |bucket: &str, prefix: &str| Address::S3 {
            bucket: bucket.into(),
            prefix: prefix.into(),
        };
        assert_eq!(of("s3://tests"), s3("tests", ""));
        assert_eq!(of("s3://tests/judge/main/"), s3("tests", "judge/main"));
        assert_eq!(of("redis://h:1/2"), Address::Redis("redis://h:1/2".into()));
        assert_eq!(format!("{:?}", of("redis://:secret@h")), "redis");
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in ["", "/var/lib", "file:///", "s3://", "s3:///x", "https://x/", "problems"] {
            assert_eq!(Address::parse(text), Err(Error), "{text}");
        }
    }
}
