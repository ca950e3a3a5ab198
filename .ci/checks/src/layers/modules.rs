//! The rules between the modules of a crate.

use std::collections::{BTreeMap, BTreeSet};

use syn::{Item, UseTree};

use super::{
    imports,
    rules::{EVERY_MODULE_PLACED, HANDED, Imports, MODULES, ModuleRule},
};
use crate::{
    Error, Finding, Workspace,
    source::{self, SourceFile},
};

pub(super) fn check(workspace: &Workspace) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let rules: Vec<&ModuleRule> = MODULES.iter().filter(|rule| rule.package == package.name).collect();
        if rules.is_empty() {
            continue;
        }
        let files = source::read_package(workspace, package)?;
        let tops = TopModules::of(&files);
        for file in files.iter().filter(|file| file.main_target) {
            findings.extend(check_file(file, &rules, &tops));
        }
        if EVERY_MODULE_PLACED.contains(&package.name.as_str()) {
            findings.extend(unplaced(&files, &rules));
        }
    }
    Ok(findings)
}

/// The crate's root names every module, so it has no rule.
fn check_file(file: &SourceFile, rules: &[&ModuleRule], tops: &TopModules) -> Vec<Finding> {
    let Some(own) = file.module.first() else { return Vec::new() };
    let Some(rule) = rules.iter().find(|rule| rule.module == own) else { return Vec::new() };
    let broken = imports::of(file).into_iter().filter_map(|import| {
        let path = import.within_crate()?;
        let target = tops.leads_to(&path)?;
        (target != own && !rule.allows(target) && !is_handed(rule.package, &path)).then(|| Finding {
            file: file.path.clone(),
            line: import.line,
            message: format!("{own} must not import {target}: {}", rule.because),
        })
    });
    broken.collect()
}

fn is_handed(package: &str, path: &[String]) -> bool {
    HANDED.iter().any(|handed| handed.package == package && path.iter().eq(handed.path))
}

fn unplaced(files: &[SourceFile], rules: &[&ModuleRule]) -> Vec<Finding> {
    let mut findings = BTreeMap::new();
    for file in files.iter().filter(|file| file.main_target) {
        let Some(own) = file.module.first() else { continue };
        if !rules.iter().any(|rule| rule.module == own) {
            let message = format!("{own} has no row in the table of layers: say what it may import, and why");
            findings.entry(own).or_insert(Finding { file: file.path.clone(), line: 1, message });
        }
    }
    findings.into_values().collect()
}

impl ModuleRule {
    fn allows(&self, module: &str) -> bool {
        match self.imports {
            Imports::Only(modules) => modules.contains(&module),
            Imports::Never(modules) => !modules.contains(&module),
        }
    }
}

/// The modules at a crate's root, and the names that the root re-exports from them.
struct TopModules {
    modules: BTreeSet<String>,
    reexports: BTreeMap<String, String>,
}

impl TopModules {
    fn of(files: &[SourceFile]) -> Self {
        let modules = files.iter().filter_map(|file| file.module.first().cloned()).collect();
        let mut tops = Self { modules, reexports: BTreeMap::new() };
        for file in files.iter().filter(|file| file.module.is_empty()) {
            for item in &file.syntax.items {
                if let Item::Use(item) = item {
                    tops.add_reexports(&item.tree, None);
                }
            }
        }
        tops
    }

    /// `pub use route::{Table, normalize as plain}` makes `crate::Table` and `crate::plain` lead to `route`.
    fn add_reexports(&mut self, tree: &UseTree, top: Option<&str>) {
        let (name, top) = match (tree, top) {
            (UseTree::Path(path), None) if path.ident == "crate" || path.ident == "self" => {
                return self.add_reexports(&path.tree, None);
            }
            (UseTree::Path(path), None) => return self.add_reexports(&path.tree, Some(&path.ident.to_string())),
            (UseTree::Path(path), top) => return self.add_reexports(&path.tree, top),
            (UseTree::Group(group), top) => return group.items.iter().for_each(|tree| self.add_reexports(tree, top)),
            (UseTree::Name(name), Some(top)) => (name.ident.to_string(), top),
            (UseTree::Rename(name), Some(top)) => (name.rename.to_string(), top),
            _ => return,
        };
        self.reexports.insert(name, top.to_owned());
    }

    fn leads_to(&self, path: &[String]) -> Option<&String> {
        let name = path.first()?;
        self.reexports.get(name).filter(|top| self.modules.contains(*top)).or_else(|| self.modules.get(name))
    }
}
