//! The seccomp policy of a slot: read from data, compiled into a BPF program that is loaded once a
//! slot and inherited by all that runs there. Loading a filter, even a short
//! one, costs some per cent of a short run (kernel/seccomp.c, seccomp_cache_prepare tries every
//! call), so none is loaded for each. What the slot's own processes still need, to make a guest, they
//! do by its [`Key`].
//!
//! The policy (`policy.json`) lists what is refused; each rule carries its reason. The program is
//! a balanced tree over call numbers, because a linear chain costs every guest at each call. Calls
//! of a foreign architecture (32-bit or x32), whose numbers mean something else, end the guest with
//! `SIGSYS` (Documentation/userspace-api/seccomp_filter.rst, "Pitfalls").
//!
//! The answer `TELL` refuses nothing: the call waits until the agent, who holds the listener of the
//! slot's program, has taken note of it (seccomp_unotify(2)).

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use syscalls::Sysno;

const POLICY: &str = include_str!("policy.json");

/// More of it, for guests of an engine that is pinned.
const PINNED: &str = include_str!("pinned.json");

// linux/bpf_common.h and linux/filter.h.
const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const IF_BITS: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

// linux/seccomp.h.
const KILL_PROCESS: u32 = 0x8000_0000;
const ERRNO: u32 = 0x0005_0000;
const TELL: u32 = 0x7fc0_0000; // SECCOMP_RET_USER_NOTIF
const ALLOW: u32 = 0x7fff_0000;

// Offsets in struct seccomp_data, little-endian: nr, arch, instruction_pointer, args[6].
const NR: u32 = 0;
const ARCH: u32 = 4;
const ARGS: u32 = 16;

#[cfg(target_arch = "x86_64")]
const THIS_ARCH: u32 = 0xc000_003e; // AUDIT_ARCH_X86_64, linux/audit.h
#[cfg(target_arch = "aarch64")]
const THIS_ARCH: u32 = 0xc000_00b7; // AUDIT_ARCH_AARCH64

/// x32 calls share the architecture of x86-64 and set this bit (asm/unistd.h).
const X32: u32 = 0x4000_0000;

/// One BPF instruction, laid out as `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(C)]
pub(crate) struct Op {
    code: u16,
    if_true: u8,
    if_false: u8,
    value: u32,
}

