//! Where the engine finds its base, and what it does to it.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use libtest_mimic::Failed;

use crate::ensure;
use crate::pod::{Pod, ROOT, View};
use crate::worker::Worker;

/// The kernel's account of every move from one group to another.
const TRACING: &str = "/sys/kernel/tracing";

fn works_and_leaves(pod: &Pod) -> Result<(), Failed> {
    let mut worker = Worker::start(pod)?;
    let children = pod.children()?;
    let folder = format!("evalx-{}-", worker.id());
    let own = children.iter().any(|c| c.starts_with(&folder));
    ensure(own && children.iter().any(|c| c == "evalx-sup"), || format!("below it: {children:?}"))?;
    let ran = worker.run("echo works; exit 3", 64)?;
    ensure(ran.ends == "Exited(3)" && ran.says == "works\n", || format!("{ran:?}"))?;
    worker.leave()?;
    pod.is_as_made()
}

/// What it sees is `0::/`, and its group is the mount.
pub(crate) fn private_namespace() -> Result<(), Failed> {
    works_and_leaves(&Pod::new("private", View::Private)?)
}

/// The group of others on the node stay untouched.
pub(crate) fn whole_tree() -> Result<(), Failed> {
    let neighbour = Pod::new("neighbour", View::Whole)?;
    let mut idle = neighbour.command("", Path::new("cat")).stdin(Stdio::piped()).spawn()?;
    let others = || -> Result<_, Failed> {
        let root = Path::new(ROOT);
        let on = fs::read_to_string(root.join("cgroup.subtree_control"))?;
        let procs = fs::read_to_string(root.join("cgroup.procs"))?;
        Ok((on, procs.lines().next().map(str::to_owned), neighbour.children()?))
    };
    let before = others()?;
    let worked = works_and_leaves(&Pod::new("whole", View::Whole)?);
    let after = others()?;
    idle.kill()?;
    idle.wait()?;
    worked?;
    ensure(before == after, || format!("the node was {before:?} and is {after:?}"))
}

/// The file system is the machine's: its options must outlive the change of one mount.
pub(crate) fn read_only() -> Result<(), Failed> {
    let options = || -> Result<_, Failed> {
        let table = fs::read_to_string("/proc/self/mountinfo")?;
        let line = table.lines().find(|l| l.contains(" - cgroup2 ")).ok_or("no cgroup2")?;
        Ok(line.split_once(" - ").map(|(_, right)| right.to_owned()))
    };
    let before = options()?;
    works_and_leaves(&Pod::new("read-only", View::ReadOnly)?)?;
    let after = options()?;
    ensure(before == after, || format!("the file system was {before:?} and is {after:?}"))
}

/// A worker that was started outside of any pod touches nothing.
pub(crate) fn real_root() -> Result<(), Failed> {
    let pod = Pod::new("root", View::Whole)?;
    let Err(why) = Worker::start_within(&pod, ROOT) else {
        return Err("an engine in the root group".into());
    };
    let why = why.message().unwrap_or_default().to_owned();
    ensure(why.contains("sits in the root control group"), || why)
}

/// A container's entry point and its helpers sit in the base, where they hinder controllers.
pub(crate) fn others_in_the_base() -> Result<(), Failed> {
    let pod = Pod::new("helpers", View::Whole)?;
    let mut helpers = Vec::new();
    for _ in 0..3 {
        helpers.push(pod.command("", Path::new("cat")).stdin(Stdio::piped()).spawn()?);
    }
    let result = (|| {
        let mut worker = Worker::start(&pod)?;
        ensure(pod.read("cgroup.procs")?.is_empty(), || "processes are left in the base".into())?;
        let on = pod.read("cgroup.subtree_control")?;
        ensure(on.contains("memory") && on.contains("pids"), || format!("only {on:?} are on"))?;
        let sup = pod.read("evalx-sup/cgroup.procs")?;
        let moved = helpers.iter().all(|h| sup.lines().any(|pid| pid == h.id().to_string()));
        ensure(moved, || format!("in evalx-sup are {sup:?}"))?;
        // A process that joins the base now would take the controllers away (cgroup-v2.rst, "No
        // Internal Process Constraint"), so the kernel refuses; engines then take evalx-sup.
        let late = pod.write("cgroup.procs", &helpers[0].id().to_string());
        ensure(late.is_err(), || "the base takes a process beside its controllers".into())?;
        let ran = worker.run("exit 0", 64)?;
        ensure(ran.ends == "Exited(0)", || format!("{ran:?}"))?;
        worker.leave()?;
        pod.is_as_made()?;
        let back = pod.read("cgroup.procs")?;
        ensure(back.lines().count() == helpers.len(), || format!("back in the base: {back:?}"))
    })();
    for helper in &mut helpers {
        helper.kill()?;
        helper.wait()?;
    }
    result
}

