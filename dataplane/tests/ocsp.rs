//! OCSP stapling: what CAs say of certificates reaches clients where it is true, and delays nobody where it is missing.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "ocsp/responder.rs"]
mod responder;
mod support;

use std::{sync::Arc, time::Duration};

use rcgen::ExtendedKeyUsagePurpose;
use responder::{Ca, Responder, Says, revoked, unknown};
use snapshot::Stapling;
use support::{
    Proxy, World, eventually,
    tls::{Spoken, try_handshake},
    within,
};
use tokio::sync::Notify;
use x509_ocsp::CertStatus;

const HOUR: Duration = Duration::from_secs(3600);

/// A host `a.example` with this chain.
fn world(chain: Vec<Vec<u8>>, key: Vec<u8>, stapling: Option<Stapling>) -> World {
    let mut world = World::new().route("a.example", "/", &[]).tls(&[("a.example", "cert")], Some("cert"));
    world.put_chain("cert", &["a.example"], chain, key);
    world.tls_options(|tls| tls.stapling = stapling)
}

const LOCAL: Option<Stapling> = Some(Stapling { allow_local: true });

/// A proxy with a certificate about which `responder` is asked.
async fn proxy(ca: &Ca, responder: &Responder) -> Proxy {
    let (cert, key) = ca.certificate("a.example", &responder.url());
    Proxy::start(&world(vec![cert, ca.der()], key, LOCAL)).await
}

/// What comes with the certificate; empty: nothing.
async fn staple(proxy: &Proxy) -> Vec<u8> {
    let (config, seen) = Spoken::default().config();
    try_handshake(proxy.https(), "a.example", &Arc::new(config)).await.unwrap();
    seen.staple()
}

