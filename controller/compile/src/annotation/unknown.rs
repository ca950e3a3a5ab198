//! Keys under our prefix that are none of ours.

use super::{Effect, Verdict, elsewhere, find, registry};
use crate::Reason;
use crate::suggest::{self, Near};

/// What a key does that nobody knows. Where it is likely to be a misspelled one about access, its author relied on it:
/// the paths are denied.
pub(super) fn verdict(key: &str) -> Verdict {
    if let Some(known) = elsewhere::find(key) {
        return known.verdict();
    }
    let near = suggest::nearest(key, registry().flat_map(super::Annotation::names));
    let (effect, suggestion) = match near {
        Some(near) if near.is_slip() && restricts(near) => (Effect::Denied, Some(near.name)),
        _ => match cut_short(key) {
            Some(name) => (Effect::Denied, Some(name)),
            None => (Effect::Lessened, near.map(|near| near.name)),
        },
    };
    let message = match (effect, suggestion) {
        (Effect::Denied, Some(name)) => {
            format!("is not a known key, and `{name}` is likely to be meant: {}", effect.consequence())
        }
        (_, Some(name)) => format!("is not a known key; did you mean `{name}`?"),
        (_, None) => "is not a known key".to_owned(),
    };
    Verdict { effect, reason: Reason::UnknownAnnotation, message }
}

fn restricts(near: Near<'_>) -> bool {
    find(near.name).is_some_and(super::Annotation::is_about_access)
}

/// The key about access of which this is the beginning, or the other way round: `whitelist-source`, `auth-url-v2`.
fn cut_short(key: &str) -> Option<&'static str> {
    let key = key.to_lowercase().replace('_', "-");
    let begins = |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('-'));
    let access = registry().filter(|annotation| annotation.is_about_access());
    let mut names = access.flat_map(super::Annotation::names);
    names.find(|name| begins(name, &key) || begins(&key, name))
}
