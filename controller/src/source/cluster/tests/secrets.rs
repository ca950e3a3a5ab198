//! Which Secrets are asked for, and which are held.

use super::*;
use crate::{
    object::Change,
    secrets::{Keeper, Named},
};

const CERT: &str = include_str!("../../../../compile/tests/certs/ec384.crt");
const KEY: &str = include_str!("../../../../compile/tests/certs/ec384.pkcs8.key");
pub(super) const OTHER_CERT: &str = include_str!("../../../../compile/tests/certs/rsa.crt");
pub(super) const OTHER_KEY: &str = include_str!("../../../../compile/tests/certs/rsa.pkcs8.key");

pub(super) fn secret(name: &str, kind: &str, cert: &str, key: &str) -> Value {
    let bytes = |text: &str| serde_json::to_value(k8s_openapi::ByteString(text.as_bytes().to_vec())).unwrap();
    json!({
        "metadata": {"name": name, "namespace": "default"},
        "type": kind,
        "data": {"tls.crt": bytes(cert), "tls.key": bytes(key)},
    })
}

pub(super) fn tls(name: &str) -> Value {
    secret(name, "kubernetes.io/tls", CERT, KEY)
}

pub(super) fn opaque(name: &str) -> Value {
    secret(name, "Opaque", CERT, KEY)
}

/// An Ingress whose host is to be served with the certificate of this Secret.
pub(super) fn with_tls(name: &str, secret: &str) -> Value {
    let mut ingress = ingress(name);
    ingress["spec"]["tls"] = json!([{"hosts": [format!("{name}.example")], "secretName": secret}]);
    ingress
}

/// A backend is spoken to with the Secret, so that it is of use whatever names its certificate has.
pub(super) fn with_identity(name: &str, secret: &str) -> Value {
    let mut ingress = ingress(name);
    ingress["metadata"]["annotations"] = json!({
        "nginx.ingress.kubernetes.io/backend-protocol": "HTTPS",
        "nginx.ingress.kubernetes.io/proxy-ssl-secret": format!("default/{secret}"),
    });
    ingress
}

/// The Secrets in the latest snapshot.
pub(super) fn held(world: &World) -> BTreeSet<String> {
    let snapshot = world.snapshots.borrow().clone();
    snapshot.iter().flat_map(|snapshot| snapshot.certs.keys()).map(|id| id.to_string()).collect()
}

pub(super) fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn set(names: &[&str]) -> Arc<BTreeSet<NamespacedName>> {
    Arc::new(names.iter().map(|name| NamespacedName::new("default", name)).collect())
}

/// The Secrets that come in with the updates up to the first one that is `last`, and those that go.
async fn told(updates: &mut mpsc::Receiver<Update>, last: impl Fn(&Update) -> bool) -> (Vec<String>, Vec<String>) {
    let (mut come, mut gone) = (Vec::new(), Vec::new());
    loop {
        let update = timeout(PATIENCE, updates.recv()).await.unwrap().unwrap();
        let is_last = last(&update);
        for change in update.changes {
            match change {
                Change::Put(object) => come.push(object.key().name.name.to_string()),
                Change::Remove(key) => gone.push(key.name.name.to_string()),
            }
        }
        if is_last {
            return (come, gone);
        }
    }
}

#[tokio::test]
async fn nothing_else_is_held() {
    let fake = Fake::new(true);
    for name in ["used", "unused"] {
        fake.put("secrets", tls(name));
    }
    fake.put("secrets", opaque("opaque"));
    let (sender, mut updates) = mpsc::channel(64);
    let (names, named) = watch::channel(Named::default());
    let options = Options::default();
    let (scope, _) = Scope::new(&fake.client(), &options);
    let keeper = Keeper::new(scope, &options, Board::new(), sender);
    let task = tokio::spawn(keeper.run(named));
    let none: Vec<String> = Vec::new();
    assert_eq!(told(&mut updates, |update| update.listed.is_some()).await, (none.clone(), none.clone()));

    names.send_replace(Named { number: 1, secrets: set(&["used", "opaque", "missing"]) });
    let (mut come, gone) = told(&mut updates, |update| update.named == Some(1)).await;
    come.sort();
    assert_eq!((come, gone), (vec!["opaque".to_owned(), "used".to_owned()], none.clone()));
    // Its watch tells of them in this order.
    fake.put("secrets", secret("unused", "kubernetes.io/tls", OTHER_CERT, OTHER_KEY));
    fake.put("secrets", tls("new"));
    fake.put("secrets", secret("used", "kubernetes.io/tls", OTHER_CERT, OTHER_KEY));
    assert_eq!(told(&mut updates, |update| !update.changes.is_empty()).await, (vec!["used".to_owned()], none));

    names.send_replace(Named { number: 2, secrets: set(&["opaque", "new"]) });
    let (come, mut gone) = told(&mut updates, |update| update.named == Some(2)).await;
    gone.sort();
    assert_eq!((come, gone), (vec!["new".to_owned()], vec!["missing".to_owned(), "used".to_owned()]));
    task.abort();
}

