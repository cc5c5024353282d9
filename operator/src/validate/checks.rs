//! Rules that a schema cannot hold.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::EnvVar;

use super::{Invalid, Reach, field};
use crate::build::SLOTS;

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
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> Result<(), Invalid> {
    for (key, value) in labels {
        let at = format!("spec.podLabels[{key}]");
        if key.starts_with("app.kubernetes.io/") || key.starts_with("evalx.dev/") {
            return Err(field(&at, "is set by the operator"));
        }
        if !is_key(key) || !is_label(value) {
            let problem = "is no label: at most 63 letters, digits, -, _ and . in name and value";
            return Err(field(&at, problem));
        }
    }
    for key in annotations.keys() {
        let at = format!("spec.podAnnotations[{key}]");
        if key.starts_with("evalx.dev/") {
            return Err(field(&at, &format!("is set by the operator, as {SLOTS} is")));
        }
        if !is_key(key) {
            return Err(field(&at, "is no annotation: at most 63 letters, digits, -, _ and ."));
        }
    }
    Ok(())
}

/// A qualified name: `prefix/name` or `name`.
fn is_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(p, n)| (Some(p), n));
    let prefix = prefix.is_none_or(|p| {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        (1..=253).contains(&p.len()) && p.bytes().all(fits)
    });
    prefix && !name.is_empty() && is_label(name)
}

fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let outer = |b: Option<u8>| b.is_none_or(|b| b.is_ascii_alphanumeric());
    let (first, last) = (text.bytes().next(), text.bytes().last());
    text.len() <= 63 && text.bytes().all(inner) && outer(first) && outer(last)
}

/// The ports of an address of Redis, and its host when that is no name.
pub(super) fn address(url: &str) -> Result<Reach, Invalid> {
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
        ports.insert(port);
        ips.push(name.parse::<IpAddr>().ok());
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
    use super::*;

    #[test]
    fn addresses_of_redis() {
        let of = |url| address(url).unwrap();
        assert_eq!(of("redis://redis"), (vec![6379], None));
        assert_eq!(of("rediss://redis.example:7000/1"), (vec![7000], None));
        assert_eq!(of("redis://10.0.0.1:6380"), (vec![6380], "10.0.0.1".parse().ok()));
        assert_eq!(of("redis://[fd00::1]:6380/0"), (vec![6380], "fd00::1".parse().ok()));
        assert_eq!(of("redis+sentinel://a,b:26380/m/0"), (vec![6379, 26379, 26380], None));
        for url in ["http://redis", "redis://", "redis://host:port", "redis", "redis://me:pw@host"]
        {
            assert!(address(url).is_err(), "{url}");
        }
    }

    #[test]
    fn labels_and_keys() {
        for key in ["team", "example.org/team", "a_b.c-d"] {
            assert!(is_key(key), "{key}");
        }
        for key in ["", "/x", "Example.org/x", "-x", "x-", "a/b/c", &"x".repeat(64)] {
            assert!(!is_key(key), "{key}");
        }
        let map = |key: &str| BTreeMap::from([(key.to_owned(), "x".to_owned())]);
        assert!(pod_metadata(&map("app.kubernetes.io/name"), &BTreeMap::new()).is_err());
        assert!(pod_metadata(&BTreeMap::new(), &map(SLOTS)).is_err());
        assert!(pod_metadata(&map("team"), &map("example.org/note")).is_ok());
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
