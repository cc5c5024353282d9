//! The versions of ConfigMaps that specs name.

use std::collections::HashSet;

use super::{Key, Sight};
use crate::build::languages_name;

impl Sight {
    /// Notes the version of a ConfigMap. Returns the clusters that name it.
    pub fn put_config_map(&mut self, map: &Key, version: Option<String>) -> Vec<Key> {
        let named_by: Vec<Key> = self
            .clusters
            .values()
            .filter(|seen| seen.names(map))
            .map(|seen| seen.key.clone())
            .collect();
        match version {
            // Only those that somebody names, or a namespace's worth of others would be kept.
            Some(version) if !named_by.is_empty() => {
                self.config_maps.insert(map.clone(), version);
            }
            _ => {
                self.config_maps.remove(map);
            }
        }
        named_by
    }

    /// The version of a ConfigMap, when the watch has seen it.
    #[must_use]
    pub fn config_map_version(&self, map: &Key) -> Option<&str> {
        self.config_maps.get(map).map(String::as_str)
    }

    /// The ConfigMaps of languages of a namespace: those that specs name, and the copies of them.
    #[must_use]
    pub fn languages(&self, namespace: &str) -> HashSet<Key> {
        let there = self.clusters.values().filter(|seen| *seen.key.namespace == *namespace);
        let all = there.flat_map(|seen| {
            let copy = Key::new(namespace, &languages_name(&seen.key.name));
            seen.languages().map(|name| Key::new(namespace, name)).into_iter().chain([copy])
        });
        all.collect()
    }

    /// Keeps those that are in a complete list. Returns the clusters that name another one.
    pub fn retain_config_maps(&mut self, scope: Option<&str>, listed: &HashSet<Key>) -> Vec<Key> {
        let ours = self.config_maps.keys().filter(|map| map.is_in(scope));
        let gone: Vec<Key> = ours.filter(|map| !listed.contains(*map)).cloned().collect();
        gone.iter().flat_map(|map| self.put_config_map(map, None)).collect()
    }
}
