//! Help texts and messages, word for word. After a change on purpose rewrite them with
//! `TRYCMD=overwrite cargo test -p evalx --test plain golden` and read the diff.

#[test]
fn help_and_messages_are_as_committed() {
    trycmd::TestCases::new()
        .register_bin("evalx", trycmd::cargo::cargo_bin!("evalx"))
        .env("COLUMNS", "80")
        .env("NO_COLOR", "1")
        // Whoever runs the tests may have settings.
        .env("EVALX_CONFIG", "/dev/null")
        .case("tests/cmd/*.trycmd");
}
