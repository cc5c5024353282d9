//! What a command line owes its user beyond the result.

use std::fs;
use std::process::Stdio;

use crate::scene::Scene;

const VERBS: [&str; 16] = [
    "judge",
    "verify",
    "run",
    "up",
    "server",
    "worker",
    "submit",
    "watch",
    "queue",
    "workers",
    "languages",
    "doctor",
    "calibrate",
    "config",
    "completions",
    "man",
];

#[test]
fn there_is_a_manual_page_for_every_verb_and_one_for_all() {
    let scene = Scene::new();
    let done = scene.run(&["man", "pages"]);
    assert_eq!((done.code, done.stdout.as_str(), done.stderr.as_str()), (Some(0), "", ""));
    let mut pages: Vec<String> = VERBS.map(|verb| format!("evalx-{verb}.1")).to_vec();
    pages.extend(["evalx.1".to_owned(), "evalx-config-show.1".to_owned()]);
    pages.sort();
    let entries = fs::read_dir(scene.dir().join("pages")).unwrap();
    let mut found: Vec<_> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    assert_eq!(found, pages);
    let judge = fs::read_to_string(scene.dir().join("pages/evalx-judge.1")).unwrap();
    assert!(judge.contains("\\-\\-memory") && judge.contains("MAX_CONCURRENT"), "{judge}");
    assert!(scene.run(&["man"]).stdout.contains("interrupted by Ctrl"));
}

#[test]
fn every_shell_completes_every_verb() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = Scene::new().run(&["completions", shell]);
        assert_eq!(done.code, Some(0));
        assert!(VERBS.iter().all(|verb| done.stdout.contains(verb)), "{shell}");
    }
}

#[test]
fn colour_is_for_terminals_unless_asked_for() {
    let coloured = |args: &[&str]| Scene::new().run(args).stdout.contains('\u{1b}');
    assert!(!coloured(&["--help"]));
    assert!(coloured(&["--color", "always", "--help"]));
    assert!(coloured(&["--color=always", "judge", "-h"]));
    assert!(!coloured(&["--color", "never", "--help"]));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let scene = Scene::new();
    let mut child = scene.start(&["completions", "bash"]);
    drop(child.stdout.take());
    let done = scene.finish(child);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_full_disk_is_said() {
    let scene = Scene::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let done = scene.finish(scene.start_with(&["man"], Stdio::null(), full.into()));
    let message = "evalx: cannot write to standard output: No space left on device (os error 28)\n";
    assert_eq!((done.code, done.stderr.as_str()), (Some(4), message));
}
