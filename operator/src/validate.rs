//! Second step: from a spec and what it names to a `Fleet`, in which every quantity is a number and
//! every choice is made. No client. After it nobody looks at the spec again.

mod checks;
mod fleet;
mod languages;

use std::net::IpAddr;

pub use fleet::{
    ApiFleet, Fleet, Identity, LanguageTable, Monitor, Network, Patch, Policies, QueueSource,
};

use crate::conditions::reasons;
use crate::crd::{
    Amount, Api, JudgeClusterSpec, NotAnAmount, Override, Queue, Resources, Sandbox,
    ServiceMonitorMode,
};
use crate::dereference::{LanguageFiles, References};
use crate::sizing::Policy;

/// Why a spec is none: nothing of it is built until it changes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Invalid {
    /// An amount is none.
    #[error("{field}: {source}")]
    Amount {
        /// Where.
        field: String,
        /// What is wrong with it.
        #[source]
        source: NotAnAmount,
    },
    /// Another rule is broken.
    #[error("{field}: {problem}")]
    Field {
        /// Where.
        field: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The object does not even fit the types.
    #[error("{0}")]
    Shape(String),
}

/// Something that is wrong, although a fleet can be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// One of `conditions::reasons`.
    pub reason: &'static str,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Makes a fleet of a spec.
///
/// # Errors
/// The first field that is wrong.
pub fn validate(
    id: &Identity,
    spec: &JudgeClusterSpec,
    references: &References,
) -> Result<(Fleet, Vec<Complaint>), Invalid> {
    // Taken apart whole: a new field has to be decided on here.
    let JudgeClusterSpec {
        image,
        image_pull_policy,
        image_pull_secrets,
        queue,
        sandbox,
        api,
        placement,
        resources,
        update_strategy,
        languages: named,
        monitoring,
        network_policy,
        paused: _,
        suspend: _,
        deletion: _,
        pod_labels,
        pod_annotations,
        env,
    } = spec;
    let mut complaints = Vec::new();
    checks::name(&id.name)?;
    checks::languages(&id.name, named.as_ref())?;
    checks::placement(placement)?;
    checks::monitoring(monitoring)?;
    checks::pod_metadata(pod_labels, pod_annotations)?;
    checks::env(env)?;
    checks::pull_secrets(image_pull_secrets)?;
    let References { languages, service_monitors } = references;
    let languages = table(languages, &mut complaints);
    let wanted = match monitoring.service_monitor {
        ServiceMonitorMode::Never => false,
        ServiceMonitorMode::Auto | ServiceMonitorMode::Always => *service_monitors,
    };
    let monitor = wanted.then(|| Monitor {
        labels: monitoring.labels.clone(),
        interval: monitoring.interval.clone(),
    });
    let network = network_policy.enabled.then(|| Network {
        queue_ports: network_policy.queue_ports.clone(),
        extra_egress: network_policy
            .extra_egress
            .iter()
            .map(|rule| serde_json::json!(rule))
            .collect(),
    });
    let fleet = Fleet {
        id: id.clone(),
        image: image.clone(),
        pull_policy: *image_pull_policy,
        pull_secrets: image_pull_secrets.iter().map(|secret| secret.name.clone()).collect(),
        queue: source(queue, &network_policy.queue_ports)?,
        queue_name: queue.name.clone(),
        ca: queue.ca.clone(),
        sizing: policies(sandbox, resources)?,
        engine: sandbox.engine,
        longest_run: sandbox.longest_run_seconds,
        api: api.as_ref().map(|api| service(api, image)).transpose()?,
        placement: placement.clone(),
        resources: resources.clone(),
        update: update_strategy.clone(),
        languages,
        monitor,
        network,
        pod_labels: pod_labels.clone(),
        pod_annotations: pod_annotations.clone(),
        env: env.clone(),
    };
    Ok((fleet, complaints))
}

/// The languages that the workers are to have. What is wrong keeps those they have.
fn table(files: &LanguageFiles, complaints: &mut Vec<Complaint>) -> Option<LanguageTable> {
    let problem = match files {
        LanguageFiles::NotAsked => return None,
        LanguageFiles::Found { name, files, .. } => match languages::check(files) {
            Ok(()) => return Some(LanguageTable::new(files.clone())),
            Err(problem) => format!("ConfigMap {name}: {problem}"),
        },
        LanguageFiles::Missing { name, .. } => {
            format!("there is no ConfigMap {name}; create it, or remove spec.languages")
        }
    };
    let kept = files.kept();
    let what = if kept.is_some() {
        "the workers keep the languages they have"
    } else {
        "the workers have the languages that are built in"
    };
    let message = format!("spec.languages.configMapRef: {problem}; until then {what}");
    complaints.push(Complaint { reason: reasons::LANGUAGES_INVALID, message });
    kept.cloned().map(LanguageTable::new)
}

fn source(queue: &Queue, more_ports: &[u16]) -> Result<QueueSource, Invalid> {
    let Queue { name: _, url, url_secret_ref, managed, ca: _ } = queue;
    match (url, url_secret_ref, managed) {
        (Some(url), None, None) => {
            let (ports, ip) = checks::address(url, more_ports)?;
            Ok(QueueSource::Url { url: url.clone(), ports, ip })
        }
        (None, Some(secret), None) => Ok(QueueSource::Secret(secret.clone())),
        (None, None, Some(redis)) => {
            whole("spec.queue.managed.storage.size", &redis.storage.size)?;
            amounts("spec.queue.managed.resources", &redis.resources)?;
            Ok(QueueSource::Managed(redis.clone()))
        }
        _ => Err(field("spec.queue", "exactly one of url, urlSecretRef and managed must be set")),
    }
}

