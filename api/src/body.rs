//! Reading what a client sends: bounded in size and time, JSON with every unknown field refused.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::budget::{Budget, Full, Share};
use crate::problem::{Kind, Problem};

/// Between two pieces of a body. Who is slower holds memory for nothing.
const IDLE: Duration = Duration::from_secs(10);
/// For a whole body that is not a stream.
const WHOLE: Duration = Duration::from_secs(60);

/// After there was no room for a body: bodies come and go within moments.
const AGAIN: Duration = Duration::from_secs(1);

/// Why a body cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the body is {found}, it must be {wanted}")]
    MediaType { found: String, wanted: &'static str },
    #[error("the body has more than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("too much is being sent or read at the moment; try again")]
    Busy,
    #[error("the body came too slowly")]
    Slow,
    #[error("the body ended early")]
    Broken(#[source] axum::Error),
    #[error("not JSON: {reason}")]
    Syntax { reason: String },
    #[error("{field}: {reason}")]
    Field { field: String, reason: String },
}

impl From<Full> for Error {
    fn from(Full: Full) -> Self {
        Self::Busy
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::MediaType { .. } => Kind::MediaType,
            Error::TooLarge { .. } => Kind::TooLarge,
            Error::Busy => Kind::Busy,
            Error::Slow => Kind::Timeout,
            Error::Broken(_) | Error::Syntax { .. } => Kind::BadRequest,
            Error::Field { .. } => Kind::Invalid,
        };
        let problem = Self::new(kind, error.to_string());
        match error {
            Error::Field { field, reason } => problem.fault(field, reason),
            Error::Busy => problem.retry_after(AGAIN),
            _ => problem,
        }
    }
}

/// A JSON body, with its share of the memory: to be given back once nothing of it is needed.
pub(crate) struct Json<T>(pub(crate) T, pub(crate) Share);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        expect(request.headers(), &["application/json"])?;
        let body = Pieces::new(request.into_body(), app.config().body_limit);
        let (bytes, share) = body.whole(app.budget()).await?;
        Ok(Self(parse(&bytes)?, share))
    }
}

/// The media type of a body, when it is one of these.
///
/// A form or plain text is refused also because any web page may send those to a server on this
/// machine without asking (CORS); JSON it may not.
pub(crate) fn expect(headers: &HeaderMap, wanted: &[&'static str]) -> Result<&'static str, Error> {
    let found = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = found.and_then(|v| v.split(';').next()).unwrap_or("").trim();
    let known = wanted.iter().find(|wanted| wanted.eq_ignore_ascii_case(essence));
    known.copied().ok_or_else(|| Error::MediaType {
        found: if essence.is_empty() { "of no type".to_owned() } else { cut(essence) },
        wanted: wanted[0],
    })
}

/// JSON as a type. What is wrong is named by its path.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = cut(&error.path().to_string());
        let error = error.into_inner();
        let reason = cut(&error.to_string());
        match error.classify() {
            serde_json::error::Category::Data => Error::Field { field, reason },
            _ => Error::Syntax { reason },
        }
    })?;
    reader.end().map_err(|error| Error::Syntax { reason: cut(&error.to_string()) })?;
    Ok(value)
}

/// A body piece by piece.
pub(crate) struct Pieces {
    body: Body,
    left: usize,
    limit: usize,
}

impl Pieces {
    pub(crate) fn new(body: Body, limit: usize) -> Self {
        Self { body, left: limit, limit }
    }

    /// The next piece; `None` at the end. Cancel safe.
    ///
    /// Of a body that says that it is too large nothing is read.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if self.said() > self.left {
            return Err(Error::TooLarge { limit: self.limit });
        }
        loop {
            let frame = tokio::time::timeout(IDLE, self.body.frame()).await;
            let Some(frame) = frame.map_err(|_| Error::Slow)? else { return Ok(None) };
            let Ok(data) = frame.map_err(Error::Broken)?.into_data() else { continue };
            let left = self.left.checked_sub(data.len());
            self.left = left.ok_or(Error::TooLarge { limit: self.limit })?;
            return Ok(Some(data));
        }
    }

    /// What is still to come, as far as the client has said how much that is.
    fn said(&self) -> usize {
        use http_body::Body as _;
        usize::try_from(self.body.size_hint().lower()).unwrap_or(usize::MAX)
    }

    /// Everything, and its share of the memory.
    ///
    /// What the client has announced is taken at once: whatever is begun can be brought to its end,
    /// and what has no room is refused before it comes.
    pub(crate) async fn whole(mut self, budget: &Budget) -> Result<(Bytes, Share), Error> {
        let mut share = budget.share();
        let reading = async {
            let said = self.said();
            if said > self.left {
                return Err(Error::TooLarge { limit: self.limit });
            }
            share.grow(said)?;
            let mut bytes = BytesMut::with_capacity(said);
            while let Some(piece) = self.next().await? {
                extend(&mut bytes, &piece, &mut share)?;
            }
            Ok((bytes.freeze(), share))
        };
        tokio::time::timeout(WHOLE, reading).await.unwrap_or(Err(Error::Slow))
    }
}

/// Puts a piece behind what came before it, within a share of the memory.
pub(crate) fn extend(bytes: &mut BytesMut, piece: &[u8], share: &mut Share) -> Result<(), Full> {
    let (length, capacity) = (bytes.len() + piece.len(), bytes.capacity());
    if length > capacity {
        let next = length.max(capacity * 2);
        share.grow(next)?;
        bytes.reserve(next - bytes.len());
    }
    bytes.extend_from_slice(piece);
    Ok(())
}

/// What a client wrote, short enough to be said back to it.
pub(crate) fn cut(text: &str) -> String {
    const MOST: usize = 400;
    if text.len() <= MOST {
        return text.to_owned();
    }
    // The end says where it is and what would be right.
    let (head, tail) =
        (text.floor_char_boundary(MOST / 2), text.ceil_char_boundary(text.len() - MOST / 2));
    format!("{}…{}", &text[..head], &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only ever parsed")]
    struct Thing {
        a: Vec<u8>,
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let said = |json: &str| parse::<Thing>(json.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            said(r#"{"a":[1,-2]}"#),
            "a[1]: invalid value: integer `-2`, expected u8 at line 1 column 10"
        );
        assert_eq!(
            said(r#"{"a":[],"b":1}"#),
            "b: unknown field `b`, expected `a` at line 1 column 11"
        );
        assert_eq!(said("{"), "not JSON: EOF while parsing an object at line 1 column 1");
        assert_eq!(said(r#"{"a":[]} x"#), "not JSON: trailing characters at line 1 column 10");
    }

    #[test]
    fn a_name_of_a_megabyte_is_not_said_back() {
        let json = format!(r#"{{"{}":1}}"#, "x".repeat(1 << 20));
        let said = parse::<Thing>(json.as_bytes()).unwrap_err();
        let Problem { .. } = Problem::from(said);
        let Error::Field { field, reason } = parse::<Thing>(json.as_bytes()).unwrap_err() else {
            panic!("a field")
        };
        assert!(field.len() < 500 && reason.len() < 500, "{} {}", field.len(), reason.len());
    }
}
