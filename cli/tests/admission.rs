//! The admission webhook of the real binary: its files, TLS, an answer as the API server reads it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, pki_types::CertificateDer};
use serde_json::{Value, json};
use support::{CLASS, Tidegate, backend, free_ports, ingress, service, until};

const NAME: &str = "tidegate-admission.system.svc";

/// A new pair in both files.
fn issue(folder: &Path) -> CertificateDer<'static> {
    let pair = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    fs::write(folder.join("tls.crt"), pair.cert.pem()).unwrap();
    fs::write(folder.join("tls.key"), pair.signing_key.serialize_pem()).unwrap();
    pair.cert.der().clone()
}

/// What the webhook answers to who trusts this certificate alone: status and body; none where TLS fails.
fn ask(port: u16, trusted: &CertificateDer<'static>, review: &Value) -> Option<(u16, String)> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let session = ClientConnection::new(Arc::new(config), NAME.try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(session, socket);
    let body = review.to_string();
    let head = format!(
        "POST /networking/v1/ingresses?timeout=10s HTTP/1.1\r\nHost: {NAME}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).ok()?;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn review(host: &str) -> Value {
    let backend = json!({"service": {"name": "app", "port": {"number": 80}}});
    let paths = json!([{"path": "/", "pathType": "Prefix", "backend": backend}]);
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "7f0b2891", "operation": "CREATE", "name": "candidate", "namespace": "default", "dryRun": false,
            "kind": {"group": "networking.k8s.io", "version": "v1", "kind": "Ingress"},
            "resource": {"group": "networking.k8s.io", "version": "v1", "resource": "ingresses"},
            "userInfo": {"username": "kubernetes-admin", "groups": ["system:masters"]},
            "oldObject": null,
            "object": {
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                "metadata": {"name": "candidate", "namespace": "default"},
                "spec": {"ingressClassName": "tidegate", "rules": [{"host": host, "http": {"paths": paths}}]},
            },
        },
    })
}

#[test]
fn from_files_to_answers() {
    let files = tempfile::tempdir().unwrap();
    let first = issue(files.path());
    let [port] = free_ports();
    let file = |name: &str| files.path().join(name).display().to_string();
    let tidegate = Tidegate::start_with(
        &[
            ("class.yaml", CLASS),
            ("app.yaml", &service("app", backend("app"))),
            ("taken.yaml", &ingress("taken", "taken.example", "app")),
        ],
        &[
            &format!("--validating-webhook=127.0.0.1:{port}"),
            &format!("--validating-webhook-certificate={}", file("tls.crt")),
            &format!("--validating-webhook-key={}", file("tls.key")),
        ],
    );
    let answer = |trusted: &CertificateDer<'static>, host: &str| ask(port, trusted, &review(host));
    until("answered", || answer(&first, "free.example").is_some_and(|(status, _)| status == 200));
    let response = |host: &str| {
        let (status, body) = answer(&first, host).unwrap();
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<Value>(&body).unwrap()["response"].clone()
    };
    let allowed = response("free.example");
    assert_eq!((&allowed["uid"], &allowed["allowed"]), (&json!("7f0b2891"), &json!(true)));
    let denied = response("taken.example");
    assert_eq!(denied["allowed"], false);
    assert!(denied["status"]["message"].to_string().contains("Ingress default/taken has it already"), "{denied}");
    assert_eq!(tidegate.get("free.example", "/").0, 404, "a candidate is not served");
    assert!(tidegate.metric("tidegate_admission_reviews_total") >= 3.0);
    assert!(tidegate.metric("nginx_ingress_controller_admission_roundtrip_duration") > 0.0);

    // A pair that does not fit together is a problem, and the one before goes on.
    let other = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    fs::write(file("tls.key"), other.signing_key.serialize_pem()).unwrap();
    until("told", || tidegate.admin("/problems").1.contains("WebhookCertificateUnusable"));
    assert_eq!(response("free.example")["allowed"], true);
    let second = issue(files.path());
    until("another certificate", || answer(&second, "free.example").is_some());
    assert!(answer(&first, "free.example").is_none());
    until("solved", || !tidegate.admin("/problems").1.contains("WebhookCertificateUnusable"));
}
