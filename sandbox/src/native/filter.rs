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
    /// A condition that compares with nothing, or with several values; or one for a call of ours.
    #[error(
        "the seccomp policy has a condition for {0} that is not exactly one comparison, or is for a \
         call of our own"
    )]
    Condition(String),
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
    /// Whether the slot's own processes need the call: with the slot's key it is allowed.
    #[serde(default)]
    ours: bool,
}

/// What is refused in every slot.
#[derive(Debug)]
pub(super) struct Policy {
    to_all: BTreeMap<u32, Leaf>,
    /// To whoever does not have the key.
    to_guests: BTreeMap<u32, Leaf>,
}

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

    /// What is left of a refusal.
    fn relent(self, answer: u32) -> Leaf {
        let [a, b, c, d, e, f, g, h] = self.0.to_le_bytes();
        let other = |high, half| {
            let half = Some(u32::from_le_bytes(half));
            (Some(Condition { high, not: half, ..Condition::of(5) }), answer)
        };
        vec![other(false, [a, b, c, d]), other(true, [e, f, g, h])]
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

/// What happens at one call: conditions in turn, each with its answer.
type Leaf = Vec<(Option<Condition>, u32)>;

/// Reads the policy for this machine, with what is `pinned`'s. Names that this architecture does not
/// have are left out.
pub(super) fn policy(pinned: bool) -> Result<Policy, Error> {
    let rules = || {
        let mut rules = self::rules(POLICY)?;
        if pinned {
            rules.extend(self::rules(PINNED)?);
        }
        Ok(rules)
    };
    // All together, so that no call is in both.
    leaves(rules()?)?;
    let (ours, others) = rules()?.into_iter().partition(|rule| rule.ours);
    Ok(Policy { to_all: leaves(others)?, to_guests: leaves(ours)? })
}

impl Policy {
    /// For the slot of that key.
    pub(super) fn program(&self, key: Key) -> Vec<Op> {
        let Self { to_all, to_guests } = self;
        let relent = |(call, leaf): (&u32, &Leaf)| (*call, key.relent(leaf[0].1));
        program(to_all.clone().into_iter().chain(to_guests.iter().map(relent)).collect())
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
    leaves.retain(|_, leaf| leaf.iter().all(|(_, answer)| *answer != TELL));
    for call in open {
        leaves.remove(&call.id().cast_unsigned());
    }
    leaves.extend(self::leaves(self::rules(rules)?)?);
    Ok(program(leaves))
}

/// With what ends a guest of a foreign architecture.
fn program(leaves: BTreeMap<u32, Leaf>) -> Vec<Op> {
    let leaves: Vec<_> = leaves.into_iter().collect();
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
    for rule in rules {
        let answer = answer(&rule.answer)?;
        for call in &rule.calls {
            let Ok(number) = Sysno::from_str(call) else { continue };
            let leaf = leaves.entry(number.id().cast_unsigned()).or_default();
            let one = |when: &Condition| when.comparisons() == 1 && !rule.ours;
            if rule.when.as_ref().is_some_and(|when| !one(when)) {
                return Err(Error::Condition(call.clone()));
            }
            let always = |condition: &Option<Condition>| condition.is_none();
            if leaf.iter().any(|(c, _)| always(c) || always(&rule.when) || *c == rule.when) {
                return Err(Error::Redundant(call.clone()));
            }
            leaf.push((rule.when, answer));
        }
    }
    Ok(leaves)
}

fn answer(name: &str) -> Result<u32, Error> {
    let errno = match name {
        "TELL" => return Ok(TELL),
        "EPERM" => libc::EPERM,
        "ENOSYS" => libc::ENOSYS,
        "EAFNOSUPPORT" => libc::EAFNOSUPPORT,
        _ => return Err(Error::Answer(name.to_owned())),
    };
    Ok(ERRNO | errno.unsigned_abs())
}

/// Halves the calls until three are left. Jumps over a half are unconditional ones, whose offset
/// has 32 bits; conditional ones have 8.
fn tree(leaves: &[(u32, Leaf)]) -> Vec<Op> {
    if leaves.len() <= 3 {
        let mut ops: Vec<_> =
            leaves.iter().flat_map(|(number, leaf)| call(*number, leaf)).collect();
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

fn call(number: u32, leaf: &Leaf) -> Vec<Op> {
    let mut body = Vec::new();
    for (condition, answer) in leaf {
        if let Some(condition) = condition {
            body.push(op(LOAD, condition.offset()));
            body.push(skip_unless(condition));
        }
        body.push(op(RETURN, *answer));
    }
    if leaf.iter().all(|(condition, _)| condition.is_some()) {
        body.push(op(RETURN, ALLOW));
    }
    let mut ops = vec![
        Op { code: IF_EQUAL, if_true: 1, if_false: 0, value: number },
        op(JUMP, length(&body)),
    ];
    ops.extend(body);
    ops
}

/// Skips the answer that follows when the condition does not hold.
fn skip_unless(condition: &Condition) -> Op {
    match *condition {
        Condition { any_bit_of: Some(bits), .. } => {
            Op { code: IF_BITS, if_true: 0, if_false: 1, value: bits }
        }
        Condition { from: Some(value), .. } => {
            Op { code: IF_AT_LEAST, if_true: 0, if_false: 1, value }
        }
        Condition { not: Some(value), .. } => Op { code: IF_EQUAL, if_true: 1, if_false: 0, value },
        Condition { is, .. } => {
            Op { code: IF_EQUAL, if_true: 0, if_false: 1, value: is.unwrap_or_default() }
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
    use super::*;

    const KEY: Key = Key(0x0123_4567_89ab_cdef);

    fn slots() -> Vec<Op> {
        policy(false).unwrap().program(KEY)
    }

    /// What a guest gets, who does not have the key.
    fn outcome(program: &[Op], nr: u32, arch: u32, args: [u32; 2]) -> u32 {
        with_sixth(program, nr, arch, args, 0)
    }

    /// Runs a program as the kernel would, for the four kinds of instruction that are used.
    fn with_sixth(program: &[Op], nr: u32, arch: u32, args: [u32; 2], sixth: u64) -> u32 {
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
                        56 => u32::try_from(sixth & u64::from(u32::MAX)).unwrap(),
                        60 => u32::try_from(sixth >> 32).unwrap(),
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
                Some(leaf) if leaf[0].0.is_none() => leaf[0].1,
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
        assert!(rules(PINNED).unwrap().iter().all(|r| r.reason.split_whitespace().count() >= 3));
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
        assert!(leaves.values().flatten().any(|(_, answer)| *answer == TELL));
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
        let rules = rules(POLICY).unwrap();
        assert!(rules.iter().all(|r| r.reason.split_whitespace().count() >= 3));
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
        let rules = rules(POLICY).unwrap();
        assert!(rules.iter().all(|r| r.reason.split_whitespace().count() >= 3));
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
        let ours = r#"[{"reason":"a b c","answer":"EPERM","calls":["mount"],"ours":true,
            "when":{"arg":1,"is":3}}]"#;
        assert!(matches!(compiled(ours), Err(Error::Condition(_))));
    }

    /// Values at which one of the conditions of a call may begin or cease to hold.
    fn borders(leaf: &Leaf) -> Vec<u32> {
        let values = leaf.iter().filter_map(|(condition, _)| {
            let Condition { arg: _, any_bit_of, is, not, from, high: _ } = (*condition)?;
            any_bit_of.or(is).or(not).or(from)
        });
        let near = |v: u32| [v, v.wrapping_sub(1), v.wrapping_add(1)];
        let bits = (0..32).map(|bit| 1 << bit);
        values.flat_map(near).chain(bits).chain([0, u32::MAX]).collect()
    }

    /// A rule that changes no answer: others of the same call, before or after it, answer alike
    /// wherever it holds.
    fn idle(leaf: &Leaf) -> Option<usize> {
        let answer = |leaf: &Leaf, args| {
            let program = [vec![op(LOAD, NR)], call(7, leaf), vec![op(RETURN, ALLOW)]].concat();
            outcome(&program, 7, THIS_ARCH, args)
        };
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
        for text in [POLICY, crate::isolate::POLICY] {
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
    fn every_name_exists_on_some_architecture() {
        // lookup_dcookie and nfsservctl are gone from newer ones; the others exist everywhere.
        let rules = rules(POLICY).unwrap();
        for call in rules.iter().flat_map(|r| &r.calls) {
            assert!(Sysno::from_str(call).is_ok(), "{call} is unknown");
        }
    }
}
