//! Two boxes at once, and two runs behind each other.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, pipe};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use libtest_mimic::Failed;
use rustix::fs::{FlockOperation, flock};
use sandbox::{
    Cancel, Contents, Engine, Job, Limits, NativeSandbox, Outcome, Sandbox as _, Stdin, Stdout,
    Termination, native,
};

use super::ensure;
use crate::invariants::{agents, alive, has_box, nothing_left_of, within};
use crate::machine::{in_time, slowness};
use crate::rig::{Rig, Staged, chain};
use crate::victim::Victim;

/// How many boxes the suite uses at once; the rig has warmed up as many.
pub(crate) const AT_ONCE: usize = 4;

/// Four callers, each gets what belongs to its own runs.
pub(super) fn boxes_at_once(rig: &Rig) -> Result<(), Failed> {
    let caller = |number: usize| -> Result<(), Failed> {
        let program = rig.program("cat")?;
        for turn in 0..5 {
            let text = format!("{number}.{turn};").repeat(20_000);
            let contents = Contents::Memory(Arc::from(text.as_bytes()));
            let job = Job { stdin: Stdin::Contents(contents), ..program.job(&[]) };
            let outcome = rig.run(&program.mark, job)?.outcome;
            let own = outcome.termination == Termination::Exited(0)
                && outcome.stdout.bytes == text.as_bytes();
            ensure(own, || format!("caller {number} got {:?}", outcome.termination))?;
        }
        Ok(())
    };
    let results: Vec<_> = thread::scope(|scope| {
        let callers: Vec<_> = (0..AT_ONCE).map(|n| scope.spawn(move || caller(n))).collect();
        callers.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    results.into_iter().try_for_each(|r| r.map_err(|_| "a calling thread panicked")?)
}

/// Boxes that are more than one range has user ids, all of them busy at once.
const MANY: usize = 70;

/// Each of very many boxes has a user id that no other has. isolate has its own ids, by its
/// configuration.
pub(super) fn ids_of_many_boxes(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let boxes = u32::try_from(MANY).unwrap_or(u32::MAX);
    let config = native::Config { boxes, ..native::Config::default() };
    let sandbox = NativeSandbox::new(config).map_err(|error| chain(&error))?;
    sandbox.warm_up(MANY).map_err(|error| chain(&error))?;
    let program = rig.program("whoami")?;
    let whoami = || -> Result<Vec<u8>, Failed> {
        // All start at the same time, on few CPUs, and none is to end before the last has begun.
        let limits = in_time(Limits { wall: Duration::from_secs(30), ..Limits::default() });
        let job = Job { limits, ..program.job(&[&slowness().to_string()]) };
        let outcome = sandbox.run(job, &Cancel::new()?).map_err(|error| chain(&error))?;
        let well = outcome.termination == Termination::Exited(0);
        ensure(well, || format!("it ended with {:?}", outcome.termination))?;
        Ok(outcome.stdout.bytes)
    };
    let results: Vec<_> = thread::scope(|scope| {
        let callers: Vec<_> = (0..MANY).map(|_| scope.spawn(whoami)).collect();
        callers.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    let ids = results.into_iter().map(|r| r.map_err(|_| "a calling thread panicked")?);
    let ids: BTreeSet<Vec<u8>> = ids.collect::<Result<_, Failed>>()?;
    ensure(ids.len() == MANY, || format!("{} ids for {MANY} boxes", ids.len()))
}

/// One box listens wherever it may, another one looks for it.
pub(super) fn two_boxes_cannot_meet(rig: &Rig) -> Result<(), Failed> {
    let (listener, guest) = (rig.program("meet")?, rig.program("meet")?);
    let host = listener.job(&["listen"]);
    let (met, rest) = beside(rig, (&listener, host, "listening=yes"), || {
        Ok(rig.run(&guest.mark, guest.job(&["connect"]))?.outcome)
    })?;
    ensure(rest == "guests=0\n", || format!("the listener says {rest:?}"))?;
    let said = String::from_utf8_lossy(&met.stdout.bytes).into_owned();
    let kept_apart = said.lines().count() == 5 && !said.contains("=ok");
    ensure(met.termination == Termination::Exited(0) && kept_apart, || format!("found: {said}"))
}

/// One box holds and uses whatever it sees of the machine, another one looks at the same, and so do
/// we: nobody notices. isolate takes locks away and leaves watches.
pub(super) fn shared_files_tell_nothing(rig: &Rig) -> Result<(), Failed> {
    let (holder, guest) = (rig.program("neighbours")?, rig.program("neighbours")?);
    let looks = || -> Result<Outcome, Failed> {
        // A machine whose linker was never set up has no cache.
        let cache = Some("/etc/ld.so.cache").filter(|path| Path::new(path).exists());
        for path in ["/usr/bin/env", "/usr", "/dev/null"].into_iter().chain(cache) {
            let file = File::open(path)?;
            let free = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
            ensure(free, || format!("a box holds {path} of the machine"))?;
        }
        Ok(rig.run(&guest.mark, guest.job(&["look"]))?.outcome)
    };
    let host = holder.job(&["hold"]);
    let (seen, _) = beside(rig, (&holder, host, "holding=yes"), looks)?;
    let said = String::from_utf8_lossy(&seen.stdout.bytes).into_owned();
    let kinds = ["flock", "lock", "ofd", "inotify", "dnotify"];
    let visible = |kind: &&&str| !said.lines().any(|line| line == format!("{kind}=0"));
    let seen: Vec<_> = kinds.iter().filter(visible).collect();
    let leave = if rig.engine() == Engine::Isolate { &["inotify", "dnotify"][..] } else { &[] };
    let wrong: Vec<_> = seen.iter().filter(|kind| !leave.contains(**kind)).collect();
    ensure(wrong.is_empty(), || format!("one box sees of another: {said}"))
}

/// Runs `host` until it says `line`, then does `guest` beside it, and ends its input. What came of
/// the guest, and what else the host said.
fn beside(
    rig: &Rig,
    (program, job, line): (&Staged, Job, &str),
    guest: impl FnOnce() -> Result<Outcome, Failed>,
) -> Result<(Outcome, String), Failed> {
    let (host_in, until) = pipe()?;
    let (from_host, host_out) = pipe()?;
    let job =
        Job { stdin: Stdin::Pipe(host_in.into()), stdout: Stdout::Pipe(host_out.into()), ..job };
    let (host, met, rest) = thread::scope(|scope| {
        let host = scope.spawn(|| rig.run(&program.mark, job));
        let mut from_host = BufReader::new(from_host);
        let mut text = String::new();
        let up = from_host.read_line(&mut text);
        let met = match up {
            Ok(_) if text.trim_end() == line => guest(),
            other => Err(format!("the first box says {text:?} ({other:?})").into()),
        };
        // The end of its input is what it waits for.
        drop(until);
        let mut rest = String::new();
        let read = from_host.read_to_string(&mut rest);
        (host.join(), met, read.map(|_| rest))
    });
    let met = met?;
    let host = host.map_err(|_| "the first box's thread panicked")??.outcome;
    ensure(host.termination == Termination::Exited(0), || format!("{host:?}"))?;
    ensure(met.termination == Termination::Exited(0), || format!("{met:?}"))?;
    Ok((met, rest?))
}

/// Two workers on one machine, each busy: no user id is of both.
pub(super) fn ids_of_two_workers(rig: &Rig) -> Result<(), Failed> {
    let (own, others) = (rig.program("tree")?, rig.program("tree")?);
    let mut victim = Victim::start(rig.engine(), &others, &[])?;
    let cancel = Cancel::new()?;
    let (ids, ran) = thread::scope(|scope| {
        let run = scope.spawn(|| rig.run_until(&own.mark, own.job(&[]), &cancel));
        let up = |mark: &str| alive(mark).len() >= 5;
        let both = within(Duration::from_secs(10), || up(&own.mark) && up(&others.mark));
        let ids = [&own.mark, &others.mark].map(|mark| user_ids(mark));
        cancel.cancel();
        (both.then_some(ids), run.join())
    });
    victim.kill()?;
    ran.map_err(|_| "the running thread panicked")??;
    let [ours, theirs] = ids.ok_or("the guests did not show up")?;
    let apart = !ours.is_empty() && !theirs.is_empty() && ours.is_disjoint(&theirs);
    ensure(apart, || format!("ids of one worker: {ours:?}, of the other: {theirs:?}"))?;
    let gone = within(Duration::from_secs(1), || alive(&others.mark).is_empty());
    ensure(gone, || "the other worker's guests outlive it".to_owned())?;
    // The next start takes away what a killed one left.
    let program = rig.program("exit_with")?;
    let owner = victim.id();
    let mut next = Victim::start(rig.engine(), &program, &["0"])?;
    ensure(next.ends_well()?, || "the next start of an engine does not work".to_owned())?;
    nothing_left_of(owner)
}

/// Whom the processes that bear `mark` belong to: guests only, not those of the engine (root's).
pub(super) fn user_ids(mark: &str) -> BTreeSet<u32> {
    let pids = alive(mark);
    let pids = pids.iter().filter_map(|line| line.split(' ').next());
    let owner = |pid: &str| fs::metadata(Path::new("/proc").join(pid)).ok().map(|m| m.uid());
    pids.filter_map(owner).filter(|uid| *uid != 0).collect()
}

/// What one run leaves of each kind, the next ones do not find.
pub(super) fn nothing_is_left(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("leftovers")?;
    let mut pids = BTreeSet::new();
    for turn in ["leave", "look", "look", "leave", "look"] {
        let outcome = rig.run(&program.mark, program.job(&[turn]))?.outcome;
        let said = String::from_utf8_lossy(&outcome.stdout.bytes).into_owned();
        ensure(outcome.termination == Termination::Exited(0), || format!("{turn}: {outcome:?}"))?;
        ensure(turn == "leave" || !said.contains("=ok"), || format!("found: {said}"))?;
        pids.extend(said.lines().filter(|line| line.starts_with("pid=")).map(str::to_owned));
        let left = ["work", "tmp", "shm_file", "segment", "name"]
            .iter()
            .all(|k| said.lines().any(|line| line == format!("{k}=ok")));
        ensure(turn == "look" || left, || format!("cannot leave anything: {said}"))?;
    }
    // How many processes there were before does not show either.
    ensure(pids.len() == 1, || format!("the runs' first processes are numbered {pids:?}"))
}

/// What one run makes and takes away again, the next one cannot tell: the kernel counts on from the
/// ids that it has given (ipc/util.c, ipc_idr_alloc).
pub(super) fn nothing_is_counted(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("leftovers")?;
    let ids = || -> Result<Vec<u8>, Failed> {
        let outcome = rig.run(&program.mark, program.job(&["count"]))?.outcome;
        ensure(outcome.termination == Termination::Exited(0), || format!("{outcome:?}"))?;
        Ok(outcome.stdout.bytes)
    };
    let first = ids()?;
    ensure(first.iter().filter(|byte| **byte == b'\n').count() == 3, || format!("{first:?}"))?;
    for turn in 2..5 {
        let seen = ids()?;
        let text = || format!("run {turn}: {}", String::from_utf8_lossy(&seen));
        ensure(seen == first, text)?;
    }
    Ok(())
}

/// The same where another one has the machine's only listener for filters, so that nobody is told
/// of what a guest may have made.
pub(super) fn beside_another_listener(rig: &Rig) -> Result<(), Failed> {
    for case in ["a48_nothing_is_left_for_the_next_run", "a48_nothing_is_counted"] {
        #[expect(clippy::disallowed_methods, reason = "this binary itself, below a filter")]
        let output = Command::new(rig.host_program("overhear")?)
            .arg(std::env::current_exe()?)
            .args(["--exact", &format!("{}::{case}", rig.engine())])
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let ran = output.status.success() && said.contains("1 passed");
        ensure(ran, || format!("{case}, {}: {said}", output.status))?;
    }
    Ok(())
}

/// The shared folders are as new for each run, whatever the one before did to them or in them.
pub(super) fn folders_as_new(rig: &Rig) -> Result<(), Failed> {
    let says = |script: &str| -> Result<String, Failed> {
        let mark = rig.fresh_mark();
        let argv = ["/bin/sh", "-c", script, &mark].map(str::to_owned);
        let env = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        let outcome = rig.run(&mark, Job { env, ..Job::new(argv.to_vec()) })?.outcome;
        ensure(outcome.termination == Termination::Exited(0), || format!("{script}: {outcome:?}"))?;
        Ok(String::from_utf8_lossy(&outcome.stdout.bytes).into_owned())
    };
    let look = "find /w /tmp /dev/shm -printf '%p %m %n\\n' \
                '(' -newermt 2100-01-01 -o ! -newermt 2020-01-01 ')' -printf 'of %T+\\n'";
    let new = says(look)?;
    // Time stamps have the granularity of a tick: what happens right after a box was made is the
    // hard case, and what happens later the usual one.
    let deeds = [
        "touch -d 1999-09-09 /w",
        "touch -d 2199-09-09 /w",
        "chmod 711 /w",
        "chmod 711 /w; chmod 700 /w; mkdir /w/x",
        "echo x > /w/.x",
        "echo x > /dev/shm/x; echo y > /tmp/y",
        "mkdir -p /w/a/b; touch -d '1 hour ago' /w",
    ];
    for deed in deeds {
        for _ in 0..3 {
            says(deed)?;
            let seen = says(look)?;
            ensure(seen == new, || {
                format!("after {deed:?} the next run sees {seen:?}, not {new:?}")
            })?;
        }
    }
    Ok(())
}

/// An empty standard input is the run's own: what one run does to it no other one sees.
pub(super) fn empty_input_tells_nothing(rig: &Rig) -> Result<(), Failed> {
    let (holder, guest) = (rig.program("empty_input")?, rig.program("empty_input")?);
    let (from_holder, out) = pipe()?;
    let cancel = Cancel::new()?;
    let job = Job { stdout: Stdout::Pipe(out.into()), ..holder.job(&["hold"]) };
    let (held, said, seen) = thread::scope(|scope| {
        let held = scope.spawn(|| rig.run_until(&holder.mark, job, &cancel));
        let lines = BufReader::new(from_holder).lines().map_while(Result::ok);
        let said: Vec<_> = lines.take_while(|line| line != "holding=yes").collect();
        let seen = rig.run(&guest.mark, guest.job(&["look"]));
        cancel.cancel();
        (held.join(), said, seen)
    });
    let held = held.map_err(|_| "the holder's thread panicked")??.outcome;
    ensure(held.termination == Termination::Cancelled, || format!("{held:?}"))?;
    let stamped = said.len() == 2 && said[0] == "stamped=ok";
    ensure(stamped, || format!("the holder cannot stamp its input: {said:?}"))?;
    let seen = seen?.outcome;
    let text = String::from_utf8_lossy(&seen.stdout.bytes).into_owned();
    let lines: Vec<_> = text.lines().collect();
    let apart = matches!(lines[..], ["read=0", stamp, "held=0", "owned=0"] if stamp != said[1]);
    ensure(apart, || format!("one says {said:?}, the other one {text}"))
}

/// A box is there before anybody asks for it: behind a run that was alone, and behind several at once.
pub(super) fn armed_behind_the_run(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    // One for each: whoever gets a result looks whether its program is still alive.
    let programs = (0..AT_ONCE).map(|_| rig.program("exit_with")).collect::<Result<Vec<_>, _>>()?;
    for runs in [1, AT_ONCE] {
        thread::scope(|scope| {
            let run = |program: &Staged| rig.run(&program.mark, program.job(&["0"])).map(|_| ());
            let runs: Vec<_> =
                programs[..runs].iter().map(|program| scope.spawn(move || run(program))).collect();
            runs.into_iter().try_for_each(|run| run.join().map_err(|_| "a thread panicked")?)
        })?;
        let mut seen = (0, 0);
        let armed = within(Duration::from_secs(1), || {
            let agents = agents().unwrap_or_default();
            seen = (agents.len(), agents.into_iter().filter(|agent| has_box(*agent)).count());
            seen.0 >= AT_ONCE && seen.0 == seen.1
        });
        let (agents, boxes) = seen;
        ensure(armed, || format!("behind {runs} runs {boxes} of {agents} slots have a box"))?;
    }
    Ok(())
}
