//! What a clean end does to statuses, and to the Lease.
//!
//! As in ingress-nginx, it comes first, before connections are drained: another leader should be found while this
//! replica finishes what it has, and the last replica is not to be sent to any more.

use std::{sync::Arc, time::Duration};

use compile::{Compiled, Objects, status};
use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress;
use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};

use super::status::{Removal, Writer};
use crate::{
    lease::Leader,
    replicas::{Company, Replicas},
    source::cluster::explain,
};

/// All of it may take this long, or as long as we are to stay anyway.
const LIMIT: Duration = Duration::from_secs(15);

/// What of that is kept for the Lease: others wait for it.
const RESIGN: Duration = Duration::from_secs(3);

/// How long the last replica waits for a leader, or another one, that leaves at the same time.
const LAST: Duration = Duration::from_secs(5);

/// A replica that leaves.
pub(super) struct Farewell {
    pub(super) leader: Leader,
    pub(super) statuses: Option<Statuses>,
    /// How long we stay anyway.
    pub(super) grace: Duration,
}

/// What has been written, if it is to be removed when nobody goes on with it.
pub(super) struct Statuses {
    pub(super) writer: Writer,
    pub(super) replicas: Replicas,
    pub(super) objects: watch::Receiver<Arc<Objects>>,
    pub(super) compiled: Arc<Compiled>,
    pub(super) addresses: Vec<IngressLoadBalancerIngress>,
}

impl Farewell {
    pub(super) async fn say(mut self) {
        let end = Instant::now() + LIMIT.max(self.grace);
        let mut in_time = true;
        if let Some(statuses) = self.statuses.take() {
            let mut removal = None;
            in_time = timeout_at(end - RESIGN, statuses.leave(&mut self.leader, &mut removal)).await.is_ok();
            if let Some(removal) = removal {
                removal.say();
            }
        }
        in_time &= timeout_at(end, self.leader.resign()).await.is_ok();
        if !in_time {
            tracing::warn!("leaving without having told the cluster: the API server does not answer in time");
        }
    }
}

impl Statuses {
    /// The last replica takes its addresses away. Others go on with them. What was done is in `removal`, also where it
    /// took too long.
    async fn leave(mut self, leader: &mut Leader, removal: &mut Option<Removal>) {
        match self.replicas.company().await {
            Ok(Company::None) => {}
            // Where there is no leader, one of those who leave together does it. It may have left before, when somebody
            // still stayed.
            Ok(Company::LeavesFirst) => {
                if !leader.is_elected() && self.are_empty_soon().await {
                    return;
                }
            }
            Ok(Company::Stays) => {
                tracing::info!("another replica goes on: statuses stay");
                return;
            }
            Err(error) => {
                tracing::warn!("statuses stay: whether this is the last replica is not known: {}", explain(&error));
                return;
            }
        }
        // One that leaves at the same moment may lead still, and does it then.
        if timeout(LAST, leader.elected()).await.is_ok() {
            let objects = self.objects.borrow().clone();
            let begun = self.writer.removal(&objects, &self.compiled, &self.addresses).await;
            removal.insert(begun).run().await;
        }
    }

    /// Whether somebody else empties all of them.
    async fn are_empty_soon(&mut self) -> bool {
        let compiled = &self.compiled;
        let empty = self.objects.wait_for(|objects| status(objects, compiled, &[]).is_empty());
        timeout(LAST, empty).await.is_ok_and(|objects| objects.is_ok())
    }
}
