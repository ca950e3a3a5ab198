//! How the backends of an object are spoken to.

use std::sync::Arc;

use snapshot::{Tls12Suite, TlsVersions};

use crate::NamespacedName;

/// How the backends of an object are spoken to, as far as it says so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct UpstreamDraft {
    /// What is spoken; none: what the Service's port says.
    pub protocol: Option<BackendProtocol>,
    /// How TLS is, where it is.
    pub tls: UpstreamTlsDraft,
}

/// What can be spoken to a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum BackendProtocol {
    Http,
    Https,
    /// HTTPS for clients that speak it, else HTTP.
    AutoHttp,
    Grpc,
    Grpcs,
    /// FastCGI, which is not spoken here.
    FastCgi,
}

/// TLS to backends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct UpstreamTlsDraft {
    /// The Secret with the CA that backends are checked against and the certificate that they are shown.
    pub secret: Option<NamespacedName>,
    /// Whether certificates are checked.
    pub verify: bool,
    /// How many certificates may stand between one and its CA.
    pub depth: u32,
    /// The name of the backend; none: the Service's.
    pub name: Option<Arc<str>>,
    /// Whether the backend is told the name.
    pub send_name: bool,
    pub versions: TlsVersions,
    pub suites: Vec<Tls12Suite>,
}

/// What holds where no key says otherwise, as in ingress-nginx; that speaks TLS 1.3 only where it is told to.
impl Default for UpstreamTlsDraft {
    fn default() -> Self {
        Self {
            secret: None,
            verify: false,
            depth: 1,
            name: None,
            send_name: false,
            versions: TlsVersions::Both,
            suites: Tls12Suite::ALL.to_vec(),
        }
    }
}
