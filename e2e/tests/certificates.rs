//! Certificates, of hosts and of clients, as a user sees them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use e2e::client::{Headers, Identity, Target};
use e2e::cluster::{Cluster, Namespace};
use e2e::objects::{EchoApp, annotated, ingress, rule};
use e2e::tidegate::{Object, Tidegate};
use e2e::wait;
use hyper::Method;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};

/// A namespace with an app `app`.
async fn scene() -> (Namespace, Tidegate) {
    let cluster = Cluster::from_env().unwrap();
    let tidegate = Tidegate::find(&cluster).await.unwrap();
    let namespace = cluster.namespace("tls").await.unwrap();
    namespace.apply(&EchoApp::new("app", 1).objects()).await.unwrap();
    namespace.endpoints_ready("app", 1).await.unwrap();
    (namespace, tidegate)
}

/// A Secret with a new certificate for these names.
fn certificate(secret: &str, names: &[&str]) -> Value {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let cert = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": { "name": secret },
        "stringData": { "tls.crt": cert.pem(), "tls.key": key.serialize_pem() },
    })
}

fn with_tls(name: &str, host: &str, secret: &str) -> Value {
    let tls = json!([{ "hosts": [host], "secretName": secret }]);
    ingress(name, json!({ "tls": tls, "rules": [rule(host, "/", "Prefix", "app")] }))
}

async fn https(front: &Target, host: &str) -> anyhow::Result<e2e::client::Answer> {
    front.send(Method::GET, &format!("https://{host}/"), &Headers::new()).await
}

/// New handshakes all the time: every one succeeds, and the new certificate is shown within a second.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_rotated_under_handshakes() {
    let (namespace, tidegate) = scene().await;
    let host = format!("rotated.{}", namespace.name());
    namespace.apply(&[certificate("cert", &[&host]), with_tls("app", &host, "cert")]).await.unwrap();
    tidegate.serves(&namespace, "app").await.unwrap();
    assert_eq!(https(&tidegate.front, &host).await.unwrap().leaf.unwrap().dns_names, std::slice::from_ref(&host));

    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (front, host, stop, count) = (tidegate.front.clone(), host.clone(), stop.clone(), count.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let answer = https(&front, &host).await?;
                    anyhow::ensure!(answer.status == 200, "{}", answer.status);
                    count.fetch_add(1, Ordering::Relaxed);
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for round in 0..3 {
        let mark = format!("round-{round}.{host}");
        namespace.apply(&[certificate("cert", &[&host, &mark])]).await.unwrap();
        let changed = Instant::now();
        let is_new = || async {
            let names = https(&tidegate.front, &host).await?.leaf.map(|leaf| leaf.dns_names).unwrap_or_default();
            Ok(names.contains(&mark).then_some(()))
        };
        wait::until("the new certificate", Duration::from_secs(5), is_new).await.unwrap();
        assert!(changed.elapsed() < Duration::from_secs(1), "it took {:?}", changed.elapsed());
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap().unwrap();
    }
    assert!(count.load(Ordering::Relaxed) > 0);
}

/// cert-manager's way: an Ingress of its own for the challenge, while the host redirects.
#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_answered_over_http_while_the_host_redirects() {
    let (namespace, tidegate) = scene().await;
    let host = format!("challenge.{}", namespace.name());
    namespace.apply(&[with_tls("app", &host, "not-there-yet")]).await.unwrap();
    tidegate.serves(&namespace, "app").await.unwrap();
    tidegate.answers(&host, "/.well-known/acme-challenge/x", 308).await.unwrap();
    let path = "/.well-known/acme-challenge/x";
    let solver = ingress("solver", json!({ "rules": [rule(&host, path, "Exact", "app")] }));
    namespace.apply(&[solver]).await.unwrap();
    tidegate.answers(&host, path, 200).await.unwrap();
    tidegate.answers(&host, "/", 308).await.unwrap();
    namespace.kubectl(&["delete", "ingress", "solver"]).await.unwrap();
    tidegate.answers(&host, path, 308).await.unwrap();
}

fn ca(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn identity(ca: &CertifiedIssuer<'static, KeyPair>) -> Identity {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "staff-1");
    let key = KeyPair::generate().unwrap();
    let cert = params.signed_by(&key, ca).unwrap();
    Identity { chain: vec![cert.der().to_vec()], key: key.serialize_der() }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_certificate_of_the_ca_gets_nothing() {
    let (namespace, tidegate) = scene().await;
    let host = format!("private.{}", namespace.name());
    let (right, wrong) = (ca("right"), ca("wrong"));
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "clients" },
        "stringData": { "ca.crt": right.as_ref().pem(), "password": "not for us" },
    });
    let private = with_tls("private", &host, "cert");
    let private = annotated(private, "auth-tls-secret", &format!("{}/clients", namespace.name()));
    namespace.apply(&[certificate("cert", &[&host]), secret.clone(), private]).await.unwrap();
    tidegate.serves(&namespace, "private").await.unwrap();
    let front = |identity| Target { identity, ..tidegate.front.clone() };
    assert_eq!(https(&front(None), &host).await.unwrap().status, 400);
    assert_eq!(https(&front(Some(identity(&wrong))), &host).await.unwrap().status, 400);
    let answer = https(&front(Some(identity(&right))), &host).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.echo_header("Ssl-Client-Verify").as_deref(), Some("SUCCESS"));
    assert!(answer.echo_header("Ssl-Client-Subject-Dn").unwrap().contains("CN=staff-1"));
    assert_eq!(answer.echo_header("Ssl-Client-Cert"), None);

    // Without its CA nobody gets in, and the Ingress says why; with it again, as before.
    namespace.kubectl(&["delete", "secret", "clients"]).await.unwrap();
    let status = || async {
        let answer = https(&front(Some(identity(&right))), &host).await?;
        Ok(answer.status.as_u16())
    };
    wait::until_eq("403", Duration::from_secs(5), 403, status).await.unwrap();
    tidegate.problem(&Object::ingress(&namespace, "private"), "clients").await.unwrap();
    namespace.apply(&[secret]).await.unwrap();
    wait::until_eq("200", Duration::from_secs(5), 200, status).await.unwrap();
}
