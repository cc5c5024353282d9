//! What Judge0 says of itself.

use std::fs;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use queue::Lane;
use serde_json::{Map, Value, json};

use super::door::{Anyone, Authorized, Reader};
use super::refusal::Refusal;
use super::status::STATUSES;
use super::{Flavor, document};
use crate::app::App;
use crate::intake::Error;
use crate::problem::Problem;

/// List statuses
#[utoipa::path(
    get, path = "/statuses", tag = "judge0",
    responses(
        (status = 200, description = "by number", body = Vec<document::Status>),
        (status = 401, description = "no valid token"),
        (status = "default", description = "it cannot be done", body = document::Error),
    ),
)]
pub(super) async fn statuses(Reader(_): Reader) -> Response {
    let rows = (1..).zip(STATUSES).map(|(id, description)| {
        let id: u8 = id;
        json!({"id": id, "description": description})
    });
    axum::Json(rows.collect::<Vec<_>>()).into_response()
}

/// Tell the settings
#[utoipa::path(
    get, path = "/config_info", tag = "judge0",
    responses(
        (status = 200, description = "by name", body = BTreeMap<String, Value>),
        (status = 401, description = "no valid token"),
        (status = "default", description = "it cannot be done", body = document::Error),
    ),
)]
pub(super) async fn config_info(State(app): State<App>, Reader(_): Reader) -> Response {
    let depth = app.store().settings().depth;
    axum::Json(app.config().judge0.info(depth)).into_response()
}

/// Tell what this is
#[utoipa::path(
    get, path = "/about", tag = "judge0",
    responses(
        (status = 200, description = "what it is", body = document::About),
        (status = 401, description = "no valid token"),
        (status = "default", description = "it cannot be done", body = document::Error),
    ),
)]
pub(super) async fn about(flavor: Flavor, Reader(_): Reader) -> Response {
    let about = json!({
        "version": flavor.version(),
        "homepage": "urn:evalx",
        "source_code": "urn:evalx",
        "maintainer": concat!("evalX ", env!("CARGO_PKG_VERSION")),
    });
    axum::Json(about).into_response()
}

/// Tell the version of Judge0 that this is compatible with
#[utoipa::path(
    get, path = "/version", tag = "judge0",
    responses(
        (status = 200, description = "the version", body = String, content_type = "text/plain"),
        (status = 401, description = "no valid token"),
        (status = "default", description = "it cannot be done", body = document::Error),
    ),
)]
pub(super) async fn version(flavor: Flavor, Reader(_): Reader) -> &'static str {
    flavor.version()
}

/// Tell what runs programs
#[utoipa::path(
    get, path = "/isolate", tag = "judge0",
    responses(
        (status = 200, description = "in words", body = String, content_type = "text/plain"),
        (status = 401, description = "no valid token"),
        (status = "default", description = "it cannot be done", body = document::Error),
    ),
)]
pub(super) async fn isolate(Reader(_): Reader) -> &'static str {
    concat!(
        "evalX ",
        env!("CARGO_PKG_VERSION"),
        "\nPrograms run in the boxes of evalX's native engine, or in isolate's where a worker is \
         told to use it.\n"
    )
}

/// Tell the licence
#[utoipa::path(
    get, path = "/license", tag = "judge0",
    responses(
        (status = 200, description = "its text", body = String, content_type = "text/plain"),
        (status = 401, description = "no valid token"),
        (status = "default", description = "it cannot be done", body = document::Error),
    ),
)]
pub(super) async fn license(Reader(_): Reader) -> &'static str {
    include_str!("../../../LICENSE")
}

/// Ask whether a token is known
#[utoipa::path(
    post, path = "/authenticate", tag = "judge0",
    responses(
        (status = 200, description = "it is"),
        (status = 401, description = "no valid token"),
    ),
)]
pub(super) async fn authenticate(_: Anyone) -> StatusCode {
    StatusCode::OK
}

/// Ask whether a token may administer
#[utoipa::path(
    post, path = "/authorize", tag = "judge0",
    responses(
        (status = 200, description = "it may"),
        (status = 401, description = "no valid token"),
        (status = 403, description = "not for this caller"),
    ),
)]
pub(super) async fn authorize(_: Authorized) -> StatusCode {
    StatusCode::OK
}

/// A page on these routes
#[utoipa::path(
    get, path = "/docs", tag = "judge0",
    responses(
        (status = 200, description = "a page", body = String, content_type = "text/html"),
    ),
)]
pub(super) async fn docs() -> Html<&'static str> {
    Html(include_str!("docs.html"))
}

