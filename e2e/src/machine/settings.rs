//! What containerd, the network plugins, kubelet and kube-proxy are told. JSON is YAML, so nothing
//! more than JSON is needed for most.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::NAME;
use super::boot::Link;
use super::image::PAUSE;
use crate::pki::Pki;

/// Where containerd listens, below the node's folder.
pub(super) const SOCKET: &str = "containerd.sock";

/// The addresses of the pods.
const PODS: &str = "10.244.0.0/24";

/// Writes all of it into the node's folder.
pub(super) fn write(folder: &Path, link: &Link, pki: &Pki) -> Result<()> {
    let put = |name: &str, text: String| {
        std::fs::write(folder.join(name), text).with_context(|| format!("{name} is not written"))
    };
    std::fs::create_dir(folder.join("cni")).context("no folder for the network's settings")?;
    put("containerd.toml", containerd(folder))?;
    put("cni/10-bridge.conflist", network().to_string())?;
    put("kubelet.json", kubelet(folder, link, pki).to_string())?;
    put("proxy.json", proxy(folder).to_string())
}

/// The arguments that kubelet has no settings for.
pub(super) fn kubelet_arguments(address: Ipv4Addr) -> Vec<String> {
    vec![
        "--config=kubelet.json".to_owned(),
        "--kubeconfig=node.kubeconfig".to_owned(),
        format!("--hostname-override={NAME}"),
        format!("--node-ip={address}"),
        "--cert-dir=kubelet-pki".to_owned(),
    ]
}

fn containerd(folder: &Path) -> String {
    let folder = folder.display();
    // Without the second of `cri`, runc fails where root may not lower oom_score_adj.
    format!(
        r#"version = 2
root = "{folder}/containerd"
state = "/run/containerd"
[grpc]
  address = "{folder}/{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"#
    )
}

fn network() -> Value {
    let bridge = json!({
        "type": "bridge", "bridge": "pods", "isGateway": true, "ipMasq": true, "hairpinMode": true,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": PODS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    });
    let ports = json!({"type": "portmap", "capabilities": {"portMappings": true}});
    json!({"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, ports]})
}

fn kubelet(folder: &Path, link: &Link, pki: &Pki) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "0.0.0.0",
        // From 1.35 on it refuses cgroup v1 otherwise.
        "failCgroupV1": false,
        "failSwapOn": false,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", link.name),
        "enforceNodeAllocatable": ["pods"],
        "containerRuntimeEndpoint": format!("unix://{}/{SOCKET}", folder.display()),
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": pki.path("ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": pki.path("kubelet.crt"),
        "tlsPrivateKeyFile": pki.path("kubelet.key"),
        "clusterDNS": ["10.96.0.10"],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        // The disk is the machine's, and as full as it is.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        // cAdvisor does not find the device of every root file system.
        "localStorageCapacityIsolation": false,
    })
}

fn proxy(folder: &Path) -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": folder.join("proxy.kubeconfig")},
        "mode": "iptables",
        "clusterCIDR": "10.244.0.0/16",
        "hostnameOverride": NAME,
        // Else it sets the size of the machine's connection table.
        "conntrack": {"maxPerCore": 0, "min": 0},
    })
}
