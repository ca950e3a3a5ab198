//! `enable-ocsp`, from the ConfigMap to the question at a CA's responder. What becomes of answers is tested with the data plane.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener},
    sync::mpsc,
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, IsCa, KeyPair};
use support::{CLASS, Tidegate, backend, ingress, service, until};

/// `id-ad-ocsp` (RFC 5280 section 4.2.2.1) in DER.
const OCSP: [u8; 10] = [6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 1];

/// An element of DER that has less than 128 bytes.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
}

/// A Secret whose certificate names `url` as the place to ask.
fn secret(name: &str, host: &str, url: &str) -> String {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let access = der(0x30, &der(0x30, &[&OCSP[..], &der(0x86, url.as_bytes())].concat()));
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], access)];
    let key = KeyPair::generate().unwrap();
    let chain = format!("{}{}", params.signed_by(&key, &ca).unwrap().pem(), ca.pem());
    let indented = |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let (chain, key) = (indented(&chain), indented(&key.serialize_pem()));
    format!(
        "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata: {{name: {name}}}\nstringData:\n  tls.crt: |\n{chain}  tls.key: |\n{key}"
    )
}

/// Answers 404, and tells of the first line of each request.
fn responder() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/status", listener.local_addr().unwrap());
    let (asked, asks) = mpsc::channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            // Who does not listen any more has seen enough, and so has a client that has left.
            asked.send(line).ok();
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").ok();
        }
    });
    (url, asks)
}

#[test]
fn a_ca_is_asked_where_the_setting_says_so() {
    let (url, asks) = responder();
    let host = format!("{}  tls: [{{hosts: [a.test], secretName: a}}]\n", ingress("a", "a.test", "web"));
    let settings = |on: bool| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings, namespace: system}}\ndata: {{enable-ocsp: '{on}'}}\n"
        )
    };
    let files = [
        ("class.yaml", CLASS),
        ("service.yaml", &service("web", backend("web"))),
        ("host.yaml", &host),
        ("secret.yaml", &secret("a", "a.test", &url)),
        ("settings.yaml", &settings(false)),
    ];
    let tidegate = Tidegate::start_with(&files, &["--configmap=system/settings"]);
    assert_eq!(tidegate.metric("tidegate_ocsp_answers_total{"), 0.0);
    tidegate.write("settings.yaml", &settings(true));
    until("an answer", || tidegate.metric("tidegate_ocsp_answers_total{result=\"unreachable\"") == 1.0);
    assert_eq!(asks.try_iter().collect::<Vec<_>>(), ["POST /status HTTP/1.1\r\n"]);
    assert!(!tidegate.admin("/problems").1.contains("enable-ocsp"));
}
