//! What must not stand in the repository.
//!
//! The list is put together from halves, so that this file does not break its own rule.

use std::{fs, path::Path};

use ignore::WalkBuilder;

use crate::{Error, Finding, Workspace};

/// A word and why it must not be there.
struct Word {
    text: &'static str,
    because: &'static str,
}

const REGISTRY: &str = "the address of a package registry is the business of the machine that builds";
const MACHINE: &str = "a path of one machine means nothing on another";
const UNFINISHED: &str = "unfinished work is either done or told to the user";

const WORDS: &[Word] = &[
    Word { text: concat!("crates", ".io"), because: REGISTRY },
    Word { text: concat!("proxy.golang", ".org"), because: REGISTRY },
    Word { text: concat!("sum.golang", ".org"), because: REGISTRY },
    Word { text: concat!("deb.debian", ".org"), because: REGISTRY },
    Word { text: concat!("pypi", ".org"), because: REGISTRY },
    Word { text: concat!("registry.npmjs", ".org"), because: REGISTRY },
    Word { text: concat!("/work", "/"), because: MACHINE },
    Word { text: concat!("/root", "/"), because: MACHINE },
    Word { text: concat!("TO", "DO"), because: UNFINISHED },
    Word { text: concat!("FIX", "ME"), because: UNFINISHED },
    Word { text: concat!("XX", "X"), because: UNFINISHED },
    Word { text: concat!("unimplemented", "!"), because: UNFINISHED },
    Word { text: concat!("todo", "!"), because: UNFINISHED },
];

/// Files that tools write, with the addresses they need.
const WRITTEN_BY_TOOLS: &[&str] = &["Cargo.lock", "go.sum"];

/// Looks at every text file of the checkout that git does not ignore.
///
/// # Errors
/// Where the checkout cannot be walked or a file cannot be read.
pub fn check(workspace: &Workspace) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    for entry in WalkBuilder::new(&workspace.root).hidden(false).filter_entry(|e| e.file_name() != ".git").build() {
        let entry = entry?;
        let written_by_tool = WRITTEN_BY_TOOLS.iter().any(|name| entry.file_name() == *name);
        if entry.file_type().is_some_and(|kind| kind.is_file()) && !written_by_tool {
            findings.extend(check_file(workspace, entry.path())?);
        }
    }
    findings.sort();
    Ok(findings)
}

fn check_file(workspace: &Workspace, path: &Path) -> Result<Vec<Finding>, Error> {
    let bytes = fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let Ok(text) = String::from_utf8(bytes) else { return Ok(Vec::new()) };
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        findings.extend(WORDS.iter().filter(|word| word.stands_in(line)).map(|word| Finding {
            file: workspace.relative(path),
            line: index + 1,
            message: format!("`{}` must not stand here: {}", word.text, word.because),
        }));
    }
    Ok(findings)
}

impl Word {
    /// Whether it stands in a line by itself, not as a part of a longer word or path.
    fn stands_in(&self, line: &str) -> bool {
        line.match_indices(self.text).any(|(start, found)| {
            let before = line.get(..start).and_then(|before| before.chars().next_back());
            let after = line.get(start + found.len()..).and_then(|after| after.chars().next());
            let goes_on = is_letter(self.text.chars().next_back()) && is_letter(after);
            !(is_letter(before) || goes_on)
        })
    }
}

fn is_letter(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stands(text: &'static str, line: &str) -> bool {
        Word { text, because: "" }.stands_in(line)
    }

    #[test]
    fn whole_words_and_paths_only() {
        assert!(stands("abc", "// abc: later"));
        assert!(!stands("abc", "abcd") && !stands("abc", "_abc"));
        assert!(stands("/x/", "cd /x/y") && stands("/x/", "\"/x/y\""));
        assert!(!stands("/x/", "https://host/x/y"));
    }
}
