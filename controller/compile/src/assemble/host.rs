//! What holds for a host as a whole, whichever of its objects states it.

use std::sync::Arc;

use snapshot::{Ciphers, ClientAuth, HostHsts, HostPattern, HostTls, Hsts};

use crate::{Problem, Reason, draft::Draft, notes::Notes};

/// Who states something of a host.
pub(super) struct Settled<'a, T> {
    /// The most senior draft that does, and what.
    pub winner: (&'a Draft, &'a T),
    /// Those that state something else.
    pub losers: Vec<&'a Draft>,
}

/// Whose word holds, among the drafts of a host, the most senior first; none where nobody states anything.
pub(super) fn settle<'a, T: PartialEq>(
    drafts: &[&'a Draft],
    stated: impl Fn(&'a Draft) -> Option<&'a T>,
) -> Option<Settled<'a, T>> {
    let mut all = drafts.iter().filter_map(|draft| Some((*draft, stated(draft)?)));
    let winner = all.next()?;
    let losers = all.filter(|(_, value)| *value != winner.1).map(|(draft, _)| draft).collect();
    Some(Settled { winner, losers })
}

/// The cipher suites of a host, where its objects or the most senior one's class want others than `global` ones. `prefix` is
/// that of annotations.
pub(super) fn ciphers(
    host: &HostPattern,
    drafts: &[&Draft],
    global: &Ciphers,
    prefix: &str,
    problems: &mut Vec<Problem>,
) -> Option<Ciphers> {
    let suites = settle(drafts, |draft| draft.stated.ssl_ciphers.as_ref());
    let order = settle(drafts, |draft| draft.stated.ssl_prefer_server_ciphers.as_ref());
    problems.extend(suites.iter().flat_map(|settled| lost(host, &format!("{prefix}/ssl-ciphers"), settled)));
    problems
        .extend(order.iter().flat_map(|settled| lost(host, &format!("{prefix}/ssl-prefer-server-ciphers"), settled)));
    let of_class = settle(drafts, |draft| Some(&draft.policy.ciphers));
    if suites.is_none() || order.is_none() {
        problems.extend(of_class.iter().flat_map(|settled| lost_class(host, "the cipher suites", settled)));
    }
    let base = of_class.map_or(global, |settled| settled.winner.1);
    let ciphers = Ciphers {
        suites: suites.map_or(&base.suites, |settled| settled.winner.1).clone(),
        server_order: order.map_or(base.server_order, |settled| *settled.winner.1),
    };
    (ciphers != *global).then_some(ciphers)
}

/// `Strict-Transport-Security` of a host, where its most senior object's class wants another than `global`.
pub(super) fn hsts(
    host: &HostPattern,
    drafts: &[&Draft],
    global: Option<Hsts>,
    problems: &mut Vec<Problem>,
) -> Option<HostHsts> {
    let settled = settle(drafts, |draft| Some(&draft.policy.hsts))?;
    problems.extend(lost_class(host, "`hsts`", &settled));
    let own = *settled.winner.1;
    (own != global).then(|| own.map_or(HostHsts::Off, HostHsts::On))
}

/// Of two classes on one host.
fn lost_class<T>(host: &HostPattern, what: &str, settled: &Settled<'_, T>) -> Vec<Problem> {
    let problem = |loser: &&Draft| {
        let mut notes = Notes::new(&loser.origin);
        let by = &settled.winner.0.origin;
        let message = format!(
            "what its class says of {what} is of a host as a whole, and on {host} the class of {by} counts, which is older (or \
             of the same age, and its name is greater)"
        );
        notes.warning("spec.ingressClassName", Reason::HostConflict, message);
        notes.into_problems()
    };
    settled.losers.iter().flat_map(problem).collect()
}

fn lost<T>(host: &HostPattern, key: &str, settled: &Settled<'_, T>) -> Vec<Problem> {
    let problem = |loser: &&Draft| {
        let mut notes = Notes::new(&loser.origin);
        let by = &settled.winner.0.origin;
        let message = format!(
            "is of a host as a whole, and on {host} that of {by} holds, which is older (or of the same age, and its name is \
             greater)"
        );
        notes.warning(&format!("metadata.annotations[{key}]"), Reason::HostConflict, message);
        notes.into_problems()
    };
    settled.losers.iter().flat_map(problem).collect()
}

/// The entry of a listener for a host, where it is not spoken to as all others are.
pub(super) fn host_tls(ciphers: Option<Ciphers>, client_auth: Option<Arc<ClientAuth>>) -> Option<Arc<HostTls>> {
    (ciphers.is_some() || client_auth.is_some()).then(|| Arc::new(HostTls { ciphers, client_auth }))
}
