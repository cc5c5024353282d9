//! The list of attacks: what each does and what has to come of it. Cases name them by number.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};

use crate::cases::Case;
use crate::scenarios;

/// One row.
#[derive(Debug)]
pub(crate) struct Attack {
    pub(crate) number: u32,
    what: &'static str,
    expected: &'static str,
    /// Where else it is tried, or why it cannot be.
    pub(crate) note: &'static str,
    /// What of it nobody can refuse who does not refuse what programs need, and why.
    remains: &'static str,
}

const fn attack(
    number: u32,
    what: &'static str,
    expected: &'static str,
    note: &'static str,
) -> Attack {
    Attack { number, what, expected, note, remains: "" }
}

impl Attack {
    const fn but(self, remains: &'static str) -> Self {
        Self { remains, ..self }
    }
}

/// Every attack, by number.
#[rustfmt::skip]
pub(crate) static ALL: &[Attack] = &[
    attack(1, "fork bomb", "pids.max hit, EAGAIN; TLE/RE; all dead < 200 ms", ""),
    attack(2, "fork bomb with 10^5 short children, parent exits 0", "result from parent, CPU of children counted", ""),
    attack(3, "thread bomb", "EAGAIN at limit", ""),
    attack(4, "double fork + setsid daemon, parent exits 0 (20x)", "OK verdict, 0 survivors", ""),
    attack(5, "ignore SIGTERM/SIGXCPU, SIGSTOP itself, vfork-stop", "TLE(wall)", ""),
    attack(6, "sleep forever / futex / pause / poll", "TLE(wall), CPU ~0", ""),
    attack(7, "busy loop in many threads", "TLE at CPU limit, overshoot < 10 ms", ""),
    attack(8, "malloc+touch bomb", "MLE, only the box dies (oom.group)", ""),
    attack(9, "tmpfs bomb (tmp, /dev/shm)", "ENOSPC or MLE", ""),
    attack(10, "memfd / SysV shm / mq bomb", "MLE", ""),
    attack(11, "pipe/socket-buffer bomb", "bounded by memcg (66 MB/uid measured)", ""),
    attack(12, "kernel memory: 10^5 fds, epoll, inotify, timers, page tables (mmap stride), user mounts, access lists, range locks, filters of sockets", "EMFILE / MLE", "")
        .but("locks of ranges (`fcntl`) and connections that nobody accepts are counted by who hears of calls: nobody hears of those in isolate's boxes, or where an outer filter has the machine's only listener, and there a run can have the kernel keep some hundred megabytes of them; before Linux 6.14 a program of an unknown kind has the kernel start modprobe (fs/exec.c), on the machine's account: `kernel.modprobe=` ends that"),
    attack(13, "mlock, hugetlb, swap-out to hide memory", "EPERM; swap.max=0", ""),
    attack(14, "deep recursion", "RE(SIGSEGV) at stack limit or MLE", ""),
    attack(15, "fd exhaustion", "EMFILE", ""),
    attack(16, "inode exhaustion (200k files)", "ENOSPC at nr_inodes; cleanup < 20 ms", ""),
    attack(17, "3000-deep directories; names of 255 bytes; unreadable dirs (chmod 0)", "cleaned; no XX", ""),
    attack(18, "disk fill: one big file; many files < fsize", "ENOSPC/SIGXFSZ -> OLE", ""),
    attack(19, "sparse 1 TB file + output collection", "size cap by fstat; SEEK_HOLE ignored", ""),
    attack(20, "output flood to stdout (file / pipe)", "OLE at cap, killed promptly, worker RSS flat", ""),
    attack(21, "stderr flood", "capped silently or OLE by policy", ""),
    attack(22, "one 256 MB line; no newline; NULs; invalid UTF-8; 0xFF", "compared bytewise, no panic, checker bounded", "comparing and checkers: `judge` `checker`"),
    attack(23, "stdout closed (close(1)) then exit 0", "WA/empty, not SE", ""),
    attack(24, "stdin never read while worker writes 1 GB", "no deadlock, SIGPIPE in worker ignored", ""),
    attack(25, "interactive: peer dies, peer floods, both wait", "RE/TLE attributed to the right side", "who is to blame: `judge` `interactive`"),
    attack(26, "exit code 0..255, raise every signal 1..64", "exact code/signal kept", ""),
    attack(27, "exit 127 / print fake \"execve(\"", "RE, not SE", ""),
    attack(28, "kill(-1,9), kill(1), kill(ppid), killpg(0), SIGSTOP parent", "only own processes", ""),
    attack(29, "ptrace / process_vm_readv / pidfd_getfd on init or siblings", "EPERM", ""),
    attack(30, "/proc/1/{environ,root,fd,maps}, /proc/PID of others", "ENOENT/hidden", ""),
    attack(31, "read expected output: ../, /proc/self/mountinfo, /proc/self/fd leaks, other boxes' dirs", "nothing readable", ""),
    attack(32, "inherited fds (3..1023)", "none (close_range)", ""),
    attack(33, "env leak (secrets of the worker)", "whitelist only", ""),
    attack(34, "symlink in output name -> /etc/shadow, ../../meta, /proc/self/mem", "not followed (O_NOFOLLOW, openat2 RESOLVE_BENEATH by the *worker*)", ""),
    attack(35, "hardlink to ro file / to root's file; rename race during collection", "EXDEV/EPERM; box dead before collection", ""),
    attack(36, "replace run script/binary between compile and run; symlink swap before root's chown", "artefact ro and immutable; no root writes into box (CVE-2024-28185, -28189)", ""),
    attack(37, "SSRF / argument injection into judge options (CVE-2024-29021)", "no shell, argv arrays, network denied", "callbacks and addresses: `api` `callback`"),
    attack(38, "mkfifo as output file (collector blocks); unix socket; device node", "O_NONBLOCK + regular check; mknod EPERM", ""),
    attack(39, "setuid/setcap binaries on rootfs", "nosuid + no_new_privs", ""),
    attack(40, "unshare/clone NEWUSER, then mount/netns/nftables", "EPERM (seccomp + max_user_namespaces=0; pivot_root does not block it, isolate's chroot does)", ""),
    attack(41, "clone3 with NEWUSER (flags hidden from seccomp)", "clone3 -> ENOSYS in filter, glibc falls back", ""),
    attack(42, "io_uring (incl. socket ops)", "ENOSYS", ""),
    attack(43, "AF_VSOCK, AF_ALG, AF_PACKET, AF_NETLINK, raw", "EAFNOSUPPORT/EPERM", ""),
    attack(44, "abstract unix socket / TCP on lo between two concurrent boxes", "not connectable", ""),
    attack(45, "DNS / 169.254.169.254 metadata / kube API token path", "unreachable, file absent", ""),
    attack(46, "keyctl/add_key/request_key, /proc/keys between runs", "ENOSYS; file absent", "by the refusal of all three calls: no run can have a key that the next one could find"),
    attack(47, "file locks/leases on shared ro inodes between boxes; inotify on /usr", "EPERM / no cross info", ""),
    attack(48, "SysV/mq/futex leftovers to next run", "absent", "")
        .but("a futex in a page of a shared file that is only read is the whole machine's: two boxes at once can wait for and wake each other there. Threads are joined and locks shared by the same call, whose address a filter cannot look up"),
    attack(49, "leftovers between test cases in tmp, the work dir, /dev/shm", "absent", ""),
    attack(50, "bpf, perf_event_open, userfaultfd, kexec, module load, quotactl, name_to_handle/open_by_handle_at", "EPERM/ENOSYS", ""),
    attack(51, "clock_settime, settimeofday, adjtimex, reboot", "EPERM", ""),
    attack(52, "personality (READ_IMPLIES_EXEC, ADDR_NO_RANDOMIZE), int 0x80, x32", "personality EPERM but for reading it; the others killed SIGSYS", ""),
    attack(53, "nice -20, SCHED_FIFO, affinity to other core, ioprio", "EPERM; affinity clipped by cpuset", ""),
    attack(54, "core dump with core_pattern pipe (crash loop = slow, leaks)", "RLIMIT_CORE=1 (the kernel aborts pipe dumps at exactly 1, 0 does not; untested)", ""),
    attack(55, "write /proc/sys, /sys, sysrq, /dev/kmsg, syslog flood", "EROFS/EPERM", ""),
    attack(56, "cgroup escape: mount cgroup, write cgroup.procs, release_agent", "not mounted, no caps", ""),
    attack(57, "open /dev/{kvm,fuse,vda,mem,ptmx,vsock}", "absent", ""),
    attack(58, "TIOCSTI / controlling tty", "setsid, no tty", ""),
    attack(59, "compile: #include \"/dev/zero\", \"/dev/random\", \"/dev/stdin\"", "CE within limits", ""),
    attack(60, "compile: #include \"/etc/passwd\", test data path, .incbin, import", "CE; message must not echo secrets; data not mounted", ""),
    attack(61, "compile: template explosion, constexpr, macro 2^36, include __FILE__, deep nesting (gcc stack)", "CE(time/mem)", ""),
    attack(62, "compile: main[-1u]={1} 16 GB, char a[1<<30]={1}", "CE at fsize/mem", ""),
    attack(63, "compile: 64 MB of error text", "truncated at e.g. 64 KB", ""),
    attack(64, "compile-time code execution: Nim staticExec, Rust build.rs/proc-macro, LaTeX, make (DMOJ#318)", "runs inside the same sandbox", ""),
    attack(65, "source file name tricks (a;rm, newline, #\\), 0-byte, 100 MB source, BOM, object code", "CE/reject", "names and sizes of sources: `judge` `validate`"),
    attack(66, "timing side channel: learn the test by /proc/stat, loadavg, uptime, meminfo, page-cache residency (mincore on ro libs), cache attacks", "mask /proc (subset=pid); mincore only own; accept residual", "/proc has processes only")
        .but("how long anything takes, by which what lies in memory and in the CPU's caches shows; sysinfo(2) tells the machine's load, memory and uptime, and C libraries and runtimes ask it how much there is; numbers that the kernel counts for all (`st_dev` of /w, inodes of pipes, sockets and pidfds, SO_COOKIE) tell that others ran, not what; statfs(2) of a folder of the machine tells how much of its disk is free, which compilations change"),
    attack(67, "answer exfiltration through verdict/time/memory (1 bit per test)", "rate limits, coarse feedback: policy", "cannot apply to a sandbox: a verdict tells one bit by its nature. Rates and what a tenant sees are the service's (tokens, `docs/harden.md`)"),
    attack(68, "signals/timers tricking accounting (sleep just under tick)", "sum_exec_runtime based (cpu.stat), immune", ""),
    attack(69, "OOM of parent pod by N boxes together", "sum cap < pod limit; only a box dies", "the sum of the boxes and the pod's limit: `sandbox/tests/v2`"),
    attack(70, "keeper/agent killed (-9) mid-run; worker crash; node drain", "no survivors (PDEATHSIG verified), lease requeued", "agents and slots: `a70_*`; leases: `cli/tests/chaos`"),
    attack(71, "uid collision with a second pod", "disjoint ranges", ""),
    attack(72, "vsyscall/vdso, rseq, membarrier, userfaultfd-stalled exit (uninterruptible)", "kill works; wall watchdog quarantines slot", "userfaultfd is refused (50)"),
    attack(73, "process_madvise, process_mrelease, pidfd_getfd, kcmp on processes of others; mounts by the newer calls", "EPERM/ENOSYS", ""),
    attack(74, "write to read-only memory by /proc/self/mem", "files unchanged", ""),
    attack(75, "clone3 and clone with each flag of a namespace, of a cgroup and of a pid; time namespaces", "EPERM/ENOSYS", ""),
    attack(76, "memfd_secret, fanotify, userfaultfd, name_to_handle_at", "EPERM/ENOSYS", ""),
    attack(77, "a listener of seccomp for its own children; landlock to widen rights", "EPERM/ENOSYS; never more rights", ""),
    attack(78, "io_uring by each of its calls", "ENOSYS", ""),
    attack(79, "vsock, netlink, packets, kernel crypto", "EAFNOSUPPORT", ""),
    attack(80, "an agent killed or stopped from outside in each state of its slot", "our error, a new slot, nothing left", "native only: isolate has no agents and no slots"),
    attack(81, "no room for an input file, no descriptors, no processes; the control group removed from outside", "our error, a new slot", "native only: its own steps are what fails"),
    attack(82, "a process that was killed and does not die (in a call of the kernel; frozen from outside)", "our error in time, the box set aside, others go on; nothing left once it can die", "native only: isolate's boxes are given up, see `a72_slow_to_die`"),
    attack(83, "memory above the box used up: a box killed below its own limit", "our error, never MLE", "native only: its own steps are what fails"),
    attack(84, "asynchronous I/O: contexts up to fs.aio-max-nr, which is one number for the machine", "ENOSYS", ""),
    attack(85, "signs of what a run made and took back in its folders: O_TMPFILE, create+unlink, rename, xattr, mmap of a written file, flags, inode numbers", "the next run sees none", ""),
    attack(86, "cachestat, RWF_NOWAIT, POSIX_FADV_DONTNEED on shared files", "ENOSYS/EOPNOTSUPP; advice not taken", ""),
    attack(87, "sync, syncfs: write back every file system of the node", "said to be done, not done", "")
        .but("fsync(2) of a file that is only read reaches the machine's file system where it is shown without an overlay (`ARCHITECTURE.md`, views)"),
];

