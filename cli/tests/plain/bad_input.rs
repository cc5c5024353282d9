//! Bad input: one clear line, the documented exit code, nothing left behind. None of it comes as
//! far as an engine, so it needs no root.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;

use crate::scene::{Done, Scene};

const SUM: &str = "a, b = map(int, input().split())\nprint(a + b)\n";

/// One line on standard error, this code, and nothing else at all.
#[track_caller]
fn refused(done: &Done, code: i32, message: &str) {
    let Done { code: got, stdout, stderr, left } = done;
    assert_eq!(stderr, &format!("evalx: {message}\n"));
    assert_eq!(got, &Some(code), "{stderr}");
    assert_eq!(stdout, "");
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// A scene with a good source and a good test, for one thing to be bad.
fn good() -> Scene {
    let scene = Scene::new();
    scene.file("sum.py", SUM);
    scene.tests();
    scene
}

#[test]
fn a_missing_source_is_named() {
    let done = good().run(&["judge", "none.py", "--tests", "tests"]);
    refused(&done, 2, "source: \"none.py\" cannot be read: No such file or directory (os error 2)");
}

#[test]
fn a_source_of_no_bytes_is_refused() {
    let scene = good();
    scene.file("empty.py", "");
    let done = scene.run(&["judge", "empty.py", "--tests", "tests"]);
    refused(&done, 2, "source: \"empty.py\" has 0 bytes; the file that starts cannot be empty");
}

#[test]
fn a_source_of_a_hundred_megabytes_is_refused() {
    let scene = good();
    File::create(scene.dir().join("huge.py")).unwrap().set_len(100_000_000).unwrap();
    let done = scene.run(&["judge", "huge.py", "--tests", "tests"]);
    let message = "source: 100000000 bytes of source, with \"huge.py\"; \
                   all files together may hold 1 MiB";
    refused(&done, 2, message);
}

#[test]
fn a_source_with_a_nul_is_refused() {
    let scene = good();
    scene.file("nul.py", "print(3)\0");
    let done = scene.run(&["judge", "nul.py", "--tests", "tests"]);
    let message = "source: \"nul.py\" holds a NUL at byte 8; \
                   a source is text (is it UTF-16, or a binary?)";
    refused(&done, 2, message);
}

#[test]
fn odd_source_names_are_refused_and_cannot_drive_the_terminal() {
    let scene = good();
    for (name, shown, problem) in [
        ("-o.py", "-o.py", "begins with - or @"),
        ("\u{1b}[2J.py", "\\u{1b}[2J.py", "holds a NUL or another control character"),
        ("a\nb.py", "a\\nb.py", "holds a NUL or another control character"),
    ] {
        scene.file(name, SUM);
        let done = scene.run(&["judge", "--tests", "tests", "--", name]);
        let cure = "use a plain relative path such as main.cpp";
        refused(&done, 2, &format!("source: the name \"{shown}\" {problem}; {cure}"));
    }
    let bytes = OsStr::from_bytes(b"\xff.py");
    std::fs::write(scene.dir().join(bytes), SUM).unwrap();
    let done = scene.run(&[OsStr::new("judge"), bytes, OsStr::new("--tests=tests")]);
    refused(&done, 2, "source \"\\xFF.py\" has a name that is not text; rename it");
}

#[test]
fn a_folder_is_no_source() {
    let done = good().run(&["judge", "tests", "--tests", "tests"]);
    let message = "source \"tests\" is a folder; name the files of the submission one by one";
    refused(&done, 2, message);
}

#[test]
fn an_unknown_language_comes_with_what_is_near() {
    let done = good().run(&["judge", "sum.py", "--tests", "tests", "--lang", "pyton3"]);
    let message = "unknown language \"pyton3\", did you mean python3?; \
                   `evalx languages` lists what there is";
    refused(&done, 2, message);
}

#[test]
fn a_file_name_that_tells_no_language_says_to_name_one() {
    let scene = good();
    scene.file("sum.xyz", SUM);
    let done = scene.run(&["judge", "sum.xyz", "--tests", "tests"]);
    let message = "cannot tell the language of sum.xyz; \
                   name it with --lang (`evalx languages` lists them)";
    refused(&done, 2, message);
}

#[test]
fn a_missing_compiler_is_this_machines_fault() {
    let scene = good();
    scene.file(
        "languages/odd.yaml",
        "- id: odd\n  name: Odd\n  tier: full\n  extensions: [odd]\n  source: main.odd\n  \
         needs: [oddc]\n  version: [oddc, --version]\n  run: {argv: [oddc, \"{entry}\"]}\n",
    );
    scene.file("a.odd", "x");
    let done = scene.run(&["judge", "a.odd", "--tests", "tests", "--languages", "languages"]);
    let message = "language odd is unavailable: oddc is not in /usr/local/bin:/usr/bin:/bin; \
                   install it";
    refused(&done, 4, message);
}

#[test]
fn a_broken_language_table_is_named() {
    let scene = good();
    scene.file("languages/bad.yaml", "- id: [\n");
    let done = scene.run(&["judge", "sum.py", "--tests", "tests", "--languages", "languages"]);
    assert_eq!(done.code, Some(2));
    assert!(
        done.stderr.starts_with("evalx: cannot read --languages \"languages\": "),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("line"), "{}", done.stderr);
}

#[test]
fn a_folder_of_tests_that_is_missing_or_empty_is_named() {
    let scene = good();
    let done = scene.run(&["judge", "sum.py", "--tests", "none"]);
    refused(&done, 2, "cannot list tests \"none\": No such file or directory (os error 2)");
    std::fs::create_dir(scene.dir().join("empty")).unwrap();
    let done = scene.run(&["judge", "sum.py", "--tests", "empty"]);
    let message = "no tests in \"empty\"; \
                   a test is a file NAME.in with its answer NAME.ans or NAME.out";
    refused(&done, 2, message);
}

#[test]
fn a_test_without_an_answer_is_named() {
    let scene = good();
    scene.file("tests/2.in", "");
    let done = scene.run(&["judge", "sum.py", "--tests", "tests"]);
    refused(&done, 2, "test 2 of \"tests\" has no answer; add 2.ans or 2.out");
}

#[test]
fn limits_of_zero_or_beyond_the_maximum_are_refused() {
    let scene = good();
    let cases = [
        (["--cpu", "0s"], "limit cpu is 0 s; it must be between 0.001 s and 3600 s"),
        (["--wall", "2h"], "limit wall is 7200 s; it must be between 0.001 s and 3600 s"),
        (["--memory", "0B"], "limit memory is 0 B; it must be between 1 MiB and 64 GiB"),
        (["--memory", "65GiB"], "limit memory is 65 GiB; it must be between 1 MiB and 64 GiB"),
        (["--processes", "0"], "limit processes is 0; it must be between 1 and 4096"),
        (["--output", "0B"], "limit output is 0 B; it must be between 1 B and 1 GiB"),
        (["--stack", "1B"], "limit stack is 1 B; it must be between 64 KiB and 64 GiB"),
    ];
    for (flag, message) in cases {
        for head in [&["judge", "sum.py", "--tests", "tests"][..], &["run", "sum.py"]] {
            let done = scene.run(&[head, &flag].concat());
            refused(&done, 2, message);
        }
    }
}

#[test]
fn an_input_that_is_no_file_is_refused() {
    let done = good().run(&["run", "sum.py", "--stdin", "none.txt"]);
    refused(&done, 2, "cannot read --stdin \"none.txt\": No such file or directory (os error 2)");
    let done = good().run(&["run", "sum.py", "--stdin", "tests"]);
    refused(&done, 2, "--stdin \"tests\" is not a file");
}

#[test]
fn a_broken_package_is_named() {
    let scene = good();
    let done = scene.run(&["judge", "sum.py", "--problem", "tests"]);
    refused(
        &done,
        2,
        "\"tests\" holds no problem.yaml; give the folder or the zip of a problem package",
    );
    scene.file("bad.zip", "no zip");
    let done = scene.run(&["verify", "bad.zip"]);
    let message = "\"bad.zip\" is not a zip that can be read; pack the folder again, with deflate: \
                   invalid Zip archive: no directory ends it";
    refused(&done, 2, message);
    let done = scene.run(&["verify", "none"]);
    refused(&done, 2, "cannot read \"none\": No such file or directory (os error 2)");
}
