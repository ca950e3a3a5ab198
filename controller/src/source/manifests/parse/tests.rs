use super::*;

fn ingress(name: &str) -> String {
    format!("apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}}}\n")
}

fn names(parsed: &Parsed) -> Vec<String> {
    parsed.objects.iter().map(|object| object.key().to_string()).collect()
}

#[test]
fn reads_documents_and_lists() {
    let text = format!(
        "# a comment\n---\n{}---\n---\napiVersion: v1\nkind: List\nitems:\n- {{apiVersion: v1, kind: Service, \
         metadata: {{name: s, namespace: x}}}}\n---\napiVersion: networking.k8s.io/v1\nkind: IngressClassList\n\
         items: [{{metadata: {{name: c}}}}]\n",
        ingress("a")
    );
    let parsed = yaml(&text).unwrap();
    assert_eq!(parsed.remarks, []);
    assert_eq!(names(&parsed), ["Ingress default/a", "Service x/s", "IngressClass c"]);
}

#[test]
fn reads_json() {
    let parsed = json(r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"s"}}"#).unwrap();
    assert_eq!(names(&parsed), ["Service default/s"]);
    assert_eq!(json("{\n\"a\": }").unwrap_err().line, Some(2));
}

#[test]
fn a_broken_file_names_its_line() {
    let broken = yaml(&format!("{}spec: [\n", ingress("a"))).unwrap_err();
    assert_eq!(broken.reason, Reason::FileBroken);
    assert!(broken.line.is_some_and(|line| (4..=5).contains(&line)), "{broken:?}");
}

#[test]
fn an_unreadable_object_names_its_line_and_harms_no_other() {
    let text = format!(
        "{}---\n{}spec:\n  rules:\n  - host: x\n    http: 5\n---\n{}",
        ingress("a"),
        ingress("b"),
        ingress("c")
    );
    let parsed = yaml(&text).unwrap();
    assert_eq!(names(&parsed), ["Ingress default/a", "Ingress default/c"]);
    assert_eq!(parsed.broken.iter().map(Key::to_string).collect::<Vec<_>>(), ["Ingress default/b"]);
    assert_eq!(parsed.remarks.iter().map(|remark| remark.line).collect::<Vec<_>>(), [Some(11)]);
}

#[test]
fn what_is_wrong_with_a_secret_quotes_nothing_of_it() {
    for data in ["data: hunter2", "data: {a: [hunter2]}", "stringData: {a: {b: hunter2}}", "data: {a: 'hunter2!'}"] {
        let parsed = yaml(&format!("{{apiVersion: v1, kind: Secret, metadata: {{name: s}}, {data}}}")).unwrap();
        let [remark] = parsed.remarks.as_slice() else { panic!("{data}: {parsed:?}") };
        assert!(remark.message.contains("base64") && !remark.message.contains("hunter2"), "{data}: {remark:?}");
    }
}

#[test]
fn tells_what_is_no_object() {
    for (text, reason) in [
        ("hello", Reason::NoObject),
        ("kind: Ingress", Reason::KindMissing),
        ("apiVersion: v1", Reason::KindMissing),
        ("{apiVersion: networking.k8s.io/v1, kind: Ingres, metadata: {name: a}}", Reason::KindUnknown),
        ("{apiVersion: networking.k8s.io/v1beta1, kind: Ingress, metadata: {name: a}}", Reason::VersionUnknown),
        ("{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: a}}", Reason::KindUnknown),
        ("{apiVersion: v1, kind: Service, metadata: {}}", Reason::NameMissing),
    ] {
        let parsed = yaml(text).unwrap();
        assert_eq!(parsed.remarks.iter().map(|remark| remark.reason).collect::<Vec<_>>(), [reason], "{text}");
        assert!(parsed.objects.is_empty());
    }
}

#[test]
fn other_kinds_of_kubernetes_are_left_alone() {
    let parsed = yaml("{apiVersion: apps/v1, kind: Deployment}\n---\n{apiVersion: v1, kind: Pod}\n").unwrap();
    assert!(parsed.objects.is_empty() && parsed.remarks.is_empty(), "{parsed:?}");
}

#[test]
fn an_object_counts_once() {
    let parsed = yaml(&format!("{}---\n{}", ingress("a"), ingress("a"))).unwrap();
    assert_eq!(parsed.objects.len(), 1);
    assert_eq!(parsed.remarks.iter().map(|remark| remark.line).collect::<Vec<_>>(), [Some(5)]);
}

#[test]
fn string_data_becomes_data() {
    let text = "{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {a: eA==, b: eQ==}, stringData: {b: z}}";
    let parsed = yaml(text).unwrap();
    let [Object::Secret(secret)] = parsed.objects.as_slice() else { panic!("{parsed:?}") };
    let data = secret.data.as_ref().unwrap();
    assert_eq!((data["a"].0.as_slice(), data["b"].0.as_slice()), (&b"x"[..], &b"z"[..]));
    assert!(secret.string_data.is_none());
}
