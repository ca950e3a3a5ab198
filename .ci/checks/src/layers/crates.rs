//! The rules between crates, held against `cargo tree`.

use super::rules::{CRATES, NOWHERE, PLANES, WIRING};
use crate::{
    Error, Finding, Package,
    workspace::{self, Workspace},
};

/// Ways from a workspace member to what it depends on: the names along each way, itself first.
type Chains = Vec<Vec<String>>;

pub(super) fn check(workspace: &Workspace) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let used = Used { package, chains: chains(workspace, package, "normal")?, workspace };
        for rule in CRATES.iter().filter(|rule| rule.package == package.name) {
            findings.extend(used.forbid(rule.never, rule.because)?);
        }
        findings.extend(used.forbid_both_planes()?);
        let used = Used { chains: chains(workspace, package, "normal,build,dev")?, ..used };
        for (name, because) in NOWHERE {
            findings.extend(used.forbid(&[name], because)?);
        }
    }
    Ok(findings)
}

/// Everything that a package uses.
struct Used<'a> {
    workspace: &'a Workspace,
    package: &'a Package,
    chains: Chains,
}

impl Used<'_> {
    fn chain_to(&self, name: &str) -> Option<&[String]> {
        self.chains.iter().find(|chain| chain.last().is_some_and(|last| last == name)).map(Vec::as_slice)
    }

    fn forbid(&self, never: &[&str], because: &str) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        for name in never {
            if let Some(chain) = self.chain_to(name) {
                let way = chain.join(" → ");
                let message = format!("{} must not depend on {name} ({way}): {because}", self.package.name);
                findings.push(self.finding(chain, message)?);
            }
        }
        Ok(findings)
    }

    fn forbid_both_planes(&self) -> Result<Option<Finding>, Error> {
        let [Some(_), Some(chain)] = PLANES.map(|plane| self.chain_to(plane)) else { return Ok(None) };
        if self.package.name == WIRING {
            return Ok(None);
        }
        let message = format!("{} depends on both planes: only {WIRING} may name both", self.package.name);
        self.finding(chain, message).map(Some)
    }

    /// Points at the line of the manifest that begins the way.
    fn finding(&self, chain: &[String], message: String) -> Result<Finding, Error> {
        let manifest = self.package.folder.join("Cargo.toml");
        let text = workspace::read(&manifest)?;
        let declares = |line: &str| chain.get(1).is_some_and(|direct| declares(line, direct));
        let line = text.lines().position(declares).map_or(1, |index| index + 1);
        Ok(Finding { file: self.workspace.relative(&manifest), line, message })
    }
}

fn declares(line: &str, dependency: &str) -> bool {
    let rest = line.trim_start().strip_prefix(dependency);
    rest.is_some_and(|rest| rest.starts_with([' ', '.', '=']))
}

fn chains(workspace: &Workspace, package: &Package, edges: &str) -> Result<Chains, Error> {
    let name = package.name.as_str();
    let tree = workspace.cargo(["tree", "-p", name, "-e", edges, "--prefix", "depth", "--format", "{p}"])?;
    Ok(parse_tree(&tree))
}

/// Lines such as `2serde v1.0.228`: the depth, then the package. What hangs below a package is printed once only, so
/// every package has one way at least.
fn parse_tree(tree: &str) -> Chains {
    let mut chains = Chains::new();
    let mut way: Vec<String> = Vec::new();
    for line in tree.lines() {
        let package = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let depth = line.strip_suffix(package).and_then(|depth| depth.parse::<usize>().ok());
        let (Some(depth), Some(name)) = (depth, package.split_whitespace().next()) else { continue };
        way.truncate(depth);
        way.push(name.to_owned());
        chains.push(way.clone());
    }
    chains
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_through_a_tree() {
        let chains = parse_tree("0a v1.0.0 (/a)\n1b v1.0.0\n2c v2.0.0\n1d v1.0.0\n2c v2.0.0 (*)\n");
        assert_eq!(chains[2], ["a", "b", "c"]);
        assert_eq!(chains[4], ["a", "d", "c"]);
    }

    #[test]
    fn the_line_that_declares() {
        assert!(declares("tokio.workspace = true", "tokio") && declares("tokio = \"1\"", "tokio"));
        assert!(!declares("tokio-rustls = \"1\"", "tokio"));
    }
}
