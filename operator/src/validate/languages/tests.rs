//! What is said of wrong tables, and that a worker says the same.

use std::fs;
use std::path::Path;

use judge::language::{Compile, Factors, Language, MountRule, OutOfMemory, Run, Table};
use judge::model::LimitsSpec;
use serde_json::json;

use super::*;

fn said(key: &str, text: &str) -> String {
    let files = BTreeMap::from([(key.to_owned(), text.to_owned())]);
    check(&files).map_or_else(|problem| problem.to_string(), |()| "fine".to_owned())
}

/// An entry that has every field.
fn full() -> Value {
    json!({
        "id": "toy", "name": "Toy", "tier": "full", "aliases": ["t"], "extensions": ["toy"],
        "source": "main.toy", "path": ["/opt/toy/bin"],
        "mounts": [{ "from": ["~/.toy/*"], "to": "/opt/toy-of-mine" }],
        "needs": ["toyc"], "version": ["toyc", "--version"],
        "compile": {
            "argv": ["toyc", "{options}", "{files}", "-o{stem}"], "env": { "A": "b" }, "proc": true,
            "limits": {
                "cpu_ms": 1, "wall_ms": 1, "memory_bytes": 1, "processes": 1, "stack_bytes": 1,
                "file_size_bytes": 1, "output_bytes": 1, "open_files": 1, "inodes": 1,
                "disk_bytes": 1,
            },
        },
        "run": {
            "argv": ["{box}/main", "{args}"], "env": { "A": "b" },
            "out_of_memory": { "exit_code": 1, "signal": 6, "stderr": "no memory" },
        },
        "limits": {
            "cpu_factor": 1.5, "cpu_extra_ms": 1, "memory_extra_bytes": 1, "processes": 2,
        },
        "proc": true,
    })
}

fn table(entries: &[Value]) -> String {
    yaml::write(&entries).unwrap()
}

/// The full entry with one field changed: `None` takes it away.
fn with(pointer: &str, value: Option<Value>) -> Value {
    let mut entry = full();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match (entry.pointer_mut(parent).unwrap(), value) {
        (Value::Object(fields), Some(value)) => drop(fields.insert(name.to_owned(), value)),
        (Value::Object(fields), None) => drop(fields.remove(name)),
        (Value::Array(list), Some(value)) => list[name.parse::<usize>().unwrap()] = value,
        (Value::Array(list), None) => drop(list.remove(name.parse().unwrap())),
        (other, _) => panic!("{other} has no fields"),
    }
    entry
}

/// Where something can be changed: every field, every element of a list.
fn places(at: &str, value: &Value, into: &mut Vec<String>) {
    let fields = value.as_object().into_iter().flatten();
    let items = value.as_array().into_iter().flatten().enumerate();
    let fields = fields.map(|(name, value)| (name.clone(), value));
    for (name, value) in fields.chain(items.map(|(index, value)| (index.to_string(), value))) {
        into.push(format!("{at}/{name}"));
        places(&format!("{at}/{name}"), value, into);
    }
}

/// Whether a worker starts with it.
fn worker_takes(folder: &Path, text: &str) -> Result<Table, String> {
    fs::write(folder.join("a.yaml"), text).unwrap();
    Table::extended(folder).map_err(|error| error.to_string())
}

#[test]
fn the_key_that_is_wrong_is_named() {
    assert_eq!(said("a.yaml", &table(&[full()])), "fine");
    assert_eq!(said("notes.txt", ""), "key \"notes.txt\" does not end in .yaml");
    assert!(said("a.yaml", "a: [").starts_with("a.yaml is not YAML: "));
    assert_eq!(said("a.yaml", "a: b"), "a.yaml is no list of languages");
    assert_eq!(check(&BTreeMap::new()), Err(Problem::Empty));
}

#[test]
fn the_entry_and_the_field_that_are_wrong_are_named() {
    let entries = |entry| said("a.yaml", &table(&[entry]));
    let no_id = said("a.yaml", "- name: x");
    assert!(no_id.starts_with("a.yaml: entry [0]: missing field `id`"), "{no_id}");
    let said_of_toy = said("a.yaml", "- id: toy");
    assert!(said_of_toy.starts_with("a.yaml: entry [0]: missing field `name`"), "{said_of_toy}");
    let no_argv = entries(with("/run/argv", None));
    assert!(no_argv.starts_with("a.yaml: entry [0].run: missing field `argv`"), "{no_argv}");
    let tier = entries(with("/tier", Some(json!("best"))));
    assert!(tier.contains("[0].tier: unknown variant `best`"), "{tier}");
    let unknown = said("a.yaml", &table(&[full(), with("/colour", Some(json!("red")))]));
    assert!(unknown.starts_with("a.yaml: entry [1]: unknown field `colour`"), "{unknown}");
    let needs = entries(with("/needs", Some(json!([]))));
    assert_eq!(
        needs,
        "a.yaml: language \"toy\": needs must name at least the compiler or interpreter"
    );
    let id = entries(with("/id", Some(json!({ "a": 5 }))));
    assert!(id.starts_with("a.yaml: entry [0].id: invalid type: map"), "{id}");
    // YAML's 5 is a text where one is wanted.
    let number = table(&[with("/id", Some(json!(5)))]);
    assert!(number.contains("id: 5\n"), "{number}");
    assert_eq!(said("a.yaml", &number), "fine");
}

