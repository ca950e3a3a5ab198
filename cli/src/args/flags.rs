//! The flags of the commands that serve. Each is defined once, in the part of the program that it concerns.

mod dataplane;
mod election;
mod link;
mod process;
mod supervision;

use std::{net::IpAddr, path::PathBuf};

use clap::{ArgAction, Args};
use compile::NamespacedName;

use super::webhook::WebhookFlags;
pub use dataplane::DataplaneFlags;
pub use election::ElectionFlags;
pub use link::{SocketFlags, StateFlags};
pub use process::ProcessFlags;
pub use supervision::SupervisionFlags;

/// The flags of `tidegate run`.
#[derive(Debug, Args)]
pub struct RunFlags {
    /// The controller's.
    #[command(flatten)]
    pub controller: ControllerFlags,
    /// The data plane's.
    #[command(flatten)]
    pub dataplane: DataplaneFlags,
    /// Of any process.
    #[command(flatten)]
    pub process: ProcessFlags,
}

/// The flags of `tidegate controller`.
#[derive(Debug, Args)]
pub struct ControllerCommand {
    /// The controller's.
    #[command(flatten)]
    pub controller: ControllerFlags,
    /// Of any process.
    #[command(flatten)]
    pub process: ProcessFlags,
    /// The way to the data plane.
    #[command(flatten)]
    pub link: SocketFlags,
    /// A user whose processes may be the data plane, repeatable; our own and root may anyway.
    #[arg(long, value_name = "UID", value_delimiter = ',')]
    pub socket_peer_uid: Vec<u32>,
    /// Who looks after it.
    #[command(flatten)]
    pub supervision: SupervisionFlags,
}

/// The flags of `tidegate dataplane`.
#[derive(Debug, Args)]
pub struct DataplaneCommand {
    /// The data plane's.
    #[command(flatten)]
    pub dataplane: DataplaneFlags,
    /// Of any process.
    #[command(flatten)]
    pub process: ProcessFlags,
    /// The way to the controller.
    #[command(flatten)]
    pub link: SocketFlags,
    /// What is kept.
    #[command(flatten)]
    pub state: StateFlags,
}

/// What the controller must know: where objects come from, and what is made of them.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // they are independent flags
pub struct ControllerFlags {
    /// Take the objects from the YAML files of this folder, and of its sub-folders, instead of from a cluster.
    #[arg(long, value_name = "DIR")]
    pub manifests: Option<PathBuf>,
    /// The kubeconfig to use outside of a cluster (else KUBECONFIG, else ~/.kube/config).
    #[arg(long, value_name = "FILE", conflicts_with = "manifests")]
    pub kubeconfig: Option<PathBuf>,

    /// The port for http.
    #[arg(long, default_value_t = 80, value_name = "PORT")]
    pub http_port: u16,
    /// The port for https.
    #[arg(long, default_value_t = 443, value_name = "PORT")]
    pub https_port: u16,
    /// An address to listen on, repeatable; all IPv4 and IPv6 addresses by default.
    #[arg(long, value_name = "IP", value_delimiter = ',', value_parser = ip_address)]
    pub bind_address: Vec<IpAddr>,
    /// The path that is answered 200 on the traffic ports for hosts that no Ingress names.
    #[arg(long, default_value = "/healthz", value_name = "PATH")]
    pub health_check_path: String,

