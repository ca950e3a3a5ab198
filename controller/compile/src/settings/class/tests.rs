//! Fields, their schema and what holds where one is not known.

use super::*;

#[test]
fn keys_and_fields_lead_to_each_other() {
    for setting in served() {
        assert_eq!(key(&field(setting.key)), setting.key);
    }
}

#[test]
fn every_example_is_a_good_field_that_says_what_the_key_does() {
    let origin = Arc::new(Origin::new("IngressClassParameters", "", "x"));
    for ClassField { setting, form, .. } in fields_of_classes() {
        let value = form.value(setting.example);
        let base = Settings::default();
        let Overlaid { settings, problems } = overlay(&base, &[(field(setting.key), value)].into(), &origin);
        assert_eq!(problems, [], "{}", setting.key);
        let mut expected = Settings::default();
        (setting.parse)(setting.example, &mut expected).unwrap();
        assert_eq!(settings, expected, "{}", setting.key);
    }
}

#[test]
fn every_field_refuses_what_is_of_another_type() {
    let origin = Arc::new(Origin::new("IngressClassParameters", "", "x"));
    for ClassField { setting, .. } in fields_of_classes() {
        for value in [json!({}), json!(-1), json!(1.5), json!("?"), json!([1])] {
            let name = field(setting.key);
            let Overlaid { settings, problems } =
                overlay(&Settings::default(), &[(name.clone(), value)].into(), &origin);
            assert_eq!((problems.len(), problems[0].reason), (1, Reason::BadParameter), "{}", setting.key);
            assert_eq!((&problems[0].field, settings), (&format!("spec.{name}"), Settings::default()));
        }
    }
}

#[test]
fn what_is_not_understood_opens_nothing() {
    let origin = Arc::new(Origin::new("IngressClassParameters", "", "x"));
    let base = Settings { allow_cross_namespace_resources: true, ..Settings::default() };
    let open = |fields: Value| {
        let fields = serde_json::from_value(fields).unwrap();
        overlay(&base, &fields, &origin).settings
    };
    assert!(open(json!({})).allow_cross_namespace_resources);
    assert!(!open(json!({"allowCrossNamespaceResources": "no"})).allow_cross_namespace_resources);
    assert!(open(json!({"whitelistSourceRange": "10.0.0.0/8"})).denied.is_some());
    assert!(open(json!({"whitelistSourceRage": "10.0.0.0/8"})).denied.is_some());
    assert!(open(json!({"globalAuthUrl": ["x"]})).denied.is_some());
    assert!(open(json!({"enableModsecurity": true})).denied.is_some());
    assert!(open(json!({"blockCidrs": [""]})).denied.is_some());
    assert!(open(json!({"whitelistSourceRange": {}})).denied.is_some());
    assert_eq!(open(json!({"keepAlive": 5, "colour": "red"})), base);
}

#[test]
fn a_field_that_says_nothing_closes_nothing() {
    let origin = Arc::new(Origin::new("IngressClassParameters", "", "x"));
    let quiet = [
        ("enableModsecurity", json!(false)),
        ("enableModsecurity", json!("false ")),
        ("enableModsecurity", json!(0)),
        ("enableModsecurity", json!("")),
        ("enableOwaspModsecurityCrs", json!("")),
        ("whitelistSourceRange", json!([])),
        ("whitelistSourceRange", json!("")),
        ("globalAuthUrl", json!(null)),
        ("bindAddress", json!([])),
    ];
    for (name, value) in quiet {
        let fields = [(name.to_owned(), value.clone())].into();
        let Overlaid { settings, problems } = overlay(&Settings::default(), &fields, &origin);
        assert_eq!(settings, Settings::default(), "{name}: {value}");
        assert!(problems.iter().all(|problem| problem.severity == Severity::Warning), "{name}: {value}");
    }
}

#[test]
fn a_class_that_wants_hsts_gets_what_the_configmap_says_of_it() {
    let origin = Arc::new(Origin::new("IngressClassParameters", "", "x"));
    let mut base = Settings { hsts_on: false, ..Settings::default() };
    base.hsts.max_age = 5;
    let overlaid = overlay(&base, &[("hsts".to_owned(), json!(true))].into(), &origin);
    assert_eq!(overlaid.settings.hsts(), Some(base.hsts));
}

/// Whatever a class may close is open.
fn open() -> Settings {
    Settings {
        allow_cross_namespace_resources: true,
        ssl_redirect: false,
        no_tls_redirect_locations: vec!["/".to_owned()],
        ..Settings::default()
    }
}

#[test]
fn a_field_that_is_not_known_opens_nothing() {
    let origin = Arc::new(Origin::new("IngressClassParameters", "", "x"));
    for ClassField { setting, form, unknown } in fields_of_classes() {
        let mut expected = open();
        unknown.close(&mut expected);
        assert_eq!(matches!(unknown, Unknown::Closed(..)), expected != open(), "{}", setting.key);
        let name = field(setting.key);
        let misspelled = name[..name.len() - 1].to_owned();
        for fields in [(name, json!({})), (misspelled, form.value(setting.example))] {
            let Overlaid { settings, problems } = overlay(&open(), &[fields].into(), &origin);
            assert_eq!(settings, expected, "{}", setting.key);
            assert_eq!(problems.len(), 1, "{}", setting.key);
        }
    }
}

#[test]
fn without_parameters_everything_is_closed_that_they_may_close() {
    let mut expected = open();
    for ClassField { unknown, .. } in fields_of_classes() {
        unknown.close(&mut expected);
    }
    let mut settings = open();
    let words = fail_closed(&mut settings);
    assert_eq!(settings, expected);
    assert!(words.contains("Secret") && words.contains("https") && words.contains("acme-challenge"), "{words}");
}
