//! First step: reads what a spec names. Needs a client, and decides nothing.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;

use crate::api::{self, call};
use crate::build::Kind;
use crate::context::Context;
use crate::crd::JudgeClusterSpec;
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

fn kept(context: &Context, key: &Key) -> Option<BTreeMap<String, String>> {
    let sight = context.world.sight();
    let live = sight.live(key, Kind::ConfigMap, &format!("{}-languages", key.name))?;
    serde_json::from_value(live.value.get("data")?.clone()).ok()
}
