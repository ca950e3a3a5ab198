//! The flags of `tidegate run`.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    num::NonZeroUsize,
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

use clap::{ArgAction, Args, builder::NonEmptyStringValueParser};
use compile::NamespacedName;
use controller::{Election, PublishAddress};

/// The flags of `tidegate run`.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // they are independent flags
pub struct RunFlags {
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
    /// The port for /healthz, /readyz, /metrics, /snapshot and /problems.
    #[arg(long, default_value_t = 10254, value_name = "PORT")]
    pub healthz_port: u16,
    /// The address for them; all by default.
    #[arg(long, value_name = "IP", value_parser = ip_address)]
    pub healthz_host: Option<IpAddr>,
    /// The path that is answered 200 on the traffic ports for hosts that no Ingress names.
    #[arg(long, default_value = "/healthz", value_name = "PATH")]
    pub health_check_path: String,

    /// IngressClasses with this spec.controller are ours.
    #[arg(long, default_value = "tidegate.dev/ingress-controller", value_name = "NAME")]
    pub controller_class: String,
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
    /// Without the two flags above, Ingresses get the addresses of the nodes of our Pods: the internal ones with this.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    pub report_node_internal_ip_address: bool,
    /// The Lease, in our own namespace, whose holder writes statuses and Events.
    #[arg(long, default_value = "tidegate-leader", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub election_id: String,
    /// How long the leader may be silent before another replica takes over, such as 10s (from 1s to 1h).
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = election_ttl)]
    pub election_ttl: Duration,
    /// Let each replica write statuses and Events: for one that is alone.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    pub disable_leader_election: bool,

    /// Worker threads; one for each CPU that this process may use by default.
    #[arg(long, value_name = "N")]
    pub workers: Option<NonZeroUsize>,
    /// Where the access log goes: `stdout`, `off` or a file.
    #[arg(long, default_value = "stdout", value_name = "TARGET")]
    pub access_log: String,
    /// Whether the metrics of requests carry the host.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = true, action = ArgAction::Set)]
    pub metrics_per_host: bool,
    /// On SIGTERM: seconds to go on accepting, no longer ready, before draining begins.
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    shutdown_grace_period: u64,
    /// Seconds to wait after draining, before the process ends.
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    post_shutdown_grace_period: u64,

    /// The namespace of this Pod.
    #[arg(long, env = "POD_NAMESPACE", default_value = "", hide = true)]
    pub pod_namespace: String,
    /// The name of this Pod.
    #[arg(long, env = "POD_NAME", default_value = "", hide = true)]
    pub pod_name: String,
}

impl RunFlags {
    /// How long to go on accepting after a stop was asked for.
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace_period)
    }

    /// How long to wait after draining.
    pub fn post_shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.post_shutdown_grace_period)
    }

    /// What was given and cannot have an effect together with the rest.
    pub fn without_effect(&self) -> Vec<String> {
        let has_address = self.publish_service.is_some() || !self.publish_status_address.is_empty();
        let mut warnings = Vec::new();
        if self.manifests.is_some() && has_address {
            warnings.push("with --manifests there is no cluster whose Ingresses could get a status".to_owned());
        }
        warnings
    }

    /// The Pod that we run in, if we do.
    pub fn pod(&self) -> Option<NamespacedName> {
        let known = !self.pod_namespace.is_empty() && !self.pod_name.is_empty();
        known.then(|| NamespacedName::new(&self.pod_namespace, &self.pod_name))
    }

    /// The election of a leader, if there is one.
    pub fn election(&self) -> Option<Election> {
        let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        // Outside of a Pod there is no name that nobody else has.
        let identity = || format!("tidegate-{:016x}", RandomState::new().hash_one(std::process::id()));
        (!self.disable_leader_election).then(|| Election {
            name: self.election_id.clone(),
            namespace: text(&self.pod_namespace),
            identity: text(&self.pod_name).unwrap_or_else(identity),
            ttl: self.election_ttl,
        })
    }

    /// Which addresses statuses get.
    pub fn publish(&self) -> PublishAddress {
        match &self.publish_service {
            Some(service) => PublishAddress::Service(service.clone()),
            None if !self.publish_status_address.is_empty() => {
                PublishAddress::Addresses(self.publish_status_address.clone())
            }
            None if self.pod().is_some() => PublishAddress::Nodes { internal: self.report_node_internal_ip_address },
            None => PublishAddress::None,
        }
    }

    /// The flags that shape a snapshot.
    pub fn compile_options(&self) -> compile::Options {
        let defaults = compile::Options::default();
        let bind_addresses =
            if self.bind_address.is_empty() { defaults.bind_addresses } else { self.bind_address.clone() };
        compile::Options {
            bind_addresses,
            http_port: self.http_port,
            https_port: self.https_port,
            healthz_port: self.healthz_port,
            controller_class: self.controller_class.clone(),
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

/// How long the leader may be silent: too short is no use, too long is none either.
const ELECTION_TTL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

/// Go's durations, as ingress-nginx takes them: `10s`, `1m30s`.
fn election_ttl(text: &str) -> Result<Duration, String> {
    let duration = text.parse::<jiff::SignedDuration>().map_err(|error| error.to_string())?;
    let duration = Duration::try_from(duration).map_err(|_| "must not be negative".to_owned())?;
    ELECTION_TTL.contains(&duration).then_some(duration).ok_or_else(|| "must be from 1s to 1h".to_owned())
}

fn ip_address(text: &str) -> Result<IpAddr, String> {
    text.trim_matches(['[', ']']).parse().map_err(|_| "must be an IP address".to_owned())
}
