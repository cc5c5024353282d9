//! The isolate engine on a machine that has isolate. Each trial is counted as ignored, under the
//! words "isolate is not installed", where it is not.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use sandbox::isolate::{Config, Holding, IsolateSandbox};
use sandbox::{
    Bytes, Cancel, Collect, Contents, InputFile, Job, Mount, Outcome, Refused, Sandbox, Stdin,
    Stdout, Termination,
};

type Test = fn() -> Result<(), Failed>;

const TESTS: &[(&str, Test)] = &[
    ("what_the_installed_isolate_can_do_is_reported", features),
    ("exit_codes_and_signals_come_through", exits),
    ("both_outputs_are_kept_apart", outputs),
    ("the_environment_is_that_of_the_job_and_no_other", environment),
    ("each_kind_of_standard_input_arrives", inputs),
    ("pipes_of_the_caller_reach_the_guest_and_end_with_it", pipes),
    ("files_go_in_and_come_out_and_links_do_not", files),
    ("what_a_compiler_leaves_becomes_an_artefact_that_runs_read_only", compile),
    ("the_cpu_limit_holds_for_all_processes_within_ten_milliseconds", cpu_limit),
    ("a_sleeper_meets_the_wall_limit", wall_limit),
    ("the_memory_limit_holds_for_processes_and_files", memory_limit),
    ("output_beyond_its_limit_ends_the_run", output_limit),
    ("a_file_beyond_its_limit_is_an_output_limit", file_limit),
    ("bytes_and_files_of_the_work_folder_are_limited", disk_limit),
    ("processes_are_limited_and_none_survives", process_limit),
    ("a_deep_tree_does_not_wedge_the_box", deep_tree),
    ("a_cancelled_run_ends_at_once", cancel),
    ("a_program_that_is_not_there_is_our_error", missing_program),
    ("a_guest_that_speaks_like_isolate_is_not_believed", forged_failure),
    ("keys_outlive_no_run_because_there_are_none", keyring),
    ("there_is_no_network_and_no_proc_unless_asked_for", closed_world),
    ("folders_and_files_are_mounted_where_the_engine_was_told", mounts),
    ("runs_in_many_threads_do_not_meet", threads),
    ("nothing_is_left_of_an_engine", nothing_left),
    ("nothing_is_left_of_an_engine_that_was_killed", killed_engine),
];

/// Set for a copy of this program that is to be killed in the middle of a run.
const VICTIM: &str = "--be-killed-in";

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if let [_, flag, state] = &args[..]
        && flag == VICTIM
    {
        return be_killed(Path::new(state));
    }
    let missing = missing();
    let trial = |(name, test): &(&str, Test)| {
        let trial = Trial::test(*name, *test);
        match missing {
            None => trial,
            Some(why) => trial.with_kind(why).with_ignored_flag(true),
        }
    };
    let ended = libtest_mimic::run(&Arguments::from_args(), TESTS.iter().map(trial).collect());
    drop(ENGINE.lock().map(|mut engine| engine.take()));
    ended.exit_code()
}

/// Why nothing can be tested here.
fn missing() -> Option<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).any(|folder| folder.join("isolate").is_file());
    if !installed {
        return Some("isolate is not installed");
    }
    (!rustix::process::geteuid().is_root()).then_some("needs root")
}

/// An engine with a folder of its own has box ids of its own too: it does not see the locks of
/// those that share the default folder.
fn config(state: &Path, ids: Range<u32>) -> Config {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Config { state: state.to_owned(), ids: Some(ids), ..Config::new(path) }
}

static ENGINE: Mutex<Option<Arc<IsolateSandbox>>> = Mutex::new(None);

/// The engine that most trials share; `main` drops it.
fn engine() -> Arc<IsolateSandbox> {
    let mut engine = ENGINE.lock().unwrap();
    let make = || {
        let config = Config::new(std::env::var_os("PATH").unwrap_or_default());
        Arc::new(IsolateSandbox::new(config).unwrap())
    };
    engine.get_or_insert_with(make).clone()
}

fn job(argv: &[&str]) -> Job {
    Job::new(argv.iter().map(|a| (*a).to_owned()).collect())
}

fn shell(script: &str) -> Job {
    job(&["/bin/sh", "-c", script])
}

