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

/// A permission, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    pub permission: Permission,
    /// Empty: all of them, or what belongs to none.
    pub namespace: String,
    /// Empty: all objects.
    pub name: String,
}

impl Access {
    /// Whether what this one grants is enough for that request.
    fn covers(&self, request: &Self) -> bool {
        let fits = |granted: &str, asked: &str| granted.is_empty() || granted == asked;
        self.permission == request.permission
            && fits(&self.namespace, &request.namespace)
            && fits(&self.name, &request.name)
    }
}

pub fn permissions(accesses: &BTreeSet<Access>) -> BTreeSet<Permission> {
    accesses.iter().map(|access| access.permission.clone()).collect()
}

/// What was denied and should not be. For a moment after its start the API server knows no roles yet and denies everything:
/// that does not count where a rule of the chart covers the request, by namespace and name, and rules of its kind work.
pub fn lacking<'a>(
    denied: &'a BTreeSet<Access>,
    granted: &BTreeSet<Access>,
    used: &BTreeSet<Permission>,
) -> BTreeSet<&'a Access> {
    let is_granted = |request: &Access| granted.iter().any(|access| access.covers(request));
    denied.iter().filter(|request| !is_granted(request) || !used.contains(&request.permission)).collect()
}

/// Everything that the roles of the chart grant.
pub async fn granted(cluster: &Cluster) -> anyhow::Result<BTreeSet<Access>> {
    let selector = "app.kubernetes.io/instance=tidegate";
    let roles = cluster.json(&["get", "clusterroles,roles", "-A", "-l", selector]).await?;
    let mut granted = BTreeSet::new();
    for role in items(&roles["items"]) {
        // A ClusterRole has none.
        let namespace = role["metadata"]["namespace"].as_str().unwrap_or_default();
        for rule in items(&role["rules"]) {
            for permission in permissions_of(rule)? {
                let name = |name| Access { permission: permission.clone(), namespace: namespace.to_owned(), name };
                let names = texts(&rule["resourceNames"]);
                granted.extend(if names.is_empty() { vec![String::new()] } else { names }.into_iter().map(name));
            }
        }
    }
    ensure!(!granted.is_empty(), "the chart has no roles labelled {selector}");
    Ok(granted)
}

fn permissions_of(rule: &Value) -> anyhow::Result<Vec<Permission>> {
    let mut permissions = Vec::new();
    for group in texts(&rule["apiGroups"]) {
        for resource in texts(&rule["resources"]) {
            for verb in texts(&rule["verbs"]) {
                let all = [&group, &resource, &verb].into_iter().any(|text| text == "*");
                ensure!(!all, "a rule of the chart grants everything: {rule}");
                permissions.push(Permission { group: group.clone(), resource: resource.clone(), verb });
            }
        }
    }
    Ok(permissions)
}

/// What Tidegate was allowed and what it was denied, by the API server's audit log.
pub fn audited(state: &Path) -> anyhow::Result<(BTreeSet<Access>, BTreeSet<Access>)> {
    let log = state.join("node1/audit.log");
    let text = std::fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    let user = format!("system:serviceaccount:{NAMESPACE}:");
    let (mut allowed, mut denied) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        // The last line may be half-written.
        let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
        let ours = event["user"]["username"].as_str().is_some_and(|name| name.starts_with(&user));
        let Some(access) = ours.then(|| access(&event)).flatten() else { continue };
        let forbidden = event["annotations"]["authorization.k8s.io/decision"] == "forbid";
        if forbidden { &mut denied } else { &mut allowed }.insert(access);
    }
    Ok((allowed, denied))
}

/// None for a request that is not about a resource, such as `/version`.
fn access(event: &Value) -> Option<Access> {
    let object = event.get("objectRef")?;
    let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
    let resource = match text("subresource").as_str() {
        "" => text("resource"),
        sub => format!("{}/{sub}", text("resource")),
    };
    let permission = Permission { group: text("apiGroup"), resource, verb: event["verb"].as_str()?.to_owned() };
    Some(Access { permission, namespace: text("namespace"), name: text("name") })
}

pub fn texts(list: &Value) -> Vec<String> {
    items(list).filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// Not in a cluster.
#[test]
fn a_rule_of_one_namespace_covers_no_other() {
    let access = |verb: &str, namespace: &str, name: &str| {
        let permission = Permission { group: String::new(), resource: "configmaps".to_owned(), verb: verb.to_owned() };
        Access { permission, namespace: namespace.to_owned(), name: name.to_owned() }
    };
    let granted = BTreeSet::from([access("list", "a", "settings"), access("watch", "", "")]);
    let used = permissions(&granted);
    let lacks = |denied: Access| !lacking(&BTreeSet::from([denied]), &granted, &used).is_empty();
    assert!(!lacks(access("list", "a", "settings")), "the API server did not know its roles yet");
    assert!(lacks(access("list", "b", "settings")));
    assert!(lacks(access("list", "a", "others")));
    assert!(lacks(access("list", "a", "")));
    assert!(!lacks(access("watch", "b", "others")));
    assert!(lacks(access("get", "a", "settings")));
    let denied = BTreeSet::from([access("watch", "b", "")]);
    assert_eq!(lacking(&denied, &granted, &BTreeSet::new()).len(), 1, "there is a rule, and it works nowhere");
}
