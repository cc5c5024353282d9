//! What a slot takes of a node, and so how many a node has: the sums that the operator does, too
//! (`operator::sizing`), for the time in which nobody says a number. Both are held to one table.

use sandbox::Bytes;

use super::{Allocatable, BOXES, Error, MOST, Quantity, cut};

/// What a slot takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// CPU of a slot, in thousandths.
    pub cpu_per_slot: u64,
    /// Memory of a slot; 0 does not ask.
    pub memory_per_slot: Bytes,
    /// CPU that is left to others.
    pub reserved_cpu: u64,
    /// Memory that is left to others.
    pub reserved_memory: Bytes,
    /// Slots at least.
    pub min: usize,
    /// Slots at most.
    pub max: Option<usize>,
    /// The least CPU that a slot takes on any node: more slots than that are never believed.
    pub least_cpu: u64,
    /// The least memory, likewise.
    pub least_memory: Bytes,
    /// So many were asked for by number, whatever a node has.
    pub floor: usize,
}

impl Default for Shares {
    /// A CPU, and a test of the usual limit with a compiler beside it.
    fn default() -> Self {
        Self::of(1000, Bytes::mib(512))
    }
}

impl Shares {
    /// So much a slot and nothing else.
    #[must_use]
    pub fn of(cpu_per_slot: u64, memory_per_slot: Bytes) -> Self {
        Self {
            cpu_per_slot,
            memory_per_slot,
            reserved_cpu: 0,
            reserved_memory: Bytes(0),
            min: 1,
            max: None,
            least_cpu: cpu_per_slot,
            least_memory: memory_per_slot,
            floor: 1,
        }
    }

    /// Reads a sizing file: a line each, those that are not known are left to newer versions. What it
    /// does not say is as in `self`.
    ///
    /// # Errors
    /// The first line that says nothing.
    pub fn with(self, text: &str) -> Result<Self, Error> {
        let mut shares = self;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let odd = || Error::Shares { text: cut(line) };
            let (key, value) = line.split_once('=').ok_or_else(odd)?;
            let cpu = || Quantity::parse(value).map(Quantity::milli).map_err(|_| odd());
            let bytes = || value.parse().map(Bytes).map_err(|_| odd());
            let slots = || value.parse().ok().filter(|n| *n <= MOST).ok_or_else(odd);
            match key {
                "cpu_per_slot" => shares.cpu_per_slot = cpu()?,
                "memory_per_slot" => shares.memory_per_slot = bytes()?,
                "reserved_cpu" => shares.reserved_cpu = cpu()?,
                "reserved_memory" => shares.reserved_memory = bytes()?,
                "min" => shares.min = slots()?,
                "max" => shares.max = Some(slots()?),
                "least_cpu" => shares.least_cpu = cpu()?,
                "least_memory" => shares.least_memory = bytes()?,
                "floor" => shares.floor = slots()?,
                _ => {}
            }
        }
        Ok(shares)
    }

    /// The slots of a node.
    #[must_use]
    pub fn count(&self, room: Allocatable) -> usize {
        let Allocatable { cpu, memory } = room;
        let by_cpu = cpu.milli().saturating_sub(self.reserved_cpu) / self.cpu_per_slot.max(1);
        let left = memory.map(|memory| memory.0.saturating_sub(self.reserved_memory.0));
        let by_memory = left.and_then(|left| left.checked_div(self.memory_per_slot.0));
        let fits = by_cpu.min(by_memory.unwrap_or(u64::MAX));
        let fits = usize::try_from(fits).unwrap_or(usize::MAX);
        let min = self.min.max(1);
        fits.clamp(min, self.max.unwrap_or(MOST).max(min)).min(BOXES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_that_the_operator_has_too() {
        let mut rows = 0;
        for line in include_str!("../../../operator/tests/sizing.txt").lines() {
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [cpu, memory, per, memory_per, reserved, reserved_memory, min, max, wanted] =
                fields[..]
            else {
                panic!("nine fields: {line}")
            };
            let n = |text: &str| text.parse::<usize>().unwrap();
            let mib = |text: &str| Bytes::mib(text.parse().unwrap());
            let milli = |text: &str| Quantity::parse(&format!("{text}m")).unwrap();
            let shares = Shares {
                reserved_cpu: milli(reserved).milli(),
                reserved_memory: mib(reserved_memory),
                min: n(min),
                max: (max != "-").then(|| n(max)),
                ..Shares::of(milli(per).milli(), mib(memory_per))
            };
            let memory = (memory != "-").then(|| mib(memory));
            let count = shares.count(Allocatable { cpu: milli(cpu), memory });
            assert_eq!(count, n(wanted), "{line}");
            rows += 1;
        }
        assert!(rows > 10);
    }

    #[test]
    fn a_sizing_file() {
        let text = "cpu_per_slot=500m\nmemory_per_slot=1048576\nreserved_cpu=1\n\
                    reserved_memory=0\nmin=2\nmax=9\nleast_cpu=250m\nleast_memory=1024\nfloor=3\nnews=x\n";
        let shares = Shares::default().with(text).unwrap();
        assert_eq!((shares.cpu_per_slot, shares.reserved_cpu), (500, 1000));
        assert_eq!((shares.memory_per_slot, shares.least_memory), (Bytes::mib(1), Bytes(1024)));
        assert_eq!((shares.min, shares.max, shares.floor), (2, Some(9), 3));
        assert_eq!(shares.least_cpu, 250);
        assert_eq!(Shares::default().with("\n"), Ok(Shares::default()));
        for odd in ["cpu_per_slot", "min=-1", "max=x", "memory_per_slot=1Gi", "floor=999999"] {
            assert!(Shares::default().with(odd).is_err(), "{odd}");
        }
    }
}
