//! What the shipped rights allow the operator, asked of the API server itself.

use std::sync::Arc;

use e2e::operator::may;
use e2e::scene::Scene;

pub(crate) async fn exactly(scene: Arc<Scene>) {
    let any = ["get", "list", "watch", "create", "update", "patch", "delete"];
    // What would make of the operator's token an administrator's, or show what it must not see.
    let never: [(&str, &[&str]); 16] = [
        ("/secrets", &any),
        ("/pods/exec", &["create", "get"]),
        ("/pods/attach", &["create", "get"]),
        ("/pods/portforward", &["create", "get"]),
        ("/pods/ephemeralcontainers", &["patch", "update"]),
        ("/pods/log", &["get"]),
        ("/pods", &["create", "update"]),
        ("/nodes", &["create", "update", "patch", "delete"]),
        ("/nodes/proxy", &["get", "create"]),
        ("/namespaces", &["create", "update", "patch", "delete"]),
        ("/serviceaccounts", &["create", "update", "patch", "delete", "impersonate"]),
        ("/serviceaccounts/token", &["create"]),
        ("rbac.authorization.k8s.io/roles", &["create", "patch", "bind", "escalate"]),
        ("rbac.authorization.k8s.io/clusterroles", &["create", "patch", "bind", "escalate"]),
        ("rbac.authorization.k8s.io/clusterrolebindings", &["create", "patch"]),
        ("admissionregistration.k8s.io/validatingwebhookconfigurations", &any),
    ];
    let mut wrong = Vec::new();
    for (what, verbs) in never {
        for verb in verbs {
            for namespace in ["", scene.namespace(), "kube-system"] {
                if may(scene.client(), verb, what, namespace).await.unwrap() {
                    wrong.push(format!("may {verb} {what} in {namespace:?}"));
                }
            }
        }
    }
    let needed: [(&str, &[&str]); 7] = [
        ("evalx.dev/judgeclusters", &["list", "watch"]),
        ("evalx.dev/judgeclusters/status", &["patch"]),
        ("apps/daemonsets", &["get", "list", "watch", "create", "patch", "delete"]),
        ("/pods", &["list", "watch", "patch"]),
        ("/nodes", &["list", "watch"]),
        ("/services", &["create", "patch", "delete"]),
        ("networking.k8s.io/networkpolicies", &["create", "patch", "delete"]),
    ];
    for (what, verbs) in needed {
        for verb in verbs {
            let namespace = if what == "/nodes" { "" } else { scene.namespace() };
            if !may(scene.client(), verb, what, namespace).await.unwrap() {
                wrong.push(format!("may not {verb} {what}"));
            }
        }
    }
    // Of the resource it may change nothing but the status and the finalizer.
    for verb in ["create", "delete"] {
        if may(scene.client(), verb, "evalx.dev/judgeclusters", scene.namespace()).await.unwrap() {
            wrong.push(format!("may {verb} JudgeClusters"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
