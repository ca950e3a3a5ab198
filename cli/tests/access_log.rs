//! The access log of the real binary as a file that somebody moves away.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::{fs, process::Command};

use support::{CLASS, Tidegate, backend, ingress, service, until};

#[test]
fn a_file_that_was_moved_away_is_opened_anew_at_usr1() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    let tidegate = Tidegate::start_with(
        &[
            ("class.yaml", CLASS),
            ("app.yaml", &service("app", backend("app"))),
            ("a.yaml", &ingress("a", "a.example", "app")),
        ],
        &[&format!("--access-log={}", path.display())],
    );
    let logged = |path: &std::path::Path, target: &str| {
        fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("\"GET {target} HTTP/1.1\"")))
    };
    assert_eq!(tidegate.get("a.example", "/first").0, 200);
    until("logged", || logged(&path, "/first"));
    fs::rename(&path, &moved).unwrap();
    let told = Command::new("kill").args(["-USR1", &tidegate.pid().to_string()]).status().unwrap();
    assert!(told.success());
    until("opened anew", || path.exists());
    assert_eq!(tidegate.get("a.example", "/second").0, 200);
    until("logged", || logged(&path, "/second"));
    assert!(logged(&moved, "/first") && !logged(&moved, "/second") && !logged(&path, "/first"));
    assert!(tidegate.stop().success());
}
