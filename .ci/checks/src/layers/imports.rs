//! The paths that a file names.

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    ItemMod, ItemUse, Macro, Path, UseTree,
    spanned::Spanned,
    visit::{self, Visit},
};

use crate::source::SourceFile;

/// A path in the source, as it is written.
pub(super) struct Import {
    /// The line, from 1.
    pub(super) line: usize,
    /// Its names.
    pub(super) names: Vec<String>,
    /// The module it stands in, from the crate's root.
    module: Vec<String>,
}

/// Every path of a file: in `use`, in code and in the arguments of macros.
pub(super) fn of(file: &SourceFile) -> Vec<Import> {
    let mut imports = Imports { module: file.module.clone(), found: Vec::new() };
    imports.visit_file(&file.syntax);
    imports.found
}

impl Import {
    /// The path from the crate's root, where the import leads there by `crate`, `self` or `super`.
    pub(super) fn within_crate(&self) -> Option<Vec<String>> {
        let mut names = self.names.iter();
        let mut path = match names.next()?.as_str() {
            "crate" => Vec::new(),
            "self" => self.module.clone(),
            "super" => parent(&self.module),
            _ => return None,
        };
        for name in names {
            if name == "super" {
                path.pop();
            } else {
                path.push(name.clone());
            }
        }
        Some(path)
    }
}

fn parent(module: &[String]) -> Vec<String> {
    module.split_last().map(|(_, parent)| parent.to_vec()).unwrap_or_default()
}

struct Imports {
    module: Vec<String>,
    found: Vec<Import>,
}

impl Imports {
    fn push(&mut self, line: usize, names: Vec<String>) {
        self.found.push(Import { line, names, module: self.module.clone() });
    }

    fn push_tree(&mut self, tree: &UseTree, before: &[String]) {
        let below = |name: &dyn ToString| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.push_tree(&path.tree, &below(&path.ident)),
            UseTree::Name(name) => self.push(name.span().start().line, below(&name.ident)),
            UseTree::Rename(name) => self.push(name.span().start().line, below(&name.ident)),
            UseTree::Glob(glob) => self.push(glob.span().start().line, below(&"*")),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.push_tree(tree, before)),
        }
    }

    /// Macro arguments are not parsed, so paths are put together from their tokens: `a :: b`.
    fn push_tokens(&mut self, tokens: TokenStream) {
        let mut path: (usize, Vec<String>) = (0, Vec::new());
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.push_path(&mut path);
                        path.0 = name.span().start().line;
                    }
                    path.1.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.push_path(&mut path);
                    self.push_tokens(group.stream());
                }
                _ => self.push_path(&mut path),
            }
        }
        self.push_path(&mut path);
    }

    fn push_path(&mut self, (line, names): &mut (usize, Vec<String>)) {
        let names = std::mem::take(names);
        if names.len() > 1 {
            self.push(*line, names);
        }
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.push_tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.push(path.span().start().line, names);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.push_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}
