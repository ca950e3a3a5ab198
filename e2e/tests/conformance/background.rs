//! The objects that the cases of a file share.

use anyhow::Context;
use e2e::cluster::{Cluster, Namespace};
use e2e::objects::{EchoApp, ingress};
use e2e::tidegate::Tidegate;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

use super::case::{Certificate, Feature};

/// Seconds between probes: ten Pods with faster ones load a small machine.
const PROBE_PERIOD: u32 = 2;
const PORT: u16 = 8080;

/// Objects of one file that exist now.
pub struct Background {
    namespace: Namespace,
    ingress: String,
    spec: Value,
    unruly: bool,
}

impl Background {
    /// Makes the backends, waits for their endpoints, then makes the Ingress.
    pub async fn create(cluster: &Cluster, feature: &Feature) -> anyhow::Result<Self> {
        let namespace = cluster.namespace("conformance").await?;
        let apps = feature.backends.iter().map(|backend| EchoApp {
            probe_period: PROBE_PERIOD,
            port: PORT,
            ..EchoApp::new(&backend.name, 1)
        });
        let mut objects: Vec<_> = apps.flat_map(|app| app.objects()).collect();
        if let Some(certificate) = &feature.certificate {
            objects.push(secret(certificate)?);
        }
        namespace.apply(&objects).await?;
        for backend in &feature.backends {
            namespace.endpoints_ready(&backend.name, 1).await?;
        }
        namespace.apply(&[ingress(&feature.ingress, feature.spec.clone())]).await?;
        let unruly = feature.spec.get("defaultBackend").is_some();
        Ok(Self { namespace, ingress: feature.ingress.clone(), spec: feature.spec.clone(), unruly })
    }

    /// Makes the same Ingress of our class beside it, and returns its name.
    pub async fn put_ours(&self) -> anyhow::Result<String> {
        let (name, mut spec) = (format!("{}-of-ours", self.ingress), self.spec.clone());
        spec["ingressClassName"] = Value::Null;
        self.namespace.apply(&[ingress(&name, spec)]).await?;
        Ok(name)
    }

    /// The name of its Ingress.
    pub fn ingress(&self) -> &str {
        &self.ingress
    }

    /// Where it is.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Removes the Ingress, and waits where it would answer the next file's cases.
    pub async fn remove(self, tidegate: &Tidegate) -> anyhow::Result<()> {
        self.namespace.kubectl(&["delete", "ingress", &self.ingress]).await?;
        if self.unruly {
            tidegate.answers("nobody.example", "/", 404).await.context("after the default backend is gone")?;
        }
        Ok(())
    }
}

/// A self-signed certificate with an RSA key of 2048 bits.
fn secret(certificate: &Certificate) -> anyhow::Result<Value> {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    let signed = CertificateParams::new([certificate.host.clone()])?.self_signed(&key)?;
    Ok(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": { "name": certificate.secret },
        "stringData": { "tls.crt": signed.pem(), "tls.key": key.serialize_pem() },
    }))
}
