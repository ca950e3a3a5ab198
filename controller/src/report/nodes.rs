//! The addresses of the nodes that our Pods run on.
//!
//! As ingress-nginx has it where neither `--publish-service` nor `--publish-status-address` is given. Asks for `get` of
//! `nodes` in the whole cluster, besides what [`crate::replicas`] asks for, and only while we lead.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use compile::{Problem, Reason, Severity};
use k8s_openapi::api::{
    core::v1::{Node, Pod},
    networking::v1::IngressLoadBalancerIngress,
};
use kube::{Api, Client};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::address::either;
use crate::{
    board::{Board, trouble},
    lease::Leader,
    replicas::Replicas,
    source::cluster::explain,
};

/// How often our Pods are looked at.
const EVERY: Duration = Duration::from_secs(10);

/// How long the address of a node is remembered.
const REMEMBERED: Duration = Duration::from_secs(300);

/// Follows the addresses.
pub(crate) struct Nodes {
    replicas: Replicas,
    api: Api<Node>,
    /// Whether internal addresses are wanted, also of nodes that have external ones.
    internal: bool,
    known: HashMap<String, (Option<String>, Instant)>,
}

impl Nodes {
    pub(crate) fn new(client: Client, replicas: Replicas, internal: bool) -> Self {
        Self { replicas, api: Api::all(client), internal, known: HashMap::new() }
    }

    /// Looks at our Pods from time to time, while we lead. What was found in an earlier term is not written in a later
    /// one: Pods may be elsewhere by then.
    pub(crate) async fn follow(
        mut self,
        mut leader: Leader,
        addresses: watch::Sender<Option<Vec<IngressLoadBalancerIngress>>>,
        board: Arc<Board>,
    ) {
        loop {
            leader.elected().await;
            tokio::select! {
                () = self.follow_while_leading(&addresses, &board) => {}
                () = leader.changed() => {
                    addresses.send_if_modified(|known| known.take().is_some());
                    board.find("nodes", Vec::new());
                }
            }
        }
    }

    async fn follow_while_leading(
        &mut self,
        addresses: &watch::Sender<Option<Vec<IngressLoadBalancerIngress>>>,
        board: &Board,
    ) {
        loop {
            match self.look(Instant::now()).await {
                Ok(found) => {
                    board.find("nodes", Vec::new());
                    // No ready Pod, while we run: that passes. What was known stays.
                    if !found.is_empty() {
                        let found = Some(found.iter().map(|address| either(address)).collect());
                        addresses.send_if_modified(|known| std::mem::replace(known, found.clone()) != found);
                    }
                }
                Err(error) => board.find("nodes", vec![unknown(&explain(&error))]),
            }
            sleep(EVERY).await;
        }
    }

    async fn look(&mut self, now: Instant) -> kube::Result<BTreeSet<String>> {
        self.known.retain(|_, (_, since)| now < *since + REMEMBERED);
        let pods = self.replicas.all().await?;
        let mut addresses = BTreeSet::new();
        for node in pods.iter().filter(|pod| is_ready(pod)).filter_map(|pod| pod.spec.as_ref()?.node_name.as_ref()) {
            addresses.extend(self.address(node, now).await?);
        }
        Ok(addresses)
    }

    async fn address(&mut self, name: &str, now: Instant) -> kube::Result<Option<String>> {
        if let Some((address, _)) = self.known.get(name) {
            return Ok(address.clone());
        }
        let node = self.api.get_opt(name).await?;
        let address = node.and_then(|node| address_of(&node, self.internal));
        self.known.insert(name.to_owned(), (address.clone(), now));
        Ok(address)
    }
}

fn unknown(why: &str) -> Problem {
    let message = format!("the addresses of our nodes are not known, and statuses stay as they are: {why}");
    trouble("nodes", Reason::NodeAddressesUnknown, Severity::Warning, message)
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn address_of(node: &Node, internal: bool) -> Option<String> {
    let addresses = node.status.as_ref()?.addresses.as_deref().unwrap_or_default();
    let of = |kind: &str| {
        addresses
            .iter()
            .find(|address| address.type_ == kind && !address.address.is_empty())
            .map(|it| it.address.clone())
    };
    let external = if internal { None } else { of("ExternalIP") };
    external.or_else(|| of("InternalIP"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_is_reached_from_outside_where_that_is_possible() {
        let node = |addresses: serde_json::Value| -> Node {
            serde_json::from_value(json!({"status": {"addresses": addresses}})).unwrap()
        };
        let internal = json!({"type": "InternalIP", "address": "10.0.0.1"});
        let external = json!({"type": "ExternalIP", "address": "192.0.2.1"});
        let both = node(json!([{"type": "Hostname", "address": "n"}, internal, external]));
        assert_eq!(address_of(&both, false).as_deref(), Some("192.0.2.1"));
        assert_eq!(address_of(&both, true).as_deref(), Some("10.0.0.1"));
        assert_eq!(address_of(&node(json!([internal])), false).as_deref(), Some("10.0.0.1"));
        assert_eq!(address_of(&node(json!([external])), true), None);
    }
}
