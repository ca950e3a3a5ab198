//! Reviews against objects, without a port.

mod files;
mod patience;
mod pending;
mod port;

use std::{sync::Arc, time::Duration};

use compile::{Memo, NamespacedName, Objects, Options, Problem, Reason, Severity, compile};
use k8s_openapi::api::{
    core::v1::Service,
    networking::v1::{Ingress, IngressClass},
};
use prometheus::Registry;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use snapshot::Origin;

use super::{
    basis::Basis,
    error::Error,
    metrics::{Metrics, Outcome},
    pending::Pending,
    review::review,
    verdict::{Verdict, judge},
};

fn read<K: DeserializeOwned>(value: Value) -> Arc<K> {
    Arc::new(serde_json::from_value(value).unwrap())
}

fn ingress(name: &str, host: &str, path: &str, age: u32) -> Value {
    let backend = json!({"service": {"name": "s", "port": {"number": 80}}});
    let paths = json!([{"path": path, "pathType": "Prefix", "backend": backend}]);
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": name, "namespace": "default", "creationTimestamp": format!("20{:02}-01-01T00:00:00Z", 99 - age),
        },
        "spec": {"ingressClassName": "tidegate", "rules": [{"host": host, "http": {"paths": paths}}]},
    })
}

fn basis(ingresses: &[Value]) -> Arc<Basis> {
    let mut objects = Objects::default();
    let class = json!({"metadata": {"name": "tidegate"}, "spec": {"controller": "tidegate.dev/ingress-controller"}});
    objects.ingress_classes.insert("tidegate".into(), read::<IngressClass>(class));
    let service = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}});
    objects.services.insert(NamespacedName::new("default", "s"), read::<Service>(service));
    for ingress in ingresses {
        let ingress = read::<Ingress>(ingress.clone());
        objects.ingresses.insert(NamespacedName::of(&ingress.metadata), ingress);
    }
    let mut memo = Memo::default();
    let problems = compile(&objects, &Options::default(), &mut memo).problems;
    Arc::new(Basis { objects: Arc::new(objects), memo, problems })
}

fn request(operation: &str, object: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u-1",
            "kind": {"group": "networking.k8s.io", "version": "v1", "kind": "Ingress"},
            "resource": {"group": "networking.k8s.io", "version": "v1", "resource": "ingresses"},
            "name": object["metadata"]["name"].as_str().unwrap_or_default(),
            "namespace": "default",
            "operation": operation,
            "userInfo": {"username": "somebody"},
            "object": object,
            "oldObject": null,
            "dryRun": true,
        },
    })
}

fn ask(basis: Option<&Arc<Basis>>, review: &Value) -> Result<(Value, Outcome), Error> {
    ask_with(&mut Pending::default(), basis, review)
}

/// The same beside what was allowed before.
fn ask_with(pending: &mut Pending, basis: Option<&Arc<Basis>>, review: &Value) -> Result<(Value, Outcome), Error> {
    let metrics = Metrics::new(&Registry::new()).unwrap();
    let (body, outcome) = self::review(review.to_string().as_bytes(), basis, &Options::default(), &metrics, pending)?;
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&answer["apiVersion"], &answer["kind"]), (&json!("admission.k8s.io/v1"), &json!("AdmissionReview")));
    assert_eq!(answer["response"]["uid"], "u-1");
    assert_eq!(answer["response"]["allowed"], outcome != Outcome::Denied);
    Ok((answer["response"].clone(), outcome))
}

fn answer(basis: &Arc<Basis>, operation: &str, object: &Value) -> (Value, Outcome) {
    ask(Some(basis), &request(operation, object)).unwrap()
}

fn denial(basis: &Arc<Basis>, operation: &str, object: &Value) -> String {
    let (response, outcome) = answer(basis, operation, object);
    assert_eq!(outcome, Outcome::Denied, "{response}");
    assert_eq!(response["status"]["code"], 400);
    response["status"]["message"].as_str().unwrap().to_owned()
}

fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[name.replace("~1", "/")] = value;
    object
}

#[test]
fn what_can_be_served_is_allowed_and_leaves_nothing_behind() {
    let basis = basis(&[ingress("a", "a.example", "/", 5)]);
    let (response, outcome) = answer(&basis, "CREATE", &ingress("b", "b.example", "/", 1));
    assert_eq!((outcome, response.get("warnings")), (Outcome::Allowed, None));
    assert_eq!(basis.objects.ingresses.len(), 1);
    // Of the same name as one that is served, it would be found in a memo that it got into.
    let changed = ingress("a", "other.example", "/", 5);
    assert_eq!(answer(&basis, "UPDATE", &changed).1, Outcome::Allowed);
    let again = compile(&basis.objects, &Options::default(), &mut basis.memo.clone());
    assert!(again.snapshot.tables.keys().all(|host| host.to_string() != "other.example"));
}