/// Guests are born in their group: moving one would cost 10 ms and more.
pub(crate) fn nothing_migrates() -> Result<(), Failed> {
    let tracing = Path::new(TRACING);
    let event = tracing.join("events/cgroup/cgroup_attach_task/enable");
    let moves = || -> Result<Vec<String>, Failed> {
        let trace = fs::read_to_string(tracing.join("trace"))?;
        Ok(trace.lines().filter(|l| l.contains("cgroup_attach_task:")).map(str::to_owned).collect())
    };
    fs::write(&event, "1")?;
    fs::write(tracing.join("trace"), "")?;
    let pod = Pod::new("still", View::Whole)?;
    let mut worker = Worker::start(&pod)?;
    // The worker itself was moved: the account works.
    ensure(!moves()?.is_empty(), || "the kernel does not tell of moves".to_owned())?;
    // The first runs make slots; from then on nothing is moved, not even once.
    fs::write(tracing.join("trace"), "")?;
    for turn in 0..20 {
        let ran = worker.run("(echo a | cat >/tmp/file) & wait; exit 0", 64)?;
        ensure(ran.ends == "Exited(0)", || format!("run {turn}: {ran:?}"))?;
    }
    let seen = moves()?;
    fs::write(&event, "0")?;
    worker.leave()?;
    ensure(seen.is_empty(), || format!("moved: {}", seen.join("; ")))
}

/// The second one starts where engines put a process that the base refuses.
pub(crate) fn two_workers_in_a_pod() -> Result<(), Failed> {
    let pod = Pod::new("two", View::Whole)?;
    let mut first = Worker::start(&pod)?;
    let mut second = Worker::start_within(&pod, "evalx-sup")?;
    side_by_side(&mut first, &mut second)?;
    first.leave()?;
    let ran = second.run("exit 0", 64)?;
    ensure(ran.ends == "Exited(0)", || format!("after the first one left: {ran:?}"))?;
    second.leave()?;
    pod.is_as_made()?;
    // One that is killed leaves its folders, and the next one removes them.
    let killed = Worker::start(&pod)?;
    let folder = format!("evalx-{}-", killed.id());
    drop(killed);
    ensure(pod.children()?.iter().any(|c| c.starts_with(&folder)), || "no trace of it".into())?;
    let next = Worker::start_within(&pod, "evalx-sup")?;
    let left = pod.children()?;
    ensure(!left.iter().any(|c| c.starts_with(&folder)), || format!("still there: {left:?}"))?;
    next.leave()?;
    pod.is_as_made()
}

/// On one node user ids are everybody's, whatever the groups are.
pub(crate) fn two_pods() -> Result<(), Failed> {
    let pods = [Pod::new("one", View::Private)?, Pod::new("other", View::Whole)?];
    let (mut first, mut second) = (Worker::start(&pods[0])?, Worker::start(&pods[1])?);
    side_by_side(&mut first, &mut second)?;
    first.leave()?;
    pods[0].is_as_made()?;
    let ran = second.run("exit 0", 64)?;
    ensure(ran.ends == "Exited(0)", || format!("after the first one left: {ran:?}"))?;
    second.leave()?;
    pods[1].is_as_made()
}

/// A run in each at once: both work, under different users.
fn side_by_side(first: &mut Worker, second: &mut Worker) -> Result<(), Failed> {
    let script = "id -u; read x; exit 0";
    let (a, b) = (first.begin(script, 64)?, second.begin(script, 64)?);
    let again = second.run("exit 5", 64)?;
    ensure(again.ends == "Exited(5)", || format!("beside two runs: {again:?}"))?;
    first.release(a)?;
    second.release(b)?;
    let (a, b) = (first.end(a)?, second.end(b)?);
    // `read` meets the end of its input.
    let both = a.ends == "Exited(0)" && b.ends == "Exited(0)";
    ensure(both && !a.says.is_empty() && a.says != b.says, || format!("{a:?}, {b:?}"))
}

/// Nobody takes another one's fresh folder for a dead owner's, or its controllers away.
pub(crate) fn many_at_once() -> Result<(), Failed> {
    let pod = Pod::new("many", View::Whole)?;
    for _ in 0..3 {
        // All from the base, each of which is moved by whichever is the first.
        let mut workers =
            (0..4).map(|_| Worker::launch(&pod, "")).collect::<Result<Vec<_>, _>>()?;
        workers.iter_mut().try_for_each(Worker::open)?;
        workers.iter_mut().try_for_each(Worker::is_up)?;
        for worker in &mut workers {
            let ran = worker.run("exit 0", 64)?;
            ensure(ran.ends == "Exited(0)", || format!("{ran:?}"))?;
        }
        for worker in workers {
            worker.leave()?;
        }
        pod.is_as_made()?;
    }
    Ok(())
}
