//! How long `tidegate run --manifests` takes with 5,000 files: until it is ready, and until a change is served.
//!
//! `make bench-manifests`. Prints figures beside their limits; the median of the changes counts.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    fs,
    time::{Duration, Instant},
};

use support::{CLASS, Tidegate, backend, service, until};

const FILES: usize = 5_000;
const CHANGES: usize = 11;

fn main() {
    let (a, b) = (service("a", backend("from-a")), service("b", backend("from-b")));
    let mut files =
        vec![("class.yaml".to_owned(), CLASS.to_owned()), ("a.yaml".to_owned(), a), ("b.yaml".to_owned(), b)];
    files.extend((0..FILES).map(|i| (format!("ingress-{i}.yaml"), ingress_of_five_paths(i, "a"))));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();

    // The second start counts: the first one reads the binary and the files from disk.
    let mut tidegate = Tidegate::start(&files);
    let ready = tidegate.restart();
    report("ready with 5,000 Ingresses of five paths", ready, Duration::from_secs(2));

    report("a changed file served", median(|i| changed(&tidegate, i)), Duration::from_millis(300));
    report("a new file served", median(|i| added(&tidegate, i)), Duration::from_millis(300));
}

fn ingress_of_five_paths(i: usize, service: &str) -> String {
    let mut text = support::ingress(&format!("i{i}"), &format!("host-{i}.test"), service);
    for path in ["/api", "/api/v2", "/static", "/login"] {
        text.push_str(&format!(
            "      - {{path: {path}, pathType: Prefix, backend: {{service: {{name: {service}, port: {{number: 80}}}}}}}}\n"
        ));
    }
    text
}

fn changed(tidegate: &Tidegate, i: usize) -> Duration {
    let (service, answer) = if i.is_multiple_of(2) { ("b", "from-b") } else { ("a", "from-a") };
    let start = Instant::now();
    tidegate.write("ingress-7.yaml", &ingress_of_five_paths(7, service));
    until("changed", || tidegate.get("host-7.test", "/").1.ends_with(answer));
    start.elapsed()
}

fn added(tidegate: &Tidegate, i: usize) -> Duration {
    let (name, host) = (format!("new-{i}.yaml"), format!("host-{}.test", FILES + i));
    let start = Instant::now();
    fs::write(tidegate.folder.path().join(name), ingress_of_five_paths(FILES + i, "a")).unwrap();
    until("served", || tidegate.get(&host, "/").0 == 200);
    start.elapsed()
}

fn median(measure: impl FnMut(usize) -> Duration) -> Duration {
    let mut times: Vec<Duration> = (0..CHANGES).map(measure).collect();
    times.sort();
    times[CHANGES / 2]
}

fn report(what: &str, took: Duration, limit: Duration) {
    let verdict = if took <= limit { "ok" } else { "OVER" };
    println!("{what}: {} ms (limit {} ms): {verdict}", took.as_millis(), limit.as_millis());
}