/// A policy that does not compile.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not the JSON it should be.
    #[error("the seccomp policy does not parse")]
    Parse(#[source] serde_json::Error),
    /// An answer that is no errno we know.
    #[error("the seccomp policy answers with {0}, which is no errno known here")]
    Answer(String),
    /// Two rules without a condition on one call, or one beside a conditional one; or two with the
    /// same condition.
    #[error("the seccomp policy has more than one rule for {0}")]
    Redundant(String),
    /// A condition that compares with nothing, or with several values.
    #[error("the seccomp policy has a condition for {0} that is not exactly one comparison")]
    Condition(String),
    /// A call that this architecture does not have, in a rule that is not for another one alone: left
    /// out, it would be allowed.
    #[error("the seccomp policy has a rule for {0}, which is no call known here")]
    Unknown(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// Why; for readers, and a test holds that it is there.
    #[cfg_attr(not(test), expect(dead_code, reason = "documents the rule; read by its test"))]
    reason: String,
    answer: String,
    calls: Vec<String>,
    when: Option<Condition>,
    /// An argument that has to be a pointer besides, and not NULL.
    pointer: Option<u32>,
    /// Whether the slot's own processes need the call: with the slot's key it is allowed.
    #[serde(default)]
    ours: bool,
    /// The one architecture that has the calls, by Rust's name for it.
    only: Option<String>,
}

/// What is refused in every slot.
#[derive(Debug)]
pub(super) struct Policy(BTreeMap<u32, Leaf>);

/// Allows its owner what the filter refuses to guests. A filter sees all six arguments of a call,
/// and no call that is ours has more than five: the key is in the sixth, which the kernel does not
/// look at. It is drawn for each slot and known to the worker and the slot's agent, on whose memory
/// box and payload run until there is a guest; exec gives that one other memory and empty registers.
/// Whoever guessed it would have won nothing that the guest's missing capabilities do not refuse,
/// but for namespaces of its own.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Key(u64);

impl Key {
    /// Draws one.
    pub(super) fn draw() -> Result<Self, rustix::io::Errno> {
        let mut bytes = [0; 8];
        // Up to 256 bytes come whole (getrandom(2)).
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
        Ok(Self(u64::from_ne_bytes(bytes)))
    }

    /// To be the sixth argument.
    pub(crate) fn get(self) -> u64 {
        self.0
    }

    /// That the sixth argument is not it: one of these holds.
    fn is_missing(self) -> [Condition; 2] {
        let [a, b, c, d, e, f, g, h] = self.0.to_le_bytes();
        let other = |high, half| {
            let half = Some(u32::from_le_bytes(half));
            Condition { high, not: half, ..Condition::of(5) }
        };
        [other(false, [a, b, c, d]), other(true, [e, f, g, h])]
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// On the low half of an argument: flags, families and ioctl numbers are 32 bits wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    arg: u32,
    any_bit_of: Option<u32>,
    is: Option<u32>,
    not: Option<u32>,
    from: Option<u32>,
    /// On the high half instead.
    #[serde(skip)]
    high: bool,
}

/// That an argument of 64 bits is not 0: one of these holds.
fn not_null(arg: u32) -> [Condition; 2] {
    [false, true].map(|high| Condition { high, not: Some(0), ..Condition::of(arg) })
}

impl Condition {
    fn of(arg: u32) -> Self {
        Self { arg, any_bit_of: None, is: None, not: None, from: None, high: false }
    }

    fn comparisons(&self) -> usize {
        let Self { arg: _, any_bit_of, is, not, from, high: _ } = self;
        [any_bit_of, is, not, from].into_iter().flatten().count()
    }

    /// Of what it looks at, in struct seccomp_data.
    fn offset(&self) -> u32 {
        ARGS + 8 * self.arg + 4 * u32::from(self.high)
    }
}

/// What a rule does at one of its calls.
#[derive(Debug, Clone, Copy)]
struct Refusal {
    when: Option<Condition>,
    pointer: Option<u32>,
    answer: u32,
    ours: bool,
}

impl Refusal {
    /// Where one of these holds altogether, it is the answer.
    fn cases(&self, key: Option<Key>) -> Vec<Vec<Condition>> {
        let mut cases = vec![self.when.into_iter().collect::<Vec<_>>()];
        let key = key.filter(|_| self.ours).map(Key::is_missing);
        let halves = self.pointer.map(not_null).into_iter().chain(key);
        for halves in halves {
            let with = |half| cases.iter().map(move |case| [&case[..], &[half]].concat());
            cases = halves.into_iter().flat_map(with).collect();
        }
        cases
    }
}

/// What happens at one call: refusals in turn.
type Leaf = Vec<Refusal>;

/// Reads the policy for this machine, with what is `pinned`'s.
pub(super) fn policy(pinned: bool) -> Result<Policy, Error> {
    let mut rules = rules(POLICY)?;
    if pinned {
        rules.extend(self::rules(PINNED)?);
    }
    leaves(rules).map(Policy)
}

impl Policy {
    /// For the slot of that key.
    pub(super) fn program(&self, key: Key) -> Vec<Op> {
        program(&self.0, Some(key))
    }
}

/// A program that tells nobody: what it would tell is allowed.
pub(super) fn untold(program: &[Op]) -> Vec<Op> {
    let tells = op(RETURN, TELL);
    program.iter().map(|&op| if op == tells { Op { value: ALLOW, ..op } } else { op }).collect()
}

/// The policy for a guest that another program becomes: that program's own calls, `open`, are
/// refused only as `rules` say. Nobody is told of anything.
pub(crate) fn compile_with(open: &[Sysno], rules: &str) -> Result<Vec<Op>, Error> {
    let mut leaves = leaves(self::rules(POLICY)?)?;
    leaves.values_mut().for_each(|leaf| leaf.retain(|refusal| refusal.answer != TELL));
    leaves.retain(|_, leaf| !leaf.is_empty());
    for call in open {
        leaves.remove(&call.id().cast_unsigned());
    }
    leaves.extend(self::leaves(self::rules(rules)?)?);
    Ok(program(&leaves, None))
}

/// With what ends a guest of a foreign architecture. Whoever has the key, if there is one, may make
/// the calls that are ours.
fn program(leaves: &BTreeMap<u32, Leaf>, key: Option<Key>) -> Vec<Op> {
    let leaves: Vec<_> = leaves.iter().map(|(number, leaf)| (*number, call(leaf, key))).collect();
    let mut program = vec![
        op(LOAD, ARCH),
        Op { code: IF_EQUAL, if_true: 1, if_false: 0, value: THIS_ARCH },
        op(RETURN, KILL_PROCESS),
        op(LOAD, NR),
    ];
    if cfg!(target_arch = "x86_64") {
        program.push(Op { code: IF_AT_LEAST, if_true: 0, if_false: 1, value: X32 });
        program.push(op(RETURN, KILL_PROCESS));
    }
    program.extend(tree(&leaves));
    program
}

fn rules(policy: &str) -> Result<Vec<Rule>, Error> {
    serde_json::from_str(policy).map_err(Error::Parse)
}

fn leaves(rules: Vec<Rule>) -> Result<BTreeMap<u32, Leaf>, Error> {
    let mut leaves = BTreeMap::<u32, Leaf>::new();
    let here = |rule: &Rule| rule.only.as_ref().is_none_or(|only| *only == std::env::consts::ARCH);
    for Rule { reason: _, answer, calls, when, pointer, ours, only: _ } in
        rules.into_iter().filter(here)
    {
        let answer = self::answer(&answer)?;
        for call in calls {
            let Ok(number) = Sysno::from_str(&call) else { return Err(Error::Unknown(call)) };
            let leaf = leaves.entry(number.id().cast_unsigned()).or_default();
            if when.is_some_and(|when| when.comparisons() != 1) {
                return Err(Error::Condition(call));
            }
            if leaf.iter().any(|r| r.when.is_none() || when.is_none() || r.when == when) {
                return Err(Error::Redundant(call));
            }
            leaf.push(Refusal { when, pointer, answer, ours });
        }
    }
    Ok(leaves)
}

fn answer(name: &str) -> Result<u32, Error> {
    let errno = match name {
        "TELL" => return Ok(TELL),
        // It returns 0 and was never made.
        "DONE" => 0,
        "EPERM" => libc::EPERM,
        "EINVAL" => libc::EINVAL,
        "ENOSYS" => libc::ENOSYS,
        "EOPNOTSUPP" => libc::EOPNOTSUPP,
        "EAFNOSUPPORT" => libc::EAFNOSUPPORT,
        _ => return Err(Error::Answer(name.to_owned())),
    };
    Ok(ERRNO | errno.unsigned_abs())
}

/// Halves the calls until three are left. Jumps over a half are unconditional ones, whose offset
/// has 32 bits; conditional ones have 8.
fn tree(leaves: &[(u32, Vec<Op>)]) -> Vec<Op> {
    if leaves.len() <= 3 {
        let mut ops: Vec<_> = leaves.iter().flat_map(|(number, body)| at(*number, body)).collect();
        ops.push(op(RETURN, ALLOW));
        return ops;
    }
    let (low, high) = leaves.split_at(leaves.len() / 2);
    let (pivot, low, high) = (high[0].0, tree(low), tree(high));
    let mut ops = vec![
        Op { code: IF_AT_LEAST, if_true: 0, if_false: 1, value: pivot },
        op(JUMP, length(&low)),
    ];
    ops.extend(low);
    ops.extend(high);
    ops
}

/// What follows is done at that call.
fn at(number: u32, body: &[Op]) -> Vec<Op> {
    let mut ops =
        vec![Op { code: IF_EQUAL, if_true: 1, if_false: 0, value: number }, op(JUMP, length(body))];
    ops.extend(body);
    ops
}

/// Whatever the arguments are, it ends with an answer.
fn call(leaf: &Leaf, key: Option<Key>) -> Vec<Op> {
    let mut body = Vec::new();
    for refusal in leaf {
        for case in refusal.cases(key) {
            for (at, condition) in case.iter().enumerate() {
                // Two for each condition that is still to come, and the answer.
                let skip = u8::try_from(2 * (case.len() - at) - 1).expect("conditions are few");
                body.push(op(LOAD, condition.offset()));
                body.push(skip_unless(condition, skip));
            }
            body.push(op(RETURN, refusal.answer));
        }
    }
    let always = |refusal: &Refusal| refusal.cases(key).iter().any(Vec::is_empty);
    if !leaf.iter().any(always) {
        body.push(op(RETURN, ALLOW));
    }
    body
}

/// Skips so many instructions, up to behind the answer, when the condition does not hold.
fn skip_unless(condition: &Condition, skip: u8) -> Op {
    match *condition {
        Condition { any_bit_of: Some(bits), .. } => {
            Op { code: IF_BITS, if_true: 0, if_false: skip, value: bits }
        }
        Condition { from: Some(value), .. } => {
            Op { code: IF_AT_LEAST, if_true: 0, if_false: skip, value }
        }
        Condition { not: Some(value), .. } => {
            Op { code: IF_EQUAL, if_true: skip, if_false: 0, value }
        }
        Condition { is, .. } => {
            Op { code: IF_EQUAL, if_true: 0, if_false: skip, value: is.unwrap_or_default() }
        }
    }
}

fn length(ops: &[Op]) -> u32 {
    u32::try_from(ops.len()).expect("a program has fewer than 4096 instructions")
}

const fn op(code: u16, value: u32) -> Op {
    Op { code, if_true: 0, if_false: 0, value }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const KEY: Key = Key(0x0123_4567_89ab_cdef);

    /// All that is compiled into this program.
    const POLICIES: [&str; 3] = [POLICY, PINNED, crate::isolate::POLICY];

    fn slots() -> Vec<Op> {
        policy(false).unwrap().program(KEY)
    }

    /// What a guest gets, who does not have the key.
    fn outcome(program: &[Op], nr: u32, arch: u32, args: [u32; 2]) -> u32 {
        with_sixth(program, nr, arch, args, 0)
    }

    fn with_sixth(program: &[Op], nr: u32, arch: u32, args: [u32; 2], sixth: u64) -> u32 {
        let [low, high] = [sixth & u64::from(u32::MAX), sixth >> 32];
        let [low, high] = [low, high].map(|half| u32::try_from(half).unwrap());
        run(program, nr, arch, [args[0], args[1], 0, 0, 0, low], high)
    }

    /// What a guest gets at a call with these low halves.
    fn call_with(program: &[Op], name: &str, args: [u32; 6]) -> u32 {
        run(program, number(name), THIS_ARCH, args, 0)
    }

    /// Runs a program as the kernel would, for the four kinds of instruction that are used; of the
    /// arguments' high halves only the last one's is not 0.
    fn run(program: &[Op], nr: u32, arch: u32, args: [u32; 6], high: u32) -> u32 {
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let Op { code, if_true, if_false, value } = program[at];
            at += 1;
            let taken = match code {
                RETURN => return value,
                LOAD => {
                    accumulator = match value {
                        NR => nr,
                        ARCH => arch,
                        60 => high,
                        offset => args[(offset as usize - ARGS as usize) / 8],
                    };
                    continue;
                }
                JUMP => {
                    at += value as usize;
                    continue;
                }
                IF_EQUAL => accumulator == value,
                IF_AT_LEAST => accumulator >= value,
                IF_BITS => accumulator & value != 0,
                _ => panic!("unknown instruction {code:#x}"),
            };
            at += usize::from(if taken { if_true } else { if_false });
        }
    }

    fn number(name: &str) -> u32 {
        u32::try_from(Sysno::from_str(name).unwrap().id()).unwrap()
    }

    #[test]
    fn every_rule_has_its_answer_and_everything_else_is_allowed() {
        let program = slots();
        let leaves = leaves(rules(POLICY).unwrap()).unwrap();
        for nr in 0..600 {
            let expected = match leaves.get(&nr) {
                Some(leaf) if leaf[0].when.is_none() => leaf[0].answer,
                Some(_) => continue,
                None => ALLOW,
            };
            assert_eq!(outcome(&program, nr, THIS_ARCH, [0, 0]), expected, "call {nr}");
        }
    }

    #[test]
    fn who_is_pinned_stays_there() {
        let programs = [true, false].map(|pinned| policy(pinned).unwrap().program(KEY));
        let ask = |program: &[Op], name| outcome(program, number(name), THIS_ARCH, [0, 0]);
        assert_eq!(ask(&programs[0], "sched_setaffinity"), ERRNO | libc::EPERM as u32);
        assert_eq!(ask(&programs[1], "sched_setaffinity"), ALLOW);
        assert_eq!(ask(&programs[0], "sched_getaffinity"), ALLOW);
        assert_eq!(ask(&programs[0], "unshare"), ERRNO | libc::EPERM as u32);
        // The payload pins itself.
        let Key(key) = KEY;
        let call = number("sched_setaffinity");
        assert_eq!(with_sixth(&programs[0], call, THIS_ARCH, [0, 0], key), ALLOW);
    }

    #[test]
    fn whoever_has_the_key_may_make_boxes_and_nobody_else() {
        let program = slots();
        let Key(key) = KEY;
        for call in ["clone3", "unshare", "mount", "umount2", "move_mount", "open_tree"] {
            let ask = |sixth| with_sixth(&program, number(call), THIS_ARCH, [0, 0], sixth);
            assert_eq!(ask(key), ALLOW, "{call}");
            let near = (0..64).map(|bit| key ^ (1 << bit));
            for wrong in near.chain([0, u64::MAX, key.rotate_left(32), key >> 32]) {
                assert_eq!(ask(wrong) & 0xffff_0000, ERRNO, "{call} {wrong:x}");
            }
        }
        let ask = |persona, sixth| {
            with_sixth(&program, number("personality"), THIS_ARCH, [persona, 0], sixth)
        };
        assert_eq!(ask(libc::ADDR_NO_RANDOMIZE as u32, key), ALLOW);
        for wrong in [0, key ^ 1, key ^ (1 << 63)] {
            assert_eq!(ask(libc::ADDR_NO_RANDOMIZE as u32, wrong), ERRNO | libc::EPERM as u32);
            assert_eq!(ask(u32::MAX, wrong), ALLOW, "everybody may ask what it is");
        }
        // It opens nothing else.
        let ask = |call| with_sixth(&program, number(call), THIS_ARCH, [0, 0], key);
        assert!(["bpf", "seccomp", "setns"].iter().all(|call| ask(call) != ALLOW));
        assert_ne!(Key::draw().unwrap().0, Key::draw().unwrap().0);
        assert_eq!(format!("{KEY:?}"), "Key", "no log has it");
    }

    #[test]
    fn who_may_use_the_ipc_namespace_is_told_of_or_not() {
        let slot = slots();
        for call in ["shmget", "semget", "msgget", "mq_open"] {
            assert_eq!(outcome(&slot, number(call), THIS_ARCH, [0, 0]), TELL, "{call}");
        }
        let silent = untold(&slot);
        let leaves = leaves(rules(POLICY).unwrap()).unwrap();
        for nr in 0..600 {
            let expected = match outcome(&slot, nr, THIS_ARCH, [0, 0]) {
                TELL => ALLOW,
                other => other,
            };
            assert_eq!(outcome(&silent, nr, THIS_ARCH, [0, 0]), expected, "call {nr}");
        }
        // Somebody who listens to nothing would leave a guest without an answer.
        assert!(leaves.values().flatten().any(|refusal| refusal.answer == TELL));
        assert!(!silent.contains(&op(RETURN, TELL)));
    }

    #[test]
    fn conditions_look_at_their_argument() {
        let program = slots();
        let ask = |name, args| outcome(&program, number(name), THIS_ARCH, args);
        assert_eq!(ask("socket", [1, 0]), ALLOW);
        assert_eq!(ask("socket", [2, 0]), ERRNO | libc::EAFNOSUPPORT as u32);
        assert_eq!(ask("clone", [libc::SIGCHLD as u32, 0]), ALLOW);
        assert_eq!(ask("clone", [libc::CLONE_NEWUSER as u32, 0]), ERRNO | libc::EPERM as u32);
        assert_eq!(ask("clone", [libc::CLONE_VM as u32 | libc::CLONE_THREAD as u32, 0]), ALLOW);
        assert_eq!(ask("ioctl", [0, 0x5412]), ERRNO | libc::EPERM as u32);
        assert_eq!(ask("ioctl", [0, 0x541c]), ERRNO | libc::EPERM as u32);
        assert_eq!(ask("ioctl", [0, 0x5401]), ALLOW);
        assert_eq!(ask("prctl", [libc::PR_SET_SECCOMP as u32, 0]), ERRNO | libc::EPERM as u32);
        assert_eq!(ask("prctl", [libc::PR_SET_NAME as u32, 0]), ALLOW);
    }

    #[test]
    fn no_file_is_made_without_a_name() {
        let (program, unnamed) = (slots(), libc::O_TMPFILE as u32 | libc::O_RDWR as u32);
        let refused = ERRNO | libc::EOPNOTSUPP as u32;
        let usual = (libc::O_CREAT | libc::O_EXCL | libc::O_DIRECTORY | libc::O_RDWR) as u32;
        let ask = |name, args| call_with(&program, name, args);
        assert_eq!(ask("openat", [0, 0, unnamed, 0, 0, 0]), refused);
        assert_eq!(ask("openat", [0, 0, usual, 0, 0, 0]), ALLOW);
        assert_eq!(ask("openat2", [0; 6]), ERRNO | libc::ENOSYS as u32);
        #[cfg(target_arch = "x86_64")]
        {
            assert_eq!(ask("open", [0, unnamed, 0, 0, 0, 0]), refused);
            assert_eq!(ask("open", [0, usual, unnamed, 0, 0, 0]), ALLOW);
        }
    }

    #[test]
    fn what_need_not_be_done_is_said_to_be() {
        let program = slots();
        let ask = |name, args| call_with(&program, name, args);
        assert_eq!(ask("sync", [0; 6]), ERRNO);
        assert_eq!(ask("syncfs", [0; 6]), ERRNO);
        let advice = |advice: i32| [0, 0, 0, advice.cast_unsigned(), 0, 0];
        assert_eq!(ask("fadvise64", advice(libc::POSIX_FADV_DONTNEED)), ERRNO);
        assert_eq!(ask("fadvise64", advice(libc::POSIX_FADV_SEQUENTIAL)), ALLOW);
        // The limit of cores stays; to read it is free, whatever address it is read to.
        let core = libc::RLIMIT_CORE;
        assert_eq!(ask("prlimit64", [0, core, 1 << 31, 0, 0, 0]), ERRNO);
        assert_eq!(ask("prlimit64", [0, core, 0, 1 << 31, 0, 0]), ALLOW);
        assert_eq!(ask("prlimit64", [0, libc::RLIMIT_STACK, 1 << 31, 0, 0, 0]), ALLOW);
        let at_once = [0, 0, 0, 0, 0, libc::RWF_NOWAIT as u32];
        assert_eq!(ask("preadv2", at_once), ERRNO | libc::EOPNOTSUPP as u32);
        assert_eq!(ask("preadv2", [0, 0, 0, 8, 8, libc::RWF_HIPRI as u32]), ALLOW);
    }

    #[test]
    fn isolate_may_do_its_work_and_its_guest_little_more_than_others() {
        use crate::isolate::{CALLS, POLICY};
        let program = compile_with(CALLS, POLICY).unwrap();
        let ask = |name, arg| outcome(&program, number(name), THIS_ARCH, [arg, 0]);
        for call in CALLS {
            assert_eq!(ask(call.name(), 0), ALLOW, "{call}");
        }
        assert_eq!(ask("socket", libc::AF_INET as u32), ALLOW);
        for family in [16, 17, 40] {
            // Netlink, packet, vsock (linux/socket.h).
            assert_eq!(ask("socket", family), ERRNO | libc::EAFNOSUPPORT as u32);
        }
        assert_eq!(ask("clone", libc::CLONE_NEWUSER as u32), ERRNO | libc::EPERM as u32);
        assert_eq!(ask("clone", (libc::CLONE_NEWPID | libc::CLONE_NEWNET) as u32), ALLOW);
        assert_eq!(ask("add_key", 0), ERRNO | libc::ENOSYS as u32);
        assert_eq!(ask("shmget", 0), ALLOW);
    }

    #[test]
    fn foreign_architectures_end_the_guest() {
        let program = slots();
        assert_eq!(outcome(&program, 1, 0x4000_0003, [0, 0]), KILL_PROCESS);
        #[cfg(target_arch = "x86_64")]
        assert_eq!(outcome(&program, X32 | 1, THIS_ARCH, [0, 0]), KILL_PROCESS);
    }

    #[test]
    fn every_rule_is_explained_and_none_is_there_twice() {
        for text in POLICIES {
            let rules = rules(text).unwrap();
            assert!(rules.iter().all(|r| r.reason.split_whitespace().count() >= 3));
        }
        let compiled = |text: &str| leaves(super::rules(text).unwrap());
        let rule = |call: &str, when: &str| {
            let when =
                if when.is_empty() { String::new() } else { format!(r#","when":{{{when}}}"#) };
            format!(r#"{{"reason":"a b c","answer":"EPERM","calls":["{call}"]{when}}}"#)
        };
        let twice = |first, second| {
            compiled(&format!("[{},{}]", rule("ioctl", first), rule("ioctl", second)))
        };
        let [any, is, other] =
            [r#""arg":1,"any_bit_of":3"#, r#""arg":1,"is":3"#, r#""arg":0,"is":3"#];
        for (first, second) in [("", ""), ("", is), (is, ""), (is, is), (any, any)] {
            let found = twice(first, second);
            assert!(
                matches!(&found, Err(Error::Redundant(call)) if call == "ioctl"),
                "{first} {second}: {found:?}"
            );
        }
        assert!(twice(is, any).is_ok() && twice(is, other).is_ok());
        for when in [r#""arg":1"#, r#""arg":1,"is":3,"not":4"#] {
            let found = compiled(&format!("[{}]", rule("ioctl", when)));
            assert!(matches!(found, Err(Error::Condition(_))), "{when}: {found:?}");
        }
    }

    /// Values at which one of the conditions of a call may begin or cease to hold.
    fn borders(leaf: &Leaf) -> Vec<u32> {
        let values = leaf.iter().filter_map(|refusal| {
            let Condition { arg: _, any_bit_of, is, not, from, high: _ } = refusal.when?;
            any_bit_of.or(is).or(not).or(from)
        });
        let near = |v: u32| [v, v.wrapping_sub(1), v.wrapping_add(1)];
        let bits = (0..32).map(|bit| 1 << bit);
        values.flat_map(near).chain(bits).chain([0, u32::MAX]).collect()
    }

    /// A rule that changes no answer: others of the same call, before or after it, answer alike
    /// wherever it holds.
    fn idle(leaf: &Leaf) -> Option<usize> {
        let args = |r: &Refusal| r.when.map(|when| when.arg).into_iter().chain(r.pointer);
        let args: BTreeSet<_> = leaf.iter().flat_map(args).map(|arg| arg as usize).collect();
        let answer = |leaf: &Leaf, [a, b]: [u32; 2]| {
            let program = [vec![op(LOAD, NR)], at(7, &call(leaf, None)), vec![op(RETURN, ALLOW)]];
            let mut values = [0; 6];
            args.iter().zip([a, b]).for_each(|(arg, value)| values[*arg] = value);
            run(&program.concat(), 7, THIS_ARCH, values, 0)
        };
        assert!(args.len() <= 2, "of more arguments more has to be tried");
        (0..leaf.len()).find(|&at| {
            let mut without = leaf.clone();
            without.remove(at);
            let values = borders(leaf);
            let pairs = values.iter().flat_map(|a| values.iter().map(|b| [*a, *b]));
            pairs.into_iter().all(|args| answer(leaf, args) == answer(&without, args))
        })
    }

    #[test]
    fn every_condition_changes_an_answer() {
        let found = |text: &str| leaves(super::rules(text).unwrap()).unwrap();
        for text in POLICIES {
            for (number, leaf) in found(text) {
                assert_eq!(idle(&leaf), None, "call {number}");
            }
        }
        let covered = r#"[
            {"reason":"a b c","answer":"EPERM","calls":["ioctl"],"when":{"arg":1,"any_bit_of":3}},
            {"reason":"a b c","answer":"EPERM","calls":["ioctl"],"when":{"arg":1,"is":1}}]"#;
        assert_eq!(idle(&found(covered)[&number("ioctl")]), Some(1));
    }

    #[test]
    fn every_rule_is_of_calls_that_there_are() {
        for text in POLICIES {
            let rules = rules(text).unwrap();
            let architectures = ["x86_64", "aarch64"];
            let known = |only: &String| architectures.contains(&only.as_str());
            assert!(rules.iter().filter_map(|rule| rule.only.as_ref()).all(known));
            leaves(rules).unwrap();
        }
        let rule = |call: &str, only: &str| {
            let text = format!(
                r#"[{{"reason":"a b c","answer":"EPERM","calls":["mount","{call}"]{only}}}]"#
            );
            leaves(rules(&text).unwrap())
        };
        assert!(matches!(rule("mounts", ""), Err(Error::Unknown(call)) if call == "mounts"));
        let here = format!(r#","only":"{}""#, std::env::consts::ARCH);
        assert!(matches!(rule("mounts", &here), Err(Error::Unknown(_))));
        assert!(rule("mounts", r#","only":"elsewhere""#).unwrap().is_empty());
        assert_eq!(rule("umount2", &here).unwrap().len(), 2);
    }
}
