//! What any process that serves must know.

use std::{net::IpAddr, time::Duration};

use clap::Args;
use compile::NamespacedName;

use super::ip_address;

/// What any process that serves must know.
#[derive(Debug, Args)]
pub struct ProcessFlags {
    /// The port for /healthz, /readyz, /metrics, /snapshot and /problems; 10254, and 10255 for `tidegate controller`.
    #[arg(long, value_name = "PORT")]
    pub healthz_port: Option<u16>,
    /// The address for them; all by default.
    #[arg(long, value_name = "IP", value_parser = ip_address)]
    pub healthz_host: Option<IpAddr>,
    /// IngressClasses with this spec.controller are ours. It is also a label of metrics.
    #[arg(long, default_value = "tidegate.dev/ingress-controller", value_name = "NAME")]
    pub controller_class: String,
    /// On SIGTERM: seconds to go on accepting, no longer ready, before draining begins. `tidegate controller` goes on
    /// serving a data plane for as long.
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    shutdown_grace_period: u64,

    /// The namespace of this Pod.
    #[arg(long, env = "POD_NAMESPACE", default_value = "", hide = true)]
    pub pod_namespace: String,
    /// The name of this Pod.
    #[arg(long, env = "POD_NAME", default_value = "", hide = true)]
    pub pod_name: String,
}

impl ProcessFlags {
    /// The Pod that we run in, if we do.
    pub fn pod(&self) -> Option<NamespacedName> {
        let known = !self.pod_namespace.is_empty() && !self.pod_name.is_empty();
        known.then(|| NamespacedName::new(&self.pod_namespace, &self.pod_name))
    }

    /// How long to go on after a stop was asked for.
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace_period)
    }
}
