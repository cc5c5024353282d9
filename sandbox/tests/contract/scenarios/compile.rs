//! Compilers: hostile sources, and what becomes of what they leave.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use sandbox::{Bytes, Cancel, Compiled, Contents, Env, InputFile, Job, Limits, Termination};

use super::ensure;
use crate::invariants::alive;
use crate::machine::{at_most, in_time, slowness};
use crate::rig::{Rig, chain};

/// A program is compiled in one box and runs in another.
pub(super) fn compile_and_run(rig: &Rig) -> Result<(), Failed> {
    let source = "#include <stdio.h>\nint main(void) { puts(\"compiled\"); return 3; }\n";
    let into = rig.folder()?;
    let mark = rig.fresh_mark();
    let Compiled { outcome, artefact } = compile(rig, &mark, gcc(&mark, source, &roomy()), &into)?;
    ensure(outcome.termination == Termination::Exited(0), || format!("{outcome:?}"))?;
    let artefact = artefact.ok_or("the compiler exited with 0 and there is no artefact")?;
    let size = fs::metadata(into.join(&mark))?.len();
    ensure(artefact.bytes() >= size, || format!("{} bytes of {size}", artefact.bytes()))?;
    for _ in 0..2 {
        let job = Job {
            artefact: Some(Arc::new(artefact.clone())),
            ..Job::new(vec![format!("/box/{mark}")])
        };
        let outcome = rig.run(&mark, job)?.outcome;
        let ran =
            outcome.termination == Termination::Exited(3) && outcome.stdout.bytes == b"compiled\n";
        ensure(ran, || format!("{outcome:?}"))?;
    }
    let job = gcc(&mark, "int main(void) { return x; }", &roomy());
    let failing = compile(rig, &mark, job, &rig.folder()?)?;
    let refused = failing.outcome.termination == Termination::Exited(1)
        && failing.artefact.is_none()
        && String::from_utf8_lossy(&failing.outcome.stderr.bytes).contains("undeclared");
    ensure(refused, || format!("{failing:?}"))
}

/// Sources that include files without end fail within the limits.
pub(super) fn endless_includes(rig: &Rig) -> Result<(), Failed> {
    let limits = Limits {
        cpu: Duration::from_secs(2),
        wall: Duration::from_secs(3),
        memory: Bytes::mib(96),
        ..roomy()
    };
    for path in ["/dev/zero", "/dev/urandom", "/dev/stdin"] {
        let start = Instant::now();
        let source = format!("#include \"{path}\"\nint main(void) {{}}\n");
        let (into, mark) = (rig.folder()?, rig.fresh_mark());
        let compiled = compile(rig, &mark, gcc(&mark, &source, &limits), &into)?;
        let took = start.elapsed();
        let failed = compiled.outcome.termination != Termination::Exited(0)
            && compiled.artefact.is_none()
            && fs::read_dir(&into)?.next().is_none();
        ensure(failed, || format!("{path} gives {compiled:?}"))?;
        ensure(took < at_most(Duration::from_secs(4)), || format!("{path} took {took:?}"))?;
    }
    Ok(())
}

/// A source that takes in files of the machine gets the box's own or none: nothing of the machine's
/// is in the message or in the program.
pub(super) fn files_of_the_machine(rig: &Rig) -> Result<(), Failed> {
    let secret = rig.folder()?.join("answers");
    fs::write(&secret, "evalx_secret_answer\n")?;
    let secret = secret.display().to_string();
    let include = |path: &str| format!("#include \"{path}\"\nint main(void) {{}}\n");
    let binary =
        |path: &str| format!("__asm__(\".incbin \\\"{path}\\\"\");\nint main(void) {{}}\n");
    for source in [
        include(&secret),
        binary(&secret),
        include("/etc/shadow"),
        binary("/etc/shadow"),
        include("/proc/self/environ"),
        include("../../../../../../etc/shadow"),
    ] {
        let mark = rig.fresh_mark();
        let compiled = compile(rig, &mark, gcc(&mark, &source, &roomy()), &rig.folder()?)?;
        let said = String::from_utf8_lossy(&compiled.outcome.stderr.bytes).into_owned();
        let refused = compiled.outcome.termination == Termination::Exited(1)
            && compiled.artefact.is_none()
            && !said.contains("evalx_secret_answer")
            && !said.contains("root:");
        ensure(refused, || format!("{source:?} gives {compiled:?}"))?;
    }
    Ok(())
}

