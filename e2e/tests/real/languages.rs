//! Every language of the tier `core`, by the toolchains that the worker's image has.

use std::path::Path;
use std::sync::Arc;

use e2e::programs::checkout;
use e2e::scene::Scene;
use serde_json::{Value, json};

use crate::fleet::Fleet;

/// Language and the name that its source has in a box.
const CORE: [(&str, &str); 9] = [
    ("c", "main.c"),
    ("cpp17", "main.cpp"),
    ("cpp20", "main.cpp"),
    ("python3", "main.py"),
    ("java", "Main.java"),
    ("javascript", "main.js"),
    ("go", "main.go"),
    ("rust", "main.rs"),
    ("bash", "main.sh"),
];

/// Program of `judge/tests/languages`, and what it must be judged as.
const PROGRAMS: [(&str, &str); 5] = [
    ("hello", "AC"),
    ("wrong", "WA"),
    ("cpu_loop", "TLE"),
    ("compile_error", "CE"),
    ("runtime_error", "RE"),
];

pub(crate) async fn core(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    let mut expected = Vec::new();
    for (language, name) in CORE {
        for (program, verdict) in PROGRAMS {
            let id = fleet.submit(&submission(language, name, program)).await;
            expected.push((id, language, program, verdict));
        }
    }
    let mut wrong = Vec::new();
    for (id, language, program, verdict) in expected {
        let view = fleet.outcome(&id).await;
        if view["report"]["verdict"] != verdict {
            wrong.push(format!("{language} {program} is not {verdict}: {view}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn submission(language: &str, name: &str, program: &str) -> Value {
    let folder = checkout().join("judge/tests/languages").join(language);
    let ending = Path::new(name).extension().unwrap();
    let path = folder.join(program).with_extension(ending);
    let source = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    json!({
        "language": language,
        "files": [{"name": name, "contents": source}],
        "tests": [{"name": program, "input": "World\n", "answer": "Hello, World!\n"}],
        "limits": {
            "cpu_ms": if program == "cpu_loop" { 1_000 } else { 10_000 },
            "wall_ms": 60_000,
            "memory_bytes": 256 << 20,
        },
    })
}
