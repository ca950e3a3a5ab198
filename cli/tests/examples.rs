//! What `make run` starts and prints, and what the README says of it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{fs, path::Path, process::Stdio};

use support::{command, free_ports, get, until};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn curl_lines(file: &str) -> Vec<String> {
    let text = fs::read_to_string(repository().join(file)).unwrap();
    text.lines().filter(|line| line.starts_with("curl ")).map(str::to_owned).collect()
}

#[test]
fn the_readme_shows_what_make_run_prints() {
    let printed = curl_lines("examples/run");
    assert!(printed.len() >= 4, "{printed:?}");
    assert_eq!(printed, curl_lines("README.md"));
}

#[test]
fn the_example_manifests_have_no_problems() {
    let ports = free_ports();
    let [http, _, admin] = ports;
    let mut child = command(&repository().join("examples/manifests"), ports).stdout(Stdio::null()).spawn().unwrap();
    until("ready", || get(admin, "localhost", "/readyz").0 == 200);
    let problems = get(admin, "localhost", "/problems").1;
    let redirect = get(http, "shop.example.com", "/").0;
    let no_backend_is_running = get(http, "hello.example.com", "/").0;
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(problems.ends_with("[]\n"), "{problems}");
    assert_eq!((redirect, no_backend_is_running), (308, 502));
}
