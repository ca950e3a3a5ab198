//! What certificates cost: memory and start-up of `tidegate run --manifests` with 1,000 hosts that have one each, a changed one,
//! and whether a handshake takes longer for it.
//!
//! `make bench-certs`. Prints a table as Markdown. Handshakes are medians, the load's own part included; each kind of key stands
//! beside no certificate at all, and 1,000 certificates beside ten.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    net::{Ipv4Addr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, SerialNumber};
use rustls::{ClientConfig, ClientConnection, RootCertStore, client::Resumption, pki_types::CertificateDer};
use support::{CLASS, Tidegate, backend, service, until};

const HOSTS: usize = 1_000;
const HANDSHAKES: usize = 301;
/// The host that is looked at; it is among few hosts too.
const LOOKED_AT: usize = 5;

/// What a host's certificate is signed with.
enum Keys {
    None,
    /// ECDSA P-256, one for each.
    Ecdsa,
    /// RSA 2048, one for all: making so many takes minutes.
    Rsa(Box<KeyPair>),
}

fn main() {
    let rsa = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    println!("| | ready, ms | resident, MiB | a full handshake, µs | a changed certificate is served, ms |");
    println!("| --- | --- | --- | --- | --- |");
    measure("no certificate", HOSTS, &Keys::None);
    measure("ECDSA P-256", 10, &Keys::Ecdsa);
    measure("ECDSA P-256", HOSTS, &Keys::Ecdsa);
    measure("RSA 2048", HOSTS, &Keys::Rsa(Box::new(rsa)));
}

fn measure(what: &str, hosts: usize, keys: &Keys) {
    let mut files =
        vec![("class.yaml".to_owned(), CLASS.to_owned()), ("a.yaml".to_owned(), service("a", backend("from-a")))];
    let mut looked_at = None;
    for number in 0..hosts {
        let (text, leaf) = host(number, keys, 1);
        files.push((format!("host-{number}.yaml"), text));
        if number == LOOKED_AT {
            looked_at = leaf;
        }
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    // The second start counts: the first one reads the binary and the files from disk.
    let mut tidegate = Tidegate::start(&files);
    let ready = tidegate.restart();
    let start_up = format!("{hosts} hosts, {what} | {} | {}", ready.as_millis(), tidegate.resident() / 1024);
    let Some(leaf) = looked_at else { return println!("| {start_up} | – | – |") };
    let handshake = handshakes(&tidegate, &leaf).as_micros();
    println!("| {start_up} | {handshake} | {} |", change(&tidegate, keys).as_millis());
}

/// How long it takes until another certificate is served that has been written.
fn change(tidegate: &Tidegate, keys: &Keys) -> Duration {
    let (text, leaf) = host(LOOKED_AT, keys, 2);
    let start = Instant::now();
    tidegate.write(&format!("host-{LOOKED_AT}.yaml"), &text);
    let leaf = leaf.unwrap();
    let config = config(&leaf);
    until("the new certificate served", || handshake(tidegate, &config, &leaf).is_some());
    start.elapsed()
}

fn name(number: usize) -> String {
    format!("host-{number}.test")
}

/// An Ingress, and its Secret where there is one. Without a serial number of its own, a certificate of the same key would be the
/// same certificate.
fn host(number: usize, keys: &Keys, serial: u64) -> (String, Option<CertificateDer<'static>>) {
    let name = name(number);
    let ingress = support::ingress(&format!("h{number}"), &name, "a");
    let own;
    let key = match keys {
        Keys::None => return (ingress, None),
        Keys::Ecdsa => {
            own = KeyPair::generate().unwrap();
            &own
        }
        Keys::Rsa(key) => key,
    };
    let mut params = CertificateParams::new(vec![name.clone()]).unwrap();
    params.serial_number = Some(SerialNumber::from(serial));
    let cert = params.self_signed(key).unwrap();
    let indented = |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let text = format!(
        "{ingress}  tls: [{{hosts: [{name}], secretName: h{number}}}]\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: h{number}}}\n\
         type: kubernetes.io/tls\nstringData:\n  tls.crt: |\n{}  tls.key: |\n{}",
        indented(&cert.pem()),
        indented(&key.serialize_pem()),
    );
    (text, Some(cert.der().clone()))
}

fn config(leaf: &CertificateDer<'static>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(leaf.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// The median of many, by one client.
fn handshakes(tidegate: &Tidegate, leaf: &CertificateDer<'static>) -> Duration {
    let config = config(leaf);
    let mut times: Vec<Duration> = (0..HANDSHAKES).map(|_| handshake(tidegate, &config, leaf).unwrap()).collect();
    times.sort();
    times[HANDSHAKES / 2]
}

/// How long one takes; none where the certificate is not `leaf`.
fn handshake(tidegate: &Tidegate, config: &Arc<ClientConfig>, leaf: &CertificateDer<'_>) -> Option<Duration> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, tidegate.https)).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut session = ClientConnection::new(Arc::clone(config), name(LOOKED_AT).try_into().unwrap()).unwrap();
    let start = Instant::now();
    while session.is_handshaking() {
        session.complete_io(&mut stream).ok()?;
    }
    let took = start.elapsed();
    (session.peer_certificates()?.first()? == leaf).then_some(took)
}
