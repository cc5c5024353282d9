//! What several servers over one Redis say of the fleet.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::redis::TestServer;
use crate::scene::pause;
use crate::{Service, Stub};

#[test]
fn verdicts_are_counted_once_whichever_server_is_asked() {
    let redis = TestServer::start(&[]);
    let mut servers = [Service::start(&redis, &[]), Service::start(&redis, &[])];
    let workers = [Stub::start(&redis), Stub::start(&redis)];
    let body = |language: &str, n: usize| json!({"language": language, "source": format!("ms=1 echo={n}")});
    for n in 0..20 {
        let language = if n < 15 { "python3" } else { "cpp17" };
        let (status, view) = servers[n % 2].ask("POST /v1/submissions?wait=20", &body(language, n));
        assert_eq!((status, &view["report"]["verdict"]), (200, &json!("AC")), "{view}");
    }
    // Workers and servers come and go; what was counted stays.
    drop(workers);
    servers[1].kill();
    servers[1] = Service::start(&redis, &[]);
    let expected = json!({"AC": 20});
    let languages = json!({"cpp17": {"AC": 5}, "python3": {"AC": 15}});
    for server in &servers {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let fleet = server.ask("GET /v1/fleet", &Value::Null).1;
            if fleet["verdicts"] == expected && fleet["languages"] == languages {
                break;
            }
            assert!(Instant::now() < end, "{fleet}");
            pause();
        }
    }
}
