//! Which route of a host comes before which, and who gets a path that two want.

use std::cmp::Reverse;

use snapshot::HostPattern;

use crate::{
    Problem, Reason,
    draft::{Draft, PathClass, RouteDraft},
    notes::Notes,
    service::Resolved,
};

/// A draft's wish to serve a path of a host.
pub(super) struct Claim<'a> {
    pub draft: &'a Draft,
    pub route: &'a RouteDraft,
    pub backend: &'a Resolved,
}

/// What a claim's path matches. Ordered as paths are tried: exact ones, then the longest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path<'a> {
    is_prefix: bool,
    length: Reverse<usize>,
    text: &'a str,
}

impl Path<'_> {
    pub fn is_everything(&self) -> bool {
        self.is_prefix && self.text.is_empty()
    }
}

impl Claim<'_> {
    pub fn path(&self) -> Path<'_> {
        let text = &*self.route.path;
        Path { is_prefix: self.route.class != PathClass::Exact, length: Reverse(text.len()), text }
    }
}

/// Sorts the claims of a host and leaves one for each path: the class decides, then seniority, in which order `claims`
/// are. Who loses gets a problem that names the winner.
pub(super) fn settle<'a>(host: &HostPattern, mut claims: Vec<Claim<'a>>) -> (Vec<Claim<'a>>, Vec<Problem>) {
    claims.sort_by(|a, b| (a.path(), a.route.class).cmp(&(b.path(), b.route.class)));
    let mut winners: Vec<Claim<'a>> = Vec::with_capacity(claims.len());
    let mut problems = Vec::new();
    for claim in claims {
        match winners.last() {
            Some(winner) if winner.path() == claim.path() => problems.extend(lost(host, &claim, winner)),
            _ => winners.push(claim),
        }
    }
    (winners, problems)
}

fn lost(host: &HostPattern, loser: &Claim<'_>, winner: &Claim<'_>) -> Vec<Problem> {
    let own = loser.draft.name == winner.draft.name;
    // One's own rule before one's own default, or the same thing said twice, is no conflict.
    if own && (loser.route.class == PathClass::Default || loser.route.backend == winner.route.backend) {
        return Vec::new();
    }
    let (label, by) = (&loser.route.label, &winner.draft.origin);
    let why = match (own, loser.route.class == winner.route.class) {
        (true, true) => format!("{} of the same Ingress has it already", winner.route.place),
        (false, true) => format!("{by} has it already and is older (or of the same age, and its name is greater)"),
        (_, false) => format!("{} of {by} comes first by its type", winner.route.place),
    };
    let mut notes = Notes::new(&loser.draft.origin);
    notes.error(
        &loser.route.place.to_string(),
        Reason::PathConflict,
        format!("path {label} of host {host} is not served from here: {why}"),
    );
    notes.into_problems()
}