/// What tries an attack.
struct Tried {
    id: String,
    /// Why isolate answers otherwise, if it does.
    isolate: Option<String>,
}

/// Every trial of the list; they need no engine and no root.
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("attacks::each_is_tried_or_says_why_not", each_is_tried),
        Trial::test("attacks::the_page_is_current", page_is_current),
    ]
}

/// The cases and scenarios of each number.
fn tried() -> Result<BTreeMap<u32, Vec<Tried>>, Failed> {
    let mut by_number = BTreeMap::<u32, Vec<Tried>>::new();
    let mut note = |numbers: &str, id: &str, isolate: Option<&String>| -> Result<(), Failed> {
        for number in numbers.split(',').map(str::trim).filter(|n| *n != "plain") {
            let tried = Tried { id: id.to_owned(), isolate: isolate.cloned() };
            by_number.entry(number.parse()?).or_default().push(tried);
        }
        Ok(())
    };
    for case in Case::all()? {
        let header = case.header.as_ref()?;
        note(&header.attack, &case.id, header.because.as_ref())?;
    }
    for scenario in scenarios::ALL {
        note(scenario.attack, scenario.id, None)?;
    }
    Ok(by_number)
}

fn each_is_tried() -> Result<(), Failed> {
    let tried = tried()?;
    for (at, attack) in (1..).zip(ALL) {
        if attack.number != at {
            return Err(format!("attack {} stands where {at} should", attack.number).into());
        }
        if !tried.contains_key(&at) && attack.note.is_empty() {
            return Err(format!("attack {at} has no case and no reason: {}", attack.what).into());
        }
    }
    match tried.keys().find(|number| ALL.iter().all(|a| a.number != **number)) {
        Some(number) => Err(format!("a case names attack {number}, which is not listed").into()),
        None => Ok(()),
    }
}

