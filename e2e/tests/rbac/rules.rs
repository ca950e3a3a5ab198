//! What the chart grants, and what Tidegate asked for.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, ensure};
use e2e::cluster::{Cluster, items};
use e2e::tidegate::NAMESPACE;
use serde_json::Value;

/// One verb on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// The API group; empty for the core one.
    pub group: String,
    /// Resource and, after a slash, its subresource.
    pub resource: String,
    pub verb: String,
}

impl Permission {
    pub fn resource(&self) -> String {
        self.resource.clone()
    }
}

/// Everything that the roles of the chart grant.
pub async fn granted(cluster: &Cluster) -> anyhow::Result<BTreeSet<Permission>> {
    let selector = "app.kubernetes.io/instance=tidegate";
    let roles = cluster.json(&["get", "clusterroles,roles", "-A", "-l", selector]).await?;
    let mut granted = BTreeSet::new();
    for rule in items(&roles["items"]).flat_map(|role| items(&role["rules"])) {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    let all = [&group, &resource, &verb].into_iter().any(|text| text == "*");
                    ensure!(!all, "a rule of the chart grants everything: {rule}");
                    granted.insert(Permission { group: group.clone(), resource: resource.clone(), verb });
                }
            }
        }
    }
    ensure!(!granted.is_empty(), "the chart has no roles labelled {selector}");
    Ok(granted)
}

/// What Tidegate was allowed and what it was denied, by the API server's audit log.
pub fn audited(state: &Path) -> anyhow::Result<(BTreeSet<Permission>, BTreeSet<Permission>)> {
    let log = state.join("node1/audit.log");
    let text = std::fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    let user = format!("system:serviceaccount:{NAMESPACE}:");
    let (mut allowed, mut denied) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        // The last line may be half-written.
        let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
        let ours = event["user"]["username"].as_str().is_some_and(|name| name.starts_with(&user));
        let Some(permission) = ours.then(|| permission(&event)).flatten() else { continue };
        let forbidden = event["annotations"]["authorization.k8s.io/decision"] == "forbid";
        if forbidden { &mut denied } else { &mut allowed }.insert(permission);
    }
    Ok((allowed, denied))
}

/// None for a request that is not about a resource, such as `/version`.
fn permission(event: &Value) -> Option<Permission> {
    let object = event.get("objectRef")?;
    let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
    let resource = match text("subresource").as_str() {
        "" => text("resource"),
        sub => format!("{}/{sub}", text("resource")),
    };
    Some(Permission { group: text("apiGroup"), resource, verb: event["verb"].as_str()?.to_owned() })
}

pub fn texts(list: &Value) -> Vec<String> {
    items(list).filter_map(|text| text.as_str().map(str::to_owned)).collect()
}
