//! `docs/configuration.md` is made from the definition of the command line; `UPDATE=1 cargo test -p
//! evalx configuration` rewrites it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::CommandFactory as _;

use super::settings;
use crate::args::Cli;

const HEAD: &str = "\
# Configuration

Every setting is a flag, a variable and a key of the configuration file. A flag goes before a
variable, a variable before the file, the file before the default; `evalx config show --origin`
prints what holds, and why. An empty variable is as good as none.

The file is TOML: `evalx/config.toml` below `$XDG_CONFIG_HOME`, else below `~/.config`, or the one
that `EVALX_CONFIG` names. Every verb reads it; a key that is not in this table is refused.

```toml
server = \"https://judge.example\"
token = \"…\"                 # then nobody else should be able to read the file
max_concurrent_sandboxes = 4
languages = \"/etc/evalx/languages\"
```

Times are written like `2s` or `500ms`, sizes like `256MiB`. `EVALX_REDIS`, where it is set, goes
before `REDIS_URL`, which may be meant for a neighbour, too. Flags that are not here belong to one
call and are in `evalx VERB --help`. `NO_COLOR`, `CLICOLOR_FORCE` and `TERM` decide on colour as
everywhere; `SSL_CERT_FILE` names the authorities that a client trusts over https.

This page is made from the command line's definition.

";

#[test]
fn the_page_on_configuration_is_as_committed() {
    let mut page = HEAD.to_owned();
    page.push_str("| key | flag | variable | default | verbs | |\n|---|---|---|---|---|---|\n");
    for setting in settings(&Cli::command()) {
        let default = setting.default().map(|text| format!("`{text}`")).unwrap_or_default();
        let verbs: Vec<_> = setting.uses.iter().map(|(verb, _)| verb.as_str()).collect();
        let help = setting.help.replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*");
        writeln!(
            page,
            "| `{}` | `{}` | `{}` | {default} | {} | {help} |",
            setting.key,
            setting.flag,
            setting.variable,
            verbs.join(", "),
        )
        .unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, page, "UPDATE=1 cargo test -p evalx configuration rewrites it");
}
