//! One key of the ConfigMap that is served.

use super::{Settings, class::Scope};

/// What holds in words, for the end of a sentence, and as a setting.
pub(super) type Closing = (&'static str, fn(&mut Settings));

/// A key of the ConfigMap: what it means and how its value is read.
pub(super) struct Setting {
    /// The key, as in ingress-nginx.
    pub(super) key: &'static str,
    /// What its value looks like.
    pub(super) value: &'static str,
    /// The default, as it would be written.
    pub(super) default: &'static str,
    /// What it means.
    pub(super) doc: &'static str,
    /// A value other than the default.
    pub(super) example: &'static str,
    /// What holds while the value cannot be used; none: the default.
    pub(super) fail_closed: Option<Closing>,
    /// Whether it may differ between classes.
    pub(super) scope: Scope,
    /// Takes the value into the settings, or says what is wrong with it.
    pub(super) parse: fn(&str, &mut Settings) -> Result<(), String>,
}

impl Setting {
    /// Whether a value says what holds without the key.
    pub(super) fn is_default(&self, value: &str) -> bool {
        let mut settings = Settings::default();
        (self.parse)(value, &mut settings).is_ok() && settings == Settings::default()
    }

    /// What holds while the value cannot be used, for the end of a sentence.
    pub(super) fn otherwise(&self) -> String {
        match self.fail_closed {
            Some((words, _)) => words.to_owned(),
            None if self.default.is_empty() => "it counts as empty".to_owned(),
            None => format!("the default, `{}`, holds", self.default),
        }
    }
}
