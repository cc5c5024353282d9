//! Trials of the header parser: it is what keeps a misspelt expectation from being none at all.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use sandbox::{Bytes, Termination};

use crate::expect::{Contents, Range};
use crate::header::{Error, Header, Input};

/// Every trial; they need no engine and no root.
pub(crate) fn all() -> Vec<Trial> {
    vec![
        Trial::test("header::what_is_given_and_what_is_expected_are_read", full),
        Trial::test("header::an_override_replaces_its_subject_only", overrides),
        Trial::test("header::what_is_not_known_or_given_twice_is_an_error", refused),
    ]
}

fn full() -> Result<(), Failed> {
    let header = parse(&[
        "attack: 1, 20",
        "title: all keys",
        "limits: cpu=300ms wall=2s memory=32MiB stack=64KiB processes=7",
        r#"argv: ["", "a\nb"]"#,
        r#"env: ["A=b=c"]"#,
        "stdin: closed",
        r#"files: {"in.txt": "x"}"#,
        "collect: out.txt 10B",
        "proc: on",
        "ends: exited 3 | signalled 9 | cpu-limit",
        "says: a=EPERM|1..3",
        "never: b=",
        r#"stdout: "hi""#,
        "cpu: 290ms..310ms",
        "memory: ..4KiB",
        r#"file: out.txt missing | "x y""#,
        "",
        "prose: not read",
    ])?;
    let given = &header.given;
    let same = given.limits.cpu == Duration::from_millis(300)
        && given.limits.stack == Some(Bytes::kib(64))
        && given.argv == ["", "a\nb"]
        && given.env == [("A".to_owned(), "b=c".to_owned())]
        && given.stdin == Input::Closed
        && given.files.get("in.txt").map(String::as_str) == Some("x")
        && given.collect == [("out.txt".to_owned(), Bytes(10))]
        && given.proc;
    let native = &header.native;
    let ends = [Termination::Exited(3), Termination::Signalled(9), Termination::CpuLimit];
    let expected = native.ends == ends
        && native.says == [("a".to_owned(), vec!["EPERM".to_owned(), "1..3".to_owned()])]
        && native.never == ["b="]
        && native.stdout.as_deref() == Some("hi")
        && native.memory == Some(Range { low: None, high: Some(4096) })
        && native.files
            == [("out.txt".to_owned(), vec![Contents::Missing, Contents::Text("x y".to_owned())])];
    holds(same && expected, &header)
}

fn overrides() -> Result<(), Failed> {
    let header = parse(&[
        "attack: plain",
        "title: two engines",
        "ends: exited 0",
        "says: a=1",
        "says: b=1",
        "isolate-because: it has no b",
        "isolate-says: b=2",
        "isolate-ends: wall-limit",
    ])?;
    let said = |says: &[(String, Vec<String>)], key: &str| -> Option<String> {
        says.iter().find(|(k, _)| k == key).map(|(_, v)| v.join("|"))
    };
    let (native, isolate) = (&header.native, &header.isolate);
    let separate = said(&native.says, "b").as_deref() == Some("1")
        && said(&isolate.says, "b").as_deref() == Some("2")
        && said(&isolate.says, "a").as_deref() == Some("1")
        && native.ends == [Termination::Exited(0)]
        && isolate.ends == [Termination::WallLimit];
    holds(separate, &header)
}

fn refused() -> Result<(), Failed> {
    let base = ["attack: 1", "title: t", "ends: exited 0"];
    let with = |line: &'static str| [&base[..], &[line]].concat();
    let wrong = [
        (with("endz: exited 0"), "unknown"),
        (with("title: u"), "given twice"),
        (with("nonsense"), "is not `key: value`"),
        (with("limits: cpu=3"), "a duration"),
        (with("limits: colour=3"), "the name of a limit"),
        (with("memory: 3MiB"), "LOW..HIGH"),
        (with("file: a b"), "a JSON string"),
        (with("isolate-ends: cpu-limit"), "isolate-because"),
        (with("isolate-because: nothing differs"), "isolate-KEY"),
        (base[..2].to_vec(), "\"ends\" is missing"),
        (base[1..].to_vec(), "\"attack\" is missing"),
        (vec!["attack: 1a", "title: t", "ends: exited 0"], "numbers"),
    ];
    for (lines, part) in wrong {
        match parse(&lines) {
            Err(error) if error.to_string().contains(part) => {}
            other => return Err(format!("{lines:?} gives {other:?}, expected {part}").into()),
        }
    }
    match Header::parse("int main(void) {}") {
        Err(Error::NoHeader) => Ok(()),
        other => Err(format!("no comment gives {other:?}").into()),
    }
}

fn parse(lines: &[&str]) -> Result<Header, Error> {
    let body: Vec<_> =
        lines.iter().map(|line| format!(" * {line}").trim_end().to_owned()).collect();
    Header::parse(&format!("/*\n{}\n */\nint main(void);\n", body.join("\n")))
}

fn holds(condition: bool, header: &Header) -> Result<(), Failed> {
    if condition { Ok(()) } else { Err(format!("read as {header:#?}").into()) }
}
