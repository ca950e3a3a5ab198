use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

use crate::Error;

/// A cargo workspace on disk.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The folder of its `Cargo.toml`.
    pub root: PathBuf,
    /// Its members.
    pub packages: Vec<Package>,
}

/// One member of the workspace.
#[derive(Debug, Clone)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its folder, absolute.
    pub folder: PathBuf,
}

/// The part of `cargo metadata` that we need.
#[derive(Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    packages: Vec<MetadataPackage>,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    manifest_path: PathBuf,
}

impl Workspace {
    /// The workspace that `folder` lies in, as cargo sees it.
    ///
    /// # Errors
    /// Where cargo cannot be run, or finds no workspace.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let answer = cargo(folder, ["metadata", "--no-deps", "--format-version", "1"])?;
        let metadata: Metadata = serde_json::from_str(&answer)?;
        let packages = metadata
            .packages
            .into_iter()
            .map(|package| Package {
                name: package.name,
                folder: package.manifest_path.parent().unwrap_or(&metadata.workspace_root).to_owned(),
            })
            .collect();
        Ok(Self { root: metadata.workspace_root, packages })
    }

    /// What cargo prints when run at the root.
    ///
    /// # Errors
    /// Where cargo cannot be run or fails.
    pub(crate) fn cargo<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Result<String, Error> {
        cargo(&self.root, arguments)
    }

    /// A path as findings print it: relative to the root.
    pub(crate) fn relative(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).unwrap_or(path).to_owned()
    }
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

fn cargo<'a>(folder: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Result<String, Error> {
    let program = std::env::var_os("CARGO");
    let mut command = Command::new(program.as_deref().unwrap_or(OsStr::new("cargo")));
    let output = command.args(arguments).current_dir(folder).output()?;
    if !output.status.success() {
        return Err(Error::CargoFailed {
            command: command.get_args().map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" "),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
