//! How much of a snapshot one host may take. Its table travels as a whole, and one that is too large for that is replaced by
//! one that answers nobody: whoever adds paths to a host that is shared would close it to all the others.
//!
//! What fits is decided before it is decided who gets a path that two want. The other way round a path would go to somebody who
//! is left out, and then to a shorter one, past those who lost it and past what they restrict.

use std::{collections::BTreeSet, sync::Arc};

use snapshot::{HostPattern, frame::MAX_FRAME};

use super::{closed::told, precedence::Claim};
use crate::{NamespacedName, Problem, Reason, Severity, draft::Draft, notes::of_rules};

/// Bytes of the routes of one host, as JSON. The rest of a frame is for what is of the host as a whole: a rule about client
/// certificates holds two annotations, and all those of an object are no longer than 256 KiB together.
const MOST: usize = MAX_FRAME / 4 * 3;

/// Bytes of a route beside its texts, at most.
const ROUTE: usize = 576;

/// Why nothing of a host may be served of which a restricted path is left out. It stands at each route, and its length counts
/// before anybody knows whether it will.
const CLOSED: &str = "the host has too many paths, and access is restricted to some of those that are left out";

/// What is within a host's share.
pub(super) struct Share<'a> {
    /// In the order that they had.
    pub claims: Vec<Claim<'a>>,
    /// Why nothing of the host may be served: a path is left out to which access is restricted, and another one would serve
    /// what it kept shut.
    pub closed: Option<Arc<str>>,
    /// That, for everybody on the host; of no use where it is closed for another reason.
    pub told: Vec<Problem>,
}

/// Takes in one Ingress after the other, `claims` of the most senior first, and leaves out the paths of each that no longer
/// fits; a smaller one after it may. `denial` is why routes of a draft are denied.
pub(super) fn bounded<'a>(
    host: &HostPattern,
    drafts: &[&Draft],
    claims: Vec<Claim<'a>>,
    denial: impl Fn(&Draft) -> Option<Arc<str>>,
    problems: &mut Vec<Problem>,
) -> Share<'a> {
    let out = too_much(&claims, denial);
    if out.is_empty() {
        return Share { claims, closed: None, told: Vec::new() };
    }
    let is_out = |draft: &Draft| out.contains(&draft.name);
    problems.extend(drafts.iter().filter(|draft| is_out(draft)).map(|draft| left_out(host, draft)));
    let restricted = drafts.iter().find(|draft| is_out(draft) && draft.why_denied().is_some());
    let message = restricted.map(|draft| {
        format!(
            "all paths of host {host} answer 503: those of {} are left out, because the host has too many, and {} restricts \
             access to them",
            draft.origin,
            draft.restricted_by()
        )
    });
    let told = message.iter().flat_map(|message| drafts.iter().map(|draft| told(draft, message))).collect();
    let claims = claims.into_iter().filter(|claim| !is_out(claim.draft)).collect();
    Share { claims, closed: restricted.map(|_| CLOSED.into()), told }
}

/// Whose paths no longer fit.
fn too_much<'a>(claims: &[Claim<'a>], denial: impl Fn(&Draft) -> Option<Arc<str>>) -> BTreeSet<&'a NamespacedName> {
    let mut left = MOST;
    let mut out = BTreeSet::new();
    for own in claims.chunk_by(|a, b| std::ptr::eq(a.draft, b.draft)) {
        let Some(Claim { draft, .. }) = own.first() else { continue };
        let denied = denial(draft).map_or(0, |reason| json(&reason)).max(json(CLOSED));
        let origin = json(&draft.origin.namespace).saturating_add(json(&draft.origin.name));
        match left.checked_sub(size(own, ROUTE.saturating_add(denied).saturating_add(origin))) {
            Some(rest) => left = rest,
            None => drop(out.insert(&draft.name)),
        }
    }
    out
}

/// Bytes of the routes that may come of the claims of one draft, each with `beside`. What it says twice of a path becomes one
/// route, whichever: a host may come in 94,000 rules of an Ingress, each of which has its default backend.
fn size(own: &[Claim<'_>], beside: usize) -> usize {
    let mut paths: Vec<_> = own.iter().map(|claim| (claim.path(), texts(claim))).collect();
    // The longest of each path is the one that stays.
    paths.sort_unstable_by(|a, b| b.cmp(a));
    paths.dedup_by(|a, b| a.0 == b.0);
    paths.iter().map(|(_, texts)| texts.saturating_add(beside)).fold(0, usize::saturating_add)
}

/// Bytes of the texts that a route has for itself.
fn texts(claim: &Claim<'_>) -> usize {
    let backend = match claim.backend {
        Ok(upstream) => upstream.as_str(),
        Err(reason) => reason,
    };
    [&*claim.route.path, &*claim.route.label, backend].into_iter().map(json).sum()
}

/// Bytes of a text in JSON, without its quotes.
fn json(text: &str) -> usize {
    let escaped = |byte| match byte {
        b'"' | b'\\' | b'\x08' | b'\t' | b'\n' | b'\x0c' | b'\r' => 2,
        ..b' ' => 6,
        _ => 1,
    };
    text.bytes().map(escaped).sum()
}

fn left_out(host: &HostPattern, draft: &Draft) -> Problem {
    let message = format!(
        "the paths of host {host} are too many, or too long, for one host: those of this Ingress are left out there, since \
         older ones come first"
    );
    of_rules(&draft.origin, Severity::Error, Reason::HostTooLarge, &message)
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU64, time::Duration};

    use snapshot::{Action, Deny, Filter, Forward, HttpsRedirect, Origin, PathMatch, Retry, Route, Timeouts};

    use super::*;

    #[test]
    fn a_text_is_as_long_as_in_json() {
        let all: String = (0..0x250).filter_map(char::from_u32).collect();
        for text in ["", "/a", "\"\\/\"", "/caf\u{e9}\u{1f30a}", &all] {
            assert_eq!(json(text) + 2, serde_json::to_string(text).unwrap().len(), "{text}");
        }
    }

    /// Fails to compile with a variant that the list below has not: add its longest value there.
    fn is_in_the_list(route: &Route) {
        for filter in &route.filters {
            match filter {
                Filter::Deny(Deny { status: _, reason: _ })
                | Filter::HttpsRedirect(HttpsRedirect { status: _, preserve_trailing_slash: _ }) => {}
            }
        }
        match &route.then {
            Action::Forward(_) | Action::Respond { status: _, reason: _ } => {}
        }
    }

    /// All that a route may hold, with numbers as long as they get.
    #[test]
    fn a_route_is_no_longer_than_its_texts_and_what_is_counted_beside() {
        let most = Duration::new(u64::MAX, 999_999_999);
        let route = Route {
            origin: Arc::new(Origin::new("Ingress", "", "")),
            path: PathMatch::Prefix("".into()),
            label: "".into(),
            max_body: NonZeroU64::new(u64::MAX),
            filters: vec![
                Filter::Deny(Deny { status: 503, reason: "".into() }),
                Filter::HttpsRedirect(HttpsRedirect { status: 308, preserve_trailing_slash: true }),
            ],
            then: Action::Forward(Forward {
                upstream: "".into(),
                timeouts: Timeouts { connect: most, read: most, send: most },
                retry: Retry { tries: u32::MAX, timeout: most },
            }),
        };
        is_in_the_list(&route);
        let length = serde_json::to_vec(&route).unwrap().len() + ",".len();
        assert!(length <= ROUTE && length > ROUTE / 2, "{length}");
    }
}
