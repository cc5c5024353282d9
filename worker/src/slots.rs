//! How many boxes this worker runs at once: pure arithmetic over what the machine has and what
//! was asked for. `node` reads the machine, `watch` the files.

mod shares;

use std::fmt;

use sandbox::Bytes;

pub use shares::Shares;

/// What the machine gives this process, of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// CPUs by affinity, cpuset and quota, whichever is least; at least 1.
    pub cpus: usize,
    /// Memory by the machine and by the control group; `None` when nothing tells.
    pub memory: Option<Bytes>,
}

/// What was asked for. The first that is there counts, from the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// `MAX_CONCURRENT_SANDBOXES`.
    pub fixed: Option<usize>,
    /// The slots file's last good value.
    pub file: Option<Order>,
    /// What the node has for pods.
    pub allocatable: Option<Allocatable>,
    /// What a slot takes.
    pub shares: Shares,
    /// Whether each slot has a CPU of its own: then there are no more than CPUs.
    pub pin: bool,
}

/// What a node has for pods, as it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocatable {
    /// CPU.
    pub cpu: Quantity,
    /// Memory; `None` does not bound.
    pub memory: Option<Bytes>,
}

/// What a slots file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// How many; 0 drains.
    pub slots: usize,
    /// Of which generation of the fleet's definition, if it says so.
    pub generation: Option<u64>,
}

/// How many slots there are, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizing {
    /// What was asked for.
    pub desired: usize,
    /// What there is: never more than the machine bears.
    pub effective: usize,
    /// Who asked.
    pub source: Source,
}

/// Who asked for a number of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The command line or environment.
    Fixed,
    /// The slots file.
    File,
    /// The node's allocatable CPU.
    Allocatable,
    /// The CPUs of this process.
    Cpus,
}

impl Source {
    /// As in logs and `/readyz`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::File => "file",
            Self::Allocatable => "allocatable",
            Self::Cpus => "cpus",
        }
    }
}

/// An amount of CPU as Kubernetes writes it, in thousandths: `4`, `3500m`, `0.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantity(u64);

/// Why a text is no amount of CPU or no slots file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// No amount of CPU.
    #[error("{text:?} is no amount of CPU; write it like 4 or 3500m")]
    Quantity {
        /// What it was, cut.
        text: String,
    },
    /// No slots file.
    #[error("{text:?} is no number of slots; write it like 4 or slots=4 generation=2")]
    File {
        /// What it was, cut.
        text: String,
    },
    /// No sizing file.
    #[error("{text:?} is no line of a sizing file; write it like cpu_per_slot=1000m")]
    Shares {
        /// The line, cut.
        text: String,
    },
}

/// More slots than this are a slip.
const MOST: usize = 10_000;

/// Slots of one worker at most, however large its node is: an engine has so many boxes. The operator
/// knows it, too (`operator::sizing`); the table holds both.
pub const BOXES: usize = 512;

/// The most that the machine bears. Whoever has memory for none gets one: a worker that can never
/// judge anything helps nobody, and the box's own limit still holds.
#[must_use]
pub fn ceiling(node: Node, shares: &Shares) -> usize {
    let Node { cpus, memory } = node;
    let whole = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let by_cpu = whole((cpus as u64).saturating_mul(1000) / shares.least_cpu.max(1));
    let by_memory = memory.and_then(|memory| memory.0.checked_div(shares.least_memory.0));
    by_cpu.min(by_memory.map_or(usize::MAX, whole)).max(shares.floor).clamp(1, BOXES)
}

/// How many slots there are. Only the one who asks can say 0, and it drains.
#[must_use]
pub fn slots(node: Node, policy: Policy) -> Sizing {
    let Policy { fixed, file, allocatable, shares, pin } = policy;
    let (desired, source) = match (fixed, file, allocatable) {
        (Some(fixed), _, _) => (fixed, Source::Fixed),
        (None, Some(file), _) => (file.slots, Source::File),
        (None, None, Some(room)) => (shares.count(room), Source::Allocatable),
        (None, None, None) => (node.cpus, Source::Cpus),
    };
    let most = if pin { node.cpus } else { usize::MAX };
    Sizing { desired, effective: desired.min(ceiling(node, &shares)).min(most), source }
}

impl Quantity {
    /// Reads one.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let odd = || Error::Quantity { text: cut(text) };
        let (digits, scale) = match text.trim().strip_suffix('m') {
            Some(digits) => (digits, 1.0),
            None => (text.trim(), 1000.0),
        };
        // `f64` alone would take "inf" and "1e3", too.
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return Err(odd());
        }
        let milli = digits.parse::<f64>().map_err(|_| odd())? * scale;
        if milli > 1e9 {
            return Err(odd());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked: digits only, and small"
        )]
        let milli = milli as u64;
        Ok(Self(milli))
    }

    /// In thousandths.
    #[must_use]
    pub fn milli(self) -> u64 {
        self.0
    }
}

