//! Rules that a schema cannot hold.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::EnvVar;

use super::{Invalid, Reach, field};
use crate::build::{SLOTS, made_config_maps};
use crate::crd::{Languages, Monitoring, NetworkPolicySettings, ObjectName, Placement};

/// What the operator sets itself, on workers or on the HTTP service.
const OURS: [&str; 20] = [
    "NODE_NAME",
    "POD_NAMESPACE",
    "POD_NAME",
    "EVALX_UID_SEED",
    "NODE_ALLOCATABLE_CPU_M",
    "NODE_ALLOCATABLE_MEMORY",
    "EVALX_NODE_CPU",
    "EVALX_NODE_MEMORY",
    "EVALX_MEMORY_PER_SLOT",
    "EVALX_SIZING_FILE",
    "EVALX_SLOTS_FILE",
    "EVALX_PLACE",
    "EVALX_WORKER_LISTEN",
    "EVALX_ENGINE",
    "EVALX_CACHE_DIR",
    "EVALX_LOG_FORMAT",
    "EVALX_QUEUE",
    "EVALX_REDIS_CA",
    "EVALX_LANGUAGES",
    "EVALX_LISTEN",
];

/// More that would change what the operator has set.
const OURS_TOO: [&str; 6] = [
    "REDIS_URL",
    "EVALX_REDIS",
    "EVALX_GRACE",
    "EVALX_TOKENS",
    "EVALX_OPEN_TO_ALL",
    "MAX_CONCURRENT_SANDBOXES",
];

/// Services are named after the cluster (RFC 1035 in Kubernetes' words). The schema refuses others;
/// one that was made before it did says so here, where else its Services would be refused for ever.
pub(super) fn name(name: &str) -> Result<(), Invalid> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let begins = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    if begins && !name.ends_with('-') && name.bytes().all(inner) {
        return Ok(());
    }
    let problem = "must begin with a letter a-z and go on with a-z, 0-9 and -, the last no -; \
                   make a JudgeCluster of another name";
    Err(field("metadata.name", problem))
}

/// What we write under a name must not be what the user writes under it.
pub(super) fn languages(cluster: &str, languages: Option<&Languages>) -> Result<(), Invalid> {
    let Some(Languages { config_map_ref }) = languages else { return Ok(()) };
    let name = &config_map_ref.name;
    if made_config_maps(cluster).contains(name) {
        let problem = format!("{name} is made by the operator; give yours another name");
        return Err(field("spec.languages.configMapRef.name", &problem));
    }
    Ok(())
}

pub(super) fn monitoring(monitoring: &Monitoring) -> Result<(), Invalid> {
    let Monitoring { service_monitor: _, labels: pairs, interval } = monitoring;
    labels("spec.monitoring.labels", pairs)?;
    if !is_interval(interval) {
        let problem = "write it like 30s or 1m30s: hours, minutes, seconds, ms, each once";
        return Err(field("spec.monitoring.interval", problem));
    }
    Ok(())
}

pub(super) fn placement(placement: &Placement) -> Result<(), Invalid> {
    labels("spec.placement.nodeSelector", &placement.node_selector)
}

/// A pod's list of them is one by name: an apply of a name that is there twice fails for ever, with an
/// error of the API server that names no field.
pub(super) fn pull_secrets(secrets: &[ObjectName]) -> Result<(), Invalid> {
    let mut seen = BTreeSet::new();
    let mut each = secrets.iter().enumerate();
    match each.find(|(_, ObjectName { name })| !seen.insert(name)) {
        None => Ok(()),
        Some((index, ObjectName { name })) => {
            let at = format!("spec.imagePullSecrets[{index}].name");
            Err(field(&at, &format!("{name} is there twice")))
        }
    }
}

pub(super) fn env(env: &[EnvVar]) -> Result<(), Invalid> {
    let mut seen = BTreeSet::new();
    for (index, EnvVar { name, value: _, value_from: _ }) in env.iter().enumerate() {
        let at = format!("spec.env[{index}].name");
        if OURS.contains(&&**name) || OURS_TOO.contains(&&**name) {
            let problem = format!("{name} is set by the operator; the spec has a field for it");
            return Err(field(&at, &problem));
        }
        if !seen.insert(name) {
            return Err(field(&at, &format!("{name} is there twice")));
        }
    }
    Ok(())
}

