//! What the command line says about the controller.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use compile::{NamespacedName, Options};

use crate::AdmissionConfig;

/// How a controller runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// What shapes a snapshot.
    pub options: Options,
    /// Where objects come from.
    pub source: Source,
    /// Which addresses the status of an Ingress gets.
    pub publish: PublishAddress,
    /// `--update-status`: whether statuses are written. In manifests mode none is, there is nowhere to write to.
    pub update_status: bool,
    /// `--validating-webhook*`: the admission webhook, if there is to be one.
    pub admission: Option<AdmissionConfig>,
    /// `--update-status-on-shutdown`: whether the last replica takes our addresses out of statuses when it is shut down.
    pub update_status_on_shutdown: bool,
    /// How long we go on after a stop was asked for, whatever else there is to do.
    pub shutdown_grace: Duration,
    /// How the replica is chosen that writes statuses and Events. None: each one writes (`--disable-leader-election`).
    pub election: Option<Election>,
    /// Our own Pod, if we run in one: those with the same labels are our replicas.
    pub pod: Option<NamespacedName>,
    /// Whether the controller ends where the data plane refuses the very first snapshot: it does where both are one
    /// process, in which nothing would ever be served.
    pub first_refusal_is_fatal: bool,
    /// Labels that every metric carries: `controller_class`, `controller_namespace` and `controller_pod`, as
    /// ingress-nginx has them.
    pub metric_labels: HashMap<String, String>,
}

/// Where objects come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The YAML and JSON files of a folder (`--manifests`), of any depth, watched.
    Manifests(PathBuf),
    /// The Kubernetes API.
    Cluster {
        /// How to reach it; where none is given: `KUBECONFIG` or `~/.kube/config`, else the ServiceAccount of our Pod.
        kubeconfig: Option<PathBuf>,
    },
}

/// Which addresses the status of an Ingress gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishAddress {
    /// Those of a Service, as `--publish-service` of ingress-nginx has it.
    Service(NamespacedName),
    /// IP addresses and host names (`--publish-status-address`).
    Addresses(Vec<String>),
    /// Those of the nodes that our ready Pods run on, as ingress-nginx has it without the two flags. Needs
    /// [`Config::pod`].
    Nodes {
        /// `--report-node-internal-ip-address`: internal addresses, also of nodes that have external ones.
        internal: bool,
    },
    /// None: statuses are left alone.
    None,
}

/// A Lease that replicas compete for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Election {
    /// `--election-id`: its name.
    pub name: String,
    /// Its namespace; none: the one that the client is set to.
    pub namespace: Option<String>,
    /// What tells us from other replicas: the name of our Pod.
    pub identity: String,
    /// `--election-ttl`: how long a leader may be silent before another one takes over. From a second to an hour.
    pub ttl: Duration,
}
