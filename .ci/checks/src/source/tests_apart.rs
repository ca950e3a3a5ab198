//! Takes out of a file what is compiled for tests only.

use syn::{
    Attribute, File, ImplItem, Item, ItemImpl, ItemMod, Meta, Token,
    punctuated::Punctuated,
    spanned::Spanned,
    visit_mut::{self, VisitMut},
};

/// What was taken out.
#[derive(Default)]
pub(super) struct Apart {
    /// How many lines it had.
    pub(super) lines: usize,
    /// Modules among it whose text stands in another file.
    pub(super) modules: Vec<String>,
}

/// Removes the tests from a file of so many lines.
pub(super) fn set_apart(file: &mut File, lines: usize) -> Apart {
    if is_for_tests(&file.attrs) {
        file.items.clear();
        return Apart { lines, modules: Vec::new() };
    }
    let mut apart = Apart::default();
    apart.visit_file_mut(file);
    apart
}

impl Apart {
    fn keep_item(&mut self, item: &Item) -> bool {
        if !is_for_tests(attributes(item)) {
            return true;
        }
        self.lines += lines_of(item);
        if let Item::Mod(ItemMod { ident, content: None, .. }) = item {
            self.modules.push(ident.to_string());
        }
        false
    }

    fn keep_impl_item(&mut self, item: &ImplItem) -> bool {
        let ImplItem::Fn(function) = item else { return true };
        let keep = !is_for_tests(&function.attrs);
        if !keep {
            self.lines += lines_of(item);
        }
        keep
    }
}

impl VisitMut for Apart {
    fn visit_file_mut(&mut self, file: &mut File) {
        file.items.retain(|item| self.keep_item(item));
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| self.keep_item(item));
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, block: &mut ItemImpl) {
        block.items.retain(|item| self.keep_impl_item(item));
        visit_mut::visit_item_impl_mut(self, block);
    }
}

fn lines_of(item: &impl Spanned) -> usize {
    let span = item.span();
    span.end().line.saturating_sub(span.start().line) + 1
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("test") || is_cfg_test(&attribute.meta))
}

/// `cfg(test)` and `cfg(all(test, …))`. `cfg(any(test, …))` is compiled elsewhere too, so it is production.
fn is_cfg_test(meta: &Meta) -> bool {
    let Meta::List(list) = meta else { return false };
    if !list.path.is_ident("cfg") && !list.path.is_ident("all") {
        return false;
    }
    let Ok(inner) = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) else { return false };
    inner.iter().any(|meta| meta.path().is_ident("test") || is_cfg_test(meta))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(text: &str) -> Apart {
        set_apart(&mut syn::parse_file(text).unwrap(), text.lines().count())
    }

    #[test]
    fn test_modules_do_not_count() {
        let apart = apart("fn a() {}\n\n/// Docs count with it.\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n");
        assert_eq!(apart.lines, 5);
    }

    #[test]
    fn a_test_module_in_a_file_of_its_own_is_named() {
        assert_eq!(apart("#[cfg(all(test, unix))]\nmod tests;\n").modules, ["tests"]);
    }

    #[test]
    fn what_is_compiled_elsewhere_too_counts() {
        assert_eq!(apart("#[cfg(any(test, unix))]\nmod a {}\n#[cfg(not(test))]\nmod b {}\n").lines, 0);
    }

    #[test]
    fn methods_for_tests_do_not_count() {
        assert_eq!(apart("struct A;\nimpl A {\n    #[cfg(test)]\n    fn a() {\n    }\n}\n").lines, 3);
    }
}
