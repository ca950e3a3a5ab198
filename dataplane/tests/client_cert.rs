//! Certificates of clients: who gets in, and what backends are told.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod support;

use rcgen::ExtendedKeyUsagePurpose;
use rustls::version::TLS13;
use snapshot::{ClientCertRule, HostHsts, Report, VerifyClient};
use support::{
    Backend, Proxy, World,
    pki::{self, Ca, Identity, bundle, rule},
    private::{VERSIONS, config, connect, get, get_http2, spoken, world},
    tls::Spoken,
};

#[tokio::test(flavor = "multi_thread")]
async fn who_gets_in() {
    let root = Ca::root("root");
    let (between, other) = (root.below("between"), Ca::root("other"));
    let deep = between.below("deep");
    let ca = bundle("ca", &[root.der()], &[root.crl(&[666], 2120), between.crl(&[], 2120), deep.crl(&[], 2120)]);
    let client = |ca: &Ca| ca.client(&pki::Client::named("staff-1"));
    let identities: Vec<(&str, Option<Identity>, [u16; 3])> = vec![
        // What required, optional and optional without CA answer.
        ("none", None, [400, 200, 200]),
        ("right", Some(client(&root)), [200, 200, 200]),
        ("one in between", Some(client(&between)), [200, 200, 200]),
        ("two in between", Some(client(&deep)), [400, 400, 400]),
        ("wrong CA", Some(client(&other)), [400, 400, 200]),
        ("of the same name", Some(client(&Ca::root("root"))), [400, 400, 400]),
        (
            "expired",
            Some(root.client(&pki::Client { years: (2020, 2021), ..pki::Client::named("a") })),
            [400, 400, 400],
        ),
        (
            "not yet",
            Some(root.client(&pki::Client { years: (2119, 2120), ..pki::Client::named("a") })),
            [400, 400, 400],
        ),
        (
            "expired, of a wrong CA",
            Some(other.client(&pki::Client { years: (2020, 2021), ..pki::Client::named("a") })),
            [400, 400, 400],
        ),
        ("revoked", Some(root.client(&pki::Client { serial: 666, ..pki::Client::named("a") })), [400, 400, 400]),
        (
            "of a server",
            Some(root.client(&pki::Client { purpose: ExtendedKeyUsagePurpose::ServerAuth, ..pki::Client::named("a") })),
            [400, 400, 400],
        ),
    ];
    let (world, backend) = world().await;
    let mut proxy = Proxy::start(&world).await;
    let modes = [VerifyClient::Required, VerifyClient::Optional, VerifyClient::OptionalNoCa];
    for (at, verify) in modes.into_iter().enumerate() {
        proxy.apply(&world.clone().client_cert("private.example", rule(&ca, verify))).await;
        for version in VERSIONS {
            for (name, identity, expected) in &identities {
                let answer = get(&proxy, version, identity.as_ref()).await;
                assert_eq!(answer.status, expected[at], "{name} {verify:?} {version:?}");
                assert_eq!(answer.text() == "secret", expected[at] == 200);
                let status = get_http2(&proxy, version, identity.as_ref()).await;
                assert_eq!(status, expected[at], "{name} {verify:?} {version:?} over HTTP/2");
            }
        }
    }
    let refused: usize =
        identities.iter().flat_map(|(_, _, expected)| expected).filter(|status| **status != 200).count();
    assert_eq!(backend.requests().len(), (identities.len() * 3 - refused) * 4, "nobody else reached it");
    let counted = proxy.metric("tidegate_client_certificate_refusals_total", "");
    assert_eq!(counted, f64::from(u32::try_from(refused * 4).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_outdated_or_missing_lets_nobody_in() {
    let root = Ca::root("root");
    let between = root.below("between");
    let (world, _backend) = world().await;
    let mut proxy = Proxy::start(&world).await;
    let (direct, indirect) = (root.client(&pki::Client::named("a")), between.client(&pki::Client::named("b")));
    for (crls, expected) in [
        (vec![], [200, 200]),
        (vec![root.crl(&[], 2022)], [400, 400]),
        (vec![root.crl(&[], 2120)], [200, 400]),
        (vec![root.crl(&[], 2120), between.crl(&[], 2120)], [200, 200]),
        (vec![root.crl(&[], 2120), between.crl(&[7], 2120)], [200, 400]),
    ] {
        let ca = bundle("ca", &[root.der()], &crls);
        proxy.apply(&world.clone().client_cert("private.example", rule(&ca, VerifyClient::Required))).await;
        for (identity, expected) in [&direct, &indirect].into_iter().zip(expected) {
            assert_eq!(get(&proxy, &TLS13, Some(identity)).await.status, expected, "{} lists", crls.len());
        }
    }
}

/// A CA that has expired vouches for nobody; what stands in between may come from the Secret; one without a root is
/// trusted itself.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_bundle_may_hold() {
    let (root, expired) = (Ca::root("root"), Ca::valid("expired", (2020, 2021)));
    let between = root.below("between");
    let (mut bare, key) = between.client(&pki::Client::named("a"));
    bare.truncate(1);
    let bare = (bare, key);
    let (world, _backend) = world().await;
    let mut proxy = Proxy::start(&world).await;
    let cases = [
        (vec![expired.der()], expired.client(&pki::Client::named("a")), 400),
        (vec![root.der()], bare.clone(), 400),
        (vec![between.der(), root.der()], bare.clone(), 200),
        (vec![between.der()], bare, 200),
        (vec![expired.der(), root.der()], root.client(&pki::Client::named("a")), 200),
    ];
    for (at, (certs, identity, expected)) in cases.into_iter().enumerate() {
        let rule = rule(&bundle("ca", &certs, &[]), VerifyClient::Required);
        proxy.apply(&world.clone().client_cert("private.example", rule)).await;
        assert_eq!(get(&proxy, &TLS13, Some(&identity)).await.status, expected, "case {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_cannot_be_used_lets_nobody_in() {
    let root = Ca::root("root");
    let identity = root.client(&pki::Client::named("a"));
    let (world, _backend) = world().await;
    let mut proxy = Proxy::start(&world).await;
    for broken in [bundle("ca", &[root.der(), b"junk".to_vec()], &[]), bundle("ca", &[root.der()], &[b"junk".to_vec()])]
    {
        let world = world.clone().client_cert("private.example", rule(&broken, VerifyClient::Required));
        costs_its_host_alone(&mut proxy, &world, "Secret default/ca").await;
        assert_eq!(get(&proxy, &TLS13, Some(&identity)).await.status, 400);
    }
}

/// Something of this world cannot be used, and is named; the other host does not notice.
async fn costs_its_host_alone(proxy: &mut Proxy, world: &World, origin: &str) {
    let Report::Applied { rejected, .. } = proxy.apply(world).await else { panic!("rejected as a whole") };
    let named: Vec<String> = rejected.iter().map(|item| item.origin.to_string()).collect();
    assert_eq!(named, [origin]);
    let mut open = connect(proxy, "open.example", &config(Spoken::default())).await;
    assert_eq!(open.get("open.example", "/").await.status, 200, "the others go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_that_is_no_pattern_lets_nobody_in() {
    let root = Ca::root("root");
    let identity = root.client(&pki::Client::named("a"));
    let (world, _backend) = world().await;
    let mut proxy = Proxy::start(&world).await;
    let rule = rule(&bundle("ca", &[root.der()], &[]), VerifyClient::Required);
    let world = world.client_cert("private.example", ClientCertRule { subject: Some("CN=(".into()), ..rule });
    // It is told as long as it stands, also where nothing of it has changed.
    for world in [world.clone(), world.hsts("open.example", HostHsts::Off)] {
        costs_its_host_alone(&mut proxy, &world, "Ingress default/private").await;
        assert_eq!(get(&proxy, &TLS13, Some(&identity)).await.status, 403);
    }
}

/// The bytes of a request that claims to come with a certificate.
const CLAIMS: &str = "GET / HTTP/1.1\r\nHost: private.example\r\nSSL-Client-Verify: SUCCESS\r\n\
                      ssl-client-subject-dn: CN=root\r\nssl-client-issuer-dn: CN=root\r\nssl-client-cert: x\r\n\
                      Connection: ssl-client-verify, ssl-client-subject-dn, ssl-client-cert\r\n\r\n";

/// What the backend was told of the client's certificate: verify, subject, issuer, certificate.
fn told(backend: &Backend) -> [Option<String>; 4] {
    let request = backend.requests().pop().unwrap();
    ["ssl-client-verify", "ssl-client-subject-dn", "ssl-client-issuer-dn", "ssl-client-cert"]
        .map(|name| request.header(name).map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn backends_are_told_by_us_and_by_nobody_else() {
    let (root, other) = (Ca::root("root"), Ca::root("other"));
    let ca = bundle("ca", &[root.der()], &[]);
    let staff = |ca: &Ca| ca.client(&pki::Client::named("staff-1"));
    let (right, wrong) = (staff(&root), staff(&other));
    let (world, backend) = world().await;
    let mut proxy = Proxy::start(&world).await;
    let mut rule = rule(&ca, VerifyClient::OptionalNoCa);
    let subject = Some("CN=staff-1,O=Staff\\, Inc.");
    let cases = [
        (Some(&right), Some("SUCCESS"), subject, Some("CN=root,O=")),
        (Some(&wrong), Some("FAILED:unable to get local issuer certificate"), subject, Some("CN=other,O=")),
        (None, Some("NONE"), None, None),
    ];
    for pass in [false, true] {
        rule.pass_certificate = pass;
        proxy.apply(&world.clone().client_cert("private.example", rule.clone())).await;
        for (identity, verify, subject, issuer) in cases {
            let client = config(spoken(&TLS13, identity));
            let mut client = connect(&proxy, "private.example", &client).await;
            client.send(CLAIMS).await;
            assert_eq!(client.answer().await.status, 200);
            let [told_verify, told_subject, told_issuer, cert] = told(&backend);
            assert_eq!((told_verify.as_deref(), told_subject.as_deref()), (verify, subject));
            let cn = |name: Option<&str>| name.and_then(|name| name.split(',').next()).map(str::to_owned);
            assert_eq!(cn(told_issuer.as_deref()), cn(issuer));
            assert_eq!(cert.is_some(), pass && identity.is_some());
            if let (Some(cert), Some((chain, _))) = (cert, identity) {
                assert!(pem_of(&cert) == chain[0], "it is the client's own");
            }
        }
    }
    // In the clear nobody can be asked, and nobody is believed.
    let mut client = proxy.client().await;
    client.send(CLAIMS).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(told(&backend), [None, None, None, None]);
}

fn pem_of(escaped: &str) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let pem = [("%20", " "), ("%0A", "\n"), ("%2B", "+"), ("%2F", "/"), ("%3D", "=")];
    let pem = pem.iter().fold(escaped.to_owned(), |text, (code, plain)| text.replace(code, plain));
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n") && pem.ends_with("\n-----END CERTIFICATE-----\n"));
    let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(lines).unwrap()
}

/// `auth-tls-verify-client: off`: nobody is asked, but the backend can rely on what it is told.
#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_is_asked_nobody_is_believed() {
    let (world, backend) = world().await;
    let off = snapshot::ClientCertRule { auth: None, ..rule(&bundle("ca", &[], &[]), VerifyClient::Required) };
    let proxy = Proxy::start(&world.client_cert("private.example", off)).await;
    let identity = Ca::root("a").client(&pki::Client::named("a"));
    let mut client = connect(&proxy, "private.example", &config(spoken(&TLS13, Some(&identity)))).await;
    client.send(CLAIMS).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(told(&backend), [Some("NONE".to_owned()), None, None, None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_subject_must_be_the_right_one() {
    let root = Ca::root("root");
    let (world, _backend) = world().await;
    let wanted = Some("CN=staff-\\d+,".into());
    let rule =
        snapshot::ClientCertRule { subject: wanted, ..rule(&bundle("ca", &[root.der()], &[]), VerifyClient::Optional) };
    let proxy = Proxy::start(&world.client_cert("private.example", rule)).await;
    for (name, status) in [("staff-1", 200), ("staff-x", 403), ("guest", 403)] {
        let identity = root.client(&pki::Client::named(name));
        assert_eq!(get(&proxy, &TLS13, Some(&identity)).await.status, status, "{name}");
    }
    assert_eq!(get(&proxy, &TLS13, None).await.status, 403);
    assert_eq!(proxy.client().await.get("private.example", "/").await.status, 403, "in the clear too");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_page_is_where_those_go_who_do_not_get_in() {
    let (root, other) = (Ca::root("root"), Ca::root("other"));
    let (world, _backend) = world().await;
    let page = "https://help.example/certificates?a=b";
    let rule = snapshot::ClientCertRule {
        error_page: Some(page.into()),
        ..rule(&bundle("ca", &[root.der()], &[]), VerifyClient::Required)
    };
    let proxy = Proxy::start(&world.client_cert("private.example", rule)).await;
    let wrong = other.client(&pki::Client::named("a"));
    for identity in [None, Some(&wrong)] {
        let answer = get(&proxy, &TLS13, identity).await;
        assert_eq!((answer.status, answer.header("location")), (302, Some(page)));
    }
    let right = root.client(&pki::Client::named("a"));
    assert_eq!(get(&proxy, &TLS13, Some(&right)).await.status, 200);
}
