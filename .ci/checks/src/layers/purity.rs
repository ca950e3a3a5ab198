//! Pure crates touch neither clock nor disk nor network.

use super::{
    imports::{self, Import},
    rules::{IMPURE, IMPURE_TYPES, PURE},
};
use crate::{Error, Finding, Workspace, source};

pub(super) fn check(workspace: &Workspace) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    for package in workspace.packages.iter().filter(|package| PURE.contains(&package.name.as_str())) {
        for file in source::read_package(workspace, package)? {
            findings.extend(imports::of(&file).iter().filter(|import| is_impure(import)).map(|import| Finding {
                file: file.path.clone(),
                line: import.line,
                message: format!(
                    "{} must not use {}: it is pure, without clock, threads or I/O",
                    package.name,
                    import.names.join("::")
                ),
            }));
        }
    }
    Ok(findings)
}

fn is_impure(import: &Import) -> bool {
    let path = import.names.join("::");
    let begins = |impure: &str| path.strip_prefix(impure).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    IMPURE.iter().any(|impure| begins(impure)) || import.names.iter().any(|name| IMPURE_TYPES.contains(&name.as_str()))
}
