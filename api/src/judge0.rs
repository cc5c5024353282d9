//! The routes of Judge0 1.13.1: at the root for its CE edition, below `/extra-ce` for Extra CE, of
//! which only the language ids differ.
//!
//! A request becomes parameters (`params`), a validated submission of Judge0 (`request`), a
//! submission of the judge (`order`), and a job through the intake like any other. What Judge0
//! gives back beside results is kept in the job's note. On the way back a report becomes a status
//! (`status`) and fields (`view`). Request, order, status and view are pure.

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::routing::{MethodRouter, get, post};
use serde::{Deserialize, Serialize};

use crate::app::App;

mod archive;
mod base64;
mod batch;
mod document;
mod door;
mod info;
mod languages;
mod order;
mod params;
mod refusal;
mod request;
mod settings;
mod shelf;
mod statistics;
mod status;
mod submissions;
mod view;
mod words;

pub(crate) use document::Document;
pub(crate) use refusal::Refusal;
pub use settings::{Error as SettingError, Judge0};
pub(crate) use shelf::Shelf;
pub(crate) use submissions::told;

/// Which edition a route belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Flavor {
    /// At the root.
    Ce,
    /// Below `/extra-ce`.
    Extra,
}

impl Flavor {
    /// What clients know the edition by: the official SDK looks language ids up under it.
    fn version(self) -> &'static str {
        match self {
            Self::Ce => "1.13.1",
            Self::Extra => "1.13.1-extra",
        }
    }
}

impl FromRequestParts<App> for Flavor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().copied().unwrap_or(Self::Ce))
    }
}

/// All routes of one edition but its root. Each is there with a slash at its end, too: Rails takes
/// both, and clients send both.
pub(crate) fn routes(flavor: Flavor) -> Router<App> {
    let one = get(submissions::show).delete(submissions::remove);
    let routes: [(&str, MethodRouter<App>); 19] = [
        ("/submissions", get(submissions::list).post(submissions::create)),
        ("/submissions/batch", get(batch::show).post(batch::create)),
        ("/submissions/{token}", one),
        ("/languages", get(languages::list)),
        ("/languages/all", get(languages::all)),
        ("/languages/{id}", get(languages::show)),
        ("/statuses", get(info::statuses)),
        ("/system_info", get(info::system_info)),
        ("/config_info", get(info::config_info)),
        ("/statistics", get(statistics::show)),
        ("/workers", get(info::workers)),
        ("/about", get(info::about)),
        ("/version", get(info::version)),
        ("/isolate", get(info::isolate)),
        ("/license", get(info::license)),
        ("/authenticate", post(info::authenticate)),
        ("/authorize", post(info::authorize)),
        ("/docs", get(info::docs)),
        ("/dummy-client.html", get(info::dummy_client)),
    ];
    let mut router = Router::new();
    for (path, methods) in routes {
        router = router.route(path, methods.clone()).route(&format!("{path}/"), methods);
    }
    router.layer(axum::Extension(flavor))
}