pub(super) fn pod_metadata(
    pairs: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> Result<(), Invalid> {
    for key in pairs.keys() {
        if key.starts_with("app.kubernetes.io/") || key.starts_with("evalx.dev/") {
            return Err(field(&format!("spec.podLabels[{key}]"), "is set by the operator"));
        }
    }
    labels("spec.podLabels", pairs)?;
    for key in annotations.keys() {
        let at = format!("spec.podAnnotations[{key}]");
        if key.starts_with("evalx.dev/") {
            return Err(field(&at, &format!("is set by the operator, as {SLOTS} is")));
        }
        // As the API server does it: an annotation's key may have capitals in its prefix.
        if !is_key(&key.to_ascii_lowercase()) {
            return Err(field(&at, "is no annotation: at most 63 letters, digits, -, _ and ."));
        }
    }
    Ok(())
}

fn labels(at: &str, pairs: &BTreeMap<String, String>) -> Result<(), Invalid> {
    match pairs.iter().find(|(key, value)| !is_key(key) || !is_label(value)) {
        None => Ok(()),
        Some((key, _)) => {
            let problem = "is no label: at most 63 letters, digits, -, _ and . in name and value, \
                           and a domain before a /";
            Err(field(&format!("{at}[{key}]"), problem))
        }
    }
}

/// A qualified name: `prefix/name` or `name`.
fn is_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(p, n)| (Some(p), n));
    prefix.is_none_or(is_domain) && !name.is_empty() && is_label(name)
}

/// A DNS subdomain (RFC 1123 in Kubernetes' words).
fn is_domain(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let part = |part: &str| {
        let ends = part.starts_with('-') || part.ends_with('-');
        !part.is_empty() && !ends && part.bytes().all(inner)
    };
    text.len() <= 253 && text.split('.').all(part)
}

fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let outer = |b: Option<u8>| b.is_none_or(|b| b.is_ascii_alphanumeric());
    let (first, last) = (text.bytes().next(), text.bytes().last());
    text.len() <= 63 && text.bytes().all(inner) && outer(first) && outer(last)
}

/// A time as the Prometheus operator takes it: units from the greatest down, each once.
fn is_interval(text: &str) -> bool {
    let mut rest = text;
    for unit in ["h", "m", "s", "ms"] {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let after = rest.get(digits..).and_then(|after| after.strip_prefix(unit));
        match after {
            // An m may be the beginning of ms.
            Some(after) if digits > 0 && !(unit == "m" && after.starts_with('s')) => rest = after,
            _ => {}
        }
    }
    rest.is_empty() && !text.is_empty()
}

/// The ports of an address of Redis, and its host when that is no name. `more` are the ports that
/// the spec names.
pub(super) fn address(url: &str, more: &[u16]) -> Result<Reach, Invalid> {
    let at = "spec.queue.url";
    let form = "write it like redis://redis:6379";
    let (scheme, rest) = url.split_once("://").ok_or_else(|| field(at, form))?;
    let usual = match scheme {
        "redis" | "rediss" => 6379,
        "redis+sentinel" => 26379,
        _ => return Err(field(at, form)),
    };
    let hosts = rest.split(['/', '?']).next().unwrap_or_default();
    if hosts.contains('@') {
        return Err(field(
            at,
            "has a password; put it into a secret and name that in urlSecretRef",
        ));
    }
    let mut ports = BTreeSet::new();
    let mut ips = Vec::new();
    for host in hosts.split(',') {
        let (name, port) = host_and_port(host, usual).ok_or_else(|| field(at, form))?;
        if port == 0 {
            return Err(field(at, "port 0 is none; name the one that the server listens on"));
        }
        ports.insert(port);
        ips.push(name.parse::<IpAddr>().ok());
    }
    // The default cannot be told from what somebody wrote, and an address has its port in it.
    if more != NetworkPolicySettings::default().queue_ports {
        ports.extend(more);
    }
    if scheme == "redis+sentinel" {
        // Sentinels tell where the server is.
        ports.insert(6379);
        return Ok((ports.into_iter().collect(), None));
    }
    let ip = ips.first().copied().flatten();
    Ok((ports.into_iter().collect(), ip))
}

