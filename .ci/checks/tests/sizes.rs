//! What is too large is found and named, and tests do not count.

mod support;

use checks::{Error, Finding, Workspace, sizes};
use support::Trial;

fn check(workspace: &Workspace) -> Result<Vec<Finding>, Error> {
    Ok(sizes::measure(workspace)?.findings())
}

/// A trial whose route module is a given text.
fn findings(route: &str) -> Vec<String> {
    let trial = Trial::good();
    trial.write("crates/dataplane/src/route.rs", &format!("//! Routes.\npub fn find() {{}}\n{route}"));
    trial.findings(check)
}

fn function(body_lines: usize) -> String {
    format!("fn long() {{\n{}}}\n", "    let _ = 1;\n".repeat(body_lines))
}

#[test]
fn the_good_workspace_passes() {
    assert_eq!(findings(""), Vec::<String>::new());
}

#[test]
fn a_file_over_the_cap() {
    assert_eq!(findings(&"const _: () = ();\n".repeat(598)), Vec::<String>::new());
    let found = findings(&"const _: () = ();\n".repeat(599));
    assert_eq!(found, ["crates/dataplane/src/route.rs:1: the file has 601 lines, more than the cap of 600"]);
}

#[test]
fn a_function_over_the_cap() {
    let short: String = "fn short() {}\n".repeat(20);
    assert_eq!(findings(&(short.clone() + &function(78))), Vec::<String>::new());
    let found = findings(&(short + &function(79)));
    assert_eq!(found, ["crates/dataplane/src/route.rs:23: `long` has 81 lines, more than the cap of 80"]);
}

#[test]
fn six_parameters() {
    let five = "struct A;\nimpl A {\n    fn five(&self, a: u8, b: u8, c: u8, d: u8, e: u8) {}\n}\n";
    assert_eq!(findings(five), Vec::<String>::new());
    let found = findings("fn six(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) {}\n");
    assert_eq!(found, ["crates/dataplane/src/route.rs:3: `six` takes 6 parameters, more than the cap of 5"]);
}

#[test]
fn budgets_are_of_the_whole_workspace() {
    let found = findings(&function(40).repeat(3));
    assert_eq!(
        found,
        ["Cargo.toml:1: the 90th percentile of functions of the workspace is 42 lines, more than the budget of 26"]
    );
}

#[test]
fn tests_do_not_count() {
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function(700));
    assert_eq!(findings(&tests), Vec::<String>::new());
}

#[test]
fn a_test_module_in_a_file_of_its_own_does_not_count() {
    let trial = Trial::good();
    trial.write("crates/dataplane/src/route.rs", "//! Routes.\npub fn find() {}\n#[cfg(test)]\nmod cases;\n");
    trial.write("crates/dataplane/src/route/cases.rs", &function(700));
    assert_eq!(trial.findings(check), Vec::<String>::new());
}

#[test]
fn a_file_that_is_not_rust_is_named() {
    let trial = Trial::good();
    trial.write("crates/dataplane/src/route.rs", "//! Routes.\nfn {}\n");
    let error = trial.result(check).unwrap_err().to_string();
    assert!(error.starts_with("crates/dataplane/src/route.rs:2: "), "{error}");
}
