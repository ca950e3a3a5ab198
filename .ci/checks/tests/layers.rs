//! A broken layer is found and named; none is found where all hold.

mod support;

use checks::layers;
use support::Trial;

fn findings(trial: &Trial) -> Vec<String> {
    trial.findings(layers::check)
}

#[test]
fn the_good_workspace_passes() {
    assert_eq!(findings(&Trial::good()), Vec::<String>::new());
}

#[test]
fn a_dependency_far_away_is_found_with_the_way_to_it() {
    let trial = Trial::good();
    trial.add_crate("tokio", &[]);
    trial.add_crate("innocent", &["tokio"]);
    trial.add_crate("compile", &["snapshot", "innocent"]);
    let found = findings(&trial);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("crates/compile/Cargo.toml:8: compile must not depend on tokio"), "{found:?}");
    assert!(found[0].contains("compile → innocent → tokio"), "{found:?}");
}

#[test]
fn the_planes_must_not_know_each_other() {
    let trial = Trial::good();
    trial.add_crate("controller", &["compile", "dataplane"]);
    let found = findings(&trial);
    assert!(found.iter().any(|finding| finding.contains("controller must not depend on dataplane")), "{found:?}");
}

#[test]
fn only_the_binary_names_both_planes() {
    let trial = Trial::good();
    trial.add_crate("second", &["controller", "dataplane"]);
    let found = findings(&trial);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("second depends on both planes"), "{found:?}");
}

#[test]
fn a_second_crypto_provider_is_found_even_in_tests() {
    let trial = Trial::good();
    trial.add_crate("ring", &[]);
    let manifest = "[package]\nname = \"snapshot\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dev-dependencies]\n\
                    ring = { path = \"../ring\" }\n";
    trial.write("crates/snapshot/Cargo.toml", manifest);
    let found = findings(&trial);
    assert!(found.iter().any(|finding| finding.contains("snapshot must not depend on ring")), "{found:?}");
}

#[test]
fn a_module_that_imports_upwards_is_found() {
    let trial = Trial::good();
    trial.write("crates/dataplane/src/route.rs", "//! Routes.\npub fn find() {}\nuse crate::http::serve;\n");
    let expected = "crates/dataplane/src/route.rs:3: route must not import http: ";
    let found = findings(&trial);
    assert!(matches!(found.as_slice(), [one] if one.starts_with(expected)), "{found:?}");
}

#[test]
fn no_way_of_naming_a_module_hides_it() {
    let ways = [
        "use super::http;",
        "use crate::{exchange as _, http::serve as s};",
        "fn f() { crate::http::serve() }",
        "fn f() { println!(\"{:?}\", crate::http::serve()) }",
        "mod inner { use super::super::http; }",
        "pub struct A(crate::Served);",
    ];
    for way in ways {
        let trial = Trial::good();
        let root = "//! A crate.\nmod exchange;\nmod http;\nmod route;\npub use http::serve as Served;\n";
        trial.write("crates/dataplane/src/lib.rs", root);
        trial.write("crates/dataplane/src/route.rs", &format!("//! Routes.\npub fn find() {{}}\n{way}\n"));
        let found = findings(&trial);
        assert!(found.iter().any(|finding| finding.contains("route must not import http")), "{way}: {found:?}");
    }
}

#[test]
fn tests_may_import_what_they_like() {
    let trial = Trial::good();
    let text = "//! Routes.\npub fn find() {}\n#[cfg(test)]\nmod tests { use crate::http::serve; }\n";
    trial.write("crates/dataplane/src/route.rs", text);
    assert_eq!(findings(&trial), Vec::<String>::new());
}

#[test]
fn a_new_module_must_be_placed() {
    let trial = Trial::good();
    trial.write("crates/dataplane/src/lib.rs", "//! A crate.\nmod novelty;\n");
    trial.write("crates/dataplane/src/novelty/mod.rs", "//! New.\n");
    let found = findings(&trial);
    assert!(matches!(found.as_slice(), [one] if one.contains("novelty has no row")), "{found:?}");
}

#[test]
fn compile_knows_neither_clock_nor_disk() {
    for code in ["fn f() { std::fs::read(\"a\"); }", "use std::time::{Duration, SystemTime};"] {
        let trial = Trial::good();
        trial.write("crates/compile/src/lib.rs", &format!("//! A crate.\n{code}\n"));
        let found = findings(&trial);
        assert!(matches!(found.as_slice(), [one] if one.contains("lib.rs:2: compile must not use std::")), "{found:?}");
    }
}

#[test]
fn inside_compile_the_parts_do_not_import_each_other() {
    let trial = Trial::good();
    trial.write("crates/compile/src/lib.rs", "//! A crate.\nmod annotation;\nmod ingress;\n");
    trial.write("crates/compile/src/annotation.rs", "//! Keys.\npub fn read() {}\n");
    trial.write("crates/compile/src/ingress.rs", "//! Drafts.\nuse crate::annotation;\n");
    let found = findings(&trial);
    assert!(matches!(found.as_slice(), [one] if one.contains("ingress must not import annotation")), "{found:?}");
}

#[test]
fn what_a_module_hands_on_may_be_imported_but_nothing_beside_it() {
    let trial = Trial::good();
    trial.write("crates/compile/src/lib.rs", "//! A crate.\nmod annotation;\nmod settings;\n");
    trial.write("crates/compile/src/settings.rs", "//! Settings.\npub struct Settings;\npub fn read() {}\n");
    trial.write("crates/compile/src/annotation.rs", "//! Keys.\nuse crate::settings::Settings;\n");
    assert_eq!(findings(&trial), Vec::<String>::new());
    trial.write("crates/compile/src/annotation.rs", "//! Keys.\nuse crate::settings::{Settings, read};\n");
    let found = findings(&trial);
    assert!(matches!(found.as_slice(), [one] if one.contains("annotation must not import settings")), "{found:?}");
}
