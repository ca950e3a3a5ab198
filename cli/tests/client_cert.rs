//! Client certificates from manifests to answers: the annotations, the Secret, the handshake, what the client reads.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    sync::Arc,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use support::{CLASS, Tidegate, backend, ingress, service, until};

const HOST: &str = "private.example";

/// A certificate for the host, as a Secret.
fn server() -> (String, CertificateDer<'static>) {
    let pair = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    let (cert, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    (secret("cert", &[("tls.crt", &cert), ("tls.key", &key)]), pair.cert.der().clone())
}

fn secret(name: &str, data: &[(&str, &str)]) -> String {
    let mut text = format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData:\n");
    for (key, value) in data {
        text.push_str(&format!("  {key}: |\n"));
        value.lines().for_each(|line| text.push_str(&format!("    {line}\n")));
    }
    text
}

fn ca(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn private(name: &str, verify: &str) -> String {
    let annotations = format!(
        "metadata: {{name: {name}, annotations: {{nginx.ingress.kubernetes.io/auth-tls-secret: default/ca, \
         nginx.ingress.kubernetes.io/auth-tls-verify-client: '{verify}'}}}}"
    );
    let plain = ingress(name, HOST, "app").replace(&format!("metadata: {{name: {name}}}"), &annotations);
    plain + &format!("  tls: [{{hosts: [{HOST}], secretName: cert}}]\n")
}

/// What a GET is answered, by a client of `issuer` or without a certificate.
fn status(
    tidegate: &Tidegate,
    path: &str,
    server: &CertificateDer<'static>,
    issuer: Option<&CertifiedIssuer<'static, KeyPair>>,
) -> u16 {
    let mut roots = RootCertStore::empty();
    roots.add(server.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let config = match issuer {
        None => builder.with_no_client_auth(),
        Some(issuer) => {
            let key = KeyPair::generate().unwrap();
            let cert = CertificateParams::default().signed_by(&key, issuer).unwrap();
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
            builder.with_client_auth_cert(vec![cert.der().clone()], key).unwrap()
        }
    };
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, tidegate.https)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let session = ClientConnection::new(Arc::new(config), HOST.try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(session, socket);
    // Until the new certificate is served, the handshake fails.
    if write!(stream, "GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n").is_err() {
        return 0;
    }
    let mut answer = Vec::new();
    // How the connection ends does not matter.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[test]
fn from_manifests_to_answers() {
    let (cert, leaf) = server();
    let (right, wrong) = (ca("right"), ca("wrong"));
    let ca = secret("ca", &[("ca.crt", &right.as_ref().pem())]);
    // The older one of the two is the one with the greater name.
    let (strict, lax) = (private("z", "on"), private("a", "optional").replace("path: /,", "path: /lax,"));
    let tidegate = Tidegate::start(&[
        ("class.yaml", CLASS),
        ("app.yaml", &service("app", backend("app"))),
        ("cert.yaml", &cert),
        ("ca.yaml", &ca),
        ("strict.yaml", &strict),
        ("lax.yaml", &lax),
    ]);
    let get = |path: &str, issuer| status(&tidegate, path, &leaf, issuer);
    assert_eq!((get("/", None), get("/", Some(&wrong)), get("/", Some(&right))), (400, 400, 200));
    assert_eq!((get("/lax", None), get("/lax", Some(&right))), (400, 403), "two rules: neither opens the other");
    let problems = || tidegate.admin("/problems").1;
    assert!(problems().contains("ClientCertConflict"), "{}", problems());
    assert_eq!(tidegate.get(HOST, "/").0, 308);

    std::fs::remove_file(tidegate.folder.path().join("ca.yaml")).unwrap();
    until("closed without a CA", || get("/", Some(&right)) == 403);
    assert!(problems().contains("Secret default/ca does not exist"), "{}", problems());
    tidegate.write("ca.yaml", &secret("ca", &[("ca.crt", &wrong.as_ref().pem())]));
    until("open to those of the new CA", || get("/", Some(&wrong)) == 200);
    assert_eq!(get("/", Some(&right)), 400);
}