/// Sources that keep a compiler busy, or fill its memory, end within its limits.
pub(super) fn explosions(rig: &Rig) -> Result<(), Failed> {
    let limits = Limits {
        cpu: Duration::from_secs(2),
        wall: Duration::from_secs(4),
        memory: Bytes::mib(128),
        ..roomy()
    };
    let doubled = |levels: u32| -> String {
        let double = |n: u32| format!("#define M{} M{n} M{n}\n", n + 1);
        let all: String = (0..levels).map(double).collect();
        format!("#define M0 x = x + 1;\n{all}int main(void) {{ int x = 0; M{levels} return x; }}\n")
    };
    let nested =
        format!("int main(void) {{ return {}1{}; }}\n", "(".repeat(400_000), ")".repeat(400_000));
    for (name, source) in [
        ("macros that double 36 times", doubled(36)),
        ("a file that includes itself", "#include __FILE__\n#include __FILE__\n".to_owned()),
        ("deep nesting", nested),
    ] {
        let (into, mark, start) = (rig.folder()?, rig.fresh_mark(), Instant::now());
        let compiled = compile(rig, &mark, gcc(&mark, &source, &limits), &into)?;
        let took = start.elapsed();
        let failed =
            compiled.outcome.termination != Termination::Exited(0) && compiled.artefact.is_none();
        ensure(failed, || format!("{name} gives {:?}", compiled.outcome.termination))?;
        ensure(took < at_most(Duration::from_secs(5)), || format!("{name} took {took:?}"))?;
    }
    Ok(())
}

/// A small source whose program is huge gives none.
pub(super) fn huge_programs(rig: &Rig) -> Result<(), Failed> {
    let limits = Limits { file_size: Bytes::mib(16), disk: Bytes::mib(32), ..roomy() };
    for source in
        ["main[-1u] = {1};\n", "char a[1 << 30] = {1};\nint main(void) { return a[0]; }\n"]
    {
        let (into, mark, start) = (rig.folder()?, rig.fresh_mark(), Instant::now());
        let compiled = compile(rig, &mark, gcc(&mark, source, &limits), &into)?;
        let none = compiled.outcome.termination != Termination::Exited(0)
            && compiled.artefact.is_none()
            && fs::read_dir(&into)?.next().is_none();
        ensure(none, || format!("{source:?} gives {compiled:?}"))?;
        ensure(start.elapsed() < at_most(Duration::from_secs(20)), || {
            format!("{source:?} took long")
        })?;
    }
    Ok(())
}

/// What a compiler runs of the source itself (macros, build scripts) is in the same box.
pub(super) fn code_while_compiling(rig: &Rig) -> Result<(), Failed> {
    let mark = rig.fresh_mark();
    let script = "(echo x >/usr/evalx) && echo usr; cat /etc/shadow && echo shadow; ls /root && echo root; \
                  (echo x >/box/x) && echo box; (setsid sh -c 'sleep 1000' $0 &); echo done >program";
    let argv = ["/bin/sh", "-c", script, &mark].map(str::to_owned);
    let job = Job { env: path(), ..Job::new(argv.to_vec()) };
    let into = rig.folder()?;
    let Compiled { outcome, artefact } = compile(rig, &mark, job, &into)?;
    let made = outcome.termination == Termination::Exited(0) && artefact.is_some();
    ensure(made && outcome.stdout.bytes.is_empty(), || format!("{outcome:?}"))?;
    ensure(fs::read_to_string(into.join("program"))? == "done\n", || "no program".to_owned())?;
    // A bomb in it ends at the limits of compiling.
    let limits = in_time(Limits { cpu: Duration::from_millis(300), ..Limits::default() });
    let bomb = ["/bin/sh", "-c", "while :; do (while :; do :; done) & done", &mark];
    let job = Job { limits, env: path(), ..Job::new(bomb.map(str::to_owned).to_vec()) };
    let compiled = compile(rig, &mark, job, &rig.folder()?)?;
    let ended = compiled.artefact.is_none()
        && !matches!(compiled.outcome.termination, Termination::Exited(0));
    ensure(ended, || format!("a bomb gives {:?}", compiled.outcome.termination))
}

/// Names of files are only names, and contents that are no source are a compiler's matter.
pub(super) fn odd_sources(rig: &Rig) -> Result<(), Failed> {
    let long = "n".repeat(255);
    let names = ["a;rm -rf b", "new\nline", "#\\", "-o", "$(x)", "\u{feff}", " ", "*", &long];
    let file = |name: &str| InputFile {
        path: name.into(),
        contents: Contents::Memory(Arc::from(&b"x"[..])),
        executable: false,
    };
    let mark = rig.fresh_mark();
    let argv = ["/bin/sh", "-c", "printf '%s/' *", &mark].map(str::to_owned);
    let files = names.into_iter().map(file).collect();
    let job = Job { env: path(), files, ..Job::new(argv.to_vec()) };
    let outcome = rig.run(&mark, job)?.outcome;
    let said = String::from_utf8_lossy(&outcome.stdout.bytes).into_owned();
    let mut seen: Vec<_> = said.split_terminator('/').collect();
    let mut wanted = names.to_vec();
    seen.sort_unstable();
    wanted.sort_unstable();
    ensure(seen == wanted, || format!("{wanted:?} became {seen:?}"))?;
    let program = "int main(void) { return 0; }\n";
    for (what, source, code) in [
        ("nothing", String::new(), 1),
        ("a byte order mark", format!("\u{feff}{program}"), 0),
        ("NULs", "\0".repeat(100_000), 1),
        ("an object", format!("\u{7f}ELF\u{2}\u{1}\u{1}{}", "\0".repeat(64)), 1),
        ("a source of 30 MiB", format!("{}{program}", " ".repeat(30 << 20)), 0),
    ] {
        let mark = rig.fresh_mark();
        let compiled = compile(rig, &mark, gcc(&mark, &source, &roomy()), &rig.folder()?)?;
        let ends = compiled.outcome.termination;
        ensure(ends == Termination::Exited(code), || format!("{what} ends as {ends:?}"))?;
    }
    Ok(())
}

