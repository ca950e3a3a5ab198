//! Objects from the Kubernetes API: one watch for each kind.

mod connect;
mod error;
mod mirror;
mod scope;
mod spread;
#[cfg(test)]
pub(crate) mod tests;
mod trim;
mod watch;
mod watches;

use std::{collections::BTreeSet, path::Path, sync::Arc};

use compile::{IngressClassParameters, NamespacedName, Options};
use futures_util::future::BoxFuture;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        core::v1::{ConfigMap, Secret, Service},
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
use watch::{Object, Terms, Watch};

pub(crate) use error::explain;
pub(crate) use scope::Scope;
pub(crate) use trim::Trim;
pub(crate) use watch::Without;
pub(crate) use watches::Watches;

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
    connect::connect(config).map_err(|error| Error::NoCluster(explain(&error)))
}

async fn read_kubeconfig(file: &Path) -> Result<Config, KubeconfigError> {
    Config::from_custom_kubeconfig(Kubeconfig::read_from(file)?, &KubeConfigOptions::default()).await
}

/// A watch that has not been started, and its name.
pub(crate) struct Planned {
    pub(crate) list: String,
    without: Without,
    consistent: bool,
    run: Run,
}

type Run = Box<dyn FnOnce(Terms) -> BoxFuture<'static, ()> + Send>;

impl Planned {
    fn new<K: Object>(list: impl Into<String>, api: Api<DeserializeGuard<K>>, config: watcher::Config) -> Self {
        Self::by(list, move |terms| Watch { api, config, terms }.run())
    }

    fn by<F>(list: impl Into<String>, run: impl FnOnce(Terms) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let run: Run = Box::new(move |terms| Box::pin(run(terms)));
        Self { list: list.into(), without: Without::Never, consistent: false, run }
    }

    /// Says what happens where the API server does not let us read it.
    pub(crate) fn without(self, without: Without) -> Self {
        Self { without, ..self }
    }

    /// Begins with what is there now, and not with what some API server remembers: those may be behind one another. It
    /// costs more, and a watch that goes on comes to the same.
    pub(crate) fn consistent(self) -> Self {
        Self { consistent: true, ..self }
    }

    /// Follows the API for as long as somebody takes the updates.
    pub(crate) fn run(self, updates: mpsc::Sender<Update>, board: Arc<Board>) -> BoxFuture<'static, ()> {
        let Self { list, without, consistent, run } = self;
        run(Terms { list, without, consistent, updates, board })
    }
}

/// The watches that these options need, and no other, apart from those of Secrets (see [`crate::secrets`]).
///
/// All that is asked of the API is, in each watched namespace, `list` and `watch` of `ingresses`, `services`,
/// `endpointslices` and `secrets`, `patch` of `ingresses/status`, `create` and `patch` of `events` (events.k8s.io). In our
/// own namespace: `get`, `create` and `update` of `leases`; `list` and `watch` of the ConfigMaps that flags name; `get` and
/// `list` of `pods`, for [`crate::replicas`]. In the whole cluster: `list` and `watch` of `ingressclasses`, without which
/// `--watch-namespace` does; `list` and `watch` of `namespaces` for `--watch-namespace-selector`, which does with Roles in
/// the namespaces that it chooses (see [`Scope`]), and to learn which of both it is `create` of `selfsubjectaccessreviews`
/// (authorization.k8s.io), which everybody may who is not kept from it; `get` of `nodes` for addresses of nodes. `list` and `watch` of what flags
/// name in other namespaces; Events of such an object are in its namespace, those of an object without one in `default`.
/// `list` and `watch` of `ingressclassparameters` and `patch` of their `status`, where the cluster has them.
pub(crate) fn plan(client: &Client, options: &Options, scope: &Scope) -> Vec<Planned> {
    let all = watcher::Config::default;
    let mut plan =
        vec![
            scope.watch::<Ingress>("ingresses", all()),
            Planned::new::<IngressClass>("ingressclasses", Api::all(client.clone()), all())
                .without(if scope.is_one() { Without::Told } else { Without::Never }),
            // The API server may not have the kind.
            Planned::new::<IngressClassParameters>("ingressclassparameters", Api::all(client.clone()), all())
                .without(Without::Quietly),
            scope.watch::<Service>("services", all()),
            scope.watch::<EndpointSlice>("endpointslices", all()),
        ];
    // One may be named twice.
    let config_maps = [&options.config_map, &options.tcp_services, &options.udp_services];
    for name in config_maps.into_iter().flatten().collect::<BTreeSet<_>>() {
        plan.push(one::<ConfigMap>(client, "configmap", name));
    }
    // What flags name may lie outside of the watched namespaces.
    if let Some(name) = options.default_backend_service.as_ref().filter(|name| scope.may_miss(name)) {
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

/// The name of the list of [`tls_secrets`].
pub(crate) const SECRETS: &str = "secrets";

/// A watch of all Secrets with certificates.
pub(crate) fn tls_secrets(scope: &Scope) -> Planned {
    scope.watch::<Secret>(SECRETS, watcher::Config::default().fields("type=kubernetes.io/tls"))
}

/// A watch of all other Secrets, but those that Helm keeps its releases in: they are many, and large.
pub(crate) fn other_secrets(scope: &Scope) -> Planned {
    let config = watcher::Config::default().fields("type!=kubernetes.io/tls,type!=helm.sh/release.v1");
    scope.watch::<Secret>("other secrets", config)
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
