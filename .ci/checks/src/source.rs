//! Our sources, read as Rust, with the tests set apart.

mod tests_apart;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use ignore::WalkBuilder;

use crate::{
    Error, Package,
    workspace::{self, Workspace},
};

/// One file of production code.
pub(crate) struct SourceFile {
    /// Its path relative to the workspace.
    pub(crate) path: PathBuf,
    /// Its module's path inside the crate; empty at the crate's root.
    pub(crate) module: Vec<String>,
    /// Whether it belongs to the library (or the only binary), not to a further one under `src/bin`.
    pub(crate) main_target: bool,
    /// Its items, without those that are compiled for tests only.
    pub(crate) syntax: syn::File,
    /// Its lines, without those of such items.
    pub(crate) lines: usize,
    /// Modules declared here that are compiled for tests only and stand in files of their own.
    test_modules: Vec<String>,
}

/// All production files under a package's `src`, in order of their paths.
pub(crate) fn read_package(workspace: &Workspace, package: &Package) -> Result<Vec<SourceFile>, Error> {
    let folder = package.folder.join("src");
    let mut files = Vec::new();
    for path in rust_files(&folder)? {
        files.push(read_file(workspace, &folder, &path)?);
    }
    let tests: BTreeSet<Vec<String>> = files.iter().flat_map(test_modules).collect();
    files.retain(|file| !tests.iter().any(|test| file.module.starts_with(test)));
    files.retain(|file| file.lines > 0);
    Ok(files)
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for entry in WalkBuilder::new(folder).build() {
        let path = entry?.into_path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_file(workspace: &Workspace, folder: &Path, path: &Path) -> Result<SourceFile, Error> {
    let text = workspace::read(path)?;
    let mut syntax = syn::parse_file(&text).map_err(|error| Error::Parse {
        path: workspace.relative(path),
        line: error.span().start().line,
        message: error.to_string(),
    })?;
    let apart = tests_apart::set_apart(&mut syntax, text.lines().count());
    let within = path.strip_prefix(folder).unwrap_or(path);
    Ok(SourceFile {
        path: workspace.relative(path),
        module: module_of(within),
        main_target: !within.starts_with("bin"),
        syntax,
        lines: text.lines().count().saturating_sub(apart.lines),
        test_modules: apart.modules,
    })
}

/// `route/table.rs` and `route/table/mod.rs` are the module `route::table`.
fn module_of(within: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        within.with_extension("").iter().map(|name| name.to_string_lossy().into_owned()).collect();
    let at_root = names.len() == 1 && names.last().is_some_and(|name| name == "lib" || name == "main");
    if at_root || names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    names
}

fn test_modules(file: &SourceFile) -> Vec<Vec<String>> {
    let below = |name: &String| file.module.iter().cloned().chain([name.clone()]).collect();
    file.test_modules.iter().map(below).collect()
}
