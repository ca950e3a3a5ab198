use compile::{NamespacedName, Objects, Options, Problem};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use snapshot::{EndpointSet, ServicePort, Snapshot};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
#[derive(Default)]
pub struct Memo;
#[derive(Clone, PartialEq)]
pub struct EndpointSource {
    pub service: NamespacedName,
}
pub struct Compiled {
    pub snapshot: Snapshot,
    pub endpoint_sources: BTreeMap<ServicePort, EndpointSource>,
    pub problems: Vec<Problem>,
    pub attached: BTreeSet<NamespacedName>,
}
pub struct StatusPatch {
    pub ingress: NamespacedName,
}
pub fn compile(_: &Objects, _: &Options, _: &mut Memo) -> Compiled {
    Compiled {
        snapshot: Snapshot::default(),
        endpoint_sources: BTreeMap::new(),
        problems: Vec::new(),
        attached: BTreeSet::new(),
    }
}
pub fn endpoint_set(_: &EndpointSource, _: &[Arc<EndpointSlice>]) -> EndpointSet {
    EndpointSet::default()
}
