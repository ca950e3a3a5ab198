//! The chart's RBAC is enough, and no more than is needed. Runs last: by then
//! all other tests have made Tidegate ask for whatever it ever asks for, and the
//! API server's audit log has it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod probe;
mod rules;

use std::collections::BTreeSet;

use e2e::cluster::Cluster;
use probe::Probe;
use rules::{audited, granted, lacking, permissions};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_is_what_is_used() {
    let cluster = Cluster::from_env().unwrap();
    let granted = granted(&cluster).await.unwrap();
    let (used, denied) = audited(cluster.state()).unwrap();
    let used = permissions(&used);
    assert!(!used.is_empty(), "Tidegate asked for nothing: that cannot be");
    assert_eq!(lacking(&denied, &granted, &used), BTreeSet::new(), "the chart's rules are not enough");
    let granted = permissions(&granted);
    let unused: BTreeSet<_> = granted.difference(&used).collect();
    assert_eq!(unused, BTreeSet::new(), "nothing needs these rules");
}

/// Without a resource that is granted, Tidegate says so: a line of its log names the resource and has the API server's
/// "forbidden", and where it is not ready, `/readyz` names it too. All verbs of a resource go at once: that each single one is
/// asked for, the test above sees.
#[tokio::test(flavor = "multi_thread")]
async fn each_missing_rule_is_noticed() {
    let cluster = Cluster::from_env().unwrap();
    let granted = permissions(&granted(&cluster).await.unwrap());
    let resources: BTreeSet<_> = granted.iter().map(|permission| permission.resource.clone()).collect();
    let probe = Probe::prepare(&cluster, &granted).await.unwrap();

    let complete = probe.run(None).await.unwrap();
    assert_eq!(complete.complaint, None, "with all rules there is nothing to complain about");
    assert!(complete.ready);
    for resource in &resources {
        let seen = probe.run(Some(resource)).await.unwrap();
        let complaint = seen.complaint.unwrap_or_else(|| panic!("nobody misses {resource}"));
        let named = format!("{resource:?}");
        assert!(complaint.contains(&named), "without {resource} it says {complaint}");
        assert!(seen.ready || seen.readyz.contains(&named), "without {resource} /readyz says {}", seen.readyz);
        eprintln!("without {resource}: ready={}, {complaint}", seen.ready);
    }
}
