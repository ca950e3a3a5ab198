//! What the command line says about compiling.

use std::net::IpAddr;

use crate::NamespacedName;

/// The flags that shape a snapshot. Each has the name and meaning of ingress-nginx's flag of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // they are independent flags
pub struct Options {
    /// `--bind-address`: where to listen; both families' wildcard addresses by default.
    pub bind_addresses: Vec<IpAddr>,
    /// `--http-port`.
    pub http_port: u16,
    /// `--https-port`.
    pub https_port: u16,
    /// `--controller-class`: IngressClasses with this `spec.controller` are ours.
    pub controller_class: String,
    /// `--ingress-class`: the value of the legacy annotation `kubernetes.io/ingress.class`, and the name of our class.
    pub ingress_class: String,
    /// `--ingress-class-by-name`: an IngressClass called `--ingress-class` is ours whatever its controller.
    pub ingress_class_by_name: bool,
    /// `--watch-ingress-without-class`.
    pub watch_ingress_without_class: bool,
    /// `--watch-namespace`: only this namespace's objects count.
    pub watch_namespace: Option<String>,
    /// `--watch-namespace-selector`: only objects of namespaces with these labels count; empty: all.
    pub watch_namespace_selector: String,
    /// `--configmap`.
    pub config_map: Option<NamespacedName>,
    /// `--default-backend-service`.
    pub default_backend_service: Option<NamespacedName>,
    /// `--default-ssl-certificate`.
    pub default_ssl_certificate: Option<NamespacedName>,
    /// `--disable-catch-all`: Ingresses that claim every host are refused.
    pub disable_catch_all: bool,
    /// `--disable-svc-external-name`.
    pub disable_svc_external_name: bool,
    /// `--annotations-prefix`.
    pub annotations_prefix: String,
    /// `--health-check-path`.
    pub health_check_path: String,
    /// Whether ExternalName Services may lead to loopback and link-local addresses (manifests mode).
    pub allow_local_external_names: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bind_addresses: vec![std::net::Ipv4Addr::UNSPECIFIED.into(), std::net::Ipv6Addr::UNSPECIFIED.into()],
            http_port: 80,
            https_port: 443,
            controller_class: "tidegate.dev/ingress-controller".to_owned(),
            ingress_class: "tidegate".to_owned(),
            ingress_class_by_name: false,
            watch_ingress_without_class: false,
            watch_namespace: None,
            watch_namespace_selector: String::new(),
            config_map: None,
            default_backend_service: None,
            default_ssl_certificate: None,
            disable_catch_all: false,
            disable_svc_external_name: false,
            annotations_prefix: "nginx.ingress.kubernetes.io".to_owned(),
            health_check_path: "/healthz".to_owned(),
            allow_local_external_names: false,
        }
    }
}