/// What was asked for by name so far.
pub(super) fn asked_by_name(fake: &Fake) -> BTreeSet<String> {
    let queries = fake.state().queries.clone();
    let secrets = queries.iter().filter(|(of, _)| of == "secrets");
    let names = secrets.filter_map(|(_, query)| query.split("metadata.name%3D").nth(1));
    names.map(|name| name.split('&').next().unwrap().to_owned()).collect()
}

/// No Event ever said that a certificate could not be used: it was there before anything was made of it.
fn assert_no_complaint(world: &World) {
    let events = world.writes("POST /apis/events.k8s.io");
    assert!(events.iter().all(|event| !event["note"].to_string().contains("Secret")), "{events:?}");
    assert!(world.problems().iter().all(|problem| !problem.message.contains("Secret")), "{:?}", world.problems());
}

#[tokio::test]
async fn a_certificate_that_comes_to_be_named_is_there_at_once() {
    for streaming in [true, false] {
        let fake = server(streaming);
        fake.put("secrets", tls("used"));
        fake.put("secrets", tls("later"));
        fake.put("secrets", tls("never"));
        fake.put("secrets", opaque("password"));
        fake.put("ingresses", with_identity("a", "used"));
        let world = World::new(fake);
        world.until_hosts(&["a"]).await;
        assert_eq!(held(&world), names(&["default/used"]));
        assert_eq!(asked_by_name(&world.fake), names(&[]));

        world.fake.put("ingresses", with_identity("b", "later"));
        world.until_hosts(&["a", "b"]).await;
        assert_eq!(held(&world), names(&["default/used", "default/later"]));
        assert_eq!(asked_by_name(&world.fake), names(&["later"]));
        assert_no_complaint(&world);
        // The watch of all of its type goes on telling of it.
        world.until("closed", |world| world.fake.watched_by_name("secrets").is_empty()).await;
        world.fake.put("secrets", secret("later", "kubernetes.io/tls", OTHER_CERT, OTHER_KEY));
        let cert = |world: &World| {
            let snapshot = world.snapshots.borrow().clone().unwrap();
            snapshot.certs.iter().find(|(id, _)| id.to_string() == "default/later").unwrap().1.clone()
        };
        let before = cert(&world);
        world.until("the new certificate", |world| cert(world) != before).await;

        world.fake.delete("ingresses", "default/b");
        world.until("let go", |world| held(world) == names(&["default/used"])).await;
        world.fake.delete("secrets", "default/used");
        world.until("gone", |world| held(world).is_empty()).await;
    }
}

#[tokio::test]
async fn a_secret_of_another_type_is_watched_by_name_while_something_names_it() {
    for streaming in [true, false] {
        let fake = server(streaming);
        fake.put("secrets", opaque("one"));
        fake.put("ingresses", with_identity("a", "one"));
        fake.put("ingresses", with_identity("b", "two"));
        let world = World::new(fake);
        world.until_hosts(&["a", "b"]).await;
        assert_eq!(held(&world), names(&["default/one"]));
        assert_eq!(asked_by_name(&world.fake), names(&["one", "two"]));
        assert_eq!(world.fake.watched_by_name("secrets"), names(&["one", "two"]));
        world.fake.put("secrets", opaque("two"));
        world.until("made", |world| held(world) == names(&["default/one", "default/two"])).await;
        // One of the type that has a watch of its own takes its place.
        world.fake.delete("secrets", "default/two");
        world.until("gone", |world| held(world) == names(&["default/one"])).await;
        world.fake.put("secrets", tls("two"));
        world.until("made again", |world| held(world) == names(&["default/one", "default/two"])).await;
        world.until("one watch less", |world| world.fake.watched_by_name("secrets") == names(&["one"])).await;
        // And back.
        world.fake.delete("secrets", "default/two");
        world.until("gone again", |world| held(world) == names(&["default/one"])).await;
        world.fake.put("secrets", opaque("two"));
        world.until("opaque again", |world| held(world) == names(&["default/one", "default/two"])).await;

        world.fake.delete("ingresses", "default/a");
        world.fake.delete("ingresses", "default/b");
        world.until("all let go", |world| world.fake.watched_by_name("secrets").is_empty()).await;
    }
}