#[test]
fn each_error_is_told_with_its_field() {
    let mut broken = ingress("b", "bad_host", "/", 1);
    let second = ingress("b", "b.example", "no-slash", 1)["spec"]["rules"][0].clone();
    broken["spec"]["rules"].as_array_mut().unwrap().push(second);
    let message = denial(&basis(&[]), "CREATE", &broken);
    assert!(message.starts_with("Ingress default/b could not be served as it is written:\n- "), "{message}");
    assert!(message.contains("- spec.rules[0].host: host \"bad_host\" is not valid"), "{message}");
    assert!(message.contains("- spec.rules[1].http.paths[0]: "), "{message}");
}

#[test]
fn a_path_that_somebody_has_is_refused_whichever_would_win() {
    let basis = basis(&[ingress("old", "a.example", "/", 9), ingress("new", "b.example", "/", 1)]);
    let message = denial(&basis, "CREATE", &ingress("x", "a.example", "/", 2));
    assert!(message.contains("path / of host a.example") && message.contains("Ingress default/old"), "{message}");
    // The older one would take it from the newer one: that is a problem of the other.
    let message = denial(&basis, "UPDATE", &ingress("old", "b.example", "/", 9));
    assert!(
        message.contains("- Ingress default/new: spec.rules[0].http.paths[0]: path / of host b.example"),
        "{message}"
    );
    // Without a time of creation it is the newest, whatever its name.
    let unborn = with(ingress("zzz", "a.example", "/", 0), "/metadata/creationTimestamp", Value::Null);
    assert!(denial(&basis, "CREATE", &unborn).contains("- spec.rules[0]"));
}

#[test]
fn what_is_taken_on_one_host_more_is_refused() {
    let rules = |path: &str, hosts: &[&str]| -> Vec<Value> {
        hosts.iter().map(|host| ingress("x", host, path, 0)["spec"]["rules"][0].clone()).collect()
    };
    let annotations = json!({"nginx.ingress.kubernetes.io/auth-tls-verify-client": "on"});
    let closing = |hosts: &[&str]| {
        let closing =
            with(ingress("closing", "a.example", "/closing", 9), "/spec/rules", json!(rules("/closing", hosts)));
        with(closing, "/metadata/annotations", annotations.clone())
    };
    let bystander =
        with(ingress("bystander", "a.example", "/", 5), "/spec/rules", json!(rules("/", &["a.example", "b.example"])));
    // It stands on one host already, and says nothing new of itself on the other.
    let basis = basis(&[bystander, closing(&["a.example"])]);
    let message = denial(&basis, "UPDATE", &closing(&["a.example", "b.example"]));
    assert!(message.contains("- Ingress default/bystander: spec.rules: all paths of host b.example"), "{message}");
    assert!(!message.contains("spec.rules: all paths of host a.example"), "{message}");
    let labels = with(closing(&["a.example"]), "/metadata/labels", json!({"changed": "yes"}));
    assert_eq!(answer(&basis, "UPDATE", &labels).1, Outcome::Allowed);
}

#[test]
fn what_closes_the_paths_of_others_is_refused() {
    let annotated = |key: &str, value: &str| {
        let annotations = json!({format!("nginx.ingress.kubernetes.io/{key}"): value});
        with(ingress("closing", "a.example", "/closing", 1), "/metadata/annotations", annotations)
    };
    let message =
        denial(&basis(&[ingress("other", "a.example", "/", 5)]), "CREATE", &annotated("auth-tls-verify-client", "on"));
    assert!(message.contains("- Ingress default/other: spec.rules: all paths of host a.example"), "{message}");
    // A Secret that is named for the first time is not known here, and may well be there.
    let basis = basis(&[ingress("other", "a.example", "/", 5)]);
    let (response, outcome) = answer(&basis, "CREATE", &annotated("auth-tls-secret", "default/ca"));
    assert_eq!(outcome, Outcome::Allowed);
    assert!(
        response["warnings"].to_string().contains("Ingress default/other: spec.rules: all paths of host"),
        "{response}"
    );
}

#[test]
fn what_stays_the_same_is_no_conflict() {
    let basis = basis(&[ingress("a", "a.example", "/", 9), ingress("b", "a.example", "/", 5)]);
    // Both are there, and one lost: neither may be kept from being changed elsewhere.
    let labels = json!({"changed": "yes"});
    let (response, outcome) =
        answer(&basis, "UPDATE", &with(ingress("b", "a.example", "/", 5), "/metadata/labels", labels.clone()));
    assert_eq!(outcome, Outcome::Allowed);
    assert!(response["warnings"][0].as_str().unwrap().contains("path / of host a.example"), "{response}");
    let (response, outcome) =
        answer(&basis, "UPDATE", &with(ingress("a", "a.example", "/", 9), "/metadata/labels", labels));
    assert_eq!((outcome, response.get("warnings")), (Outcome::Allowed, None));
    // Another mistake is refused all the same.
    denial(&basis, "UPDATE", &ingress("b", "bad_host", "/", 5));
}

#[test]
fn what_waits_for_another_object_is_a_warning() {
    let missing = with(ingress("a", "a.example", "/", 1), "/spec/tls", json!([{"secretName": "later"}]));
    let path = "/spec/rules/0/http/paths/0/backend/service/name";
    let (response, outcome) = answer(&basis(&[]), "CREATE", &with(missing, path, json!("later")));
    assert_eq!(outcome, Outcome::Allowed);
    let warnings = response["warnings"].to_string();
    assert!(warnings.contains("Service default/later does not exist"), "{warnings}");
    assert!(warnings.contains("Secret default/later does not exist"), "{warnings}");
}

