//! The certificates that are served.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::proto::{Metric, MetricFamily, MetricType};
use snapshot::Cert;

use super::{
    MetricsConfig,
    family::{family, gauge, labels},
};

/// A certificate and a host it is served for.
#[derive(Debug, Clone)]
pub struct CertificateSeries {
    /// The host as the rule has it; `_` for the default certificate, as ingress-nginx calls it.
    pub host: Arc<str>,
    /// The certificate.
    pub cert: Arc<Cert>,
}

/// Those that are served now.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    served: Mutex<Arc<[CertificateSeries]>>,
}

impl Certificates {
    pub(super) fn set(&self, certificates: Vec<CertificateSeries>) {
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) = certificates.into();
    }

    pub(super) fn collect(&self, config: &MetricsConfig) -> [MetricFamily; 2] {
        let served = Arc::clone(&self.served.lock().unwrap_or_else(PoisonError::into_inner));
        [
            family(
                "nginx_ingress_controller_ssl_expire_time_seconds",
                "When a certificate expires, in seconds since 1970. To find those that expire within 10 days: \
                 nginx_ingress_controller_ssl_expire_time_seconds < (time() + (10 * 24 * 3600))",
                MetricType::GAUGE,
                served.iter().map(|series| expiry(series, config)).collect(),
            ),
            family(
                "nginx_ingress_controller_ssl_certificate_info",
                "Hold all labels associated to a certificate",
                MetricType::GAUGE,
                served.iter().map(|series| info(series, config)).collect(),
            ),
        ]
    }
}

/// `namespace` is that of the controller here, and that of the Secret in [`info`]: so ingress-nginx has it.
fn expiry(series: &CertificateSeries, config: &MetricsConfig) -> Metric {
    let own = [
        ("class", config.controller_class.as_str()),
        ("host", &series.host),
        ("namespace", &config.controller_namespace),
        ("secret_name", &series.cert.origin.name),
    ];
    gauge(labels(&[], &own), series.cert.not_after as f64)
}

fn info(series: &CertificateSeries, config: &MetricsConfig) -> Metric {
    let Cert { origin, info, .. } = &*series.cert;
    // The issuer's serial-number attribute stands before the hyphen; hardly an issuer has one, and we do not keep it.
    let identifier = format!("-{}", info.serial_number);
    let own = [
        ("class", config.controller_class.as_str()),
        ("host", &series.host),
        ("identifier", &identifier),
        ("issuer_common_name", &info.issuer_common_name),
        ("issuer_organization", &info.issuer_organization),
        ("namespace", &origin.namespace),
        ("public_key_algorithm", &info.public_key_algorithm),
        ("secret_name", &origin.name),
        ("serial_number", &info.serial_number),
    ];
    gauge(labels(&[], &own), 1.0)
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;
    use snapshot::{CertInfo, Origin};

    use super::*;

    #[test]
    fn has_ingress_nginxs_labels() {
        let cert = Arc::new(Cert {
            origin: Arc::new(Origin::new("Secret", "shop", "tls")),
            chain: Vec::new(),
            names: Vec::new(),
            info: CertInfo {
                issuer_common_name: "CA".into(),
                issuer_organization: "Org".into(),
                serial_number: "100".into(),
                public_key_algorithm: "ECDSA".into(),
            },
            not_after: 1_700_000_000,
            fingerprint: "ab".into(),
        });
        let config = MetricsConfig {
            controller_namespace: "ns".into(),
            controller_class: "c".into(),
            ..MetricsConfig::default()
        };
        let certificates = Certificates::default();
        certificates.set(vec![CertificateSeries { host: "a.example".into(), cert }]);
        let text = TextEncoder::new().encode_to_string(&certificates.collect(&config)).unwrap();
        for line in [
            r#"nginx_ingress_controller_ssl_expire_time_seconds{class="c",host="a.example",namespace="ns",secret_name="tls"} 1700000000"#,
            r#"nginx_ingress_controller_ssl_certificate_info{class="c",host="a.example",identifier="-100",issuer_common_name="CA",issuer_organization="Org",namespace="shop",public_key_algorithm="ECDSA",secret_name="tls",serial_number="100"} 1"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{text}");
        }
    }
}