#[tokio::test]
async fn many_secrets_take_few_watches() {
    let fake = server(true);
    for number in 0..100 {
        fake.put("ingresses", with_tls(&format!("a{number}"), &format!("missing-{number}")));
    }
    fake.put("ingresses", with_identity("b", "opaque"));
    fake.put("secrets", opaque("opaque"));
    let world = World::new(fake);
    world.until("opaque", |world| held(world) == names(&["default/opaque"])).await;
    assert_eq!(asked_by_name(&world.fake), names(&[]));
    let queries = world.fake.state().queries.clone();
    let of_the_rest = queries.iter().filter(|(of, query)| of == "secrets" && query.contains("type%21%3Dkubernetes.io"));
    assert_eq!(of_the_rest.count(), 1);
    // What is named later is asked for once, and followed by the watch of the rest.
    world.fake.put("secrets", opaque("later"));
    world.fake.put("ingresses", with_identity("c", "later"));
    world.until("later", |world| held(world) == names(&["default/later", "default/opaque"])).await;
    world.until("closed", |world| world.fake.watched_by_name("secrets").is_empty()).await;
    world.fake.delete("secrets", "default/later");
    world.until("gone", |world| held(world) == names(&["default/opaque"])).await;

    // Nobody is sent what nothing names for longer than it takes: where they are few, they are watched by name again.
    world.fake.delete_silently("secrets", "default/opaque");
    for number in 0..99 {
        world.fake.delete("ingresses", &format!("default/a{number}"));
    }
    world
        .until("by name", |world| world.fake.watched_by_name("secrets") == names(&["later", "missing-99", "opaque"]))
        .await;
    world.until("it was gone by then", |world| held(world).is_empty()).await;
    world.until("ended", |world| !world.fake.is_watched("secrets", "type", "helm.sh/release.v1")).await;
    world.fake.put("secrets", opaque("later"));
    world.until("later again", |world| held(world) == names(&["default/later"])).await;
}

/// The watch of all of its type has told of it before, and does not again.
#[tokio::test]
async fn a_secret_that_comes_to_be_named_is_no_older_than_what_was_told() {
    let fake = server(true);
    let old = secret("later", "kubernetes.io/tls", OTHER_CERT, OTHER_KEY);
    fake.put("secrets", tls("later"));
    fake.put("secrets", tls("used"));
    fake.put("ingresses", with_identity("a", "used"));
    fake.state().stale.insert("later".to_owned(), {
        let mut old = old;
        old["metadata"]["resourceVersion"] = "1".into();
        old
    });
    let world = World::new(fake);
    world.until_hosts(&["a"]).await;
    world.fake.put("ingresses", with_identity("b", "later"));
    world.until("later", |world| held(world) == names(&["default/later", "default/used"])).await;
    let snapshot = world.snapshots.borrow().clone().unwrap();
    let certs: Vec<_> = snapshot.certs.iter().map(|(_, cert)| cert.chain.clone()).collect();
    assert_eq!(certs[0], certs[1], "both are of the same certificate");
}

#[tokio::test]
async fn a_secret_that_is_not_told_of_keeps_nobody_waiting() {
    let fake = server(true);
    fake.put("ingresses", ingress("a"));
    let world = World::new(fake);
    world.until_hosts(&["a"]).await;
    world.fake.state().silent.insert("slow".to_owned());
    world.fake.put("secrets", opaque("slow"));
    world.fake.put("ingresses", with_tls("b", "slow"));
    world.fake.put("ingresses", ingress("c"));
    world.until_hosts(&["a", "b", "c"]).await;
    let problem = world.until_problem(Reason::CertificateUnusable).await;
    assert!(problem.message.contains("default/slow does not exist"), "{problem}");
}

#[tokio::test]
async fn no_ingress_makes_us_ask_outside_of_the_watched_namespace() {
    let fake = server(true);
    fake.put(
        "configmaps",
        json!({
            "metadata": {"namespace": "default", "name": "settings"},
            "data": {"allow-cross-namespace-resources": "true"},
        }),
    );
    let mut ingress = with_identity("a", "x");
    ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-ssl-secret"] = "private/x".into();
    fake.put("ingresses", ingress);
    let mut other = opaque("x");
    other["metadata"]["namespace"] = "private".into();
    fake.put("secrets", other);
    let world = World::with(fake, |config| {
        config.options.watch_namespace = Some("default".to_owned());
        config.options.config_map = Some(NamespacedName::new("default", "settings"));
    });
    world.until_hosts(&["a"]).await;
    assert_eq!(held(&world), names(&[]));
    assert!(world.fake.state().requests.iter().all(|(_, path)| !path.contains("private")));
}