#[test]
fn annotations_are_judged() {
    let annotated = |key: &str, value: &str| {
        let annotations = json!({format!("nginx.ingress.kubernetes.io/{key}"): value});
        with(ingress("a", "a.example", "/", 1), "/metadata/annotations", annotations)
    };
    let message = denial(&basis(&[]), "CREATE", &annotated("auth-url", "http://auth.example"));
    assert!(message.contains("metadata.annotations[nginx.ingress.kubernetes.io/auth-url]"), "{message}");
    let (response, outcome) = answer(&basis(&[]), "CREATE", &annotated("proxy-buffering", "on"));
    assert_eq!(outcome, Outcome::Allowed);
    assert!(response["warnings"][0].as_str().unwrap().contains("proxy-buffering"), "{response}");
}

/// A mistake that stood may be in another place when others are mended; the same one of another key is another.
#[test]
fn a_second_mistake_of_the_same_kind_is_refused() {
    let annotated = |keys: Value| with(ingress("a", "a.example", "/", 1), "/metadata/annotations", keys);
    let (target, regex) = ("nginx.ingress.kubernetes.io/rewrite-target", "nginx.ingress.kubernetes.io/use-regex");
    let stored = annotated(json!({target: "/$1"}));
    let stored_basis = basis(std::slice::from_ref(&stored));
    assert_eq!(answer(&stored_basis, "UPDATE", &stored).1, Outcome::Allowed);
    let message = denial(&stored_basis, "UPDATE", &annotated(json!({target: "/$1", regex: "true"})));
    assert!(message.contains(regex) && !message.contains(target), "{message}");

    let rule = json!({"host": "a.example", "http": {"paths": [{"path": "x", "pathType": "Prefix",
        "backend": {"service": {"name": "s", "port": {"number": 80}}}}]}});
    let two = with(ingress("a", "a.example", "/", 1), "/spec/rules", json!([{"host": "_"}, rule]));
    let one = with(ingress("a", "a.example", "/", 1), "/spec/rules", json!([rule]));
    assert_eq!(answer(&basis(&[two]), "UPDATE", &one).1, Outcome::Allowed);
}

#[test]
fn what_is_not_ours_is_not_looked_at() {
    let basis = basis(&[ingress("a", "a.example", "/", 9)]);
    let bad = ingress("b", "bad_host", "/", 1);
    let foreign = with(bad.clone(), "/spec/ingressClassName", json!("other"));
    assert_eq!(answer(&basis, "CREATE", &foreign).1, Outcome::Skipped);
    assert_eq!(answer(&basis, "DELETE", &Value::Null).1, Outcome::Skipped);
    let mut status = request("UPDATE", &bad);
    status["request"]["subResource"] = json!("status");
    assert_eq!(ask(Some(&basis), &status).unwrap().1, Outcome::Skipped);
}

#[test]
fn a_name_may_be_yet_to_be_made() {
    let mut object = ingress("", "bad_host", "/", 1);
    object["metadata"] = json!({"generateName": "web-"});
    assert!(denial(&basis(&[]), "CREATE", &object).starts_with("Ingress default/web-(generated) "));
}

#[test]
fn what_cannot_be_judged_is_an_error() {
    let good = request("CREATE", &ingress("a", "a.example", "/", 1));
    assert!(matches!(ask(None, &good), Err(Error::NotReady)));
    let mut pod = good.clone();
    pod["request"]["object"] = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}});
    let mut old = good.clone();
    old["apiVersion"] = json!("admission.k8s.io/v1beta1");
    let mut empty = good.clone();
    empty["request"]["object"] = Value::Null;
    let nothing = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"});
    for review in [pod, old, empty, nothing, json!([]), json!("x")] {
        assert!(matches!(ask(Some(&basis(&[])), &review), Err(Error::NoReview(_))), "{review}");
    }
}

#[test]
fn warnings_and_denials_are_bounded() {
    let candidate = Origin::new("Ingress", "default", "a");
    let problem = |at: usize, severity| Problem {
        object: Arc::new(Origin::new("Ingress", "default", "a")),
        severity,
        field: format!("spec.{at}"),
        message: "ä".repeat(400),
        reason: Reason::BadAnnotation,
    };
    let many = |severity| (0..100).map(|at| problem(at, severity)).collect::<Vec<_>>();
    let verdict = judge(&candidate, &[], &[], &many(Severity::Warning));
    let warnings = verdict.short_warnings();
    assert_eq!((warnings.len(), warnings[16].as_str()), (17, "and 84 more"));
    assert!(warnings.iter().all(|warning| warning.chars().count() <= 256));
    let verdict = judge(&candidate, &[], &[], &many(Severity::Error));
    assert!(verdict.denial(&candidate).unwrap().ends_with("- and 68 more"));
    assert_eq!(Verdict::default().denial(&candidate), None);
    assert!(Duration::from_secs(10) > super::limits::REVIEW, "the API server's own patience");
}
