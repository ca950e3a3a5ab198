//! Whatever the order in which compiles end and endpoints change, what is published has the newest of both.

use compile::{Compiled, Memo, Objects, Options, compile};
use k8s_openapi::api::{core::v1::Service, networking::v1::Ingress};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const SERVICES: u8 = 3;

#[derive(Debug, Clone)]
enum Step {
    /// An Ingress to this Service comes or goes.
    Toggle(u8),
    /// A compile of the objects of now begins, unless one is under way.
    Begin,
    /// The compile under way ends and is published.
    End,
    /// A slice of this Service gets a Pod with this last byte of its address.
    Slice { service: u8, slice: u8, pod: u8 },
    /// A slice of this Service goes.
    Remove { service: u8, slice: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let (service, slice) = (0..SERVICES, 0..2_u8);
    prop_oneof![
        service.clone().prop_map(Step::Toggle),
        Just(Step::Begin),
        Just(Step::End),
        (service.clone(), slice.clone(), 1..4_u8).prop_map(|(service, slice, pod)| Step::Slice { service, slice, pod }),
        (service, slice).prop_map(|(service, slice)| Step::Remove { service, slice }),
    ]
}

/// A publisher, and beside it everything that it should know, kept the simple way.
struct World {
    publisher: Publisher,
    received: watch::Receiver<Option<Arc<Snapshot>>>,
    objects: Objects,
    compiling: Option<Compiled>,
    /// The last compile that was published.
    routes: Option<Compiled>,
    slices: BTreeMap<NamespacedName, Arc<EndpointSlice>>,
    before: Option<Arc<Snapshot>>,
}

impl World {
    fn new() -> Self {
        let (snapshots, received) = watch::channel(None);
        let services = (0..SERVICES).map(|i| (NamespacedName::new("default", &format!("s{i}")), service(i)));
        Self {
            publisher: Publisher::new(snapshots),
            received,
            objects: Objects { services: services.collect(), ..Objects::default() },
            compiling: None,
            routes: None,
            slices: BTreeMap::new(),
            before: None,
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Toggle(i) => {
                let name = NamespacedName::new("default", &format!("i{i}"));
                if self.objects.ingresses.remove(&name).is_none() {
                    self.objects.ingresses.insert(name, ingress(i));
                }
            }
            Step::Begin => {
                let options = Options { watch_ingress_without_class: true, ..Options::default() };
                self.compiling.get_or_insert_with(|| compile(&self.objects, &options, &mut Memo::default()));
            }
            Step::End => {
                if let Some(compiled) = self.compiling.take() {
                    self.publisher.routes(&compiled.snapshot, &compiled.endpoint_sources);
                    self.routes = Some(compiled);
                }
            }
            Step::Slice { service, slice, pod } => {
                let slice = endpoint_slice(service, slice, pod);
                self.slices.insert(NamespacedName::of(&slice.metadata), Arc::clone(&slice));
                let services = self.publisher.put_slice(slice).into_iter().collect();
                self.publisher.endpoints(&services);
            }
            Step::Remove { service, slice } => {
                let name = NamespacedName::new("default", &format!("s{service}-{slice}"));
                self.slices.remove(&name);
                let services = self.publisher.remove_slice(&name).into_iter().collect();
                self.publisher.endpoints(&services);
            }
        }
    }

    fn check(&mut self) {
        let snapshot = self.received.borrow().clone();
        let (Some(snapshot), Some(routes)) = (&snapshot, &self.routes) else {
            assert!(snapshot.is_none() && self.routes.is_none());
            return;
        };
        let mut expected = routes.snapshot.clone();
        expected.endpoints =
            routes.endpoint_sources.iter().map(|(port, source)| (port.clone(), self.set(source))).collect();
        assert!(snapshot.same_content(&expected));
        if let Some(before) = &self.before
            && before.id != snapshot.id
        {
            assert!(!before.same_content(snapshot), "published for nothing");
            assert_eq!(before.id.instance, snapshot.id.instance);
            assert_eq!(before.id.sequence + 1, snapshot.id.sequence);
            assert_shared(before, snapshot);
        }
        self.before = Some(Arc::clone(snapshot));
    }

    fn set(&self, source: &EndpointSource) -> Arc<EndpointSet> {
        let of_service = format!("{}-", source.service.name);
        let slices: Vec<_> = self
            .slices
            .iter()
            .filter(|(name, _)| name.name.starts_with(&of_service))
            .map(|(_, s)| Arc::clone(s))
            .collect();
        Arc::new(endpoint_set(source, &slices))
    }
}

fn assert_shared(before: &Snapshot, after: &Snapshot) {
    for (id, table) in &after.tables {
        if let Some(old) = before.tables.get(id) {
            assert_eq!(old == table, Arc::ptr_eq(old, table), "{id}");
        }
    }
    for (port, set) in &after.endpoints {
        if let Some(old) = before.endpoints.get(port) {
            assert_eq!(old == set, Arc::ptr_eq(old, set), "{port}");
        }
    }
}

fn read<K: serde::de::DeserializeOwned>(value: serde_json::Value) -> Arc<K> {
    Arc::new(serde_json::from_value(value).unwrap())
}

fn service(i: u8) -> Arc<Service> {
    read(json!({"metadata": {"name": format!("s{i}")}, "spec": {"ports": [{"port": 80}]}}))
}

fn ingress(i: u8) -> Arc<Ingress> {
    let backend = json!({"service": {"name": format!("s{i}"), "port": {"number": 80}}});
    let paths = json!([{"path": "/", "pathType": "Prefix", "backend": backend}]);
    let rules = json!([{"host": format!("h{i}.example"), "http": {"paths": paths}}]);
    read(json!({"metadata": {"name": format!("i{i}"), "namespace": "default"}, "spec": {"rules": rules}}))
}

fn endpoint_slice(service: u8, slice: u8, pod: u8) -> Arc<EndpointSlice> {
    read(json!({
        "metadata": {
            "name": format!("s{service}-{slice}"),
            "labels": {"kubernetes.io/service-name": format!("s{service}")},
        },
        "addressType": "IPv4",
        "ports": [{"port": 8080}],
        "endpoints": [{"addresses": [format!("10.0.{slice}.{pod}")]}],
    }))
}

proptest! {
    #[test]
    fn the_newest_of_both_is_published(steps in prop::collection::vec(step(), 0..60)) {
        let mut world = World::new();
        for step in steps.iter().chain([&Step::End, &Step::Begin, &Step::End]) {
            world.take(step);
            world.check();
        }
    }
}

#[test]
fn a_compile_that_began_before_an_endpoint_change_does_not_undo_it() {
    let mut world = World::new();
    let slice = |pod| Step::Slice { service: 0, slice: 0, pod };
    for step in [Step::Toggle(0), slice(1), Step::Begin, slice(2), Step::End] {
        world.take(&step);
        world.check();
    }
    let snapshot = world.received.borrow().clone().unwrap();
    let addresses: Vec<String> =
        snapshot.endpoints.values().flat_map(|set| &set.endpoints).map(|e| e.address.to_string()).collect();
    assert_eq!(addresses, ["10.0.0.2:8080"]);
}