fn answers(proxy: &Proxy, result: &str) -> f64 {
    proxy.metric("tidegate_ocsp_answers_total", &format!("\"{result}\""))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_issuer_says_is_stapled_for_as_long_as_that_is_wanted() {
    let ca = Ca::new("ours");
    let responder = Responder::start(Says::Status(ca.signer(), CertStatus::good(), HOUR)).await;
    let (cert, key) = ca.certificate("a.example", &responder.url());
    let wanted = world(vec![cert, ca.der()], key, LOCAL);
    let mut proxy = Proxy::start(&wanted).await;
    eventually("a good answer", || answers(&proxy, "good") == 1.0).await;
    let first = stapled(&proxy).await;
    // A change of something else neither asks again nor forgets.
    proxy.apply(&wanted.clone().route("b.example", "/", &[])).await;
    assert_eq!((staple(&proxy).await, responder.asked()), (first, 1));
    proxy.apply(&wanted.clone().tls_options(|tls| tls.stapling = None)).await;
    until_bare(&proxy).await;
    proxy.apply(&wanted).await;
    stapled(&proxy).await;
    assert_eq!(responder.asked(), 2);
}

/// Waits until there is a staple.
async fn stapled(proxy: &Proxy) -> Vec<u8> {
    within("a staple", async {
        loop {
            let staple = staple(proxy).await;
            if !staple.is_empty() {
                return staple;
            }
        }
    })
    .await
}

async fn until_bare(proxy: &Proxy) {
    within("no staple", async { while !staple(proxy).await.is_empty() {} }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_may_charge_somebody_with_answering() {
    let ca = Ca::new("ours");
    let signer = ca.charge(ExtendedKeyUsagePurpose::OcspSigning);
    let responder = Responder::start(Says::Status(signer, CertStatus::good(), HOUR)).await;
    stapled(&proxy(&ca, &responder).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_outdated_is_withdrawn() {
    let ca = Ca::new("ours");
    let responder = Responder::start(Says::Between(ca.signer(), -10, Some(4))).await;
    let proxy = proxy(&ca, &responder).await;
    stapled(&proxy).await;
    until_bare(&proxy).await;
    assert_eq!(answers(&proxy, "good"), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_stapled_that_does_not_hold() {
    let ca = Ca::new("ours");
    // Of the same name, so that only the key tells them apart.
    let other = Ca::new("ours");
    let good = |signer| Says::Status(signer, CertStatus::good(), HOUR);
    let cases = [
        ("another CA", good(other.signer()), "unusable"),
        ("charged by another CA", good(other.charge(ExtendedKeyUsagePurpose::OcspSigning)), "unusable"),
        ("charged with something else", good(ca.charge(ExtendedKeyUsagePurpose::ServerAuth)), "unusable"),
        ("about another certificate", Says::Other(ca.signer()), "unusable"),
        ("outdated", Says::Between(ca.signer(), -60, Some(-1)), "unusable"),
        ("of the future", Says::Between(ca.signer(), 3600, Some(7200)), "unusable"),
        ("without an end", Says::Between(ca.signer(), 0, None), "unusable"),
        ("garbage", Says::Bytes(b"no response".to_vec()), "unusable"),
        ("nothing", Says::Bytes(Vec::new()), "unusable"),
        ("too large", Says::Bytes(vec![0x30; 1 << 20]), "unreachable"),
        ("an error", Says::Error, "unusable"),
        ("no such page", Says::Missing, "unreachable"),
        ("revoked", Says::Status(ca.signer(), revoked(), HOUR), "revoked"),
        ("unknown", Says::Status(ca.signer(), unknown(), HOUR), "unknown"),
    ];
    for (name, says, result) in cases {
        let responder = Responder::start(says).await;
        let proxy = proxy(&ca, &responder).await;
        eventually(name, || answers(&proxy, result) == 1.0).await;
        assert!(staple(&proxy).await.is_empty(), "{name}");
        assert_eq!(proxy.metric("tidegate_ocsp_answers_total", ""), 1.0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_responder_delays_nobody() {
    let ca = Ca::new("ours");
    let speak = Arc::new(Notify::new());
    let responder = Responder::start(Says::Late(ca.signer(), Arc::clone(&speak))).await;
    let proxy = proxy(&ca, &responder).await;
    eventually("a question", || responder.asked() == 1).await;
    assert!(staple(&proxy).await.is_empty());
    speak.notify_one();
    stapled(&proxy).await;
    // So the question was being asked all the while.
    assert_eq!((responder.asked(), answers(&proxy, "good")), (1, 1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_leads_nobody_to_this_machine() {
    let ca = Ca::new("ours");
    let responder = Responder::start(Says::Status(ca.signer(), CertStatus::good(), HOUR)).await;
    for url in [responder.url(), format!("http://[::ffff:127.0.0.1]:{}/ocsp", responder.address.port())] {
        let (cert, key) = ca.certificate("a.example", &url);
        let proxy = Proxy::start(&world(vec![cert, ca.der()], key, Some(Stapling { allow_local: false }))).await;
        eventually("a refusal", || answers(&proxy, "unreachable") == 1.0).await;
        assert!(staple(&proxy).await.is_empty());
    }
    assert_eq!(responder.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_asked_is_not() {
    let (ca, other) = (Ca::new("ours"), Ca::new("other"));
    let responder = Responder::start(Says::Status(ca.signer(), CertStatus::good(), HOUR)).await;
    let secure = responder.url().replace("http:", "https:");
    let cases = [
        (responder.url(), vec![]),
        (responder.url(), vec![other.der()]),
        (secure, vec![ca.der()]),
        ("http://".to_owned(), vec![ca.der()]),
        ("\u{1}".to_owned(), vec![ca.der()]),
    ];
    for (url, above) in cases {
        let (cert, key) = ca.certificate("a.example", &url);
        let chain = std::iter::once(cert).chain(above).collect();
        let proxy = Proxy::start(&world(chain, key, LOCAL)).await;
        assert!(staple(&proxy).await.is_empty());
        assert_eq!((responder.asked(), proxy.metric("tidegate_ocsp_answers_total", "")), (0, 0.0), "{url}");
    }
}
