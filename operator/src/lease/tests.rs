//! The lease against an API server that a closure plays, on paused time.

use std::sync::{Arc, Mutex};

use http::{Request, Response};
use k8s_openapi::api::coordination::v1::LeaseSpec;
use kube::client::Body;
use serde_json::{Value, json};

use super::*;

/// An API server with one lease.
#[derive(Debug, Default)]
struct Server {
    lease: Option<Lease>,
    version: u64,
    /// Answers nothing but this code.
    broken: Option<u16>,
    /// Never answers.
    silent: bool,
    writes: u32,
}

type Shared = Arc<Mutex<Server>>;

fn failure(code: u16) -> (u16, Value) {
    let reason = if code == 404 { "NotFound" } else { "Other" };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "code": code, "reason": reason, "message": "no",
    });
    (code, status)
}

impl Server {
    fn answer(&mut self, method: &str, sent: Option<Lease>) -> (u16, Value) {
        if let Some(code) = self.broken {
            return failure(code);
        }
        let Some(mut sent) = sent else {
            return self.lease.as_ref().map_or_else(|| failure(404), |lease| (200, json!(lease)));
        };
        let current = self.lease.as_ref().and_then(|lease| lease.metadata.resource_version.clone());
        let fits = if method == "POST" {
            current.is_none()
        } else {
            current == sent.metadata.resource_version
        };
        if !fits {
            return failure(409);
        }
        self.version += 1;
        self.writes += 1;
        sent.metadata.resource_version = Some(self.version.to_string());
        self.lease = Some(sent);
        (200, json!(self.lease))
    }

    fn spec(&self) -> LeaseSpec {
        self.lease.clone().unwrap().spec.unwrap()
    }
}

fn client(server: &Shared) -> Client {
    let server = Arc::clone(server);
    let service = tower::service_fn(move |request: Request<Body>| {
        let server = Arc::clone(&server);
        async move {
            let method = request.method().to_string();
            let bytes = request.into_body().collect_bytes().await.unwrap();
            let sent = serde_json::from_slice(&bytes).ok();
            if server.lock().unwrap().silent {
                std::future::pending::<()>().await;
            }
            let (code, value) = server.lock().unwrap().answer(&method, sent);
            let body = Body::from(serde_json::to_vec(&value).unwrap());
            Ok::<_, tower::BoxError>(Response::builder().status(code).body(body).unwrap())
        }
    });
    Client::new(service, "ns")
}

fn elector(server: &Shared, identity: &str) -> (Elector, Arc<Held>) {
    let held = Arc::new(Held::default());
    (Elector::new(client(server), settings(identity), Arc::clone(&held)), held)
}

fn settings(identity: &str) -> Settings {
    Settings {
        namespace: "ns".to_owned(),
        name: "lease".to_owned(),
        identity: identity.to_owned(),
        duration: Duration::from_secs(15),
        deadline: Duration::from_secs(10),
        retry: Duration::from_secs(2),
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_one_leads_and_keeps_leading() {
    let server = Shared::default();
    let (mut a, held) = elector(&server, "a");
    a.acquire().await;
    assert!(held.is_ours());
    let spec = server.lock().unwrap().spec();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("a"), Some(0)));
    assert!(timeout(Duration::from_secs(120), a.keep()).await.is_err(), "it is kept");
    assert!(held.is_ours() && server.lock().unwrap().writes > 50);
}

#[tokio::test(start_paused = true)]
async fn the_next_one_waits_until_the_first_is_silent_by_its_own_clock() {
    let server = Shared::default();
    let (mut a, _) = elector(&server, "a");
    a.acquire().await;
    // A clock that is wrong by a year does not matter.
    let mut lease = server.lock().unwrap().lease.clone().unwrap();
    let renewed = &mut lease.spec.as_mut().unwrap().renew_time.as_mut().unwrap().0;
    *renewed -= k8s_openapi::jiff::SignedDuration::from_hours(24 * 365);
    server.lock().unwrap().lease = Some(lease);
    let (mut b, held) = elector(&server, "b");
    let began = Instant::now();
    b.acquire().await;
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(15) && waited < Duration::from_secs(19), "{waited:?}");
    assert!(held.is_ours());
    assert_eq!(server.lock().unwrap().spec().lease_transitions, Some(1));
}

#[tokio::test(start_paused = true)]
async fn who_is_renewing_is_never_overtaken() {
    let server = Shared::default();
    let (mut a, _) = elector(&server, "a");
    a.acquire().await;
    let (mut b, held) = elector(&server, "b");
    tokio::select! {
        lost = a.keep() => panic!("{lost}"),
        () = b.acquire() => panic!("overtaken"),
        () = sleep(Duration::from_secs(300)) => {}
    }
    assert!(!held.is_ours());
}