fn perl(script: &str) -> Job {
    job(&["/usr/bin/perl", "-e", script])
}

fn run(job: Job) -> Outcome {
    engine().run(job, &Cancel::new().unwrap()).unwrap()
}

fn ends(job: Job, expected: Termination) -> Result<Outcome, Failed> {
    let outcome = run(job);
    if outcome.termination == expected {
        return Ok(outcome);
    }
    let said = String::from_utf8_lossy(&outcome.stderr.bytes).into_owned();
    Err(format!("{:?}, not {expected:?}: {said}", outcome.termination).into())
}

fn says(job: Job, expected: &str) -> Result<(), Failed> {
    let outcome = ends(job, Termination::Exited(0))?;
    let said = String::from_utf8_lossy(&outcome.stdout.bytes).into_owned();
    holds(said == expected, format!("{said:?}, not {expected:?}"))
}

fn holds(condition: bool, what: impl std::fmt::Display) -> Result<(), Failed> {
    if condition { Ok(()) } else { Err(what.to_string().into()) }
}

fn features() -> Result<(), Failed> {
    let engine = engine();
    let features = engine.features();
    holds(!features.version.is_empty() && features.boxes > 0, format!("{features:?}"))?;
    holds(!matches!(features.holding, Holding::AddressSpace { .. }), format!("{features:?}"))
}

fn exits() -> Result<(), Failed> {
    for code in [0, 1, 127, 255] {
        ends(shell(&format!("exit {code}")), Termination::Exited(code))?;
    }
    for signal in [libc::SIGSEGV, libc::SIGKILL, libc::SIGTERM, libc::SIGRTMAX()] {
        ends(shell(&format!("kill -{signal} $$")), Termination::Signalled(signal))?;
    }
    ends(shell("kill -SYS $$"), Termination::ForbiddenCall).map(|_| ())
}

fn outputs() -> Result<(), Failed> {
    let outcome = ends(shell("echo out; echo err >&2"), Termination::Exited(0))?;
    holds(outcome.stdout.bytes == b"out\n", "stdout")?;
    holds(outcome.stderr.bytes == b"err\n", "stderr")?;
    let mut flood = shell("head -c 300000 /dev/zero >&2");
    flood.limits.stderr = Bytes(1000);
    let outcome = ends(flood, Termination::Exited(0))?;
    holds(outcome.stderr.bytes.len() == 1000 && outcome.stderr.truncated, "stderr is capped")
}

fn environment() -> Result<(), Failed> {
    let mut job = job(&["/usr/bin/env"]);
    job.env = vec![("A".into(), "1 2=3".into()), ("EMPTY".into(), String::new())];
    let outcome = ends(job, Termination::Exited(0))?;
    let said = String::from_utf8(outcome.stdout.bytes).unwrap();
    let mut lines: Vec<_> = said.lines().collect();
    lines.sort_unstable();
    holds(lines == ["A=1 2=3", "EMPTY="], said.clone())?;
    says(shell("pwd; id -un; uname -n"), "/w\nguest\nevalx\n")
}

fn inputs() -> Result<(), Failed> {
    says(job(&["/bin/cat"]), "")?;
    let mut closed = job(&["/bin/cat"]);
    closed.stdin = Stdin::Closed;
    let said = ends(closed, Termination::Exited(1))?.stderr.bytes;
    let said = String::from_utf8(said).unwrap();
    holds(said.contains("Bad file descriptor"), said)?;
    let script = "cat; cat /dev/stdin; (: > /dev/stdin) 2>/dev/null || echo ' sealed'";
    let mut contents = shell(script);
    contents.stdin = Stdin::Contents(Contents::Memory(Arc::from(&b"abcdef"[..])));
    contents.proc = true;
    says(contents, "abcdefabcdef sealed\n")?;
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "from a file").unwrap();
    let mut cat = job(&["/bin/cat"]);
    cat.stdin = Stdin::Contents(Contents::File(file.path().to_owned()));
    says(cat, "from a file")
}

