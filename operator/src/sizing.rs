//! From a node and a policy to slots: plain numbers, no cluster. A worker without an operator does
//! the same sums (`worker::slots`); `tests/sizing.txt` holds both to them.

/// What a node has for pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Allocatable CPU, in thousandths; 0 when it is not known.
    pub cpu: u64,
    /// Allocatable memory in bytes; `None` when it is not known, and then it does not bound.
    pub memory: Option<u64>,
}

/// Slots of one worker at most, however large its node is: an engine has so many boxes
/// (`worker::slots`).
pub const BOXES: u32 = 512;

/// How slots are counted. Nothing in it is zero but what is reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// CPU of a slot, in thousandths.
    pub cpu_per_slot: u64,
    /// Memory of a slot, in bytes.
    pub memory_per_slot: u64,
    /// CPU that is left to others.
    pub reserved_cpu: u64,
    /// Memory that is left to others.
    pub reserved_memory: u64,
    /// At least, at most.
    pub min: u32,
    /// At most; not below `min`.
    pub max: Option<u32>,
}

/// How many slots, and what decided it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub slots: u32,
    /// What there was least of.
    pub bound: Bound,
}

/// What decides the number of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bound {
    /// The node's CPU.
    Cpu,
    /// The node's memory.
    Memory,
    /// The policy's least: the node has room for fewer.
    Min,
    /// The policy's most: the node has room for more.
    Max,
    /// What one worker can run ([`BOXES`]): the node has room for more.
    Worker,
    /// The node does not say what it has: no slots.
    Unknown,
}

/// How many slots a node has. Zero only when the node has no CPU to speak of.
#[must_use]
pub fn slots(room: Room, policy: &Policy) -> Count {
    let Room { cpu, memory } = room;
    let Policy { cpu_per_slot, memory_per_slot, reserved_cpu, reserved_memory, min, max } = *policy;
    if cpu == 0 {
        return Count { slots: 0, bound: Bound::Unknown };
    }
    let by_cpu = cpu.saturating_sub(reserved_cpu) / cpu_per_slot.max(1);
    let by_memory = memory.map(|m| m.saturating_sub(reserved_memory) / memory_per_slot.max(1));
    let (fits, bound) = match by_memory {
        Some(by_memory) if by_memory < by_cpu => (by_memory, Bound::Memory),
        _ => (by_cpu, Bound::Cpu),
    };
    let fits = u32::try_from(fits).unwrap_or(u32::MAX);
    let most = max.unwrap_or(u32::MAX).max(min);
    let (slots, bound) = match fits {
        fits if fits < min => (min, Bound::Min),
        fits if fits > most => (most, Bound::Max),
        fits => (fits, bound),
    };
    match slots > BOXES {
        true => Count { slots: BOXES, bound: Bound::Worker },
        false => Count { slots, bound },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lines of the table that the worker's test reads, too.
    #[test]
    fn the_table_that_the_worker_has_too() {
        let mut rows = 0;
        for line in include_str!("../tests/sizing.txt").lines() {
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [cpu, memory, per, memory_per, reserved, reserved_memory, min, max, wanted] =
                fields[..]
            else {
                panic!("nine fields: {line}")
            };
            let n = |text: &str| text.parse::<u64>().unwrap();
            let small = |text: &str| text.parse::<u32>().unwrap();
            let mib = |text: &str| n(text) << 20;
            let policy = Policy {
                cpu_per_slot: n(per),
                memory_per_slot: mib(memory_per),
                reserved_cpu: n(reserved),
                reserved_memory: mib(reserved_memory),
                min: small(min),
                max: (max != "-").then(|| small(max)),
            };
            let room = Room { cpu: n(cpu), memory: (memory != "-").then(|| mib(memory)) };
            assert_eq!(slots(room, &policy).slots, small(wanted), "{line}");
            rows += 1;
        }
        assert!(rows > 10);
    }

    fn policies() -> impl Strategy<Value = Policy> {
        let amounts = (1_u64..5_000, 1_u64..1 << 34, 0_u64..5_000, 0_u64..1 << 34);
        (amounts, 1_u32..50, proptest::option::of(0_u32..200)).prop_map(|(amounts, min, more)| {
            let (cpu_per_slot, memory_per_slot, reserved_cpu, reserved_memory) = amounts;
            let max = more.map(|more| min + more);
            Policy { cpu_per_slot, memory_per_slot, reserved_cpu, reserved_memory, min, max }
        })
    }

    fn rooms() -> impl Strategy<Value = Room> {
        (0_u64..1 << 40, proptest::option::of(0_u64..1 << 50))
            .prop_map(|(cpu, memory)| Room { cpu, memory })
    }

    proptest! {
        #[test]
        fn more_of_anything_is_never_less(room in rooms(), policy in policies(), more in 0_u64..1 << 34) {
            let before = slots(room, &policy).slots;
            let wider = Room { cpu: room.cpu + more, ..room };
            prop_assert!(slots(wider, &policy).slots >= before);
            let deeper = Room { memory: room.memory.map(|m| m + more), ..room };
            prop_assert!(slots(deeper, &policy).slots >= before);
            let modest = Policy { reserved_cpu: policy.reserved_cpu.saturating_sub(more), ..policy };
            prop_assert!(slots(room, &modest).slots >= before);
        }

        #[test]
        fn within_bounds_and_zero_only_without_a_cpu(room in rooms(), policy in policies()) {
            let count = slots(room, &policy);
            prop_assert_eq!(count.slots == 0, room.cpu == 0);
            prop_assert!(policy.max.is_none_or(|max| count.slots <= max) && count.slots <= BOXES);
            prop_assert!(room.cpu == 0 || count.slots >= policy.min);
        }

        #[test]
        fn what_is_promised_fits(room in rooms(), policy in policies()) {
            let Count { slots, bound } = slots(room, &policy);
            if matches!(bound, Bound::Cpu | Bound::Memory | Bound::Max | Bound::Worker) {
                let slots = u128::from(slots);
                prop_assert!(slots * u128::from(policy.cpu_per_slot) <= u128::from(room.cpu));
                let needed = slots * u128::from(policy.memory_per_slot);
                prop_assert!(room.memory.is_none_or(|m| needed <= u128::from(m)));
            }
        }
    }
}