/// Of megabytes of error text the first are kept; the compiler runs on to its own end.
pub(super) fn endless_error_text(rig: &Rig) -> Result<(), Failed> {
    // On an emulated CPU fewer have to do: they are still more than is kept.
    let source = "x;\n".repeat(4000 / slowness() as usize);
    let mark = rig.fresh_mark();
    let job = gcc(&mark, &source, &roomy());
    let limit = job.limits.stderr;
    let Compiled { outcome, artefact } = compile(rig, &mark, job, &rig.folder()?)?;
    let failed = outcome.termination == Termination::Exited(1) && artefact.is_none();
    let kept = outcome.stderr.bytes.len() as u64;
    ensure(failed, || format!("{:?}", outcome.termination))?;
    ensure(kept == limit.0 && outcome.stderr.truncated, || format!("{kept} bytes were kept"))
}

/// Links, pipes and whatever else a compiler leaves do not get into the artefact.
pub(super) fn keeps_files_only(rig: &Rig) -> Result<(), Failed> {
    let script = "set -e; mkdir -p d/e; echo x >d/f; echo y >d/e/g; chmod 755 d/f; chmod 0 d/e/g; \
                  ln -s /etc/passwd link; ln -s d/f inner; mkfifo pipe; mkdir empty; chmod 0 d/e";
    let (into, mark) = (rig.folder()?, rig.fresh_mark());
    fs::set_permissions(&into, fs::Permissions::from_mode(0o700))?;
    let shell = |script: &str| {
        let argv = ["/bin/sh", "-c", script, &mark].map(str::to_owned);
        Job { env: path(), ..Job::new(argv.to_vec()) }
    };
    let Compiled { outcome, artefact } = compile(rig, &mark, shell(script), &into)?;
    let made = outcome.termination == Termination::Exited(0) && artefact.is_some();
    ensure(made, || format!("{outcome:?}"))?;
    let mut found = Vec::new();
    list(&into, &into, &mut found)?;
    found.sort();
    let wanted = ["d/", "d/e/", "d/e/g y", "d/f x", "empty/"];
    ensure(found == wanted, || format!("the artefact holds {found:?}"))?;
    // Whatever the modes were, the program that runs next may look around in it and read.
    let job = Job { artefact: artefact.map(Arc::new), ..shell("cd /box; echo *; cat d/f d/e/g") };
    let outcome = rig.run(&mark, job)?.outcome;
    let read =
        outcome.termination == Termination::Exited(0) && outcome.stdout.bytes == b"d empty\nx\ny\n";
    ensure(read, || format!("{outcome:?}"))
}

/// Every entry below a folder: folders with `/`, files with what they hold.
fn list(root: &Path, folder: &Path, found: &mut Vec<String>) -> Result<(), Failed> {
    for entry in fs::read_dir(folder)? {
        let (path, kind) = entry.map(|e| (e.path(), e.file_type()))?;
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        match kind? {
            kind if kind.is_dir() => {
                found.push(format!("{name}/"));
                list(root, &path, found)?;
            }
            kind if kind.is_file() => {
                found.push(format!("{name} {}", fs::read_to_string(&path)?.trim_end()));
            }
            kind => found.push(format!("{name} {kind:?}")),
        }
    }
    Ok(())
}

fn compile(rig: &Rig, mark: &str, job: Job, into: &Path) -> Result<Compiled, Failed> {
    let compiled = rig.sandbox().compile(job, into, &Cancel::new()?).map_err(|e| chain(&e))?;
    let alive = alive(mark);
    ensure(alive.is_empty(), || format!("alive when the call returned: {}", alive.join("; ")))?;
    Ok(compiled)
}

/// Compiles `source` to the program `mark`. The file is named so too, so that the processes that
/// gcc starts are found by it.
fn gcc(mark: &str, source: &str, limits: &Limits) -> Job {
    let file = format!("{mark}.c");
    let argv = ["/usr/bin/gcc", "-fmax-errors=0", "-o", mark, &file];
    Job {
        env: path(),
        limits: limits.clone(),
        files: vec![InputFile {
            path: file.clone().into(),
            contents: Contents::Memory(Arc::from(source.as_bytes())),
            executable: false,
        }],
        ..Job::new(argv.map(str::to_owned).to_vec())
    }
}

fn roomy() -> Limits {
    in_time(Limits { memory: Bytes::mib(512), ..Limits::default() })
}

fn path() -> Env {
    vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())]
}