fn pipes() -> Result<(), Failed> {
    let (guest_reads, mut we_write) = std::io::pipe().unwrap();
    let (mut we_read, guest_writes) = std::io::pipe().unwrap();
    let mut cat = job(&["/bin/cat"]);
    cat.stdin = Stdin::Pipe(guest_reads.into());
    cat.stdout = Stdout::Pipe(guest_writes.into());
    std::thread::scope(|scope| {
        let ran = scope.spawn(|| run(cat));
        let block = vec![7u8; 1 << 20];
        let reader = scope.spawn(move || {
            let mut all = Vec::new();
            we_read.read_to_end(&mut all).map(|_| all)
        });
        for _ in 0..8 {
            we_write.write_all(&block).unwrap();
        }
        drop(we_write);
        let echoed = reader.join().unwrap().unwrap();
        holds(echoed.len() == 8 << 20 && echoed.iter().all(|b| *b == 7), "8 MiB both ways")?;
        holds(ran.join().unwrap().termination == Termination::Exited(0), "cat ends")
    })
}

fn files() -> Result<(), Failed> {
    let mut job = shell(
        "cat in/deep/a.txt > out.txt; ./tool; ln -s /etc/passwd link; mkdir dir; mkfifo pipe; \
         head -c 100 /dev/zero > big; echo x > /tmp/t; echo y > /dev/shm/s; rm in/deep/a.txt",
    );
    let input = |path: &str, text: &[u8], executable| InputFile {
        path: path.into(),
        contents: Contents::Memory(Arc::from(text)),
        executable,
    };
    job.files = vec![
        input("in/deep/a.txt", b"hello", false),
        input("tool", b"#!/bin/sh\necho tool > tool.txt\n", true),
    ];
    let wanted = ["out.txt", "tool.txt", "link", "dir", "pipe", "big", "none", "out.txt/x"];
    job.collect = wanted.iter().map(|p| Collect { path: p.into(), max: Bytes(50) }).collect();
    let outcome = ends(job, Termination::Exited(0))?;
    let got: Vec<_> = outcome.files.into_iter().map(|f| f.contents).collect();
    let expected = [
        Ok(b"hello".to_vec()),
        Ok(b"tool\n".to_vec()),
        Err(Refused::NotRegular),
        Err(Refused::NotRegular),
        Err(Refused::NotRegular),
        Err(Refused::TooLarge { max: Bytes(50) }),
        Err(Refused::Missing),
        Err(Refused::Missing),
    ];
    holds(got == expected, format!("{got:?}"))?;
    says(shell("ls -A /w /tmp /dev/shm /box"), "/box:\n\n/dev/shm:\n\n/tmp:\n\n/w:\n")
}

fn compile() -> Result<(), Failed> {
    let into = tempfile::tempdir().unwrap();
    let script = "mkdir -p a/b; printf '#!/bin/sh\\necho made; touch /box/x' > a/b/main; \
                  chmod +x a/b/main; ln -s /etc/passwd a/link; truncate -s 1M a/hole";
    let never = Cancel::new().unwrap();
    let compiled = engine().compile(shell(script), into.path(), &never).unwrap();
    let artefact = compiled.artefact.unwrap();
    holds(artefact.bytes() < 1 << 20, format!("{} bytes", artefact.bytes()))?;
    holds(!into.path().join("a/link").exists(), "links stay behind")?;
    let hole = fs::metadata(into.path().join("a/hole")).unwrap().len();
    holds(hole == 1 << 20, format!("{hole} bytes in the sparse file"))?;
    let mut job = job(&["/box/a/b/main"]);
    job.artefact = Some(Arc::new(artefact));
    let outcome = ends(job, Termination::Exited(1))?;
    holds(outcome.stdout.bytes == b"made\n", "it runs")?;
    let said = String::from_utf8(outcome.stderr.bytes).unwrap();
    holds(said.contains("Read-only file system"), said)?;
    let empty = tempfile::tempdir().unwrap();
    let failed = engine().compile(shell("touch x; exit 3"), empty.path(), &never).unwrap();
    holds(failed.artefact.is_none(), "no artefact of a failure")?;
    holds(fs::read_dir(empty.path()).unwrap().count() == 0, "nothing was copied")
}

fn cpu_limit() -> Result<(), Failed> {
    let spin = "sh -c 'while :; do :; done' & while :; do :; done";
    let limit = Duration::from_millis(300);
    let mut over = Vec::new();
    // On a machine that is busy with something else the watch may get its turn late.
    for _ in 0..3 {
        let mut job = shell(spin);
        job.limits.cpu = limit;
        over.push(ends(job, Termination::CpuLimit)?.usage.cpu.saturating_sub(limit));
    }
    let least = over.iter().min().unwrap();
    holds(*least < Duration::from_millis(10), format!("{over:?} over the limit"))
}

