//! `start-dev.sh` and the compose file, without an engine of containers: one that plays its part.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Answers as Docker with its compose plugin, or as the program `docker-compose`, and writes down
/// what it was asked. The second container needs a moment.
const DOCKER: &str = r#"#!/bin/bash
cd "$(dirname "$0")"
asked="$(basename "$0") $*"
echo "$asked" >> log
case $asked in
  'docker info') [ ! -e no-engine ] ;;
  'docker compose version') [ ! -e no-plugin ] ;;
  *' exec '*) echo 'AC  20 of 20 accepted' ;;
  *' ps --quiet app') echo one ;;
  *' ps --all --quiet') printf 'one\ntwo\n' ;;
  *' logs '*) echo 'worker-1  a log' ;;
  'docker inspect '*)
    echo 'running healthy'
    if [ -e inspected ]; then echo 'running healthy'; else echo 'running starting'; fi
    touch inspected ;;
esac
"#;

fn at(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// A folder with these programs, all of them [`DOCKER`], and these marks of what it lacks.
fn docker(programs: &[&str], lacks: &[&str]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for program in programs.iter().map(|name| root.path().join(name)) {
        fs::write(&program, DOCKER).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for mark in lacks {
        fs::write(root.path().join(mark), "").unwrap();
    }
    root
}

#[expect(clippy::disallowed_methods, reason = "no guest: the script under test")]
fn start_dev(root: &Path, arguments: &[&str]) -> Output {
    let path = std::env::var("PATH").unwrap();
    Command::new(at("start-dev.sh"))
        .args(arguments)
        .env("PATH", format!("{}:{path}", root.display()))
        .env("EVALX_DEV_DIR", root.join("dev"))
        .env("EVALX_DEV_BINARY", root.join("none"))
        .env_remove("EVALX_DEV_PORT")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What an engine is asked for by this Compose.
fn comes_up_judges_and_stops(root: &Path, compose: &str) {
    let done = start_dev(root, &["--once"]);
    let (said, error) = (text(&done.stdout), text(&done.stderr));
    assert!(done.status.success(), "{said}{error}");
    assert!(
        said.contains("AC  20 of 20 accepted") && said.contains("page     http://127.0.0.1:2358/")
    );
    let log = fs::read_to_string(root.join("log")).unwrap();
    let asked: Vec<_> = log.lines().collect();
    assert_eq!(asked[..2], ["docker info", "docker compose version"]);
    let inspect =
        "docker inspect --format {{.State.Status}} {{.State.Health.Status}} one two".to_owned();
    let of = |what: &str| format!("{compose} {what}");
    let all = of("ps --all --quiet");
    let sample = root.join("dev/sample");
    let expected = [
        of("build app"),
        of("up --detach"),
        all.clone(),
        inspect.clone(),
        all,
        inspect,
        of("ps --quiet app"),
        format!("docker cp {} one:/tmp/sample", sample.display()),
        of("exec -T app ./evalx submit /tmp/sample/sum.cpp --tests /tmp/sample/tests --wait"),
        of("logs --no-color"),
        of("down --volumes --timeout 10"),
    ];
    assert_eq!(asked[2..], expected);
    let tests = sample.join("tests");
    assert_eq!(fs::read_dir(&tests).unwrap().count(), 40);
    assert_eq!(fs::read_to_string(tests.join("2.ans")).unwrap(), "5050\n");
    // The containers are gone; what they said is kept.
    let kept = fs::read_to_string(root.join("dev/log/compose.log")).unwrap();
    assert_eq!(kept, "worker-1  a log\n");
}

#[test]
fn with_an_engine_the_compose_file_is_started_used_and_stopped() {
    comes_up_judges_and_stops(docker(&["docker", "docker-compose"], &[]).path(), "docker compose");
}

#[test]
fn without_the_plugin_the_compose_of_debian_is_taken() {
    let root = docker(&["docker", "docker-compose"], &["no-plugin"]);
    comes_up_judges_and_stops(root.path(), "docker-compose");
}

#[test]
fn without_an_engine_that_is_said_in_a_line_and_the_processes_are_started() {
    let root = docker(&["docker"], &["no-engine"]);
    let done = start_dev(root.path(), &["--once"]);
    let said = text(&done.stdout);
    let expected = "docker is here, but no engine answers it: starting the processes directly\n";
    assert_eq!(said.lines().filter(|line| line.contains("docker")).count(), 1, "{said}");
    assert!(said.starts_with(expected), "{said}");
    // There is no such binary here; the rest is tested as root.
    assert!(text(&done.stderr).contains("none is no program"), "{}", text(&done.stderr));
    assert_eq!(done.status.code(), Some(1));
    let done = start_dev(root.path(), &["--on"]);
    assert_eq!(done.status.code(), Some(2));
    assert_eq!(text(&done.stderr), "start-dev.sh: --on is none of --direct, --once\n");
    let help = text(&start_dev(root.path(), &["--help"]).stdout);
    assert!(
        help.starts_with("The development topology") && help.contains("EVALX_DEV_PORT"),
        "{help}"
    );
}

/// A service with what it takes over by `<<`.
fn merged(value: &Value) -> Value {
    let Value::Object(fields) = value else { return value.clone() };
    let mut all = match fields.get("<<") {
        Some(base) => merged(base).as_object().unwrap().clone(),
        None => serde_json::Map::new(),
    };
    let own = fields.iter().filter(|(name, _)| *name != "<<");
    all.extend(own.map(|(name, value)| (name.clone(), merged(value))));
    Value::Object(all)
}

#[test]
fn the_compose_file_has_a_server_four_workers_and_redis() {
    let text = fs::read_to_string(at("docker-compose.yml")).unwrap();
    let file: Value = judge::yaml::from_str(&text).unwrap();
    // All that 1.29 takes, beside extensions.
    let own = file.as_object().unwrap().keys().filter(|name| !name.starts_with("x-"));
    assert_eq!(own.collect::<Vec<_>>(), ["services"]);
    let services = file["services"].as_object().unwrap();
    let names: Vec<_> = services.keys().map(String::as_str).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    let app = merged(&services["app"]);
    assert_eq!(app["command"], serde_json::json!(["./evalx", "server"]));
    assert!(app["ports"][0].as_str().unwrap().starts_with("127.0.0.1:"));
    let mut places = BTreeSet::new();
    for name in names.iter().filter(|name| name.starts_with("worker-")) {
        let worker = merged(&services[*name]);
        assert_eq!(worker["command"], serde_json::json!(["./evalx", "worker"]));
        assert_eq!(worker["image"], app["image"]);
        assert_eq!(worker["build"], Value::Null, "a build of its own");
        assert_eq!(worker["privileged"], true);
        assert_eq!(worker["environment"]["REDIS_URL"], "redis://redis:6379");
        places.insert(worker["environment"]["EVALX_PLACE"].as_str().unwrap().to_owned());
    }
    assert_eq!(places.len(), 4, "{places:?}");
    let redis = services["redis"]["command"].as_array().unwrap();
    assert!(redis.iter().any(|word| word == "always"), "{redis:?}");
    // Every variable of the services is one that evalx knows.
    let known = fs::read_to_string(at("docs/configuration.md")).unwrap();
    for service in services.values().map(merged) {
        let Some(environment) = service["environment"].as_object() else { continue };
        for name in environment.keys() {
            assert!(known.contains(&format!("`{name}`")), "{name}");
        }
    }
    let image = app["build"]["dockerfile"].as_str().unwrap();
    let image = fs::read_to_string(at(image)).unwrap();
    // The builder is of the pinned toolchain, whose file it does not read.
    let pin = fs::read_to_string(at("rust-toolchain.toml")).unwrap();
    let (_, pin) = pin.split_once("channel = \"").unwrap();
    let (pin, _) = pin.split_once(".0\"").unwrap();
    assert!(image.contains(&format!("ARG RUST=rust:{pin}-slim-bookworm\n")), "{pin}");
}