fn host_and_port(host: &str, usual: u16) -> Option<(&str, u16)> {
    if let Some(rest) = host.strip_prefix('[') {
        let (name, port) = rest.split_once(']')?;
        let port = port.strip_prefix(':').map_or(Some(usual), |port| port.parse().ok())?;
        return Some((name, port));
    }
    let (name, port) = host.split_once(':').map_or((host, None), |(name, p)| (name, Some(p)));
    let port = port.map_or(Some(usual), |port| port.parse().ok())?;
    (!name.is_empty()).then_some((name, port))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dereference::{LanguageFiles, References};
    use crate::validate::{Identity, validate};

    #[test]
    fn addresses_of_redis() {
        let of = |url| address(url, &[6379]).unwrap();
        assert_eq!(of("redis://redis"), (vec![6379], None));
        assert_eq!(of("rediss://redis.example:7000/1"), (vec![7000], None));
        assert_eq!(of("redis://10.0.0.1:6380"), (vec![6380], "10.0.0.1".parse().ok()));
        assert_eq!(of("redis://[fd00::1]:6380/0"), (vec![6380], "fd00::1".parse().ok()));
        assert_eq!(of("redis+sentinel://a,b:26380/m/0"), (vec![6379, 26379, 26380], None));
        for url in ["http://redis", "redis://", "redis://host:port", "redis", "redis://me:pw@host"]
        {
            assert!(address(url, &[]).is_err(), "{url}");
        }
        let said = address("redis://redis:0", &[]).unwrap_err().to_string();
        assert!(said.starts_with("spec.queue.url: port 0"), "{said}");
    }

    #[test]
    fn ports_that_an_address_does_not_tell_are_open_beside_its_own() {
        let ports = |url, more: &[u16]| address(url, more).unwrap().0;
        // A sentinel names a server on any port.
        assert_eq!(ports("redis+sentinel://a/m", &[6380]), [6379, 6380, 26379]);
        assert_eq!(ports("redis+sentinel://a/m", &[6379]), [6379, 26379]);
        assert_eq!(ports("redis://r:7000", &[7001, 7002]), [7000, 7001, 7002]);
        assert_eq!(ports("redis://r:7000", &[6379]), [7000], "that is only the default");
    }

    #[test]
    fn labels_and_keys() {
        for key in ["team", "example.org/team", "a_b.c-d"] {
            assert!(is_key(key), "{key}");
        }
        let long = "x".repeat(64);
        for key in ["", "/x", "Example.org/x", "-x", "x-", "a/b/c", &long, "a..b/x", "-a/x"] {
            assert!(!is_key(key), "{key}");
        }
        for key in ["a-/x", ".a/x", "a./x", "a_b/x", "a.-b/x"] {
            assert!(!is_key(key), "{key}");
        }
        let map = |key: &str| BTreeMap::from([(key.to_owned(), "x".to_owned())]);
        assert!(pod_metadata(&map("app.kubernetes.io/name"), &BTreeMap::new()).is_err());
        assert!(pod_metadata(&BTreeMap::new(), &map(SLOTS)).is_err());
        assert!(pod_metadata(&map("team"), &map("example.org/note")).is_ok());
        let none = BTreeMap::new();
        let said = pod_metadata(&map("a..b/x"), &none).unwrap_err().to_string();
        assert!(said.starts_with("spec.podLabels[a..b/x]: is no label"), "{said}");
        assert!(pod_metadata(&none, &map("Example.org/Note")).is_ok(), "of an annotation");
        assert!(pod_metadata(&map("Example.org/team"), &none).is_err(), "of a label");
        assert!(pod_metadata(&none, &map("-a/x")).is_err());
    }

    #[test]
    fn labels_and_times_that_other_objects_are_given_are_looked_at() {
        let read = |value| serde_json::from_value(value).unwrap();
        let said = |value: serde_json::Value| monitoring(&read(value)).err().map(|e| e.to_string());
        assert_eq!(said(json!({ "labels": { "release": "prometheus" } })), None);
        let wrong = said(json!({ "labels": { "release": "a b" } })).unwrap();
        assert!(wrong.starts_with("spec.monitoring.labels[release]: is no label"), "{wrong}");
        for fine in ["30s", "1m", "1m30s", "2h", "500ms", "1h2m3s4ms", "1s5ms"] {
            assert_eq!(said(json!({ "interval": fine })), None, "{fine}");
        }
        for wrong in ["", "s", "30", "30s1m", "1m1m", "1d", "1.5s", "-1s", "1ms1s"] {
            let said = said(json!({ "interval": wrong })).unwrap_or_default();
            assert!(said.starts_with("spec.monitoring.interval: write it like"), "{wrong}: {said}");
        }
        let selector = |key: &str, value: &str| {
            let node_selector = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            let placed = placement(&Placement { node_selector, ..Placement::default() });
            placed.err().map(|error| error.to_string())
        };
        assert_eq!(selector("node.kubernetes.io/role", ""), None);
        let wrong = selector("a b", "c").unwrap();
        assert!(wrong.starts_with("spec.placement.nodeSelector[a b]: is no label"), "{wrong}");
        assert!(selector("a", "-b").is_some());
    }

    #[test]
    fn names_that_a_service_can_have() {
        for fine in ["a", "judge", "a-1", "a--b"] {
            assert_eq!(name(fine), Ok(()), "{fine}");
        }
        for wrong in ["", "a.b", "2024-final", "-a", "a-", "A", "a_b"] {
            let said = name(wrong).unwrap_err().to_string();
            assert!(said.starts_with("metadata.name: must begin with"), "{wrong}: {said}");
        }
    }

    #[test]
    fn a_config_map_of_ours_is_no_table_of_the_users() {
        let named = |name: &str| {
            let config_map_ref = ObjectName { name: name.to_owned() };
            languages("c", Some(&Languages { config_map_ref }))
        };
        assert_eq!((named("languages"), languages("c", None)), (Ok(()), Ok(())));
        assert_eq!(named("d-languages"), Ok(()), "of another cluster's making");
        for ours in ["c-languages", "c-sizing"] {
            let said = named(ours).unwrap_err().to_string();
            let field = "spec.languages.configMapRef.name: ";
            assert!(said.starts_with(field) && said.contains("another name"), "{said}");
        }
    }

    #[test]
    fn a_secret_of_the_registry_is_named_once() {
        let said = |names: &[&str]| {
            let secrets: Vec<_> = names.iter().map(|name| json!({ "name": name })).collect();
            let spec = json!({ "image": "evalx:1", "queue": { "url": "redis://r" },
                "imagePullSecrets": secrets });
            let id = Identity { namespace: "ns".into(), name: "c".into(), uid: "u".into() };
            let languages = LanguageFiles::NotAsked;
            let references = References { languages, service_monitors: false };
            let spec = serde_json::from_value(spec).unwrap();
            validate(&id, &spec, &references).err().map(|error| error.to_string())
        };
        assert_eq!((said(&[]), said(&["a", "b"])), (None, None));
        let twice = said(&["b", "a", "c", "a"]);
        assert_eq!(twice.as_deref(), Some("spec.imagePullSecrets[3].name: a is there twice"));
    }

    #[test]
    fn the_environment_of_ours_is_ours() {
        let var = |name: &str| EnvVar { name: name.to_owned(), ..EnvVar::default() };
        assert!(env(&[var("EVALX_LOG"), var("EVALX_PROBLEMS")]).is_ok());
        let twice = env(&[var("A"), var("A")]).unwrap_err().to_string();
        assert_eq!(twice, "spec.env[1].name: A is there twice");
        assert!(env(&[var("REDIS_URL")]).is_err());
    }
}
