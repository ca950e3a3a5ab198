//! What the command line says about compiling.

use std::net::IpAddr;

use crate::{NamespacedName, selector::Selector};

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
    /// `--healthz-port`, which no service may take.
    pub healthz_port: u16,
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
    /// `--tcp-services-configmap`.
    pub tcp_services: Option<NamespacedName>,
    /// `--udp-services-configmap`.
    pub udp_services: Option<NamespacedName>,
    /// `--enable-ssl-passthrough`.
    pub enable_ssl_passthrough: bool,
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
            healthz_port: 10254,
            controller_class: "tidegate.dev/ingress-controller".to_owned(),
            ingress_class: "tidegate".to_owned(),
            ingress_class_by_name: false,
            watch_ingress_without_class: false,
            watch_namespace: None,
            watch_namespace_selector: String::new(),
            config_map: None,
            tcp_services: None,
            udp_services: None,
            enable_ssl_passthrough: false,
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

/// Checks what the types cannot hold, at start-up.
///
/// # Errors
/// A flag has a value that cannot be used, or contradicts another; the text names it.
pub fn check_options(options: &Options) -> Result<(), String> {
    let selector = &options.watch_namespace_selector;
    let parsed: Selector = selector.parse().map_err(|error| format!("--watch-namespace-selector: {error}"))?;
    if options.watch_namespace.as_deref().is_some_and(|namespace| !namespace.is_empty()) && !parsed.is_empty() {
        return Err("--watch-namespace and --watch-namespace-selector exclude each other".to_owned());
    }
    if options.bind_addresses.is_empty() {
        return Err("--bind-address: at least one address is needed".to_owned());
    }
    if options.http_port == options.https_port && options.http_port != 0 {
        return Err(format!("--http-port and --https-port are both {}", options.http_port));
    }
    if !options.health_check_path.starts_with('/') {
        return Err("--health-check-path must begin with a slash".to_owned());
    }
    let names = [
        ("--controller-class", &options.controller_class),
        ("--ingress-class", &options.ingress_class),
        ("--annotations-prefix", &options.annotations_prefix),
    ];
    match names.iter().find(|(_, value)| value.is_empty()) {
        Some((flag, _)) => Err(format!("{flag} is empty")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_fine() {
        assert_eq!(check_options(&Options::default()), Ok(()));
    }

    #[test]
    fn names_the_flag() {
        let refused = |change: fn(&mut Options)| {
            let mut options = Options::default();
            change(&mut options);
            check_options(&options).unwrap_err()
        };
        assert!(refused(|o| o.watch_namespace_selector = "a in".into()).contains("--watch-namespace-selector"));
        assert!(refused(|o| o.https_port = o.http_port).contains("--https-port"));
        assert!(refused(|o| o.bind_addresses.clear()).contains("--bind-address"));
        assert!(refused(|o| o.health_check_path = "healthz".into()).contains("--health-check-path"));
        assert!(refused(|o| o.annotations_prefix.clear()).contains("--annotations-prefix"));
        let both = refused(|o| {
            o.watch_namespace = Some("a".into());
            o.watch_namespace_selector = "team=a".into();
        });
        assert!(both.contains("exclude each other"));
    }
}
