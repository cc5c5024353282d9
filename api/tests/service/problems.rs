//! Problems by their hash, kept in a folder.

use std::fs;
use std::io::Write as _;
use std::sync::Arc;

use api::{Access, App, Config, router};
use axum::body::Body;
use axum::http::Method;
use judge::language::Table;
use judge::model::Task;
use problems::{Address, Hash, Shelf};
use queue::{Claim, Claimed, Incarnation, Lane, MemoryStore, Place, Settings, Store};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::scene::{Answered, Scene, request, submission};

const ZIP: [(&str, &str); 1] = [("content-type", "application/zip")];

fn scene(dir: &tempfile::TempDir) -> Scene {
    with(dir, Access::open(true), Config::default())
}

fn with(dir: &tempfile::TempDir, access: Access, config: Config) -> Scene {
    let store = Arc::new(MemoryStore::new(Settings::default()));
    let shelf = Shelf::open(&Address::Folder(dir.path().to_owned()), []).unwrap();
    let table = Arc::new(Table::builtin());
    let app = App::new(Arc::clone(&store) as _, table, None, access, config);
    let app = app.with_problems(Some(shelf));
    Scene { store, router: router(app), tasks: JoinSet::new() }
}

fn packed(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, text) in files {
        zip.start_file(*name, options).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn sum() -> Vec<u8> {
    packed(&[
        ("sum/problem.yaml", "name: Sum of two\nlimits: {memory: 64}\n"),
        ("sum/.timelimit", "2"),
        ("sum/data/secret/1.in", "1 2"),
        ("sum/data/secret/1.ans", "3"),
        ("sum/data/secret/2.in", "3 4"),
        ("sum/data/secret/2.ans", "7"),
    ])
}

impl Scene {
    async fn upload(&self, bytes: &[u8]) -> Answered {
        self.post_with("/v1/problems", &ZIP, bytes.to_vec()).await
    }
}

/// Nothing in the store.
fn is_empty(dir: &tempfile::TempDir) -> bool {
    fs::read_dir(dir.path()).unwrap().next().is_none()
}

#[tokio::test]
async fn a_package_is_handed_in_once_and_named_by_its_hash() {
    let dir = tempfile::tempdir().unwrap();
    let (scene, zip) = (scene(&dir), sum());
    let answer = scene.upload(&zip).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let hash = Hash::of(&zip).to_string();
    let expected = json!({
        "problem": hash, "name": "Sum of two", "kind": "package", "tests": 2, "size": zip.len(),
        "limits": {"cpu_ms": 2000, "memory_bytes": 64 << 20, "output_bytes": 8 << 20},
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(answer.headers["location"], format!("/v1/problems/{hash}"));
    let again = scene.upload(&zip).await;
    assert_eq!((again.status.as_u16(), again.json()), (200, expected.clone()));
    assert_eq!(scene.get(&format!("/v1/problems/{hash}")).await.json(), expected);

    let body =
        json!({"language": "python3", "source": "print(3)", "problem": hash, "args": ["-x"]});
    let answer = scene.post("/v1/submissions", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let who = Incarnation::begin(&Place::new("x").unwrap());
    scene.store.register(&who, false).await.unwrap();
    let claim = Claim { who, number: 0, free: 1, lanes: Lane::JUDGED.to_vec() };
    let Claimed::Leases(leases) = scene.store.claim(&claim).await.unwrap() else { panic!() };
    let task = Task::decode(&leases[0].payload).unwrap();
    assert_eq!(task.problem, Some(hash.clone()));
    assert!(task.submission.tests.is_empty());
    // Two tests of two seconds, and what is granted beside them.
    assert_eq!(leases[0].deadline.unwrap().as_secs(), 600 + 2 * 4 * (5 + 60));

    let place = format!("/v1/problems/{hash}");
    assert_eq!(scene.delete(&place).await.status, 204);
    for answer in [scene.delete(&place).await, scene.get(&place).await] {
        assert_eq!(answer.problem(), (404, "not-found".to_owned()));
    }
    assert!(is_empty(&dir));
}

#[tokio::test]
async fn a_set_of_tests_is_a_problem_too() {
    let dir = tempfile::tempdir().unwrap();
    let scene = scene(&dir);
    let set = json!({
        "name": "three", "tests": [{"input": "1", "answer": "2"}],
        "limits": {"cpu_ms": 500}, "checker": {"kind": "exact"},
    });
    let answer = scene.post("/v1/problems", &set).await;
    let view = answer.json();
    assert_eq!((answer.status.as_u16(), &view["kind"]), (201, &json!("tests")), "{view}");
    assert_eq!(view["problem"], Hash::of(set.to_string().as_bytes()).to_string());
    let line = json!({"language": "c", "source": "x", "problem": view["problem"]});
    let line = format!("{line}\n{}\n", submission("AC"));
    let headers = [("content-type", "application/x-ndjson")];
    let answer = scene.post_with("/v1/submissions:batch?wait=0", &headers, line).await;
    assert_eq!(answer.lines().len(), 2, "{}", answer.text);
    assert!(
        answer.lines().iter().all(|l| l["submission"]["status"] == "queued"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn what_cannot_be_judged_is_refused_with_the_file_and_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let scene = scene(&dir);
    let yaml = ("problem.yaml", "name: x");
    let bomb = packed(&[
        ("problem.yaml", "name: x"),
        ("data/secret/1.in", "x"),
        ("data/secret/1.in2", "x"),
    ]);
    for (zip, status, said) in [
        (
            packed(&[yaml, ("../../etc/x", "")]),
            422,
            "entry \"../../etc/x\" of \"upload\" has a path that leaves",
        ),
        (packed(&[yaml, ("/etc/x", "")]), 422, "has a path that leaves the package"),
        (packed(&[("a.txt", "")]), 422, "\"the package\" holds no problem.yaml"),
        (packed(&[yaml]), 422, ""),
        (packed(&[yaml, ("data/secret/1.in", "")]), 422, "1"),
        (packed(&[("problem.yaml", "name: [")]), 422, "\"problem.yaml\""),
        (bomb[..bomb.len() - 30].to_vec(), 422, "\"upload\" is not a zip that can be read"),
        (b"no zip".to_vec(), 422, "it is neither the zip"),
        (Vec::new(), 422, "it is neither the zip"),
    ] {
        let answer = scene.upload(&zip).await;
        assert_eq!(answer.problem(), (status, "invalid".to_owned()), "{}", answer.text);
        assert!(answer.detail().contains(said), "{}", answer.text);
        assert!(!answer.text.contains("/tmp"), "{}", answer.text);
    }
    for (set, field) in [
        (json!({"tests": [{"input": "", "answer": ""}, {"input": ""}]}), "tests[1].answer"),
        (json!({"tests": [{"input": ""}], "limits": {"cpu_ms": 0}}), "limits"),
        (
            json!({"tests": [{"input": "", "answer": ""}], "checker": {"kind": "custom", "abi": "icpc",
                   "program": {"language": "klingon", "files": []}}}),
            "checker.program.language",
        ),
    ] {
        let answer = scene.post("/v1/problems", &set).await;
        assert_eq!(answer.json()["errors"][0]["field"], field, "{}", answer.text);
    }
    let empty = scene.post("/v1/problems", &json!({"tests": []})).await;
    assert_eq!(empty.detail(), "it has no tests");
    let odd = scene.post("/v1/problems", &json!({"tests": [], "time": 1})).await;
    assert!(odd.detail().contains("unknown field `time`"), "{}", odd.text);
    let form = [("content-type", "multipart/form-data")];
    let form = scene.post_with("/v1/problems", &form, "x").await;
    assert_eq!(form.problem(), (415, "media-type".to_owned()));
    assert!(is_empty(&dir), "something is stored");
}

#[tokio::test]
async fn a_large_upload_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { problem_limit: 1000, ..Config::default() };
    let scene = with(&dir, Access::open(true), config);
    let answer = scene.upload(&[b'x'; 1001]).await;
    assert_eq!(answer.problem(), (413, "too-large".to_owned()), "{}", answer.text);
    assert!(is_empty(&dir));
}

#[tokio::test]
async fn a_problem_that_is_not_there_is_said_where_it_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let scene = scene(&dir);
    let unknown = Hash::of(b"nobody's").to_string();
    let of = |problem: &str| json!({"language": "c", "source": "x", "problem": problem});
    let mut both = of(&unknown);
    both["tests"] = json!([{"input": ""}]);
    let mut checked = of(&unknown);
    checked["checker"] = json!({"kind": "lines"});
    let sent = "there is no problem sha256:";
    let cases: [(Value, &str, &str); 4] = [
        (of(&unknown), "problem", sent),
        (of("sum"), "problem", "a problem is named by sha256: and"),
        (both, "tests", "give either a problem or tests"),
        (checked, "checker", "give either a problem or a checker"),
    ];
    for (body, field, said) in cases {
        let answer = scene.post("/v1/submissions", &body).await;
        assert_eq!(answer.problem(), (422, "invalid".to_owned()), "{}", answer.text);
        let error = &answer.json()["errors"][0];
        assert_eq!(error["field"], field, "{error}");
        assert!(error["detail"].as_str().unwrap().starts_with(said), "{error}");
    }
    assert_eq!(scene.get("/v1/problems/sum").await.status, 404);
    assert_eq!(scene.store.snapshot().await.unwrap().lanes[1].depth, 0);

    let without = Scene::new();
    let answer = without.post("/v1/submissions", &of(&unknown)).await;
    assert!(answer.detail().contains("this server keeps no problems"), "{}", answer.text);
    assert_eq!(without.upload(&sum()).await.problem(), (404, "not-found".to_owned()));
}

#[tokio::test]
async fn only_who_has_the_right_may_store_and_delete() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let entry = |name: &str, rights: &str| {
        let hash = Sha256::digest(format!("secret-{name}"));
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("- {{name: {name}, hash: 'sha256:{hex}', rights: [{rights}]}}\n")
    };
    let entries = [entry("user", "submit, read"), entry("jury", "admin, read")].concat();
    fs::write(file.path(), format!("tokens:\n{entries}")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let scene = with(&dir, Access::of(Some(file.path()), true).unwrap(), Config::default());
    let by = async |name: &str, method: Method, uri: &str| {
        let token = format!("Bearer secret-{name}");
        let headers = [("authorization", token.as_str()), ZIP[0]];
        scene.send(request(method, uri, &headers, Body::from(sum()))).await
    };
    let refused = by("user", Method::POST, "/v1/problems").await;
    assert_eq!(refused.problem(), (403, "forbidden".to_owned()));
    assert_eq!(refused.detail(), "the token user does not have the right admin");
    let place = by("jury", Method::POST, "/v1/problems").await.headers["location"].clone();
    let place = place.to_str().unwrap();
    assert_eq!(by("user", Method::GET, place).await.status, 200);
    assert_eq!(by("user", Method::DELETE, place).await.status, 403);
    assert_eq!(by("jury", Method::DELETE, place).await.status, 204);
}
