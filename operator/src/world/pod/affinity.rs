//! For which node a DaemonSet's pod is: its controller says so in the pod's affinity, by name.

use serde::Deserialize;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Affinity {
    #[serde(default)]
    node_affinity: Option<NodeAffinity>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct NodeAffinity {
    #[serde(default, rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    required: Option<Selector>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Selector {
    #[serde(default)]
    node_selector_terms: Vec<Term>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Term {
    #[serde(default)]
    match_fields: Option<Vec<Requirement>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Requirement {
    #[serde(default)]
    key: String,
    #[serde(default)]
    values: Option<Vec<String>>,
}

impl Affinity {
    /// The node's name.
    pub(super) fn node(&self) -> Option<&str> {
        let required = self.node_affinity.as_ref()?.required.as_ref()?;
        let fields = required.node_selector_terms.iter().flat_map(|term| &term.match_fields);
        let mut named = fields.flatten().filter(|field| field.key == "metadata.name");
        named.next()?.values.as_ref()?.first().map(String::as_str)
    }
}