impl Order {
    /// Reads a slots file: `N`, or words `slots=N generation=M` of which unknown ones are left to
    /// newer versions. Nothing at all says nothing: whoever is to say it has not yet.
    ///
    /// # Errors
    /// When it says no number of slots.
    pub fn parse(text: &str) -> Result<Option<Self>, Error> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let odd = || Error::File { text: cut(text) };
        let number = |text: &str| text.parse().ok().filter(|n| *n <= MOST).ok_or_else(odd);
        let text_is_number = !text.contains('=');
        if text_is_number {
            return Ok(Some(Self { slots: number(text.trim())?, generation: None }));
        }
        let (mut slots, mut generation) = (None, None);
        for word in text.split_whitespace() {
            match word.split_once('=').ok_or_else(odd)? {
                ("slots", n) => slots = Some(number(n)?),
                ("generation", n) => generation = Some(n.parse().map_err(|_| odd())?),
                _ => {}
            }
        }
        Ok(Some(Self { slots: slots.ok_or_else(odd)?, generation }))
    }
}

impl fmt::Display for Sizing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { desired, effective, source } = self;
        write!(f, "{effective} of {desired} asked for by {}", source.as_str())
    }
}

fn cut(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: Node = Node { cpus: 8, memory: Some(Bytes::mib(4096)) };

    fn policy() -> Policy {
        let shares = Shares::default();
        Policy { fixed: None, file: None, allocatable: None, shares, pin: false }
    }

    fn room(cpu: &str) -> Option<Allocatable> {
        Some(Allocatable { cpu: Quantity::parse(cpu).ok()?, memory: None })
    }

    fn sized(slots: usize) -> Option<Order> {
        Some(Order { slots, generation: None })
    }

    #[test]
    fn the_first_that_is_there_counts() {
        let all = Policy { fixed: Some(2), file: sized(5), allocatable: room("3500m"), ..policy() };
        let of = |policy| {
            let Sizing { desired, effective, source } = slots(NODE, policy);
            (desired, effective, source)
        };
        assert_eq!(of(all), (2, 2, Source::Fixed));
        assert_eq!(of(Policy { fixed: None, ..all }), (5, 5, Source::File));
        let no_file = Policy { fixed: None, file: None, ..all };
        assert_eq!(of(no_file), (3, 3, Source::Allocatable));
        assert_eq!(of(policy()), (8, 8, Source::Cpus));
    }

    #[test]
    fn nobody_gets_more_than_the_machine_bears() {
        let asked = Policy { file: sized(100), ..policy() };
        assert_eq!(slots(NODE, asked).effective, 8);
        let small = Node { memory: Some(Bytes::mib(1100)), ..NODE };
        let sizing = slots(small, asked);
        assert_eq!((sizing.desired, sizing.effective), (100, 2));
        let tiny = Node { memory: Some(Bytes::mib(100)), ..NODE };
        assert_eq!(slots(tiny, asked).effective, 1, "memory alone never drains");
        let unknown = Node { memory: None, ..NODE };
        assert_eq!(slots(unknown, asked).effective, 8);
        let shares = Shares { least_memory: Bytes(0), ..Shares::default() };
        let free = Policy { shares, ..asked };
        assert_eq!(slots(tiny, free).effective, 8);
    }

    #[test]
    fn nobody_gets_more_than_an_engine_has_boxes() {
        let huge = Node { cpus: 1024, memory: None };
        let shares = Shares { floor: 2000, ..Shares::default() };
        let asked = Policy { file: sized(2000), shares, ..policy() };
        assert_eq!(slots(huge, asked).effective, BOXES);
        assert_eq!(slots(huge, Policy { file: None, ..asked }).effective, BOXES);
    }

    #[test]
    fn where_each_slot_has_a_cpu_there_are_no_more() {
        let shares = Shares { floor: 100, ..Shares::default() };
        let asked = Policy { file: sized(100), shares, ..policy() };
        assert_eq!(slots(NODE, asked).effective, 100);
        assert_eq!(slots(NODE, Policy { pin: true, ..asked }).effective, NODE.cpus);
    }

    #[test]
    fn zero_drains_but_half_a_cpu_is_one_slot() {
        assert_eq!(slots(NODE, Policy { file: sized(0), ..policy() }).effective, 0);
        assert_eq!(slots(NODE, Policy { fixed: Some(0), ..policy() }).effective, 0);
        let half = Policy { allocatable: room("500m"), ..policy() };
        assert_eq!(slots(NODE, half).effective, 1);
    }

    #[test]
    fn amounts_of_cpu_as_kubernetes_writes_them() {
        for (text, milli) in [("4", 4000), ("3500m", 3500), ("0.5", 500), ("1.25", 1250)] {
            assert_eq!(Quantity::parse(text), Ok(Quantity(milli)), "{text}");
        }
        for text in ["", "m", "-1", "4 cores", "inf", "1e3", "1.2.3", "99999999999"] {
            assert!(Quantity::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn slots_files() {
        let of = |slots, generation| Ok(Some(Order { slots, generation }));
        assert_eq!(Order::parse("4\n"), of(4, None));
        assert_eq!(Order::parse("slots=4 generation=7"), of(4, Some(7)));
        assert_eq!(Order::parse("generation=7\nslots=0\nnews=x\n"), of(0, Some(7)));
        assert_eq!(Order::parse(" \n"), Ok(None), "a pod that nobody has told yet");
        for text in ["four", "-1", "4 5", "slots=", "generation=7", "slots=x", "999999"] {
            assert!(Order::parse(text).is_err(), "{text:?}");
        }
    }
}
