//! Who may come in: Judge0's headers (or parameters) `X-Auth-Token` and `X-Auth-User` carry tokens
//! of evalX. The second one authorises the protected calls; it must be one that may administer.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};

use super::refusal::Refusal;
use crate::access::{self, Caller, Right};
use crate::app::App;
use crate::problem::Problem;

const AUTHENTICATION: &str = "X-Auth-Token";
const AUTHORIZATION: &str = "X-Auth-User";

/// Somebody.
pub(super) struct Anyone;

/// Somebody who may read.
pub(super) struct Reader(pub(super) Caller);

/// Somebody who may submit.
pub(super) struct Submitter(pub(super) Caller);

/// Somebody who may see and delete all of the tenant's submissions.
pub(super) struct Authorized(pub(super) Caller);

impl FromRequestParts<App> for Anyone {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        enter(parts, app).map(|_| Self)
    }
}

impl FromRequestParts<App> for Reader {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let caller = enter(parts, app)?;
        caller.may(Right::Read).map_err(Problem::from)?;
        Ok(Self(caller))
    }
}

impl FromRequestParts<App> for Submitter {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let caller = enter(parts, app)?;
        caller.may(Right::Submit).map_err(Problem::from)?;
        if !same_site(&parts.headers, &app.config().origins) {
            return Err(Refusal::forbidden());
        }
        Ok(Self(caller))
    }
}

impl FromRequestParts<App> for Authorized {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let caller = enter(parts, app)?;
        // Where there are no tokens Judge0, too, has none that would authorise.
        let token = value(&parts.headers, &parts.uri, AUTHORIZATION);
        let by = match token {
            Some(token) if !app.access().is_open() => {
                app.access().enter_with(&parts.headers, Some(&token)).ok()
            }
            _ => None,
        };
        let by = by.filter(|by| by.may(Right::Admin).is_ok());
        if by.is_none() || !same_site(&parts.headers, &app.config().origins) {
            return Err(Refusal::forbidden());
        }
        Ok(Self(caller))
    }
}

fn enter(parts: &Parts, app: &App) -> Result<Caller, Refusal> {
    let token = value(&parts.headers, &parts.uri, AUTHENTICATION);
    let token = token.as_deref().or_else(|| access::bearer(&parts.headers));
    Ok(app.access().enter_with(&parts.headers, token).map_err(Problem::from)?)
}

/// A header, or a parameter of the same name.
fn value(headers: &HeaderMap, uri: &Uri, name: &str) -> Option<String> {
    if let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) {
        return Some(value.to_owned());
    }
    let mut pairs = form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
}

/// Whether a request that changes something may come from where it comes from. These routes take
/// forms, which any web page may send to a server of this machine without asking; browsers say
/// which page it was.
fn same_site(headers: &HeaderMap, origins: &[String]) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if origins.iter().any(|allowed| allowed == "*") {
        return true;
    }
    match text(header::ORIGIN) {
        Some(origin) => {
            let own = origin.split_once("://").map(|(_, authority)| authority);
            (own.is_some() && own == text(header::HOST)) || origins.iter().any(|o| o == origin)
        }
        None => text(header::HeaderName::from_static("sec-fetch-site"))
            .is_none_or(|site| site != "cross-site"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_another_origin_changes_nothing() {
        let asked = |pairs: &[(&'static str, &str)], origins: &[&str]| {
            let pairs =
                pairs.iter().map(|(n, v)| (header::HeaderName::from_static(n), v.parse().unwrap()));
            let origins: Vec<String> = origins.iter().map(|o| (*o).to_owned()).collect();
            same_site(&pairs.collect(), &origins)
        };
        let host = ("host", "localhost:2358");
        assert!(asked(&[host], &[]), "no browser");
        assert!(asked(&[host, ("origin", "http://localhost:2358")], &[]));
        assert!(!asked(&[host, ("origin", "http://evil.example")], &[]));
        assert!(!asked(&[host, ("origin", "null")], &[]));
        assert!(!asked(&[host, ("sec-fetch-site", "cross-site")], &[]));
        assert!(asked(&[host, ("origin", "http://ide.example")], &["http://ide.example"]));
        assert!(asked(&[host, ("origin", "null")], &["*"]));
    }

    #[test]
    fn a_token_is_a_header_or_a_parameter() {
        let uri: Uri = "/?x-auth-token=a%20b".parse().unwrap();
        let none = HeaderMap::new();
        assert_eq!(value(&none, &uri, AUTHENTICATION).as_deref(), Some("a b"));
        assert_eq!(value(&none, &uri, AUTHORIZATION), None);
        let both = [(header::HeaderName::from_static("x-auth-token"), "c".parse().unwrap())];
        assert_eq!(value(&both.into_iter().collect(), &uri, AUTHENTICATION).as_deref(), Some("c"));
    }
}
