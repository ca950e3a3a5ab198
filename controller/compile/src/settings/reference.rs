//! The reference page.

use std::fmt::Write;

use super::{class, served, unserved};

/// All keys of the global ConfigMap as a page of Markdown.
pub fn reference() -> String {
    let mut page = String::from(
        "# Global settings\n\nKeys of the ConfigMap that `--configmap` names. All values are text: write \
         `\"true\"`, not `true`.\n\n| key | value | default | meaning | example |\n|---|---|---|---|---|\n",
    );
    for setting in served() {
        let default = if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {default} | {} | `{}` |",
            setting.key, setting.value, setting.doc, setting.example
        );
    }
    page.push_str(&class::reference());
    page.push_str("\n## Known and not served\n\n| key | what follows |\n|---|---|\n");
    for known in unserved::KNOWN.iter().copied().flatten() {
        let _ = writeln!(page, "| `{}` | {} |", known.key, known.consequence());
    }
    page
}
