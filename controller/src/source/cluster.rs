//! Objects from the Kubernetes API: one watch for each kind.

mod error;
mod mirror;
#[cfg(test)]
pub(crate) mod tests;
mod trim;
mod watch;

use std::{collections::BTreeSet, path::Path, sync::Arc};

use compile::{IngressClassParameters, NamespacedName, Options};
use futures_util::future::BoxFuture;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        core::v1::{ConfigMap, Namespace, Secret, Service},
        discovery::v1::EndpointSlice,
        networking::v1::{Ingress, IngressClass},
    },
};
use kube::{
    Api, Client, Config, Resource,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
    core::DeserializeGuard,
    runtime::watcher,
};
use tokio::sync::mpsc;
use watch::{Object, Watch};

pub(crate) use error::explain;

use crate::{Error, board::Board, cycle::Update, slices::SERVICE_LABEL};

/// A client by this kubeconfig; without one by that of the environment, else by the ServiceAccount of our Pod.
///
/// # Errors
/// There is none, or it cannot be used.
pub(crate) async fn client(kubeconfig: Option<&Path>) -> Result<Client, Error> {
    let mut config = match kubeconfig {
        Some(file) => read_kubeconfig(file).await.map_err(|error| Error::NoCluster(error.to_string()))?,
        None => Config::infer().await.map_err(|error| Error::NoCluster(error.to_string()))?,
    };
    // Each watch has a pace of its own; two of them, one around the other, would sleep on after the API is back.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| Error::NoCluster(explain(&error)))
}

async fn read_kubeconfig(file: &Path) -> Result<Config, KubeconfigError> {
    Config::from_custom_kubeconfig(Kubeconfig::read_from(file)?, &KubeConfigOptions::default()).await
}

/// A watch that has not been started, and its name.
pub(crate) struct Planned {
    pub(crate) list: String,
    run: Run,
}

type Run = Box<dyn FnOnce(mpsc::Sender<Update>, Arc<Board>) -> BoxFuture<'static, ()> + Send>;

impl Planned {
    fn new<K: Object>(list: impl Into<String>, api: Api<DeserializeGuard<K>>, config: watcher::Config) -> Self {
        Self::of(Watch { list: list.into(), api, config, optional: false })
    }

    /// Of a kind that the API server may not have, or not let us read: then nobody waits for it.
    fn optional<K: Object>(list: &str, api: Api<DeserializeGuard<K>>) -> Self {
        Self::of(Watch { list: list.to_owned(), api, config: watcher::Config::default(), optional: true })
    }

    fn of<K: Object>(watch: Watch<K>) -> Self {
        let list = watch.list.clone();
        Self { list, run: Box::new(move |updates, board| Box::pin(watch.run(updates, board))) }
    }

    /// Follows the API for as long as somebody takes the updates.
    pub(crate) fn run(self, updates: mpsc::Sender<Update>, board: Arc<Board>) -> BoxFuture<'static, ()> {
        (self.run)(updates, board)
    }
}

/// The watches that these options need, and no other.
pub(crate) fn plan(client: &Client, options: &Options) -> Vec<Planned> {
    let scope = Scope { client, namespace: options.watch_namespace.as_deref().filter(|name| !name.is_empty()) };
    let all = watcher::Config::default;
    let mut plan = vec![
        Planned::new::<Ingress>("ingresses", scope.api(), all()),
        Planned::new::<IngressClass>("ingressclasses", Api::all(client.clone()), all()),
        Planned::optional::<IngressClassParameters>("ingressclassparameters", Api::all(client.clone())),
        Planned::new::<Service>("services", scope.api(), all()),
        Planned::new::<EndpointSlice>("endpointslices", scope.api(), all()),
        // Helm keeps its releases in Secrets, large ones.
        Planned::new::<Secret>("secrets", scope.api(), all().fields("type!=helm.sh/release.v1")),
    ];
    // One may be named twice.
    let config_maps = [&options.config_map, &options.tcp_services, &options.udp_services];
    for name in config_maps.into_iter().flatten().collect::<BTreeSet<_>>() {
        plan.push(one::<ConfigMap>(client, "configmap", name));
    }
    if !options.watch_namespace_selector.trim().is_empty() {
        plan.push(Planned::new::<Namespace>("namespaces", Api::all(client.clone()), all()));
    }
    // What flags name may lie outside of the watched namespace.
    if let Some(name) = options.default_ssl_certificate.as_ref().filter(|name| scope.misses(name)) {
        plan.push(one::<Secret>(client, "secret", name));
    }
    if let Some(name) = options.default_backend_service.as_ref().filter(|name| scope.misses(name)) {
        plan.push(one::<Service>(client, "service", name));
        let slices = all().labels(&format!("{SERVICE_LABEL}={}", name.name));
        plan.push(Planned::new::<EndpointSlice>(
            format!("endpointslices of {name}"),
            Api::namespaced(client.clone(), &name.namespace),
            slices,
        ));
    }
    plan
}

/// A watch of one object.
pub(crate) fn one<K>(client: &Client, kind: &str, name: &NamespacedName) -> Planned
where
    K: Object + Resource<Scope = NamespaceResourceScope>,
{
    let fields = format!("metadata.name={}", name.name);
    let api = Api::namespaced(client.clone(), &name.namespace);
    Planned::new::<K>(format!("{kind} {name}"), api, watcher::Config::default().fields(&fields))
}

/// All namespaces, or one.
struct Scope<'a> {
    client: &'a Client,
    namespace: Option<&'a str>,
}

impl Scope<'_> {
    fn api<K>(&self) -> Api<DeserializeGuard<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    fn misses(&self, name: &NamespacedName) -> bool {
        self.namespace.is_some_and(|namespace| namespace != &*name.namespace)
    }
}
