//! What the command line says about the controller.

use std::{collections::HashMap, path::PathBuf};

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
    /// None: statuses are left alone.
    None,
}
