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
