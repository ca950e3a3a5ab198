//! The chart's RBAC is enough, and no more than is needed. Runs last: by then
//! all other tests have made Tidegate ask for whatever it ever asks for, and the
//! API server's audit log has it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod probe;
mod rules;

use std::collections::BTreeSet;

use e2e::cluster::Cluster;
use probe::Probe;
use rules::{Permission, audited, granted};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_is_what_is_used() {
    let cluster = Cluster::from_env().unwrap();
    let granted = granted(&cluster).await.unwrap();
    let (used, denied) = audited(cluster.state()).unwrap();
    assert!(!used.is_empty(), "Tidegate asked for nothing: that cannot be");
    // For a moment after its start, the API server knows no roles yet and denies
    // everything; what the chart lacks is never granted later.
    let lacking: BTreeSet<_> = denied.difference(&used).collect();
    assert_eq!(lacking, BTreeSet::new(), "the chart's rules are not enough");
    let unused: BTreeSet<_> = granted.difference(&used).collect();
    assert_eq!(unused, BTreeSet::new(), "nothing needs these rules");
}

/// Without what a rule grants, Tidegate says so, naming it.
#[tokio::test(flavor = "multi_thread")]
async fn each_missing_rule_is_noticed() {
    let cluster = Cluster::from_env().unwrap();
    let granted = granted(&cluster).await.unwrap();
    let resources: BTreeSet<_> = granted.iter().map(Permission::resource).collect();
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