fn wall_limit() -> Result<(), Failed> {
    let mut job = job(&["/bin/sleep", "100"]);
    job.limits.wall = Duration::from_millis(200);
    let outcome = ends(job, Termination::WallLimit)?;
    let wall = outcome.usage.wall;
    holds(wall >= Duration::from_millis(200) && wall < Duration::from_secs(2), format!("{wall:?}"))
}

fn memory_limit() -> Result<(), Failed> {
    let limits = |mut job: Job| {
        job.limits.memory = Bytes::mib(32);
        job.limits.disk = Bytes::mib(256);
        job.limits.file_size = Bytes::mib(256);
        job
    };
    ends(limits(job(&["/usr/bin/tail", "/dev/zero"])), Termination::MemoryLimit)?;
    let file = "head -c 100M /dev/zero > /dev/shm/x";
    ends(limits(shell(file)), Termination::MemoryLimit)?;
    let child = "sh -c 'tail /dev/zero' & wait; exit 0";
    ends(limits(shell(child)), Termination::MemoryLimit)?;
    let modest = shell("head -c 20M /dev/zero > /dev/shm/x");
    let used = ends(limits(modest), Termination::Exited(0))?.usage.memory;
    holds((19 << 20..32 << 20).contains(&used), format!("{used} bytes"))
}

fn output_limit() -> Result<(), Failed> {
    let mut job = job(&["/bin/cat", "/dev/zero"]);
    job.limits.output = Bytes::kib(100);
    let outcome = ends(job, Termination::OutputLimit)?;
    holds(outcome.stdout.bytes.len() == 100 << 10 && outcome.stdout.truncated, "kept bytes")?;
    let mut late = shell("head -c 101 /dev/zero");
    late.limits.output = Bytes(100);
    ends(late, Termination::OutputLimit)?;
    let mut just = shell("head -c 100 /dev/zero");
    just.limits.output = Bytes(100);
    ends(just, Termination::Exited(0)).map(|_| ())
}

fn file_limit() -> Result<(), Failed> {
    let mut job = job(&["/bin/dd", "if=/dev/zero", "of=x", "bs=4k", "count=10"]);
    job.limits.file_size = Bytes::kib(8);
    ends(job, Termination::OutputLimit).map(|_| ())
}

fn disk_limit() -> Result<(), Failed> {
    let mut bytes = shell("head -c 2M /dev/zero > x");
    bytes.limits.disk = Bytes::mib(1);
    ends(bytes, Termination::Exited(1))?;
    let mut files = shell("for i in 1 2 3 4 5 6; do : > $i || exit 9; done");
    files.limits.inodes = 5;
    ends(files, Termination::Exited(2))?;
    let mut enough = shell("for i in 1 2 3 4 5; do : > $i || exit 9; done");
    enough.limits.inodes = 5;
    ends(enough, Termination::Exited(0)).map(|_| ())
}

fn process_limit() -> Result<(), Failed> {
    let mut bomb = perl("1 while defined fork; exit 3");
    bomb.limits.processes = 20;
    bomb.limits.cpu = Duration::from_secs(1);
    bomb.limits.wall = Duration::from_secs(3);
    let started = Instant::now();
    let ended = run(bomb).termination;
    let bounded =
        matches!(ended, Termination::Exited(3) | Termination::CpuLimit | Termination::WallLimit);
    holds(bounded, format!("{ended:?}"))?;
    holds(started.elapsed() < Duration::from_secs(5), "it ends")?;
    let mut one = shell("/bin/true & wait $!");
    one.limits.processes = 1;
    let outcome = run(one);
    holds(outcome.termination != Termination::Exited(0), "one process cannot fork")?;
    ends(shell("setsid sleep 100 & exit 0"), Termination::Exited(0))?;
    no_guests()
}

fn deep_tree() -> Result<(), Failed> {
    let dig = "for (1..3000) { mkdir 'd' or last; chdir 'd' or last } mkdir 'locked', 0;";
    let into = tempfile::tempdir().unwrap();
    let never = Cancel::new().unwrap();
    let compiled = engine().compile(perl(dig), into.path(), &never).unwrap();
    holds(compiled.artefact.is_some(), format!("{:?}", compiled.outcome))?;
    holds(engine().quarantined().is_empty(), "no box was given up")
}

