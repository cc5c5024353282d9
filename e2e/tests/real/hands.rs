//! What people do by hand works: kubectl to pods, and the ways to hand in a submission.

use std::ffi::OsString;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;

use e2e::programs::{self, Profile};
use e2e::scene::Scene;
use e2e::{document, operator};
use serde_json::{Value, json};

use crate::fleet::{Fleet, incarnation, python, sleeper};

pub(crate) async fn kubectl(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    let pod = fleet.ready("worker").await;
    let name = pod.metadata.name.as_deref().unwrap();
    let logs = fleet.kubectl(&["logs", name]);
    let lines: Vec<&str> = logs.lines().collect();
    assert!(!lines.is_empty());
    for line in lines {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(line["level"] != "ERROR" && line["level"] != "error", "{line}");
    }
    // The toolchains of the image, as it was built.
    assert!(logs.contains("gcc-12 12.2.0") && logs.contains("sha256:"), "{logs}");
    // While boxes run: a process that enters the pod must not end up in their control groups.
    let ids = fleet.submit_all("hands", 4, &sleeper(1.0)).await;
    fleet.running(2).await;
    let version = fleet.kubectl(&["exec", name, "--", "evalx", "--version"]);
    assert!(version.starts_with("evalx "), "{version}");
    let doctor = fleet.kubectl(&["exec", name, "--", "evalx", "doctor", "--engine", "native"]);
    for said in ["control groups", "native", "gcc"] {
        assert!(doctor.contains(said), "{said}: {doctor}");
    }
    fleet.all_accepted(&ids).await;
    let said = fleet.kubectl(&["get", "judgecluster", "judge"]);
    assert!(said.contains("judge"), "{said}");
    fleet.judge(&python("print(3)")).await;
    assert_eq!(incarnation(&fleet.ready("worker").await), incarnation(&pod));
}

#[expect(clippy::disallowed_methods, reason = "no guest: evalx as a user calls it")]
pub(crate) async fn clients(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    let server = fleet.forward().await.unwrap();
    let file = fleet.cluster().folder().join("sum.cpp");
    std::fs::write(
        &file,
        "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }\n",
    )
    .unwrap();
    let tests = fleet.cluster().folder().join("sum-tests");
    std::fs::create_dir_all(&tests).unwrap();
    std::fs::write(tests.join("1.in"), "1 2\n").unwrap();
    std::fs::write(tests.join("1.ans"), "3\n").unwrap();
    let output = Command::new(programs::evalx(Profile::Debug).unwrap())
        .arg("submit")
        .arg(&file)
        .arg("--tests")
        .arg(&tests)
        .args(["--wait", "--server", &format!("http://{server}")])
        .env("EVALX_CONFIG", "/dev/null")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    // As a client of Judge0 does it.
    let path = "/submissions?wait=true&fields=stdout,status";
    let body = json!({"language_id": 71, "source_code": "print(40 + 2)"});
    let said = fleet.post(path, &body).await.unwrap();
    assert_eq!(said, json!({"status": {"description": "Accepted", "id": 3}, "stdout": "42\n"}));
}

/// What the page says to type once all is there: a port that is forwarded, and curl.
#[expect(clippy::disallowed_methods, reason = "no guest: the shell of a user")]
pub(crate) async fn typed(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    let cluster = fleet.cluster();
    let page = std::fs::read_to_string(programs::checkout().join("docs/cluster.md")).unwrap();
    let (_, block) = page.split_once("```sh\nkubectl -n judges port-forward").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    // Another port than users have, which somebody may listen on here.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let block = format!("kubectl -n judges port-forward{block}")
        .replace(" 2358 &", &format!(" {port}:2358 >&2 &"))
        .replace("localhost:2358", &format!("localhost:{port}"));
    let script = format!("{block}\ncode=$?; kill $!; exit $code");
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("sh")
        .args(["-c", &script])
        .env("PATH", format!("{}:{path}", cluster.programs().display()))
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("HOME", cluster.folder())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(
        said.contains(r#""status":"finished""#) && said.contains(r#""verdict":"AC""#),
        "{said}"
    );
}

/// What the runbooks say to look at is there to be looked at.
pub(crate) async fn runbooks(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    let worker = fleet.ready("worker").await.metadata.name.unwrap();
    let (mut typed, mut faults) = (0, Vec::new());
    for page in std::fs::read_dir(programs::checkout().join("docs/runbooks")).unwrap() {
        let name = page.unwrap().file_name().into_string().unwrap();
        for command in document::commands(&format!("docs/runbooks/{name}")).unwrap() {
            // No container has ended before, and what a filter finds is another question.
            let words = command.iter().take_while(|word| *word != "|");
            let words = words.filter(|word| *word != "--previous").map(|word| {
                let word = word.replace("NAMESPACE", operator::JUDGES);
                // Not in `custom-columns=POD:…`.
                if word == "POD" { worker.clone() } else { word.replace("NAME", "judge") }
            });
            typed += 1;
            if let Err(error) = document::type_in(fleet.cluster(), &words.collect::<Vec<_>>()) {
                faults.push(format!("{name}: {error:#}"));
            }
        }
    }
    assert!(typed >= 15, "{typed}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A Python that may have Judge0's SDK.
fn python_with_sdk() -> OsString {
    std::env::var_os("EVALX_TEST_PYTHON").unwrap_or_else(|| "python3".into())
}

/// Why the SDK cannot be called, where it cannot.
#[expect(clippy::disallowed_methods, reason = "no guest: the SDK is another program")]
pub(crate) fn no_sdk() -> Option<String> {
    let mut command = Command::new(python_with_sdk());
    command.args(["-c", "import judge0"]).stdout(Stdio::null()).stderr(Stdio::null());
    let missing = "Judge0's SDK: python3 -m venv V && V/bin/pip install -r \
                   scripts/python-tools.txt, EVALX_TEST_PYTHON=V/bin/python";
    (!command.status().is_ok_and(|status| status.success())).then(|| missing.to_owned())
}

#[expect(clippy::disallowed_methods, reason = "no guest: the SDK is another program")]
pub(crate) async fn sdk(scene: Arc<Scene>) {
    let fleet = Fleet::join(&scene).await;
    let endpoint = format!("http://{}", fleet.forward().await.unwrap());
    let output = Command::new(python_with_sdk())
        .arg(programs::checkout().join("cli/tests/judge0_root/sdk.py"))
        .env_clear()
        .env("JUDGE0_CE_ENDPOINT", &endpoint)
        .env("JUDGE0_CE_AUTH_HEADERS", "{}")
        .env("JUDGE0_EXTRA_CE_ENDPOINT", format!("{endpoint}/extra-ce"))
        .env("JUDGE0_EXTRA_CE_AUTH_HEADERS", "{}")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.matches(": ok\n").count(), 9, "{said}");
}
