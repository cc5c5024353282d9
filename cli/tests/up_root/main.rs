//! `evalx up` with its real judge, on whatever engine this machine has, over HTTP. Needs root: as a
//! plain user every case is skipped, and with `CI=true` a skip is a failure.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod client;
mod dev;
#[path = "../pages/mod.rs"]
mod pages;
#[path = "../../../operator/tests/monitoring/reference.rs"]
mod reference;
#[path = "../scene/mod.rs"]
#[allow(dead_code, reason = "shared with the other targets")]
mod scene;
mod typed;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::process::Signal;
use scene::up::Up;
use scene::{Done, Scene};
use serde_json::{Value, json};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

type Case = (&'static str, fn());

const CASES: [Case; 14] = [
    ("up is ready in a second, judges over http and leaves nothing", judges_and_leaves_nothing),
    ("a batch in three languages comes back line by line", a_batch_in_three_languages),
    ("the tests of a submission are told one by one", tests_are_told_one_by_one),
    ("a problem is handed in once and judged by its hash", a_problem_is_judged_by_its_hash),
    ("a full disk is told as one, and keeps nothing of a problem", a_full_disk_is_told),
    ("ctrl-c ends it though a program runs", ctrl_c_ends_it_though_a_program_runs),
    ("submit follows to the verdict, and watch tells it again", client::submit_and_watch),
    ("a package is handed in once by submit", client::a_package_is_handed_in_once),
    ("who has no token is told so", client::tokens),
    ("ctrl-c leaves a submission to the server", client::ctrl_c_leaves_it_to_the_server),
    ("start-dev.sh: four workers, a verdict, and nothing left", dev::start_dev),
    ("what README and docs tell to type before a service works", typed::before_a_service),
    ("what runbooks tell to type on Redis and a service works", typed::runbooks),
    ("the servers that README and docs tell to start work", typed::servers),
];

const SUM: &str = "#include <stdio.h>\n\
    int main() { int a, b; scanf(\"%d %d\", &a, &b); printf(\"%d\\n\", a + b); }\n";

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let root = rustix::process::geteuid().is_root();
    let strict = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    let trials = CASES.map(|(name, case)| {
        let run = move || match root {
            true => {
                case();
                Ok(())
            }
            false => Err(Failed::from("needs root, and with CI=true nothing is skipped")),
        };
        let skipped = !root && !strict;
        Trial::test(name, run)
            .with_kind(if skipped { "skipped: needs root" } else { "" })
            .with_ignored_flag(skipped)
    });
    libtest_mimic::run(&args, trials.into()).exit_code()
}

fn sums(count: usize) -> Value {
    json!({"language": "c", "source": SUM,
        "tests": vec![json!({"input": "1 2\n", "answer": "3\n"}); count]})
}

fn judges_and_leaves_nothing() {
    let up = Up::start();
    assert!(up.ready < Duration::from_secs(1), "ready after {:?}", up.ready);
    let json = up.judge(&sums(20));
    assert_eq!(json["report"]["verdict"], "AC", "{json}");
    assert_eq!(json["report"]["tests"].as_array().unwrap().len(), 20);
    let broken = json!({"language": "c", "source": "int main( {"});
    assert_eq!(up.judge(&broken)["report"]["verdict"], "CE");
    let languages: Value = serde_json::from_str(&up.ask("GET /v1/languages", "").1).unwrap();
    let c = languages.as_array().unwrap().iter().find(|l| l["id"] == "c").unwrap();
    assert_eq!(c["available"], true);
    let scrape = up.ask("GET /metrics", "").1;
    reference::compare_beside("Service", "Worker", &scrape);
    for line in [
        "evalx_submissions_finished_total{language=\"c\",verdict=\"AC\"} 1",
        "evalx_worker_jobs{state=\"judging\"} 0",
        "evalx_turnaround_seconds_count 2",
    ] {
        assert!(scrape.lines().any(|l| l == line), "{line} in {scrape}");
    }
    let Done { code, stdout: _, stderr, left } = up.stop(Signal::TERM);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.lines().all(|line| line.starts_with("evalx: evalX is up")), "{stderr}");
    assert!(left.is_empty(), "left behind: {left:?}");
}

fn a_batch_in_three_languages() {
    let up = Up::start();
    let plain = |language: &str, source: &str| {
        json!({"language": language, "source": source,
            "tests": [{"input": "", "answer": "3"}]})
    };
    let batch = [
        plain("python3", "print(3)"),
        plain("bash", "echo 4"),
        plain("c", "int main() { __builtin_printf(\"3\"); }"),
    ];
    let text = batch.map(|submission| format!("{submission}\n")).concat();
    let (status, body) = up.ask("POST /v1/submissions:batch", &text);
    assert_eq!(status, 200);
    let mut verdicts: Vec<(u64, String)> = body
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["submission"]["status"] == "finished")
        .map(|line| {
            let verdict = line["submission"]["report"]["verdict"].as_str().unwrap().to_owned();
            (line["index"].as_u64().unwrap(), verdict)
        })
        .collect();
    verdicts.sort();
    assert_eq!(verdicts, [(0, "AC".into()), (1, "WA".into()), (2, "AC".into())], "{body}");
    assert_eq!(up.stop(Signal::TERM).code, Some(0));
}

fn tests_are_told_one_by_one() {
    let up = Up::start();
    let (_, body) = up.ask("POST /v1/submissions", &sums(5).to_string());
    let id = serde_json::from_str::<Value>(&body).unwrap()["id"].as_str().unwrap().to_owned();
    let (status, events) = up.ask(&format!("GET /v1/submissions/{id}/events"), "");
    assert_eq!(status, 200);
    assert_eq!(events.matches("event: end\n").count(), 1, "{events}");
    assert!(events.matches("event: test\n").count() <= 5, "{events}");
    assert_eq!(up.stop(Signal::TERM).code, Some(0));
}

