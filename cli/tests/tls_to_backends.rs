//! A backend that speaks TLS, from its annotations to its socket, and Secrets that come and change.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};
use support::{CLASS, Tidegate, ingress, service, until};

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

    /// A Secret with the authority itself.
    fn secret(&self, name: &str) -> String {
        let pem = self.pem.replace('\n', "\n    ");
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData:\n  ca.crt: |\n    {pem}\n")
    }

    /// A backend with a certificate for `name`, which answers one request for each connection. Lives until the process
    /// ends.
    fn backend(&self, name: &str) -> u16 {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let chain = vec![CertificateDer::from(cert.der().to_vec())];
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(builder.with_no_client_auth().with_single_cert(chain, key.into()).unwrap());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let config = Arc::clone(&config);
                // A handshake that fails is what some tests are after.
                thread::spawn(move || answer(StreamOwned::new(ServerConnection::new(config).unwrap(), stream)));
            }
        });
        port
    }
}

fn answer(mut stream: StreamOwned<ServerConnection, TcpStream>) -> std::io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nsafe")?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn annotated(ingress: &str, keys: &[(&str, &str)]) -> String {
    let keys: String =
        keys.iter().map(|(key, value)| format!("\n    nginx.ingress.kubernetes.io/{key}: '{value}'")).collect();
    let (name, rest) = ingress.split_once("metadata: {name: ").unwrap().1.split_once('}').unwrap();
    let head = ingress.split_once("metadata:").unwrap().0;
    format!("{head}metadata:\n  name: {name}\n  annotations:{keys}{rest}")
}

#[test]
fn a_backend_is_checked_by_the_secret_that_there_is_now() {
    let (ours, other) = (Authority::new(), Authority::new());
    let service = service("web", ours.backend("web.default.svc"));
    let https = ("backend-protocol", "HTTPS");
    let host = |name: &str, keys: &[_]| annotated(&ingress(name, &format!("{name}.test"), "web"), keys);
    let checked = [https, ("proxy-ssl-verify", "on"), ("proxy-ssl-secret", "default/ca")];
    let named = [checked[0], checked[1], checked[2], ("proxy-ssl-name", "other.svc")];
    let tidegate = Tidegate::start(&[
        ("class.yaml", CLASS),
        ("service.yaml", &service),
        ("unchecked.yaml", &host("unchecked", &[https])),
        ("checked.yaml", &host("checked", &checked)),
        ("named.yaml", &host("named", &named)),
    ]);
    let status = |name: &str| tidegate.get(&format!("{name}.test"), "/").0;
    assert!(tidegate.get("unchecked.test", "/").1.ends_with("safe"));
    assert_eq!(status("checked"), 503);
    assert!(tidegate.admin("/problems").1.contains("Secret default/ca does not exist"));

    tidegate.write("ca.yaml", &other.secret("ca"));
    until("checked by another CA", || status("checked") == 502);
    tidegate.write("ca.yaml", &ours.secret("ca"));
    until("checked by its CA", || status("checked") == 200);
    assert_eq!(status("named"), 502);
    assert!(tidegate.metric("tidegate_upstream_tls_failures_total{") >= 2.0);

    tidegate.write("ca.yaml", &ours.secret("ca").replace("BEGIN CERTIFICATE", "BEGIN NONSENSE"));
    until("without a CA again", || status("checked") == 503);
    assert_eq!(status("unchecked"), 200);
}
