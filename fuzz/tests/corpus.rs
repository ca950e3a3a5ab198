//! The corpus of each fuzz target, replayed.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

fn replay(target: &str, property: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let inputs: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    for input in inputs {
        property(&fs::read(input).unwrap());
    }
}

#[test]
fn normalize() {
    replay("normalize", fuzz::normalize);
}

#[test]
fn rule() {
    replay("rule", fuzz::rule);
    // What one plane calls a path the other one may be asked for.
    replay("normalize", fuzz::rule);
}

#[test]
fn proxy_header() {
    replay("proxy_header", fuzz::proxy_header);
}

#[test]
fn head() {
    replay("head", fuzz::head);
}

#[test]
fn frame() {
    replay("frame", fuzz::frame);
}