/// A page with a form
#[utoipa::path(
    get, path = "/dummy-client.html", tag = "judge0",
    responses(
        (status = 200, description = "a page", body = String, content_type = "text/html"),
    ),
)]
pub(super) async fn dummy_client() -> Response {
    // A form and nothing else: it needs no script, and none may come in.
    let policy = "default-src 'none'; form-action 'self'; style-src 'unsafe-inline'";
    let page = Html(include_str!("dummy-client.html"));
    ([(header::CONTENT_SECURITY_POLICY, policy)], page).into_response()
}

/// Look at the queue and its workers
#[utoipa::path(
    get, path = "/workers", tag = "judge0",
    responses(
        (status = 200, description = "one queue", body = Vec<document::Workers>),
        (status = 401, description = "no valid token"),
        (status = "default", description = "it cannot be done", body = document::Error),
    ),
)]
pub(super) async fn workers(
    State(app): State<App>,
    flavor: Flavor,
    Reader(_): Reader,
) -> Result<Response, Refusal> {
    let snapshot =
        app.store().snapshot().await.map_err(|error| Problem::from(Error::Queue(error)))?;
    let judged = Lane::ALL.iter().zip(&snapshot.lanes).filter(|(lane, _)| **lane != Lane::Internal);
    let waiting: u64 = judged.map(|(_, lane)| lane.depth).sum();
    // A worker of evalX runs several at once; Judge0's run one each.
    let working = snapshot.running.min(snapshot.workers);
    let queue = json!([{
        "queue": flavor.version(),
        "size": waiting + snapshot.delayed,
        "available": snapshot.workers,
        "idle": snapshot.workers - working,
        "working": working,
        "paused": 0,
        "failed": snapshot.dead,
    }]);
    Ok(axum::Json(queue).into_response())
}

/// Tell of the machine
///
/// What `lscpu` and `free -h` would say.
#[utoipa::path(
    get, path = "/system_info", tag = "judge0",
    responses(
        (status = 200, description = "by name", body = BTreeMap<String, String>),
        (status = 401, description = "no valid token"),
        (status = "default", description = "it cannot be done", body = document::Error),
    ),
)]
pub(super) async fn system_info(Reader(_): Reader) -> Response {
    // Where there is no such file there is nothing to say.
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    axum::Json(system(&read("/proc/cpuinfo"), &read("/proc/meminfo"))).into_response()
}

fn system(cpus: &str, memory: &str) -> Map<String, Value> {
    let mut told = Map::new();
    let mut tell = |name: &str, value: String| {
        told.insert(name.to_owned(), Value::String(value));
    };
    let pairs = |text| {
        let lines = str::lines(text).filter_map(|line| line.split_once(':'));
        lines.map(|(name, value)| (name.trim(), value.trim()))
    };
    let count = pairs(cpus).filter(|(name, _)| *name == "processor").count();
    tell("Architecture", std::env::consts::ARCH.to_owned());
    tell("CPU(s)", count.to_string());
    for (from, name) in [
        ("vendor_id", "Vendor ID"),
        ("cpu family", "CPU family"),
        ("model", "Model"),
        ("model name", "Model name"),
        ("stepping", "Stepping"),
        ("cpu MHz", "CPU MHz"),
        ("bogomips", "BogoMIPS"),
        ("flags", "Flags"),
    ] {
        if let Some((_, value)) = pairs(cpus).find(|(name, _)| *name == from) {
            tell(name, value.to_owned());
        }
    }
    for (from, name) in [("MemTotal", "Mem"), ("SwapTotal", "Swap")] {
        let kib = pairs(memory).find(|(name, _)| *name == from);
        let kib = kib.and_then(|(_, value)| value.split(' ').next()?.parse().ok());
        tell(name, human(kib.unwrap_or(0)));
    }
    told
}

/// As `free -h`.
fn human(kib: u64) -> String {
    let (mut tenths, mut unit) = (kib * 10, 0);
    while tenths >= 10_240 && unit < 3 {
        (tenths, unit) = (tenths / 1024, unit + 1);
    }
    let name = ["Ki", "Mi", "Gi", "Ti"][unit];
    match kib {
        0 => "0B".to_owned(),
        _ if tenths >= 100 => format!("{}{name}", tenths / 10),
        _ => format!("{}.{}{name}", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_told_as_lscpu_and_free_do() {
        let cpus = "processor\t: 0\nmodel name\t: A: B\nflags\t\t: fpu vme\n\nprocessor\t: 1\n";
        let told = system(cpus, "MemTotal:       16303428 kB\nSwapTotal:             0 kB\n");
        assert_eq!((&told["CPU(s)"], &told["Model name"]), (&json!("2"), &json!("A: B")));
        assert_eq!((&told["Mem"], &told["Swap"]), (&json!("15Gi"), &json!("0B")));
        assert_eq!([512, 1536, 2048 << 10].map(human), ["512Ki", "1.5Mi", "2.0Gi"]);
    }
}