    /// Our value of the annotation kubernetes.io/ingress.class, and the name for --ingress-class-by-name.
    #[arg(long, default_value = "tidegate", value_name = "NAME")]
    pub ingress_class: String,
    /// The IngressClass called --ingress-class is ours, whatever its controller.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    pub ingress_class_by_name: bool,
    /// Serve Ingresses that name no class at all.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    pub watch_ingress_without_class: bool,
    /// Only look at objects of this namespace.
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "watch_namespace_selector")]
    pub watch_namespace: Option<String>,
    /// Only look at objects of namespaces with these labels.
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    pub watch_namespace_selector: String,

    /// The ConfigMap with the global settings.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = namespaced_name)]
    pub configmap: Option<NamespacedName>,
    /// The ConfigMap with the TCP services: a port each, to namespace/service:port.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = namespaced_name)]
    pub tcp_services_configmap: Option<NamespacedName>,
    /// The ConfigMap with the UDP services.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = namespaced_name)]
    pub udp_services_configmap: Option<NamespacedName>,
    /// Hand connections on with TLS as it is, to hosts of Ingresses with the annotation ssl-passthrough.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    pub enable_ssl_passthrough: bool,
    /// The Service that answers what no rule matches.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = namespaced_name)]
    pub default_backend_service: Option<NamespacedName>,
    /// The Secret with the certificate for hosts that have none.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = namespaced_name)]
    pub default_ssl_certificate: Option<NamespacedName>,
    /// The prefix of our annotations.
    #[arg(long, default_value = "nginx.ingress.kubernetes.io", value_name = "PREFIX")]
    pub annotations_prefix: String,
    /// Refuse Ingresses that claim every host.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    pub disable_catch_all: bool,
    /// Refuse Services of type ExternalName.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    pub disable_svc_external_name: bool,

    /// The Service whose addresses the Ingresses get as their status.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = namespaced_name)]
    pub publish_service: Option<NamespacedName>,
    /// The addresses that the Ingresses get as their status, separated by commas.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', conflicts_with = "publish_service")]
    pub publish_status_address: Vec<String>,
    /// Whether to write the status of Ingresses.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = true, action = ArgAction::Set)]
    pub update_status: bool,
    /// Whether the last replica takes the addresses out of the statuses when it is shut down.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = true, action = ArgAction::Set)]
    pub update_status_on_shutdown: bool,
    /// Without a Service or addresses, Ingresses get those of the nodes of our Pods: the internal ones with this.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    pub report_node_internal_ip_address: bool,
    /// Who of several replicas writes it.
    #[command(flatten)]
    pub election: ElectionFlags,

    #[command(flatten)]
    pub webhook: WebhookFlags,
}

impl ControllerFlags {
    /// What was given and cannot have an effect together with the rest.
    pub fn without_effect(&self) -> Vec<String> {
        let has_address = self.publish_service.is_some() || !self.publish_status_address.is_empty();
        let mut warnings = Vec::new();
        if self.manifests.is_some() && has_address {
            warnings.push("with --manifests there is no cluster whose Ingresses could get a status".to_owned());
        }
        warnings
    }

    /// The flags that shape a snapshot. `healthz_port` is no port of a service.
    pub fn compile_options(&self, process: &ProcessFlags, healthz_port: u16) -> compile::Options {
        let defaults = compile::Options::default();
        let bind_addresses =
            if self.bind_address.is_empty() { defaults.bind_addresses } else { self.bind_address.clone() };
        compile::Options {
            bind_addresses,
            http_port: self.http_port,
            https_port: self.https_port,
            healthz_port,
            controller_class: process.controller_class.clone(),
            ingress_class: self.ingress_class.clone(),
            ingress_class_by_name: self.ingress_class_by_name,
            watch_ingress_without_class: self.watch_ingress_without_class,
            watch_namespace: self.watch_namespace.clone().filter(|namespace| !namespace.is_empty()),
            watch_namespace_selector: self.watch_namespace_selector.clone(),
            config_map: self.configmap.clone(),
            tcp_services: self.tcp_services_configmap.clone(),
            udp_services: self.udp_services_configmap.clone(),
            enable_ssl_passthrough: self.enable_ssl_passthrough,
            default_backend_service: self.default_backend_service.clone(),
            default_ssl_certificate: self.default_ssl_certificate.clone(),
            disable_catch_all: self.disable_catch_all,
            disable_svc_external_name: self.disable_svc_external_name,
            annotations_prefix: self.annotations_prefix.clone(),
            health_check_path: self.health_check_path.clone(),
            allow_local_external_names: self.manifests.is_some(),
        }
    }
}

fn namespaced_name(text: &str) -> Result<NamespacedName, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(NamespacedName::new(namespace, name))
        }
        _ => Err("must be namespace/name".to_owned()),
    }
}

fn ip_address(text: &str) -> Result<IpAddr, String> {
    text.trim_matches(['[', ']']).parse().map_err(|_| "must be an IP address".to_owned())
}
