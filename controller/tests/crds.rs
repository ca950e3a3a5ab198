//! The CustomResourceDefinitions that are checked in are those of the Rust types.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{fs, path::Path};

const FILE: &str = "../crds/tidegate.dev_ingressclassparameters.yaml";

#[test]
fn the_files_are_those_of_the_types() {
    let file = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)).unwrap();
    assert!(file == controller::crds().unwrap(), "`make generated` writes it anew");
}
