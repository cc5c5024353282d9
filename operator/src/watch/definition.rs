//! Whether the API server has our definition of JudgeCluster, and all of it. What an older one does not
//! know is dropped from what users write, without a word to them. Asked of the server's OpenAPI,
//! which every account may read: no right on definitions is needed.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use crate::api::{call, chain};
use crate::context::Context;
use crate::crd;

/// Between two looks: one small request.
const LOOK: Duration = Duration::from_secs(60);
/// The same while something is wrong with it, which somebody is likely to be mending.
const SOON: Duration = Duration::from_secs(5);
/// Paths in a line.
const SHOWN: usize = 5;
/// What helps.
const CURE: &str = "kubectl apply --server-side -f crds/, of this version";

/// What the API server has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Served {
    /// All that we know.
    Current,
    /// It lacks these fields and values.
    Older(Vec<String>),
    /// Nothing.
    Missing,
}

impl Served {
    /// As in metrics.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Older(_) => "older",
            Self::Missing => "missing",
        }
    }

    /// All states.
    pub(crate) const ALL: [&'static str; 3] = ["current", "older", "missing"];
}

/// Looks for ever.
pub(super) async fn definition(context: Arc<Context>) {
    let mut before = None;
    loop {
        let served = served(&context).await;
        if let Some(served) = &served
            && before.as_ref() != Some(served)
        {
            say(served);
            context.metrics.definition(served);
            before = Some(served.clone());
        }
        sleep(if before == Some(Served::Current) { LOOK } else { SOON }).await;
    }
}

fn say(served: &Served) {
    match served {
        Served::Current => info!("the definition of JudgeCluster is there"),
        Served::Missing => warn!(cure = CURE, "the definition of JudgeCluster is missing"),
        Served::Older(lacks) => {
            let more = lacks.len().saturating_sub(SHOWN);
            let lacks = lacks.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
            let text = "the definition of JudgeCluster is older than the operator: what it lacks is \
                        dropped from what users write";
            warn!(cure = CURE, lacks, more, "{text}");
        }
    }
}

/// `None` when the API server does not say.
async fn served(context: &Context) -> Option<Served> {
    let path = format!("/openapi/v3/apis/{}/v1alpha1", crd::GROUP);
    let request = http::Request::get(path).body(Vec::new()).expect("the path is a constant");
    match call("read the definition", context.client.request::<Value>(request)).await {
        Ok(document) => Some(compare(&document)),
        Err(error) if error.is_not_found() => Some(Served::Missing),
        Err(error) => {
            debug!(error = chain(&error), "not known which definition is served");
            None
        }
    }
}

/// Our own schema.
static OURS: LazyLock<Value> = LazyLock::new(|| {
    let mut definition = crd::definition();
    let version = definition.spec.versions.pop();
    let schema = version.and_then(|version| version.schema?.open_api_v3_schema);
    serde_json::to_value(schema).expect("a schema is JSON")
});

/// Reads what the API server says of the group and version.
fn compare(document: &Value) -> Served {
    let schemas = document["components"]["schemas"].as_object().into_iter().flatten();
    let mut schemas = schemas.filter(|(name, _)| name.ends_with(".JudgeCluster"));
    let Some((_, theirs)) = schemas.next() else { return Served::Missing };
    let mut lacks = Vec::new();
    for part in ["spec", "status"] {
        missing(part, &OURS["properties"][part], &theirs["properties"][part], &mut lacks);
    }
    if lacks.is_empty() { Served::Current } else { Served::Older(lacks) }
}

/// Fields and values of `ours` that `theirs` lacks.
fn missing(at: &str, ours: &Value, theirs: &Value, lacks: &mut Vec<String>) {
    if theirs["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    if let (Some(ours), Some(theirs)) = (ours["enum"].as_array(), theirs["enum"].as_array()) {
        let unknown = ours.iter().filter(|value| !value.is_null() && !theirs.contains(value));
        lacks.extend(unknown.map(|value| format!("{at}={}", value.as_str().unwrap_or_default())));
    }
    for (name, property) in ours["properties"].as_object().into_iter().flatten() {
        let path = format!("{at}.{name}");
        match &theirs["properties"][name] {
            Value::Null => lacks.push(path),
            there => missing(&path, property, there, lacks),
        }
    }
    for inner in ["items", "additionalProperties"] {
        if ours[inner].is_object() {
            missing(&format!("{at}[]"), &ours[inner], &theirs[inner], lacks);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(schema: &Value) -> Value {
        json!({ "components": { "schemas": {
            "dev.evalx.v1alpha1.JudgeCluster": schema,
            "dev.evalx.v1alpha1.JudgeClusterList": {},
        } } })
    }

    #[test]
    fn our_own_is_current_and_more_than_ours_is_as_good() {
        assert_eq!(compare(&document(&OURS)), Served::Current);
        let mut newer = OURS.clone();
        newer["properties"]["spec"]["properties"]["news"] = json!({ "type": "string" });
        assert_eq!(compare(&document(&newer)), Served::Current);
    }

    #[test]
    fn what_an_older_one_lacks_is_named() {
        let mut older = OURS.clone();
        let spec = &mut older["properties"]["spec"]["properties"];
        spec.as_object_mut().unwrap().remove("suspend");
        let sandbox = &mut spec["sandbox"]["properties"];
        sandbox["overrides"]["items"]["properties"].as_object_mut().unwrap().remove("slots");
        sandbox["engine"]["enum"].as_array_mut().unwrap().retain(|value| value != "isolate");
        let lacks =
            ["spec.sandbox.engine=isolate", "spec.sandbox.overrides[].slots", "spec.suspend"];
        let mut wanted = lacks.map(str::to_owned).to_vec();
        wanted.sort();
        let Served::Older(mut lacks) = compare(&document(&older)) else { panic!("it is older") };
        lacks.sort();
        assert_eq!(lacks, wanted);
    }

    #[test]
    fn nothing_at_all_is_missing() {
        assert_eq!(compare(&json!({})), Served::Missing);
        assert_eq!(compare(&json!({ "components": { "schemas": {} } })), Served::Missing);
    }
}