/// A small file system in the place of a scene's temporary folder; ends with its value.
struct Disk(PathBuf);

impl Disk {
    fn mount(scene: &Scene) -> Self {
        let place = scene.dir().parent().unwrap().join("tmp");
        let flags = MountFlags::empty();
        rustix::mount::mount("tmpfs", &place, "tmpfs", flags, c"size=8m").unwrap();
        Self(place)
    }

    fn entries(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("evalx-upload-")).collect()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.0, UnmountFlags::DETACH).unwrap();
    }
}

fn a_full_disk_is_told() {
    let scene = Scene::new();
    let disk = Disk::mount(&scene);
    let up = Up::start_in(scene, &[]);
    let package = |large: usize| {
        let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, text) in [
            ("sum/problem.yaml", "name: Sum\nlimits: {memory: 64}\n".to_owned()),
            ("sum/.timelimit", "2".to_owned()),
            ("sum/data/secret/1.in", "1".repeat(large)),
            ("sum/data/secret/1.ans", "3\n".to_owned()),
        ] {
            let deflated = CompressionMethod::Deflated;
            let options = SimpleFileOptions::default().compression_method(deflated);
            zip.start_file(name, options).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let send = |bytes: &[u8]| {
        let (status, body) = up.send("POST /v1/problems", "zip", bytes);
        (status, serde_json::from_str::<Value>(&body).unwrap())
    };
    // Unpacked it has more than the disk, and as it comes.
    let mut noise = vec![0; 12 << 20];
    noise.iter_mut().enumerate().for_each(|(n, byte)| *byte = (n * n / 7).to_le_bytes()[0]);
    for bytes in [package(32 << 20), noise] {
        let (status, told) = send(&bytes);
        assert_eq!((status, &told["type"]), (507, &json!("urn:evalx:problem:no-space")), "{told}");
        assert!(told["detail"].as_str().unwrap().contains("no space left"), "{told}");
        assert_eq!(disk.entries(), [""; 0]);
        let hash = problems::Hash::of(&bytes);
        assert_eq!(up.ask(&format!("GET /v1/problems/{hash}"), "").0, 404);
    }
    // What has room is taken as ever.
    assert_eq!(send(&package(1 << 20)).0, 201);
    drop(disk);
    assert_eq!(up.stop(Signal::TERM).code, Some(0));
}

fn a_problem_is_judged_by_its_hash() {
    let up = Up::start();
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in [
        ("sum/problem.yaml", "name: Sum\nlimits: {memory: 64, code: 1}\n"),
        ("sum/.timelimit", "2"),
        ("sum/data/secret/1.in", "1 2\n"),
        ("sum/data/secret/1.ans", "3\n"),
        ("sum/data/secret/2.in", "5 6\n"),
        ("sum/data/secret/2.ans", "11\n"),
    ] {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        zip.start_file(name, options).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    let zip = zip.finish().unwrap().into_inner();
    let (status, body) = up.send("POST /v1/problems", "zip", &zip);
    assert_eq!(status, 201, "{body}");
    let problem = serde_json::from_str::<Value>(&body).unwrap()["problem"].clone();
    let to = |source: &str| json!({"language": "c", "source": source, "problem": problem});
    let right = up.judge(&to(SUM));
    assert_eq!(right["report"]["verdict"], "AC", "{right}");
    assert_eq!(right["report"]["tests"].as_array().unwrap().len(), 2);
    // All at once: fetched once, the second time from memory.
    let wrong = up.judge(&to("int main() { __builtin_printf(\"3\"); }"));
    assert_eq!(wrong["report"]["verdict"], "WA", "{wrong}");
    let long = up.judge(&to(&format!("{SUM}// {}", "x".repeat(1024))));
    assert_eq!(long["status"], "refused", "{long}");
    let reason = long["refusal"]["reason"].as_str().unwrap();
    assert!(reason.contains("the problem takes at most 1 KiB"), "{reason}");
    let set = json!({"tests": [{"input": "", "answer": "7"}], "checker": {"kind": "exact"}});
    let (_, body) = up.ask("POST /v1/problems", &set.to_string());
    let set = serde_json::from_str::<Value>(&body).unwrap()["problem"].clone();
    let exact = json!({"language": "c", "source": "int main() { __builtin_printf(\"7\"); }", "problem": set});
    assert_eq!(up.judge(&exact)["report"]["verdict"], "AC");
    // What a worker has at hand is judged; the server knows it no more.
    let path = format!("DELETE /v1/problems/{}", problem.as_str().unwrap());
    assert_eq!(up.ask(&path, "").0, 204);
    let (status, body) = up.ask("POST /v1/submissions", &to(SUM).to_string());
    assert_eq!(status, 422, "{body}");
    let Done { code, stdout: _, stderr, left } = up.stop(Signal::TERM);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(left.is_empty(), "left behind: {left:?}");
}

fn ctrl_c_ends_it_though_a_program_runs() {
    let up = Up::start();
    let waits = json!({"language": "c", "source": "#include <unistd.h>\nint main() { pause(); }",
        "tests": [{"input": ""}], "limits": {"wall_ms": 60000}});
    let (_, body) = up.ask("POST /v1/submissions", &waits.to_string());
    let id = serde_json::from_str::<Value>(&body).unwrap()["id"].as_str().unwrap().to_owned();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !up.ask(&format!("GET /v1/submissions/{id}"), "").1.contains("\"running\"") {
        assert!(Instant::now() < deadline);
        scene::pause();
    }
    let begun = Instant::now();
    let done = up.stop(Signal::INT);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(done.left.is_empty(), "left behind: {:?}", done.left);
}
