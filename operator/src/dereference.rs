//! First step: reads what a spec names. Needs a client, and decides nothing.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;

use crate::api::{self, call};
use crate::build::{Kind, LANGUAGES, daemon_set_name, languages_name};
use crate::context::Context;
use crate::crd::JudgeClusterSpec;
use crate::validate::LanguageTable;
use crate::world::Key;

/// What a spec names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct References {
    /// The files of languages.
    pub languages: LanguageFiles,
    /// ServiceMonitors can be made here.
    pub service_monitors: bool,
}

/// The files of languages, and those that the workers have now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LanguageFiles {
    /// None were asked for.
    NotAsked,
    /// The ConfigMap is not there.
    Missing {
        /// Its name.
        name: String,
        /// What the workers have.
        kept: Option<BTreeMap<String, String>>,
    },
    /// It is.
    Found {
        /// Its name.
        name: String,
        /// What it holds.
        files: BTreeMap<String, String>,
        /// What the workers have.
        kept: Option<BTreeMap<String, String>>,
    },
}

impl LanguageFiles {
    /// What the workers have.
    #[must_use]
    pub fn kept(&self) -> Option<&BTreeMap<String, String>> {
        match self {
            Self::NotAsked => None,
            Self::Missing { kept, .. } | Self::Found { kept, .. } => kept.as_ref(),
        }
    }
}

/// Reads it.
///
/// # Errors
/// When the API server does not answer.
pub(crate) async fn dereference(
    context: &Context,
    key: &Key,
    spec: &JudgeClusterSpec,
) -> Result<References, api::Error> {
    let service_monitors = context.world.sight().service_monitors;
    let Some(languages) = &spec.languages else {
        return Ok(References { languages: LanguageFiles::NotAsked, service_monitors });
    };
    let name = languages.config_map_ref.name.clone();
    let kept = kept(context, key);
    let map = Key::new(&key.namespace, &name);
    let seen = context.world.sight().config_map_version(&map).map(str::to_owned);
    if let Some(files) = seen.as_ref().and_then(|version| context.files.get(&map, version)) {
        return Ok(References {
            languages: LanguageFiles::Found { name, files, kept },
            service_monitors,
        });
    }
    let maps: Api<ConfigMap> = Api::namespaced(context.client.clone(), &key.namespace);
    let found = call("read a ConfigMap", maps.get_opt(&name)).await?;
    let languages = match found {
        None => LanguageFiles::Missing { name, kept },
        Some(found) => {
            let files = found.data.unwrap_or_default();
            if let Some(version) = found.metadata.resource_version {
                // The watch may have passed it by when no cluster named it yet.
                context.world.sight().put_config_map(&map, Some(version.clone()));
                context.files.put(&map, version, &files);
            }
            LanguageFiles::Found { name, files, kept }
        }
    };
    Ok(References { languages, service_monitors })
}

/// What the workers have: the files that their template names. The copy beside it may have been
/// changed by hand, and then it is none of them; nor need the template be as we made it. What the
/// two were when they last agreed is remembered.
fn kept(context: &Context, key: &Key) -> Option<BTreeMap<String, String>> {
    let copy = Key::new(&key.namespace, &languages_name(&key.name));
    let sight = context.world.sight();
    let workers = sight.live(key, Kind::DaemonSet, &daemon_set_name(&key.name));
    let annotations =
        workers.map(|live| &live.value["spec"]["template"]["metadata"]["annotations"]);
    let mark = annotations.and_then(|all| all[LANGUAGES].as_str()).unwrap_or_default();
    if let Some(files) = context.files.get(&copy, mark) {
        return Some(files);
    }
    let live = sight.live(key, Kind::ConfigMap, &copy.name)?;
    let files = serde_json::from_value(live.value["data"].clone()).unwrap_or_default();
    let LanguageTable { files, digest } = LanguageTable::new(files);
    if digest != mark {
        return context.files.last(&copy);
    }
    context.files.put(&copy, digest, &files);
    Some(files)
}

#[cfg(test)]
mod tests {
    use kube::Client;
    use serde_json::{Value, json};

    use super::*;
    use crate::metrics::Metrics;
    use crate::world::Live;

    fn context() -> Context {
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            std::future::pending::<Result<http::Response<kube::client::Body>, tower::BoxError>>()
                .await
        });
        Context::new(Client::new(service, "ns"), Metrics::default(), "test")
    }

    fn put(context: &Context, kind: Kind, name: &str, body: Value) {
        let mut object =
            json!({ "apiVersion": "v1", "kind": kind.as_str(), "metadata": { "name": name } });
        object.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let live = Live::of(serde_json::from_value(object).unwrap());
        context.world.sight().put_live(&Key::new("ns", "c"), kind, name, live);
    }

    fn workers_have(context: &Context, files: &BTreeMap<String, String>) {
        let LanguageTable { digest, .. } = LanguageTable::new(files.clone());
        let template = json!({ "metadata": { "annotations": { LANGUAGES: digest } } });
        put(context, Kind::DaemonSet, "c-worker", json!({ "spec": { "template": template } }));
    }

    #[tokio::test]
    async fn a_copy_that_was_changed_by_hand_is_not_what_the_workers_have() {
        let files = BTreeMap::from([("a.yaml".to_owned(), "a".to_owned())]);
        let mut changed = files.clone();
        changed.insert("b.yaml".to_owned(), "b".to_owned());
        let (context, key) = (context(), Key::new("ns", "c"));
        let copy = |files| put(&context, Kind::ConfigMap, "c-languages", json!({ "data": files }));
        copy(&files);
        assert_eq!(kept(&context, &key), None, "no worker has it");
        workers_have(&context, &files);
        copy(&changed);
        assert_eq!(kept(&context, &key), None, "nobody knows what it was");
        copy(&files);
        assert_eq!(kept(&context, &key), Some(files.clone()));
        copy(&changed);
        assert_eq!(kept(&context, &key), Some(files), "that is known now");
        workers_have(&context, &changed);
        assert_eq!(kept(&context, &key), Some(changed.clone()), "their template names another one");
        let template = json!({ "metadata": { "annotations": { LANGUAGES: "by hand" } } });
        put(&context, Kind::DaemonSet, "c-worker", json!({ "spec": { "template": template } }));
        assert_eq!(kept(&context, &key), Some(changed));
    }
}
