//! What happens to Ingresses and Secrets.

use std::time::{Duration, Instant};

use e2e::chaos::{Backend, Certificate, Extra, Routes, mark};
use e2e::objects::{annotated, ingress, ingress_for, rule};
use fastrand::Rng;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::disturb::Outcome;
use crate::stage::{APPS, Stage, insist};

/// How long something broken lies around.
const LIES: Duration = Duration::from_secs(3);
/// The ConfigMap with Tidegate's settings.
const SETTINGS: &str = "tidegate-controller";

/// What was drawn for an Ingress; none: it is deleted.
#[derive(Debug, Clone)]
pub struct Draw(Option<Routes>);

impl Draw {
    /// Draws it.
    pub fn new(rng: &mut Rng) -> Self {
        let absent = rng.u8(..6) == 0;
        let all = backend(rng);
        let below = rng.bool().then(|| backend(rng));
        let extra = match rng.u8(..10) {
            0 => Some(Extra::ForceRedirect),
            1 | 2 => Some(Extra::NoRedirect),
            3 => Some(Extra::Denied),
            4 => Some(Extra::Nonsense),
            _ => None,
        };
        let routes = Routes { all, below, tls: rng.bool(), extra };
        Self((!absent).then_some(routes))
    }
}

fn backend(rng: &mut Rng) -> Backend {
    match rng.usize(..APPS.len() * 3) {
        0 => Backend::Missing,
        drawn => Backend::App(APPS[drawn % APPS.len()].to_owned()),
    }
}

fn name(site: usize) -> String {
    format!("site-{site}")
}

fn object(site: usize, host: &str, routes: &Routes) -> Value {
    let service = |backend: &Backend| match backend {
        Backend::App(name) => name.clone(),
        Backend::Missing => "nobody".to_owned(),
    };
    let mut rules = vec![rule(host, "/", "Prefix", &service(&routes.all))];
    rules.extend(routes.below.iter().map(|below| rule(host, "/below", "Prefix", &service(below))));
    let mut spec = json!({ "rules": rules });
    if routes.tls {
        spec["tls"] = json!([{ "hosts": [host], "secretName": name(site) }]);
    }
    let object = ingress(&name(site), spec);
    match routes.extra {
        None => object,
        Some(Extra::ForceRedirect) => annotated(object, "force-ssl-redirect", "true"),
        Some(Extra::NoRedirect) => annotated(object, "ssl-redirect", "false"),
        Some(Extra::Denied) => annotated(object, "auth-url", "http://login.example/"),
        Some(Extra::Nonsense) => annotated(object, "proxy-connect-timeout", "soon"),
    }
}

/// A host's Secret.
pub fn secret(site: usize, host: &str, certificate: Certificate) -> Value {
    let (chain, key) = match certificate {
        Certificate::Broken => ("no certificate".to_owned(), "no key".to_owned()),
        Certificate::Marked(number) => {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new([host.to_owned(), mark(number, host)]).unwrap();
            (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
        }
    };
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": { "name": name(site) },
        "stringData": { "tls.crt": chain, "tls.key": key },
    })
}

/// The Ingress of a host is made, changed or deleted.
pub async fn change_routes(stage: &Stage, site: usize, Draw(routes): Draw) -> anyhow::Result<Outcome> {
    let Ok(_site) = stage.sites[site][0].try_lock() else { return Ok(Outcome::LeftOut) };
    let host = stage.host(site);
    let what = routes.as_ref().map_or_else(|| "is gone".to_owned(), |routes| format!("is {routes:?}"));
    stage.note(format!("Ingress {} {what}", name(site)));
    let object = routes.as_ref().map(|routes| object(site, &host, routes));
    let ask = |model: &mut e2e::chaos::Model| model.sites.get_mut(&host).unwrap().routes.ask(routes, Instant::now());
    ask(&mut stage.model());
    insist(|| async {
        match &object {
            Some(object) => stage.namespace.apply(std::slice::from_ref(object)).await,
            None => {
                let arguments = ["delete", "ingress", &name(site), "--ignore-not-found"];
                stage.namespace.kubectl(&arguments).await.map(drop)
            }
        }
    })
    .await?;
    stage.model().sites.get_mut(&host).unwrap().routes.take(Instant::now());
    Ok(Outcome::Happened)
}

/// The Secret of a host gets another certificate, or something that is none.
pub async fn change_certificate(stage: &Stage, site: usize, good: bool) -> anyhow::Result<Outcome> {
    let Ok(_site) = stage.sites[site][1].try_lock() else { return Ok(Outcome::LeftOut) };
    let host = stage.host(site);
    let certificate = if good { Certificate::Marked(fastrand::u32(1..)) } else { Certificate::Broken };
    stage.note(format!("Secret {} is {certificate:?}", name(site)));
    let object = secret(site, &host, certificate);
    stage.model().sites.get_mut(&host).unwrap().certificate.ask(certificate, Instant::now());
    insist(|| stage.namespace.apply(std::slice::from_ref(&object))).await?;
    stage.model().sites.get_mut(&host).unwrap().certificate.take(Instant::now());
    Ok(Outcome::Happened)
}

/// Something that cannot be served, of no host that is looked at.
pub async fn wreck(stage: &Stage, any: usize) -> anyhow::Result<Outcome> {
    let Ok(_one) = stage.wreck.try_lock() else { return Ok(Outcome::LeftOut) };
    let host = format!("wreck.{}", stage.namespace.name());
    let plain = ingress_for("wreck", &host, APPS[any % APPS.len()]);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "wreck" }, "stringData": { "ca.crt": "nothing" },
    });
    // Names, for which Kubernetes has a kind of slices, beside an app's own endpoints.
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "FQDN",
        "metadata": { "name": "wreck", "labels": { "kubernetes.io/service-name": APPS[any % APPS.len()] } },
        "ports": [{ "name": "http", "port": 3000 }], "endpoints": [{ "addresses": ["nowhere.example"] }],
    });
    let clients = format!("{}/wreck", stage.namespace.name());
    let objects = match any / APPS.len() % 5 {
        0 => vec![annotated(plain, "auth-tls-secret", &clients), secret],
        1 => vec![annotated(plain, "proxy-ssl-secret", &clients), secret],
        2 => vec![annotated(plain, "backend-protocol", "CARRIER-PIGEON")],
        3 => vec![slice],
        _ => return wrong_setting(stage).await,
    };
    stage.note(format!("a wreck: {}", json!(objects)));
    insist(|| stage.namespace.apply(&objects)).await?;
    tokio::time::sleep(LIES).await;
    let arguments = ["delete", "ingress,secret,endpointslice", "wreck", "--ignore-not-found"];
    insist(|| async { stage.namespace.kubectl(&arguments).await.map(drop) }).await?;
    Ok(Outcome::Happened)
}

/// A setting for everybody that means nothing.
async fn wrong_setting(stage: &Stage) -> anyhow::Result<Outcome> {
    let key = "proxy-connect-timeout";
    stage.note(format!("a wreck: {key} of everybody"));
    insist(|| stage.tidegate.set(SETTINGS, key, Some("whenever it suits"))).await?;
    tokio::time::sleep(LIES).await;
    insist(|| stage.tidegate.set(SETTINGS, key, None)).await?;
    Ok(Outcome::Happened)
}
