//! Which field of a spec names what a pod lacks.

use k8s_openapi::api::core::v1::EnvVarSource;

use crate::crd::{CaSource, JudgeClusterSpec, Queue};

/// The field, when the kubelet's words name an object that a field names: `secret "x" not found`,
/// `couldn't find key k in Secret ns/x`.
pub(super) fn that_names(spec: Option<&JudgeClusterSpec>, said: &str) -> Option<String> {
    let spec = spec?;
    let queue = spec.queue.url_secret_ref.iter();
    let queue = queue.map(|secret| ("spec.queue.urlSecretRef".to_owned(), &*secret.name));
    let env = spec.env.iter().enumerate().filter_map(|(index, var)| {
        let EnvVarSource { secret_key_ref, config_map_key_ref, .. } = var.value_from.as_ref()?;
        let (kind, name) = match (secret_key_ref, config_map_key_ref) {
            (Some(secret), _) => ("secretKeyRef", &*secret.name),
            (None, Some(map)) => ("configMapKeyRef", &*map.name),
            (None, None) => return None,
        };
        Some((format!("spec.env[{index}].valueFrom.{kind}"), name))
    });
    queue.chain(env).find(|(_, name)| names(said, name)).map(|(field, _)| field)
}

/// Where the settings come from that nobody but a worker looks at. Of an address in a secret the
/// operator knows only the secret's name.
pub(super) fn of_settings(spec: Option<&JudgeClusterSpec>) -> String {
    let mut fields = vec!["spec.env".to_owned(), "spec.languages".to_owned()];
    if let Some(queue) = spec.map(|spec| &spec.queue) {
        let address = queue.url_secret_ref.iter();
        fields.extend(address.map(|secret| {
            format!("the address in the secret {:?} of spec.queue.urlSecretRef", secret.name)
        }));
        let ca = of_volumes(queue);
        fields.extend(ca.map(|(field, name)| format!("the certificates in {name:?} of {field}")));
    }
    let last = fields.pop().unwrap_or_default();
    format!("see {} and {last}", fields.join(", "))
}

/// The field of the spec whose object is mounted, and that object's name.
pub(super) fn of_volumes(queue: &Queue) -> Option<(&'static str, &str)> {
    let CaSource { config_map_ref, secret_ref } = queue.ca.as_ref()?;
    let secret = secret_ref.as_ref().map(|key| ("spec.queue.ca.secretRef", &*key.name));
    let map = config_map_ref.as_ref().map(|key| ("spec.queue.ca.configMapRef", &*key.name));
    secret.or(map)
}

/// Whether a word of a message is this name: others may begin alike.
fn names(said: &str, name: &str) -> bool {
    let outside = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.');
    said.split(outside).any(|word| word == name)
}