fn service(api: &Api, image: &str) -> Result<ApiFleet, Invalid> {
    let Api { replicas, token_secret_ref, open_to_all, image: own, resources } = api;
    if token_secret_ref.is_some() == *open_to_all {
        let problem = "name the secret with the tokens in tokenSecretRef, or set openToAll";
        return Err(field("spec.api", problem));
    }
    amounts("spec.api.resources", resources)?;
    Ok(ApiFleet {
        image: own.clone().unwrap_or_else(|| image.to_owned()),
        replicas: *replicas,
        tokens: token_secret_ref.clone(),
        resources: resources.clone(),
    })
}

fn policies(sandbox: &Sandbox, resources: &Resources) -> Result<Policies, Invalid> {
    let Sandbox {
        engine: _,
        cpu_per_slot,
        memory_per_slot,
        reserved_cpu,
        reserved_memory,
        min_per_node,
        max_per_node,
        overrides,
        longest_run_seconds: _,
    } = sandbox;
    let base = Policy {
        cpu_per_slot: positive("spec.sandbox.cpuPerSlot", milli, cpu_per_slot)?,
        memory_per_slot: positive("spec.sandbox.memoryPerSlot", whole, memory_per_slot)?,
        reserved_cpu: milli("spec.sandbox.reservedCpu", reserved_cpu)?,
        reserved_memory: whole("spec.sandbox.reservedMemory", reserved_memory)?,
        min: *min_per_node,
        max: *max_per_node,
    };
    ordered("spec.sandbox", &base)?;
    amounts("spec.resources", resources)?;
    // A limit of 0 is none, as for the kubelet: the worker is told the whole node then, too
    // (`limits.cpu` of the downward API), and slots have to be counted by the same.
    let limit = |name: &str| {
        resources.limits.get(name).filter(|amount| !Amount::same(amount.as_str(), "0"))
    };
    let cpu_limit = limit("cpu").map(|cpu| milli("spec.resources.limits.cpu", cpu)).transpose()?;
    let memory_limit =
        limit("memory").map(|memory| whole("spec.resources.limits.memory", memory)).transpose()?;
    let each = overrides.iter().enumerate();
    let overrides =
        each.map(|(index, item)| patch(index, item, &base)).collect::<Result<_, _>>()?;
    Ok(Policies { base, overrides, cpu_limit, memory_limit })
}

fn patch(index: usize, item: &Override, base: &Policy) -> Result<Patch, Invalid> {
    let Override {
        node_selector,
        slots,
        cpu_per_slot,
        memory_per_slot,
        reserved_cpu,
        reserved_memory,
        min_per_node,
        max_per_node,
    } = item;
    let at = |name: &str| format!("spec.sandbox.overrides[{index}].{name}");
    let mut policy = *base;
    if let Some(amount) = cpu_per_slot {
        policy.cpu_per_slot = positive(&at("cpuPerSlot"), milli, amount)?;
    }
    if let Some(amount) = memory_per_slot {
        policy.memory_per_slot = positive(&at("memoryPerSlot"), whole, amount)?;
    }
    if let Some(amount) = reserved_cpu {
        policy.reserved_cpu = milli(&at("reservedCpu"), amount)?;
    }
    if let Some(amount) = reserved_memory {
        policy.reserved_memory = whole(&at("reservedMemory"), amount)?;
    }
    policy.min = min_per_node.unwrap_or(policy.min);
    policy.max = max_per_node.or(policy.max);
    ordered(&format!("spec.sandbox.overrides[{index}]"), &policy)?;
    Ok(Patch { labels: node_selector.clone(), slots: *slots, policy })
}

fn ordered(at: &str, policy: &Policy) -> Result<(), Invalid> {
    match policy.max {
        Some(max) if max < policy.min => {
            Err(field(at, "minPerNode must not be greater than maxPerNode"))
        }
        _ => Ok(()),
    }
}

fn amounts(at: &str, resources: &Resources) -> Result<(), Invalid> {
    let Resources { requests, limits } = resources;
    for (list, amounts) in [("requests", requests), ("limits", limits)] {
        for (name, amount) in amounts {
            whole(&format!("{at}.{list}.{name}"), amount)?;
        }
    }
    Ok(())
}

fn milli(at: &str, amount: &Amount) -> Result<u64, Invalid> {
    amount.milli().map_err(|source| Invalid::Amount { field: at.to_owned(), source })
}

fn whole(at: &str, amount: &Amount) -> Result<u64, Invalid> {
    amount.whole().map_err(|source| Invalid::Amount { field: at.to_owned(), source })
}

fn positive(
    at: &str,
    read: impl Fn(&str, &Amount) -> Result<u64, Invalid>,
    amount: &Amount,
) -> Result<u64, Invalid> {
    match read(at, amount)? {
        0 => Err(field(at, "must be greater than zero")),
        value => Ok(value),
    }
}

fn field(at: &str, problem: &str) -> Invalid {
    Invalid::Field { field: at.to_owned(), problem: problem.to_owned() }
}

/// Where a queue is, so far as its address tells: its ports, and its address when it is no name.
type Reach = (Vec<u16>, Option<IpAddr>);
