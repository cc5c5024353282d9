//! Parameters of a request: query, form and JSON body alike, as Judge0 has it.

use axum::body::Body;
use axum::http::{HeaderMap, Uri, header};
use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::app::App;
use crate::body::{self, Pieces};
use crate::budget::Share;
use crate::problem::Problem;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// Parameters by name.
#[derive(Debug, Default)]
pub(super) struct Params {
    map: Map<String, Value>,
    /// The memory of the body that they came in.
    _share: Option<Share>,
}

impl Params {
    /// Those of the address.
    pub(super) fn of_query(uri: &Uri) -> Self {
        Self { map: pairs(uri.query().unwrap_or("").as_bytes()), _share: None }
    }

    /// Those of the address and of the body, which wins.
    pub(super) async fn read(
        app: &App,
        uri: &Uri,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Self, Refusal> {
        let mut params = Self::of_query(uri);
        let whole = Pieces::new(body, app.config().body_limit).whole(app.budget()).await;
        let (bytes, share) = whole.map_err(Problem::from)?;
        params._share = Some(share);
        if bytes.is_empty() && !headers.contains_key(header::CONTENT_TYPE) {
            return Ok(params);
        }
        let kind = body::expect(headers, &[JSON, FORM]).map_err(Problem::from)?;
        params.map.extend(match kind {
            FORM => pairs(&bytes),
            _ if bytes.iter().all(u8::is_ascii_whitespace) => Map::new(),
            _ => match body::parse(&bytes).map_err(Problem::from)? {
                Value::Object(object) => object,
                _ => return Err(Refusal::bad_request("the body must be a JSON object")),
            },
        });
        Ok(params)
    }

    /// One of them as it came.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.map.get(name)
    }

    /// One of them as text, when it is text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.map.get(name).and_then(Value::as_str)
    }

    /// Whether it is `true`, which is all that Judge0 takes for yes.
    pub(super) fn says(&self, name: &str) -> bool {
        match self.map.get(name) {
            Some(Value::Bool(yes)) => *yes,
            Some(Value::String(text)) => text == "true",
            _ => false,
        }
    }

    /// A whole number as Ruby's `to_i` reads it: what is none is 0.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        match self.map.get(name)? {
            Value::Number(number) => Some(number.as_i64().unwrap_or(0)),
            Value::String(text) => {
                let text = text.trim();
                let sign = usize::from(text.starts_with(['-', '+']));
                let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
                Some(text[..sign + digits].parse().unwrap_or(0))
            }
            _ => Some(0),
        }
    }

    pub(super) fn map(&self) -> &Map<String, Value> {
        &self.map
    }
}

fn pairs(text: &[u8]) -> Map<String, Value> {
    let pairs = form_urlencoded::parse(text);
    pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_flags_are_read_as_ruby_does() {
        let uri: Uri = "/?a=12x&b=-3&c=&d=true&e=1&f=%2B7".parse().unwrap();
        let params = Params::of_query(&uri);
        let number = |name| params.number(name);
        assert_eq!(
            (number("a"), number("b"), number("c"), number("f"), number("z")),
            (Some(12), Some(-3), Some(0), Some(7), None)
        );
        assert!(params.says("d") && !params.says("e") && !params.says("z"));
    }
}
