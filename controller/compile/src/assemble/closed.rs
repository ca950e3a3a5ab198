//! Hosts of which nothing may be served: one object restricts access to the whole host in a way that is not served, or one
//! restricts it to some paths and one, the same or another, makes patterns of all of them.
//!
//! Nobody can tell which requests a pattern that is not served would have matched. Denied as plain text, its path would let
//! them through to the other paths of the host; patterns know no case, too, so `/ADMIN` would get past what is said of `/admin`.

use std::sync::Arc;

use snapshot::HostPattern;

use super::Claims;
use crate::{Problem, Reason, Severity, draft::Draft, notes::of_rules, policy::Policy};

/// Why all paths of a host must answer 503. Who finds his paths closed by somebody
/// else gets a problem, unless `global` settings close everything anyway.
pub(super) fn of_host(
    host: &HostPattern,
    claims: &Claims<'_>,
    global: &Policy,
    problems: &mut Vec<Problem>,
) -> Option<Arc<str>> {
    if global.denied.is_some() {
        return global.denied.clone();
    }
    let drafts = &claims.drafts;
    if let Some((by, why)) = drafts.iter().find_map(|draft| Some((&draft.origin, draft.host_denied.as_ref()?))) {
        let message = format!(
            "all paths of host {host} answer 503 on account of {by}, which restricts access to the host as a whole in a way \
             that is not served"
        );
        let others = drafts.iter().filter(|draft| draft.host_denied.is_none());
        problems.extend(others.map(|draft| told(draft, &message)));
        return Some(Arc::clone(why));
    }
    let message = restricted_patterns(host, claims)?;
    problems.extend(drafts.iter().map(|draft| told(draft, &message)));
    Some(message.into())
}

fn restricted_patterns(host: &HostPattern, claims: &Claims<'_>) -> Option<String> {
    let patterns = claims.patterns?;
    let restricted = claims.drafts.iter().find(|draft| draft.why_denied().is_some())?;
    let is_both = restricted.name == patterns.name && restricted.denied.is_some();
    let maker = if is_both { "it".to_owned() } else { patterns.origin.to_string() };
    Some(format!(
        "{} restricts access to paths of host {host}, and {maker} makes patterns of all paths there, which are not served yet: \
         all of them answer 503 meanwhile",
        restricted.restricted_by()
    ))
}

/// Tells somebody that a host of his is closed.
pub(super) fn told(draft: &Draft, message: &str) -> Problem {
    of_rules(&draft.origin, Severity::Error, Reason::HostClosed, message)
}
