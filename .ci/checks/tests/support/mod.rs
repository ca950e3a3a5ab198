//! A small workspace of the project's shape, in a temporary folder, to break rules in.
#![allow(clippy::unwrap_used, dead_code)] // each test file uses its own part of it

use std::fs;

use checks::{Error, Finding, Workspace};

/// The workspace; gone when dropped.
pub struct Trial {
    folder: tempfile::TempDir,
}

/// Crates and what they depend on, as in the real workspace.
const CRATES: [(&str, &[&str]); 5] = [
    ("snapshot", &[]),
    ("compile", &["snapshot"]),
    ("controller", &["compile", "snapshot"]),
    ("dataplane", &["snapshot"]),
    ("tidegate", &["controller", "dataplane"]),
];

/// Modules of the data plane with an import that is allowed.
const MODULES: [(&str, &str); 6] = [
    ("balance", "//! Picks.\n"),
    ("observe", "//! Reports.\n"),
    ("tls", "//! Handshakes.\n"),
    ("exchange", "//! One request.\npub struct Exchange;\n"),
    ("route", "//! Routes.\npub fn find() {}\n"),
    ("http", "//! Requests.\nuse crate::{exchange::Exchange, route};\npub fn serve(_: Exchange) { route::find(); }\n"),
];

impl Trial {
    /// A workspace in which every rule holds.
    pub fn good() -> Self {
        let trial = Self { folder: tempfile::tempdir().unwrap() };
        trial.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n");
        for (name, dependencies) in CRATES {
            trial.add_crate(name, dependencies);
        }
        let root: String = MODULES.iter().map(|(name, _)| format!("mod {name};\n")).collect();
        trial.write("crates/dataplane/src/lib.rs", &format!("//! A crate.\n{root}"));
        for (name, text) in MODULES {
            trial.write(&format!("crates/dataplane/src/{name}.rs"), text);
        }
        trial
    }

    /// Adds a crate, or gives it other dependencies.
    pub fn add_crate(&self, name: &str, dependencies: &[&str]) {
        let package =
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n");
        let dependencies = dependencies.iter().map(|name| format!("{name} = {{ path = \"../{name}\" }}\n"));
        self.write(&format!("crates/{name}/Cargo.toml"), &(package + &dependencies.collect::<String>()));
        self.write(&format!("crates/{name}/src/lib.rs"), "//! A crate.\n");
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What a check finds, as it is printed.
    pub fn findings(&self, check: impl Fn(&Workspace) -> Result<Vec<Finding>, Error>) -> Vec<String> {
        self.result(check).unwrap().iter().map(ToString::to_string).collect()
    }

    /// What a check returns.
    pub fn result<T>(&self, check: impl Fn(&Workspace) -> Result<T, Error>) -> Result<T, Error> {
        check(&Workspace::open(self.folder.path()).unwrap())
    }
}
