//! Where settings come from, and which goes before which.

use crate::scene::Scene;

/// What a worker says that cannot reach its queue.
fn unreached(variables: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String) {
    let mut scene = Scene::new();
    for (name, value) in variables {
        scene.set(name, value);
    }
    let worker = ["worker", "--stub-judge", "--listen=127.0.0.1:0", "--patience=0s", "--log=off"];
    let done = scene.run(&[&worker, arguments].concat());
    (done.code, done.stderr)
}

#[test]
fn the_queue_is_named_by_flag_then_ours_then_the_common_variable() {
    let (common, ours) =
        (("REDIS_URL", "redis://127.0.0.1:1"), ("EVALX_REDIS", "redis://127.0.0.1:2"));
    let flag: &[&str] = &["--redis", "redis://127.0.0.1:3"];
    for (variables, arguments, at) in [
        (&[common][..], &[][..], "127.0.0.1:1:"),
        (&[common, ("EVALX_REDIS", "")], &[], "127.0.0.1:1:"),
        (&[common, ours], &[], "127.0.0.1:2:"),
        (&[common, ours], flag, "127.0.0.1:3:"),
    ] {
        let (code, said) = unreached(variables, arguments);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains(at) && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    let (code, said) = unreached(&[("REDIS_URL", ""), ("EVALX_PATIENCE", "")], &[]);
    assert_eq!(code, Some(2));
    assert!(said.contains("required arguments were not provided: --redis <URL>"), "{said}");
}

/// The rows of `evalx config show -o json`, by key: value, origin, from.
fn shown(scene: &Scene, arguments: &[&str]) -> impl Fn(&str) -> [String; 3] + use<> {
    let done = scene.run(&[&["config", "show", "-o", "json"], arguments].concat());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&done.stdout).unwrap();
    move |key| {
        let row = rows.iter().find(|row| row["key"] == key).unwrap();
        ["value", "origin", "from"].map(|part| row[part].as_str().unwrap_or_default().to_owned())
    }
}

#[test]
fn each_value_comes_with_where_it_is_set_and_secrets_are_masked() {
    let mut scene = Scene::new();
    let path = "in/c.toml";
    scene.file(
        "c.toml",
        "server = \"http://file\"\ntoken = \"topsecret\"\nredis_url = \"redis://me:topsecret@h\"\n\
         queue = \"file\"\n",
    );
    let at = |scene: &Scene| scene.dir().join("c.toml").display().to_string();
    scene.set("EVALX_CONFIG", &at(&scene));
    let file = at(&scene);
    assert!(file.ends_with(path));
    let of = shown(&scene, &[]);
    assert_eq!(of("server"), ["http://file", "file", &file]);
    assert_eq!(of("token"), ["***", "file", &file]);
    assert_eq!(of("redis_url"), ["redis://***@h", "file", &file]);
    assert_eq!(of("patience"), ["30s", "default", ""]);
    assert_eq!(of("tokens"), ["", "unset", ""]);
    assert_eq!(of("grace"), ["25s (server), 30s (worker)", "default", ""]);
    scene.set("EVALX_SERVER", "http://variable");
    scene.set("EVALX_TOKEN", "topsecret");
    assert_eq!(shown(&scene, &[])("server"), ["http://variable", "variable", "EVALX_SERVER"]);
    let of = shown(&scene, &["--server", "http://flag"]);
    assert_eq!(of("server"), ["http://flag", "flag", "--server"]);
    assert_eq!(of("token"), ["***", "variable", "EVALX_TOKEN"]);
    let done = scene.run(&["config", "show", "--origin"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(!done.stdout.contains("topsecret"), "{}", done.stdout);
    assert!(done.stdout.contains("variable EVALX_SERVER"), "{}", done.stdout);
    assert!(done.stderr.contains("others may read it; chmod 600 mends that"), "{}", done.stderr);
}

#[test]
fn the_verbs_obey_the_file_below_variable_and_flag() {
    let mut scene = Scene::new();
    let reached = |scene: &Scene, arguments: &[&str]| {
        let done = scene.run(&[&["queue"], arguments].concat());
        assert_eq!(done.code, Some(3), "{}", done.stderr);
        let address = done.stderr.split_once("cannot reach ").unwrap().1;
        address.split(';').next().unwrap().to_owned()
    };
    scene.file("../config/evalx/config.toml", "server = \"http://127.0.0.1:1\"\n");
    assert_eq!(reached(&scene, &[]), "http://127.0.0.1:1");
    scene.set("EVALX_SERVER", "http://127.0.0.1:2");
    assert_eq!(reached(&scene, &[]), "http://127.0.0.1:2");
    assert_eq!(reached(&scene, &["--server", "http://127.0.0.1:3"]), "http://127.0.0.1:3");
}

#[test]
fn a_bad_setting_says_where_it_is() {
    let said = |text: &str, variable: Option<&str>| {
        let mut scene = Scene::new();
        scene.file("../config/evalx/config.toml", text);
        if let Some(value) = variable {
            scene.set("EVALX_SERVER", value);
        }
        let done = scene.run(&["queue"]);
        assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{}", done.stderr);
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
        done.stderr
    };
    assert!(said("sever = 1\n", None).contains("unknown key \"sever\", did you mean server?"));
    let bad = "server = \"here\"\n";
    let message = "invalid value 'here' for '--server <URL>': it is no address of a server";
    let file = said(bad, None);
    assert!(file.contains("key server of \"") && file.contains(message), "{file}");
    let variable = said("", Some("here"));
    assert!(variable.contains(&format!("EVALX_SERVER: {message}")), "{variable}");
}

#[test]
fn a_named_file_must_be_there_and_help_comes_without_it() {
    let mut scene = Scene::new();
    scene.set("EVALX_CONFIG", "none.toml");
    let done = scene.run(&["languages"]);
    assert_eq!(done.code, Some(2));
    let message = "evalx: cannot read the configuration in \"none.toml\": \
                   No such file or directory (os error 2)\n";
    assert_eq!(done.stderr, message);
    assert_eq!(scene.run(&["queue", "--help"]).code, Some(0));
}
