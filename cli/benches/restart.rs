//! How soon a data plane serves that is started again, with 10,000 hosts in its state and neither a controller nor an API
//! server: from its start to the first answer.
//!
//! `make bench-restart`. Prints the figure beside its limit, and fails above it; the median of the starts counts.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    fs,
    process::ExitCode,
    time::{Duration, Instant},
};

use support::{CLASS, backend, ingress, service, split::Split, until};

const HOSTS: usize = 10_000;
const STARTS: usize = 5;
const LIMIT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let a = service("a", backend("from-a"));
    let mut files = vec![("class.yaml".to_owned(), CLASS.to_owned()), ("a.yaml".to_owned(), a)];
    files.extend(
        (0..HOSTS).map(|i| (format!("host-{i}.yaml"), ingress(&format!("i{i}"), &format!("host-{i}.test"), "a"))),
    );
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let mut split = Split::start(&files);
    let state = split.folder.path().join("state/snapshot");
    until("kept", || state.exists());
    split.kill_controller();
    let length = fs::metadata(&state).unwrap().len() >> 20;

    let mut times: Vec<Duration> = (0..STARTS).map(|_| start(&mut split)).collect();
    times.sort();
    let took = times[STARTS / 2];
    let (verdict, code) = if took <= LIMIT { ("ok", ExitCode::SUCCESS) } else { ("OVER", ExitCode::FAILURE) };
    let (took, limit) = (took.as_millis(), LIMIT.as_millis());
    println!("the first answer with {HOSTS} hosts kept ({length} MiB): {took} ms (limit {limit} ms): {verdict}");
    code
}

fn start(split: &mut Split) -> Duration {
    split.kill_dataplane();
    let start = Instant::now();
    split.start_dataplane();
    until("served", || split.get("host-9999.test").0 == 200);
    let took = start.elapsed();
    assert!(split.metric("tidegate_link_connected") == 0.0, "a controller has answered");
    took
}
