//! What README.md and docs/ tell their readers to type on one machine, typed in a shell as it stands
//! there. Only addresses are others, as many tests run at once, and dots are filled in.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::pages::{BLOCKS, Block, Typed, commands, commands_of, root};
use crate::scene::pause;
use crate::scene::up::Up;

const SUM: &str =
    "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }\n";

/// A folder in which somebody types.
struct Desk {
    folder: TempDir,
    /// What is written in the place of what.
    instead: Vec<(&'static str, String)>,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("evalx-desk-").tempdir().unwrap();
        for name in ["home", "tmp"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::os::unix::fs::symlink(root().join("examples"), folder.path().join("examples"))
            .unwrap();
        Self { folder, instead: Vec::new() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A shell that types this.
    #[expect(clippy::disallowed_methods, reason = "no guest: what a user types")]
    fn shell(&self, words: &str) -> Command {
        let mut words = words.to_owned();
        for (from, to) in &self.instead {
            words = words.replace(from, to);
        }
        let evalx = Path::new(env!("CARGO_BIN_EXE_evalx")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", &words])
            .current_dir(self.path())
            .env_clear()
            .env("PATH", format!("{}:{path}", evalx.display()))
            .env("HOME", self.path().join("home"))
            .env("TMPDIR", self.path().join("tmp"))
            .env("EVALX_LISTEN", "127.0.0.1:0")
            .process_group(0)
            .stdin(Stdio::null());
        command
    }

    /// Types it, and hands out what is printed.
    fn types(&self, words: &str) -> Result<String, String> {
        let output = self.shell(words).output().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stdout);
        match output.status.success() {
            true => Ok(said),
            false => Err(format!("{words}\n{said}{}", text(&output.stderr))),
        }
    }

    /// Types what stays.
    fn starts(&self, words: &str) -> Server {
        let words = words.split(" #").next().unwrap().trim().trim_end_matches('&');
        let mut shell = self.shell(&format!("exec {words}"));
        Server(shell.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }
}

/// A server that ends with its value.
struct Server(Child);

impl Server {
    /// The address that it prints.
    fn address(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://");
        address.unwrap_or_else(|| panic!("no address: {line}")).to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = kill_process_group(Pid::from_child(&self.0), Signal::TERM);
        drop(self.0.wait());
    }
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is() {
        assert!(Instant::now() < deadline, "not within 30 s: {what}");
        pause();
    }
}

/// A package, as the README names one.
fn package() -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in [
        ("sum/problem.yaml", "name: Sum\n"),
        ("sum/.timelimit", "2"),
        ("sum/data/secret/1.in", "1 2\n"),
        ("sum/data/secret/1.ans", "3\n"),
    ] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub(crate) fn before_a_service() {
    let up = Up::start();
    let mut desk = Desk::new();
    fs::write(desk.path().join("sum.cpp"), SUM).unwrap();
    fs::write(desk.path().join("sum.zip"), package()).unwrap();
    let program = r#""print(sum(map(int, input().split())))""#.to_owned();
    desk.instead = vec![
        ("localhost:2358", up.address.clone()),
        ("https://judge.example", format!("http://{}", up.address)),
        // Without one: this service asks for none.
        ("EVALX_TOKEN=…", String::new()),
        (r#""…""#, program),
        ("https://example.org/", "https://example.invalid/".to_owned()),
    ];
    let (mut typed, mut faults) = (0, Vec::new());
    for block in BLOCKS {
        let Typed::Up(wanted) = block.typed else { continue };
        typed += 1;
        match types(&mut desk, block, &up.address) {
            Ok(said) if wanted.iter().all(|words| said.contains(words)) => {}
            Ok(said) | Err(said) => faults.push(format!("{block:?}\n{said}")),
        }
    }
    assert_eq!(up.stop(Signal::TERM).code, Some(0));
    assert!(typed >= 8, "{typed}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Types a block, and hands out what its last command prints.
fn types(desk: &mut Desk, block: &Block, server: &str) -> Result<String, String> {
    let mut said = String::new();
    // What is exported holds for what comes later.
    let mut exported = format!("export EVALX_SERVER=http://{server}\n");
    for command in commands_of(block) {
        // Judge0's SDK and its installation: target judge0_root.
        let elsewhere = ["evalx up &", "python3 -m venv", "python3 -c 'import judge0"];
        if elsewhere.iter().any(|begins| command.starts_with(begins)) {
            continue;
        }
        if command.starts_with("export ") {
            exported = format!("{exported}{command}\n");
            continue;
        }
        said = desk.types(&format!("{exported}{command}"))?;
        // The hash that is told is the one to go on with.
        if let Some((_, hash)) = said.split_once(r#"{"problem":""#) {
            desk.instead.push(("sha256:9f86d081…", hash.split('"').next().unwrap().to_owned()));
        }
    }
    Ok(said)
}

/// A port that nobody has right now.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The lines of a block with servers.
fn lines(page: &str, begins: &str) -> Vec<String> {
    let is = |block: &&Block| block.page == page && block.begins.starts_with(begins);
    let block = BLOCKS.iter().find(is).unwrap();
    assert!(matches!(block.typed, Typed::Servers), "{block:?}");
    commands_of(block)[0].lines().map(str::to_owned).collect()
}

pub(crate) fn servers() {
    let mut desk = Desk::new();
    let (redis, worker) = (port(), port());
    let kept = format!("--bind 127.0.0.1 --port {redis} --dir {} --save ''", desk.path().display());
    let problems = desk.path().join("problems");
    desk.instead = vec![
        ("redis-server --", format!("redis-server {kept} --")),
        ("redis://localhost", format!("redis://127.0.0.1:{redis}")),
        ("localhost:9464", format!("127.0.0.1:{worker}")),
        ("evalx worker", format!("evalx worker --listen 127.0.0.1:{worker} --slots 1")),
        ("--listen 0.0.0.0:2358", "--listen 127.0.0.1:0".to_owned()),
        ("file:///srv/problems", format!("file://{}", problems.display())),
    ];
    let block = lines("README.md", "redis-server");
    let [first, second, look] = &block[..] else { panic!("{block:?}") };
    let _redis = desk.starts(first);
    until("Redis answers", || TcpStream::connect(("127.0.0.1", redis)).is_ok());
    let _worker = desk.starts(second);
    until("the worker is ready", || {
        desk.types(look).is_ok_and(|said| said.contains(r#""ready":true"#))
    });
    let block = lines("docs/contests.md", "evalx server");
    let mut server = desk.starts(&block[0]);
    let address = server.address();
    assert!(TcpStream::connect(&address).is_ok());
    drop(server);

    let page = fs::read_to_string(root().join("docs/harden.md")).unwrap();
    let (_, tokens) = page.split_once("```yaml\ntokens:").unwrap();
    let tokens = format!("tokens:{}", tokens.split("```").next().unwrap());
    let block = lines("docs/harden.md", "TOKEN=");
    let [token, hash, serve] = &block[..] else { panic!("{block:?}") };
    // Its own hash in the place of the example's, and the server lets it in and nobody else.
    let said = desk.types(&format!("{token}\n{hash}\necho \"$TOKEN\"")).unwrap();
    let [hash, token] = [0, 1].map(|line| said.lines().nth(line).unwrap());
    let hash = hash.split(' ').next().unwrap();
    let (before, rest) = tokens.split_once("hash: sha256:").unwrap();
    let tokens = format!("{before}hash: sha256:{hash}{}", &rest[64..]);
    fs::write(desk.path().join("tokens.yaml"), tokens).unwrap();
    let mut server = desk.starts(serve);
    let address = server.address();
    for (token, code) in [(token, "200"), ("another", "401")] {
        let ask = "curl -s -o /dev/null -w '%{http_code}'";
        let header = format!("-H 'authorization: Bearer {token}'");
        let said = desk.types(&format!("{ask} {header} http://{address}/v1/fleet"));
        assert_eq!(said.unwrap(), code);
    }
}

/// What runbooks tell to type without a cluster.
pub(crate) fn runbooks() {
    let mut desk = Desk::new();
    let redis = port();
    let config =
        format!("bind 127.0.0.1\nport {redis}\nsave \"\"\ndir {}\n", desk.path().display());
    fs::write(desk.path().join("redis.conf"), config).unwrap();
    let _redis = desk.starts("redis-server redis.conf");
    until("Redis answers", || TcpStream::connect(("127.0.0.1", redis)).is_ok());
    let url = format!("redis://127.0.0.1:{redis}");
    let mut server = desk.starts(&format!("evalx server --redis {url}"));
    let address = server.address();
    let post =
        "-H 'content-type: application/json' -d '{\"language\":\"c\",\"source\":\"int main;\"}'";
    let said = desk.types(&format!("curl -s {post} http://{address}/v1/submissions")).unwrap();
    let (_, id) = said.split_once(r#""id":""#).unwrap_or_else(|| panic!("{said}"));
    desk.instead = vec![
        ("http://judge.example:2358", format!("http://{address}")),
        (
            "URL/v1/submissions/ID",
            format!("http://{address}/v1/submissions/{}", &id[..id.find('"').unwrap()]),
        ),
        ("/var/lib/redis", desk.path().display().to_string()),
    ];
    let (mut typed, mut faults) = (0, Vec::new());
    for page in fs::read_dir(root().join("docs/runbooks")).unwrap() {
        let page = format!("docs/runbooks/{}", page.unwrap().file_name().to_str().unwrap());
        for line in commands(&page).iter().flatten().flat_map(|block| block.lines()) {
            if ["kubectl ", "helm ", " "].iter().any(|begins| line.starts_with(begins)) {
                continue;
            }
            typed += 1;
            match desk.types(&format!("export REDIS_URL={url}\n{line}")) {
                // Which is how redis-cli and the service refuse.
                Ok(said) if !said.contains("ERR") && !said.contains("\"error\"") => {}
                Ok(said) | Err(said) => faults.push(format!("{page}: {line}\n{said}")),
            }
        }
    }
    assert!(typed >= 15, "{typed}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let kept = fs::read_to_string(desk.path().join("redis.conf")).unwrap();
    assert!(kept.contains("\nappendfsync always\n"), "what Redis is told to keep: {kept}");
}
