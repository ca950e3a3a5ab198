//! What is spoken to a backend: what its Service says, unless the Ingress says otherwise.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ServicePort as Port;
use snapshot::{Protocol, Target, TlsWhen, UpstreamId, UpstreamTls, Verification};

use crate::{
    cert,
    credentials::Credentials,
    draft::{BackendProtocol, UpstreamDraft, UpstreamTlsDraft},
};

impl BackendProtocol {
    /// What a Service's port says: `appProtocol` with the names that Kubernetes has for it (KEP-3726), and `grpc`, which
    /// is in wide use. A name that says nothing of HTTP changes nothing, as everywhere.
    pub fn of_port(port: &Port) -> Self {
        match port.app_protocol.as_deref() {
            Some("kubernetes.io/h2c" | "grpc") => Self::Grpc,
            Some("https" | "kubernetes.io/wss") => Self::Https,
            _ => Self::Http,
        }
    }

    /// The version of HTTP.
    pub fn version(self) -> Protocol {
        match self {
            Self::Http | Self::Https | Self::AutoHttp | Self::FastCgi => Protocol::Http1,
            Self::Grpc | Self::Grpcs => Protocol::Http2,
        }
    }

    /// The TLS around it.
    pub fn tls(self) -> Option<TlsWhen> {
        match self {
            Self::Http | Self::Grpc | Self::FastCgi => None,
            Self::Https | Self::Grpcs => Some(TlsWhen::Always),
            Self::AutoHttp => Some(TlsWhen::ClientDoes),
        }
    }
}

/// How one Ingress uses one port of a Service.
pub(super) struct Use<'a> {
    /// What is spoken where no Ingress says otherwise.
    pub of_port: BackendProtocol,
    /// What the Ingress says.
    pub asked: &'a UpstreamDraft,
    /// What its Secret holds, where it names one.
    pub credentials: Option<&'a Credentials>,
}

impl Use<'_> {
    pub fn protocol(&self) -> BackendProtocol {
        self.asked.protocol.unwrap_or(self.of_port)
    }

    /// The id of the Service's port, with a digest of what differs from what the port alone says. It tells two uses
    /// apart and stays the same while they do: of a Secret the name counts, not what is in it.
    pub fn id(&self, port: &str) -> UpstreamId {
        let protocol = Some(self.protocol()).filter(|protocol| *protocol != self.of_port);
        let tls = Some(&self.asked.tls).filter(|tls| self.protocol().tls().is_some() && **tls != Default::default());
        if protocol.is_none() && tls.is_none() {
            return port.into();
        }
        let digest = cert::fingerprint(format!("{protocol:?} {tls:?}").as_bytes());
        format!("{port}#{}", digest.get(..16).unwrap_or_default()).into()
    }

    /// # Errors
    /// Certificates are to be checked, and there is nothing to check them against.
    pub fn tls(&self, target: &Target, service: &str) -> Result<Option<UpstreamTls>, String> {
        let Some(when) = self.protocol().tls() else { return Ok(None) };
        let UpstreamTlsDraft { secret: _, verify, depth, name, send_name, versions, suites } = &self.asked.tls;
        let anchors = || self.credentials.and_then(|credentials| credentials.anchors.clone());
        let verify = match (verify, anchors()) {
            (false, _) => None,
            (true, Some(anchors)) => Some(Verification { anchors, depth: *depth }),
            (true, None) => return Err("ca.crt is missing, which `proxy-ssl-verify` needs".to_owned()),
        };
        let own_name = || match target {
            Target::Endpoints(_) => service.into(),
            Target::Name { host, .. } => Arc::clone(host),
        };
        Ok(Some(UpstreamTls {
            when,
            name: name.clone().unwrap_or_else(own_name),
            send_name: *send_name,
            versions: *versions,
            suites: suites.clone(),
            verify,
            identity: self.credentials.and_then(|credentials| Some(credentials.identity.as_ref()?.id.clone())),
        }))
    }
}
