//! Label selectors as text.
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

/// Requirements on labels, all of which must hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

#[derive(Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    rule: Rule,
}

#[derive(Debug, PartialEq, Eq)]
enum Rule {
    Exists,
    Missing,
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
}

impl Selector {
    /// Whether it holds for everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of it holds for these labels.
    pub fn matches(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        self.0.iter().all(|requirement| requirement.holds(labels.and_then(|labels| labels.get(&requirement.key))))
    }
}

impl Requirement {
    fn holds(&self, value: Option<&String>) -> bool {
        match &self.rule {
            Rule::Exists => value.is_some(),
            Rule::Missing => value.is_none(),
            Rule::In(values) => value.is_some_and(|value| values.contains(value)),
            // A label that is not there is not among the values either.
            Rule::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
        }
    }
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self(Vec::new()));
        }
        split_requirements(text)?.into_iter().map(requirement).collect::<Result<_, _>>().map(Self)
    }
}

/// Splits at the commas outside of parentheses.
fn split_requirements(text: &str) -> Result<Vec<&str>, String> {
    let mut inside = false;
    for character in text.chars() {
        inside = match (character, inside) {
            ('(', false) => true,
            (')', true) => false,
            ('(' | ')', _) => return Err(format!("unbalanced parentheses in {text:?}")),
            _ => inside,
        };
    }
    if inside {
        return Err(format!("unbalanced parentheses in {text:?}"));
    }
    let mut depth = 0_u32;
    let separates = |character: char| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    };
    Ok(text.split(separates).map(str::trim).collect())
}

fn requirement(text: &str) -> Result<Requirement, String> {
    if let Some(key) = text.strip_prefix('!') {
        return Ok(Requirement { key: label_key(key)?, rule: Rule::Missing });
    }
    if let Some(body) = text.strip_suffix(')') {
        return set_requirement(body, text);
    }
    // `!=` before `=`, or the key would end in an exclamation mark.
    if let Some((key, value)) = text.split_once("!=") {
        return Ok(Requirement { key: label_key(key)?, rule: Rule::NotIn([label_value(value)?].into()) });
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok(Requirement { key: label_key(key)?, rule: Rule::In([label_value(value)?].into()) });
    }
    Ok(Requirement { key: label_key(text)?, rule: Rule::Exists })
}

/// `KEY in (A, B` and `KEY notin (A, B`, the closing parenthesis taken off.
fn set_requirement(body: &str, text: &str) -> Result<Requirement, String> {
    let invalid = || format!("{text:?} is neither KEY in (VALUES) nor KEY notin (VALUES)");
    let (head, values) = body.split_once('(').ok_or_else(invalid)?;
    let (key, operator) = head.trim().split_once(char::is_whitespace).ok_or_else(invalid)?;
    let values = values.split(',').map(label_value).collect::<Result<_, _>>()?;
    let rule = match operator.trim() {
        "in" => Rule::In(values),
        "notin" => Rule::NotIn(values),
        _ => return Err(invalid()),
    };
    Ok(Requirement { key: label_key(key)?, rule })
}

/// An optional DNS prefix and a name.
fn label_key(text: &str) -> Result<String, String> {
    let key = text.trim();
    let (prefix, name) = key.rsplit_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let prefix_is_fine = prefix.is_none_or(|prefix| {
        !prefix.is_empty()
            && prefix.len() <= 253
            && prefix.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
    });
    if name.is_empty() || !prefix_is_fine || !is_label_text(name) {
        return Err(format!("{key:?} is no label key"));
    }
    Ok(key.to_owned())
}

fn label_value(text: &str) -> Result<String, String> {
    let value = text.trim();
    if !is_label_text(value) {
        return Err(format!("{value:?} is no label value"));
    }
    Ok(value.to_owned())
}

fn is_label_text(text: &str) -> bool {
    let ends_well = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && ends_well(text.chars().next())
        && ends_well(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: &str, labels: &[(&str, &str)]) -> bool {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        selector.parse::<Selector>().unwrap().matches(Some(&labels))
    }

    #[test]
    fn equality() {
        assert!(matches("team=a", &[("team", "a")]));
        assert!(matches("team == a , env!=prod", &[("team", "a"), ("env", "dev")]));
        assert!(!matches("team=a,env!=prod", &[("team", "a"), ("env", "prod")]));
        assert!(matches("env!=prod", &[]));
        assert!(matches("empty=", &[("empty", "")]));
    }

    #[test]
    fn sets() {
        assert!(matches("env in (dev, test),team", &[("env", "test"), ("team", "x")]));
        assert!(!matches("env in (dev,test)", &[]));
        assert!(matches("env notin (prod)", &[]));
        assert!(!matches("env notin (prod)", &[("env", "prod")]));
        assert!(matches("!secret", &[("kubernetes.io/metadata.name", "x")]));
        assert!(!matches("!kubernetes.io/metadata.name", &[("kubernetes.io/metadata.name", "x")]));
    }

    #[test]
    fn nothing_matches_everything() {
        assert!(" ".parse::<Selector>().unwrap().is_empty());
        assert!("".parse::<Selector>().unwrap().matches(None));
    }

    #[test]
    fn refuses_what_kubernetes_refuses() {
        for bad in [
            "a in b",
            "a in (b",
            "a)",
            "(a)",
            "a within (b)",
            ",a",
            "a,",
            "a=b=c",
            "-a",
            "a=-b",
            "/a",
            "a in ((b))",
            "ä",
        ] {
            assert!(bad.parse::<Selector>().is_err(), "{bad}");
        }
    }
}
