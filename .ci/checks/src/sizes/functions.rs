use syn::{
    Block, FnArg, ImplItemFn, ItemFn, Signature, TraitItemFn,
    spanned::Spanned,
    visit::{self, Visit},
};

use super::FunctionSize;
use crate::source::SourceFile;

/// Every function of a file, methods and nested functions too; closures belong to the function around them.
pub(super) fn of(file: &SourceFile) -> Vec<FunctionSize> {
    let mut functions = Functions { file, found: Vec::new() };
    functions.visit_file(&file.syntax);
    functions.found
}

struct Functions<'a> {
    file: &'a SourceFile,
    found: Vec<FunctionSize>,
}

impl Functions<'_> {
    fn push(&mut self, signature: &Signature, body: &Block) {
        let line = signature.span().start().line;
        self.found.push(FunctionSize {
            path: self.file.path.clone(),
            line,
            name: signature.ident.to_string(),
            lines: body.span().end().line.saturating_sub(line) + 1,
            parameters: signature.inputs.iter().filter(|input| matches!(input, FnArg::Typed(_))).count(),
        });
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.push(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.push(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(body) = &function.default {
            self.push(&function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}