#[test]
fn a_name_is_there_once_and_a_folder_is_one() {
    let other = |id: &str, from: &str| {
        let mut entry = with("/id", Some(json!(id)));
        entry["aliases"] = json!([]);
        entry["mounts"][0]["from"] = json!([from]);
        entry
    };
    let twice = said("a.yaml", &table(&[full(), other("t", "~/.toy/*")]));
    assert_eq!(twice, "a.yaml: language \"t\": the name \"t\" is there twice");
    let folders = said("a.yaml", &table(&[full(), other("b", "/srv")]));
    let words =
        "a.yaml: language \"b\": mounts has another folder at \"/opt/toy-of-mine\" than \"toy\"";
    assert_eq!(folders, words);
    let mut files = BTreeMap::from([("a.yaml".to_owned(), table(&[full()]))]);
    files.insert("b.yml".to_owned(), table(&[other("toy", "~/.toy/*")]));
    let twice = check(&files).unwrap_err().to_string();
    assert_eq!(twice, "b.yml: language \"toy\": the name \"toy\" is there twice");
}

#[test]
fn what_is_built_into_a_worker_is_a_table() {
    let text = include_str!("../../../../judge/src/language/languages.yaml");
    assert_eq!(said("languages.yaml", text), "fine");
}

/// Each field left out, of another type, of another value, and with an unknown one beside it.
#[test]
fn a_worker_takes_what_is_taken_here_and_nothing_else() {
    let folder = std::env::temp_dir().join(format!("evalx-languages-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut places_of_full = Vec::new();
    places("", &full(), &mut places_of_full);
    let odd = [
        json!(null),
        json!(5),
        json!(-1),
        json!(1.5),
        json!(true),
        json!(""),
        json!("Toy"),
        json!("{nothing}"),
        json!("x{files}"),
        json!("a\0"),
        json!([]),
        json!([5]),
        json!({}),
        json!({ "more": 1 }),
    ];
    let mut tried = vec![table(&[]), table(&[full(), full()]), String::new(), "~".to_owned()];
    tried.push("- {id: a, id: b}".to_owned());
    for place in &places_of_full {
        tried.push(table(&[with(place, None)]));
        tried.extend(odd.iter().map(|value| table(&[with(place, Some(value.clone()))])));
        if full().pointer(place).is_some_and(Value::is_object) {
            tried.push(table(&[with(&format!("{place}/unknown"), Some(json!(1)))]));
        }
    }
    for text in &tried {
        let (here, there) = (said("a.yaml", text), worker_takes(&folder, text));
        assert_eq!(here == "fine", there.is_ok(), "{here}\n{there:?}\n{text}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

/// A field that is new there has to be decided on here: this does not compile then.
#[test]
fn the_full_entry_has_every_field_of_the_workers() {
    let folder = std::env::temp_dir().join(format!("evalx-language-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let table = worker_takes(&folder, &table(&[full()])).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let Language {
        id: _,
        name: _,
        tier: _,
        aliases: _,
        extensions: _,
        source: _,
        path: _,
        mounts,
        needs: _,
        version: _,
        compile,
        run,
        limits,
        proc: _,
    } = table.get("toy").unwrap().clone();
    let MountRule { from: _, to: _ } = &mounts[0];
    let Compile { argv: _, env: _, limits: compile_limits, proc: _ } = compile.unwrap();
    let LimitsSpec {
        cpu_ms: _,
        wall_ms: _,
        memory_bytes: _,
        processes: _,
        stack_bytes: _,
        file_size_bytes: _,
        output_bytes: _,
        open_files: _,
        inodes: _,
        disk_bytes: _,
    } = compile_limits;
    let Run { argv: _, env: _, out_of_memory } = run;
    let OutOfMemory { exit_code: _, signal: _, stderr: _ } = out_of_memory.unwrap();
    let Factors { cpu_factor: _, cpu_extra_ms: _, memory_extra_bytes: _, processes: _ } = limits;
}