fn cancel() -> Result<(), Failed> {
    let flag = Cancel::new().unwrap();
    std::thread::scope(|scope| {
        let started = Instant::now();
        let ran = scope.spawn(|| engine().run(job(&["/bin/sleep", "100"]), &flag).unwrap());
        flag.cancel();
        let ended = ran.join().unwrap().termination;
        holds(ended == Termination::Cancelled, format!("{ended:?}"))?;
        holds(started.elapsed() < Duration::from_secs(2), "at once")
    })
}

fn missing_program() -> Result<(), Failed> {
    for program in ["/nowhere", "/box/main", "/w/main", "/etc/passwd"] {
        let refused = engine().run(job(&[program]), &Cancel::new().unwrap());
        holds(matches!(refused, Err(sandbox::Error::Engine { .. })), format!("{refused:?}"))?;
    }
    Ok(())
}

fn forged_failure() -> Result<(), Failed> {
    let forged = "echo 'execve(\"/bin/sh\"): Resource temporarily unavailable' >&2; exit 127";
    ends(shell(forged), Termination::Exited(127)).map(|_| ())
}

fn keyring() -> Result<(), Failed> {
    // add_key("user", "evalx", "x", 1, KEY_SPEC_USER_KEYRING) by its number on x86-64 or aarch64.
    let number = if cfg!(target_arch = "x86_64") { 248 } else { 217 };
    let script = format!(
        "my ($t, $d, $p) = ('user', 'evalx', 'x'); \
         my $r = syscall({number}, $t, $d, $p, 1, -4); exit($r < 0 ? $!+0 : 0)"
    );
    ends(perl(&script), Termination::Exited(libc::ENOSYS)).map(|_| ())
}

fn closed_world() -> Result<(), Failed> {
    let connect = "use Socket; socket(S, PF_INET, SOCK_STREAM, 0) or exit 1; \
                   connect(S, sockaddr_in(80, inet_aton('169.254.169.254'))) and exit 0; exit 2;";
    ends(perl(connect), Termination::Exited(2))?;
    let there = "for f in /proc/self /proc/1 /etc/shadow /root /home /sys /run /dev/mem /dev/vda; \
                 do test -e $f && echo $f; done; exit 0";
    says(shell(there), "")?;
    let mut with_proc = shell("test -d /proc/self && test ! -e /proc/1/fd && echo proc");
    with_proc.proc = true;
    says(with_proc, "proc\n")
}

fn mounts() -> Result<(), Failed> {
    let (state, from) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(from.path().join("f"), "text").unwrap();
    let file = from.path().join("f");
    let mount = |from: &Path, to: &str| Mount { from: from.to_owned(), to: to.into() };
    let mut config = config(state.path(), 100..102);
    config.mounts = vec![
        mount(from.path(), "/opt/tool"),
        mount(&file, "/opt/conf/f.conf"),
        mount(from.path(), "/etc/tool"),
        mount(&file, "/etc/tool.conf"),
        mount(Path::new("/usr/bin"), "/usr/bin"),
    ];
    let engine = IsolateSandbox::new(config).unwrap();
    let script = "cat /opt/tool/f /opt/conf/f.conf /etc/tool/f /etc/tool.conf";
    let outcome = engine.run(shell(script), &Cancel::new().unwrap()).unwrap();
    holds(outcome.stdout.bytes == b"texttexttexttext", format!("{outcome:?}"))?;
    drop(engine);
    for (from, to) in [("/nowhere", "/opt/x"), ("/usr", "/w/x"), ("/usr", "opt"), ("/usr", "/")] {
        let mut config = self::config(state.path(), 100..102);
        config.mounts = vec![mount(Path::new(from), to)];
        holds(IsolateSandbox::new(config).is_err(), format!("{from} at {to}"))?;
    }
    Ok(())
}

fn threads() -> Result<(), Failed> {
    std::thread::scope(|scope| {
        let run_one = |n: usize| {
            let script =
                format!("echo {n} > /tmp/x; echo {n} > y; sleep 0.05; cat /tmp/x y; ls /tmp");
            says(shell(&script), &format!("{n}\n{n}\nx\n"))
        };
        let runs: Vec<_> = (0..8).map(|n| scope.spawn(move || run_one(n))).collect();
        runs.into_iter().try_for_each(|run| run.join().unwrap())
    })
}

