//! How much of a snapshot one host may take. Its table travels as a whole, and one that is too large for that would keep every
//! later snapshot from all hosts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use snapshot::HostPattern;

use super::{closed::told, precedence::Claim};
use crate::{NamespacedName, Problem, Reason, Severity, draft::Draft, notes::of_rules};

/// Bytes of the paths of one host, counted as below: half of what a frame may be.
const MOST: usize = 32 << 20;

/// Bytes of a route beside its path: names of objects, a backend, a redirect.
const ROUTE: usize = 1 << 10;

/// What is within a host's share.
pub(super) struct Share<'a> {
    /// In the order that they had.
    pub claims: Vec<Claim<'a>>,
    /// Why nothing of the host may be served: a path is left out to which access is restricted, and another one would serve
    /// what it kept shut.
    pub closed: Option<Arc<str>>,
}

/// Leaves the paths of the youngest Ingresses out where all together are too much; `drafts` are the most senior first.
pub(super) fn bounded<'a>(
    host: &HostPattern,
    drafts: &[&'a Draft],
    claims: Vec<Claim<'a>>,
    problems: &mut Vec<Problem>,
) -> Share<'a> {
    let out = too_much(drafts, &claims);
    if out.is_empty() {
        return Share { claims, closed: None };
    }
    let is_out = |draft: &Draft| out.contains(&draft.name);
    problems.extend(drafts.iter().filter(|draft| is_out(draft)).map(|draft| left_out(host, draft)));
    let restricted = drafts.iter().find(|draft| is_out(draft) && draft.why_denied().is_some());
    let closed = restricted.map(|draft| {
        let message = format!(
            "all paths of host {host} answer 503: those of {} are left out, which restricts access to them, because the host \
             has too many",
            draft.origin
        );
        problems.extend(drafts.iter().map(|draft| told(draft, &message)));
        message.into()
    });
    Share { claims: claims.into_iter().filter(|claim| !is_out(claim.draft)).collect(), closed }
}

/// Whose paths no longer fit.
fn too_much<'a>(drafts: &[&'a Draft], claims: &[Claim<'a>]) -> BTreeSet<&'a NamespacedName> {
    let mut sizes: BTreeMap<&NamespacedName, usize> = BTreeMap::new();
    for claim in claims {
        let size = sizes.entry(&claim.draft.name).or_default();
        *size = size.saturating_add(bytes(claim));
    }
    let mut used = 0_usize;
    let mut fits = |draft: &Draft| {
        let size = sizes.get(&draft.name).copied().unwrap_or_default();
        let sum = used.checked_add(size).filter(|sum| *sum <= MOST);
        used = sum.unwrap_or(used);
        sum.is_some()
    };
    drafts.iter().filter(|draft| !fits(draft)).map(|draft| &draft.name).collect()
}

/// Text may be twice as long in JSON.
fn bytes(claim: &Claim<'_>) -> usize {
    let denied = claim.draft.denied.as_ref().map_or(0, |reason| reason.len());
    let text = claim.route.path.len().saturating_add(claim.route.label.len()).saturating_add(denied);
    text.saturating_mul(2).saturating_add(ROUTE)
}

fn left_out(host: &HostPattern, draft: &Draft) -> Problem {
    let message = format!(
        "the paths of host {host} are too many, or too long, for one host: those of this Ingress are left out there, since \
         older ones come first"
    );
    of_rules(&draft.origin, Severity::Error, Reason::HostTooLarge, &message)
}