/// Changes when the record says that it was renewed, as a holder whose clock jumps does.
fn jump(server: &Shared, years: i64) {
    let mut server = server.lock().unwrap();
    server.version += 1;
    let version = server.version.to_string();
    let lease = server.lease.as_mut().unwrap();
    lease.metadata.resource_version = Some(version);
    let time = lease.spec.as_mut().unwrap().renew_time.as_mut().unwrap();
    time.0 = k8s_openapi::jiff::Timestamp::now()
        + k8s_openapi::jiff::SignedDuration::from_hours(24 * 365 * years);
}

#[tokio::test(start_paused = true)]
async fn renewals_dated_in_other_decades_unseat_nobody_and_keep_nobody_waiting() {
    let server = Shared::default();
    let (mut a, of_a) = elector(&server, "a");
    a.acquire().await;
    let (mut b, of_b) = elector(&server, "b");
    let jumps = async {
        for round in 0..60 {
            sleep(Duration::from_secs(1)).await;
            jump(&server, if round % 2 == 0 { -30 } else { 70 });
            assert!(of_a.is_ours() && !of_b.is_ours());
        }
    };
    tokio::select! {
        lost = a.keep() => panic!("{lost}"),
        () = b.acquire() => panic!("overtaken"),
        () = jumps => {}
    }
    // Its last word is from the far future; it is silent all the same.
    drop(a);
    let began = Instant::now();
    b.acquire().await;
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(12) && waited < Duration::from_secs(19), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_duration_is_recorded_in_whole_seconds_and_never_shorter() {
    for (millis, recorded) in [(500, 1), (1000, 1), (1001, 2), (2500, 3), (15_000, 15)] {
        let server = Shared::default();
        let duration = Duration::from_millis(millis);
        let settings = Settings { duration, ..settings("a") };
        Elector::new(client(&server), settings, Arc::default()).acquire().await;
        let spec = server.lock().unwrap().spec();
        assert_eq!(spec.lease_duration_seconds, Some(recorded), "{millis} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_at_once() {
    let server = Shared::default();
    let (mut a, held) = elector(&server, "a");
    a.acquire().await;
    a.release().await;
    assert!(!held.is_ours());
    let spec = server.lock().unwrap().spec();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_duration_seconds), (Some(""), Some(1)));
    let began = Instant::now();
    elector(&server, "b").0.acquire().await;
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn it_is_let_go_when_it_cannot_be_renewed_before_others_take_it() {
    for silent in [false, true] {
        let server = Shared::default();
        let (mut a, held) = elector(&server, "a");
        a.acquire().await;
        let began = Instant::now();
        server.lock().unwrap().broken = (!silent).then_some(500);
        server.lock().unwrap().silent = silent;
        let Lost::Silent { .. } = a.keep().await else { panic!("nobody took it") };
        let after = began.elapsed();
        assert!(!held.is_ours() && after < Duration::from_secs(15), "{after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_after_the_deadline_even_when_nobody_has_noticed() {
    let server = Shared::default();
    let (mut a, held) = elector(&server, "a");
    a.acquire().await;
    // As a process that was stopped and goes on: its tasks have not run yet.
    tokio::time::advance(Duration::from_secs(11)).await;
    assert!(!held.is_ours());
}

#[tokio::test(start_paused = true)]
async fn who_was_asleep_learns_that_another_leads() {
    let server = Shared::default();
    let (mut a, held) = elector(&server, "a");
    a.acquire().await;
    elector(&server, "b").0.acquire().await;
    let Lost::Taken { holder } = a.keep().await else { panic!("b has it") };
    assert_eq!(holder, "b");
    assert!(!held.is_ours());
    // What is not ours is not released.
    a.release().await;
    assert_eq!(server.lock().unwrap().spec().holder_identity.as_deref(), Some("b"));
}

#[tokio::test(start_paused = true)]
async fn of_two_that_try_at_once_one_leads() {
    let server = Shared::default();
    let ((mut a, of_a), (mut b, of_b)) = (elector(&server, "a"), elector(&server, "b"));
    tokio::select! {
        () = async { a.acquire().await; a.keep().await; } => panic!("a lost it"),
        () = async { b.acquire().await; b.keep().await; } => panic!("b lost it"),
        () = sleep(Duration::from_secs(60)) => {}
    }
    assert_ne!(of_a.is_ours(), of_b.is_ours());
}
