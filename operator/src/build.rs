//! The objects of a fleet: pure, no client. What is made here is written as it is (`apply`), and a
//! golden file holds it: a changed pod template restarts every worker of every cluster.

mod api;
mod languages;
mod monitor;
mod network;
mod object;
mod redis;
mod sizing;
mod worker;

pub use api::name as api_name;
pub(crate) use languages::name as languages_name;
pub(crate) use object::digest;
pub use object::{APPLIED, COMPONENT, INSTANCE, Kind, MANAGED_BY, MANAGER, Object, labels_of};
pub use redis::name as redis_name;
pub(crate) use worker::LANGUAGES;
pub use worker::{SLOTS, daemon_set_name};

use crate::validate::Fleet;

/// The names of a cluster's ConfigMaps.
pub(crate) fn made_config_maps(cluster: &str) -> [String; 2] {
    [languages::name(cluster), sizing::name(cluster)]
}

/// Everything that a fleet consists of, in the order in which it is written: what is mounted comes
/// before what mounts it, or pods would start without it.
#[must_use]
pub fn build(fleet: &Fleet) -> Vec<Object> {
    let mut objects = Vec::new();
    objects.push(sizing::config_map(fleet));
    objects.extend(languages::config_map(fleet));
    objects.extend(network::policies(fleet));
    objects.extend(redis::objects(fleet));
    objects.push(worker::service(fleet));
    objects.push(worker::daemon_set(fleet));
    objects.extend(monitor::service_monitor(fleet));
    objects.extend(api::objects(fleet));
    objects
}
