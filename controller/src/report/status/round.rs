//! Writes that are under way at the same time.

use std::{
    collections::{BTreeMap, BTreeSet},
    future,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use compile::{NamespacedName, Objects, StatusPatch};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use k8s_openapi::api::networking::v1::Ingress;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::FAILURES;
use crate::{
    metrics::Metrics,
    report::{
        contest::Claim,
        refusal::{Failure, Reach},
    },
};

/// Writes at the same time.
pub(super) const PARALLEL: usize = 8;

/// How long those that are under way are waited for when a round is broken off.
const UNDER_WAY: Duration = Duration::from_secs(3);

/// A patch, and why it did not arrive if so.
pub(super) struct Written {
    pub(super) ingress: NamespacedName,
    pub(super) version: Version,
    pub(super) result: Result<(), Failure>,
}

/// The version of an Ingress before a write, and what was written.
#[derive(Clone, PartialEq)]
pub(super) struct Version {
    pub(super) version: Option<String>,
    pub(super) claim: Claim,
}

impl Version {
    pub(super) fn of(patch: &StatusPatch, objects: &Objects) -> Self {
        let meta = objects.ingresses.get(&patch.ingress).map(|ingress| &ingress.metadata);
        Self {
            version: meta.and_then(|meta| meta.resource_version.clone()),
            claim: Claim { uid: meta.and_then(|meta| meta.uid.clone()), addresses: patch.addresses.clone() },
        }
    }
}

/// What has failed before comes last, and namespaces take turns: one whose writes hang must not be all of a round.
pub(super) fn put_in_turn(patches: &mut [(StatusPatch, Version)], has_failed: impl Fn(&NamespacedName) -> bool) {
    let mut turns: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    patches.sort_by_cached_key(|(patch, _)| {
        let turn = turns.entry(Arc::clone(&patch.ingress.namespace)).or_default();
        *turn += 1;
        (has_failed(&patch.ingress), *turn)
    });
}

/// What writes statuses. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pen {
    pub(super) client: Client,
    pub(super) metrics: Metrics,
    /// How long a write may take.
    pub(super) limit: Duration,
}

impl Pen {
    /// Returns what was tried: not all of it where nothing arrives any more, where a namespace takes nothing, or where
    /// it is broken off.
    pub(super) async fn write_all(
        self,
        patches: Vec<(StatusPatch, Version)>,
        stop: watch::Receiver<bool>,
    ) -> Vec<Written> {
        let (mut left, mut writes, mut done) = (patches.into_iter(), FuturesUnordered::new(), Vec::new());
        let (mut closed, mut failures) = (BTreeSet::new(), 0);
        let mut late = pin!(late(stop.clone()));
        loop {
            while writes.len() < PARALLEL && !*stop.borrow() {
                let open = |(patch, _): &(StatusPatch, Version)| !closed.contains(&patch.ingress.namespace);
                let Some((patch, version)) = left.find(open) else { break };
                writes.push(self.write_one(patch, version));
            }
            let written = tokio::select! {
                biased;
                written = writes.next() => written,
                () = &mut late => None,
            };
            let Some(written) = written else { return done };
            match written.result.as_ref().map_err(|failure| failure.reach) {
                Err(Reach::Everything) => failures += 1,
                Err(Reach::Namespace) => {
                    closed.insert(Arc::clone(&written.ingress.namespace));
                    failures = 0;
                }
                Ok(()) | Err(Reach::Object) => failures = 0,
            }
            done.push(written);
            if failures == FAILURES {
                // Of those that hang for as long, too, it should be known.
                while let Some(Some(written)) = writes.next().now_or_never() {
                    done.push(written);
                }
                return done;
            }
        }
    }

    async fn write_one(&self, patch: StatusPatch, version: Version) -> Written {
        let StatusPatch { ingress, addresses } = patch;
        let api: Api<Ingress> = Api::namespaced(self.client.clone(), &ingress.namespace);
        let body = Patch::Merge(serde_json::json!({ "status": { "loadBalancer": { "ingress": addresses } } }));
        let params = PatchParams::default();
        let result = match timeout(self.limit, api.patch_status(&ingress.name, &params, &body)).await {
            Ok(Ok(_)) => Ok(()),
            // Deleted meanwhile.
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(()),
            Ok(Err(error)) => Err(Failure::of(&error)),
            Err(_) => Err(Failure::too_slow(self.limit)),
        };
        self.metrics.wrote("status", result.is_ok());
        Written { ingress, version, result }
    }
}

/// When a round that is broken off waits no longer.
async fn late(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        future::pending::<()>().await;
    }
    sleep(UNDER_WAY).await;
}
