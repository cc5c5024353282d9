//! How slots are counted, as a file for the workers: by it they count themselves while nobody tells
//! them, and know what their node bears. A ConfigMap and not the template, so that another policy
//! reaches them without a restart.

use std::fmt::Write as _;

use serde_json::json;

use super::object::{Kind, Object};
use crate::sizing::Policy;
use crate::validate::{Fleet, Policies};

pub(super) const KEY: &str = "policy";

pub(super) fn name(cluster: &str) -> String {
    format!("{cluster}-sizing")
}

pub(super) fn config_map(fleet: &Fleet) -> Object {
    let body = json!({ "data": { KEY: text(&fleet.sizing) } });
    Object::new(fleet, Kind::ConfigMap, "worker", name(&fleet.id.name), body)
}

/// As `worker::slots` reads it. A worker does not know its node's labels, so of overrides it is only
/// told what they can come to, lest it takes a number for too much.
fn text(policies: &Policies) -> String {
    let Policies { base, overrides, cpu_limit: _, memory_limit: _ } = policies;
    let Policy { cpu_per_slot, memory_per_slot, reserved_cpu, reserved_memory, min, max } = base;
    let all = || std::iter::once(base).chain(overrides.iter().map(|patch| &patch.policy));
    let least_cpu = all().map(|policy| policy.cpu_per_slot).min().unwrap_or(*cpu_per_slot);
    let least_memory = all().map(|policy| policy.memory_per_slot).min().unwrap_or(*memory_per_slot);
    let fixed = overrides.iter().filter_map(|patch| patch.slots);
    let floor = all().map(|policy| policy.min).chain(fixed).max().unwrap_or(*min);
    let mut text = format!(
        "cpu_per_slot={cpu_per_slot}m\nmemory_per_slot={memory_per_slot}\n\
         reserved_cpu={reserved_cpu}m\nreserved_memory={reserved_memory}\nmin={min}\n\
         least_cpu={least_cpu}m\nleast_memory={least_memory}\nfloor={floor}\n"
    );
    if let Some(max) = max {
        writeln!(text, "max={max}").expect("a String takes everything");
    }
    text
}