/// `UPDATE=1` writes it.
fn page_is_current() -> Result<(), Failed> {
    let path = page();
    let text = render()?;
    if std::env::var_os("UPDATE").is_some_and(|v| v == "1") {
        return Ok(fs::write(path, text)?);
    }
    if fs::read_to_string(&path).unwrap_or_default() == text {
        return Ok(());
    }
    Err("docs/attacks.md is not what the suite says; UPDATE=1 cargo test -p sandbox --test contract attacks:: writes it".into())
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/attacks.md")
}

fn render() -> Result<String, Failed> {
    let tried = tried()?;
    let mut text = HEAD.to_owned();
    for Attack { number, what, expected, note, remains } in ALL {
        let of = tried.get(number).map_or(&[][..], Vec::as_slice);
        let native = match (of, *remains) {
            ([], _) => "cannot apply",
            (_, "") => "held",
            _ => "held, but for what remains",
        };
        let mut isolate: Vec<_> = of.iter().filter_map(|t| t.isolate.as_deref()).collect();
        isolate.dedup();
        let isolate = match isolate[..] {
            [] if note.starts_with("native only") => "not tried".to_owned(),
            [] => native.to_owned(),
            _ => format!("held otherwise: {}", isolate.join("; ")),
        };
        let mut by: Vec<_> = of.iter().map(|t| format!("`{}`", t.id)).collect();
        by.extend((!note.is_empty()).then(|| (*note).to_owned()));
        by.extend((!remains.is_empty()).then(|| format!("remains: {remains}")));
        let cells = [what, expected, &native, &isolate.as_str()].map(|c| c.replace('|', "\\|"));
        writeln!(text, "| {number} | {} | {} |", cells.join(" | "), by.join(", "))?;
    }
    Ok(text)
}

const HEAD: &str = "\
# Attacks

What hostile programs try, and what comes of it in each engine. Made by the contract suite of the sandbox \
(`sandbox/tests/contract`) from its cases; `make test` runs them on the engines that are there, and \
compares this page. After each case the suite checks that no process of the box is alive, no mount, \
control group or descriptor more is there than before, and the next run in the slot is as usual.

A program in isolate may be answered otherwise than in the native engine; the reason is in its cell. \
What remains of an attack, because who refused it would refuse what programs need, is in the last one.

| | attack | expected | native | isolate | by |
|---|---|---|---|---|---|
";
