//! Backends that speak TLS: whom Tidegate takes them for, and what it does when that changes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::cluster::Cluster;
use e2e::objects::{EchoApp, annotated, ingress_for};
use e2e::tidegate::Tidegate;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A Secret with a certificate for `name`.
    fn certificate(&self, secret: &str, name: &str) -> Value {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let data = json!({ "tls.crt": certificate.pem(), "tls.key": key.serialize_pem() });
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": secret }, "stringData": data })
    }

    /// A Secret with the authority itself.
    fn trusted(&self, secret: &str) -> Value {
        let data = json!({ "ca.crt": self.pem });
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": secret }, "stringData": data })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_is_reached_over_tls_and_checked_where_that_is_asked_for() {
    let cluster = Cluster::from_env().unwrap();
    let tidegate = Tidegate::find(&cluster).await.unwrap();
    let namespace = cluster.namespace("backend-tls").await.unwrap();
    let (ours, other) = (Authority::new(), Authority::new());
    let own_name = format!("app.{}.svc", namespace.name());
    namespace.apply(&[ours.certificate("app-tls", &own_name), other.trusted("ca")]).await.unwrap();
    let app = EchoApp { tls_secret: Some("app-tls".into()), ..EchoApp::new("app", 1) };
    namespace.apply(&app.objects()).await.unwrap();
    namespace.endpoints_ready("app", 1).await.unwrap();

    let host = |name: &str| format!("{name}.{}", namespace.name());
    let https = |name: &str| annotated(ingress_for(name, &host(name), "app"), "backend-protocol", "HTTPS");
    let secret = |object, name: &str| annotated(object, "proxy-ssl-secret", &format!("{}/{name}", namespace.name()));
    let checked = |name: &str, ca: &str| annotated(secret(https(name), ca), "proxy-ssl-verify", "on");
    let grpcs = annotated(ingress_for("grpcs", &host("grpcs"), "app"), "backend-protocol", "GRPCS");
    let all = [https("https"), grpcs, checked("checked", "ca"), checked("missing", "later")];
    namespace.apply(&all).await.unwrap();
    for (name, status) in [("https", 200), ("grpcs", 200), ("checked", 502), ("missing", 503)] {
        tidegate.answers(&host(name), "/", status).await.unwrap();
    }
    assert_eq!(tidegate.front.get(&host("https"), "/x").await.unwrap().echo("path"), "/x");
    assert!(tidegate.admin("/problems").await.unwrap().contains("later does not exist"));

    // A Secret that changes, or comes, is used at once.
    namespace.apply(&[ours.trusted("ca"), ours.trusted("later")]).await.unwrap();
    for name in ["checked", "missing"] {
        tidegate.answers(&host(name), "/", 200).await.unwrap();
    }
}
