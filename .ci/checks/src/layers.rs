//! Who may import whom: between crates ([`rules::CRATES`]) and inside them ([`rules::MODULES`]).

mod crates;
mod imports;
mod modules;
mod purity;
mod rules;

use crate::{Error, Finding, Workspace};

/// Holds every rule against the workspace.
///
/// # Errors
/// Where cargo cannot be run, or a source file cannot be read or parsed.
pub fn check(workspace: &Workspace) -> Result<Vec<Finding>, Error> {
    let mut findings = crates::check(workspace)?;
    findings.extend(modules::check(workspace)?);
    findings.extend(purity::check(workspace)?);
    findings.sort();
    findings.dedup();
    Ok(findings)
}