fn nothing_left() -> Result<(), Failed> {
    let before = mounted();
    let state = tempfile::tempdir().unwrap();
    let engine = IsolateSandbox::new(config(state.path(), 102..104)).unwrap();
    let box_root = engine.features().box_root.clone();
    let script = "mkdir a; ln -s / a/l; touch /tmp/x /dev/shm/y; setsid sleep 100 & exit 0";
    engine.run(shell(script), &Cancel::new().unwrap()).unwrap();
    for id in ["102", "103"] {
        holds(!box_root.join(id).exists(), "its box is gone")?;
    }
    drop(engine);
    holds(mounted() == before, "mounts")?;
    let left: Vec<_> = listed(state.path()).into_iter().flat_map(|p| listed(&p)).collect();
    holds(left.is_empty(), format!("{left:?}"))?;
    no_guests()
}

fn killed_engine() -> Result<(), Failed> {
    let state = tempfile::tempdir().unwrap();
    #[expect(clippy::disallowed_methods, reason = "a process of this test's own to be killed")]
    let mut victim = std::process::Command::new(std::env::current_exe().unwrap())
        .arg(VICTIM)
        .arg(state.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let told = BufReader::new(victim.stdout.take().unwrap()).read_line(&mut line);
    victim.kill().unwrap();
    victim.wait().unwrap();
    holds(told.is_ok() && line == "guest\n", line)?;
    let deadline = Instant::now() + Duration::from_secs(1);
    while !sleepers().is_empty() {
        holds(Instant::now() < deadline, format!("alive after 1 s: {:?}", sleepers()))?;
        std::thread::yield_now();
    }
    let next = IsolateSandbox::new(config(state.path(), 104..106)).unwrap();
    let engines = listed(state.path()).into_iter().filter(|p| p.is_dir());
    let engines = engines.filter(|p| p.to_string_lossy().contains("engine-")).count();
    holds(engines == 1, format!("{engines} engines"))?;
    holds(!next.features().box_root.join("104").exists(), "its box is gone")?;
    drop(next);
    holds(listed(&state.path().join("boxes")).is_empty(), "locks")
}

/// The seconds that the guest of a victim sleeps: nobody else's.
const SLEEP: &str = "98765.4321";

/// In the victim: says so once its guest lives, and waits to be killed.
fn be_killed(state: &Path) -> ExitCode {
    let engine = IsolateSandbox::new(config(state, 104..106)).unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut job = shell(&format!("echo guest; exec sleep {SLEEP}"));
    job.stdout = Stdout::Pipe(writer.into());
    std::thread::scope(|scope| {
        scope.spawn(|| engine.run(job, &Cancel::new().unwrap()));
        let mut line = [0; 6];
        reader.read_exact(&mut line).unwrap();
        std::io::stdout().write_all(&line).unwrap();
    });
    ExitCode::FAILURE
}

fn sleepers() -> Vec<PathBuf> {
    let sleeps = |process: &PathBuf| {
        let command = fs::read(process.join("cmdline")).unwrap_or_default();
        command.starts_with(b"sleep\0") && command.ends_with(format!("{SLEEP}\0").as_bytes())
    };
    listed(Path::new("/proc")).into_iter().filter(sleeps).collect()
}

/// No process runs as a user of the shared engine's boxes, except for those of other trials.
fn no_guests() -> Result<(), Failed> {
    let daemons = |process: &PathBuf| {
        let command = fs::read(process.join("cmdline")).unwrap_or_default();
        command == b"sleep\x00100\0"
    };
    let deadline = Instant::now() + Duration::from_secs(3);
    loop {
        let left: Vec<_> = listed(Path::new("/proc")).into_iter().filter(daemons).collect();
        if left.is_empty() {
            return Ok(());
        }
        holds(Instant::now() < deadline, format!("{left:?}"))?;
        std::thread::yield_now();
    }
}

fn mounted() -> Vec<String> {
    let all = fs::read_to_string("/proc/self/mountinfo").unwrap();
    all.lines().filter(|l| l.contains("evalx")).map(str::to_owned).collect()
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect()
}
