//! Whose rule about clients' certificates holds on a host.
//!
//! The handshake comes before any path is known, so there can be one rule only. Whoever states another one is denied
//! there: what he wants asked for is not what is asked for.

use std::{collections::BTreeMap, sync::Arc};

use snapshot::{ClientAuth, ClientCertRule, Deny, HostPattern, VerifyClient};

use super::host::{Settled, settle};
use crate::{
    NamespacedName, Problem, Reason, Severity,
    client_ca::ClientCas,
    draft::{ClientCertAsk, Draft},
    notes::{Notes, of_rules},
};

/// What comes of a host's rules.
#[derive(Default)]
pub(super) struct HostCertRule<'a> {
    /// The one that holds.
    pub rule: Option<Arc<ClientCertRule>>,
    /// Why nothing of the host may be served.
    pub denied: Option<Deny>,
    /// Whose paths may not be served there.
    pub refused: BTreeMap<&'a NamespacedName, Deny>,
}

/// The status of what is denied on account of clients' certificates, as in ingress-nginx.
const FORBIDDEN: u16 = 403;

/// Finds it, among the drafts of a host, the most senior first. `prefix` is that of annotations.
pub(super) fn of_host<'a>(
    host: &HostPattern,
    drafts: &[&'a Draft],
    cas: &ClientCas,
    prefix: &str,
    problems: &mut Vec<Problem>,
) -> HostCertRule<'a> {
    let Some(settled) = settle(drafts, |draft| draft.stated.client_cert.as_ref()) else {
        return HostCertRule::default();
    };
    let missing = drafts.iter().filter_map(|draft| Some((*draft, missing(draft, cas, prefix, problems)?)));
    let closed = missing.collect::<Vec<_>>().into_iter().next();
    let (winner, ask) = settled.winner;
    problems.extend(match &closed {
        Some((by, _)) => told_closed(host, by, drafts, cas),
        None => told_rule(host, winner, ask, drafts),
    });
    let mut found = HostCertRule { denied: closed.map(|(_, deny)| deny), ..HostCertRule::default() };
    if let Ok(ca) = cas.find(&ask.secret) {
        let auth = ask.verify.map(|verify| ClientAuth { ca: Arc::clone(ca), verify, depth: ask.depth });
        found.rule = Some(Arc::new(rule(winner, ask, auth.map(Arc::new))));
    }
    for loser in &settled.losers {
        found.refused.insert(&loser.name, lost(host, loser, &settled, prefix, problems));
    }
    found
}

fn rule(winner: &Draft, ask: &ClientCertAsk, auth: Option<Arc<ClientAuth>>) -> ClientCertRule {
    ClientCertRule {
        origin: Arc::clone(&winner.origin),
        auth,
        subject: ask.subject.clone(),
        pass_certificate: ask.pass_certificate,
        error_page: ask.error_page.clone(),
    }
}

/// A CA that is missing closes the host, whoever names it, as in ingress-nginx.
fn missing(draft: &Draft, cas: &ClientCas, prefix: &str, problems: &mut Vec<Problem>) -> Option<Deny> {
    let ask = draft.stated.client_cert.as_ref()?;
    let error = cas.find(&ask.secret).err()?;
    let message = format!(
        "{error}; nobody can be told from anybody else without it, so all paths of the Ingress's hosts answer {FORBIDDEN}"
    );
    problems.extend(problem(draft, prefix, Reason::ClientCaUnusable, message.clone()));
    Some(Deny { status: FORBIDDEN, reason: message.into() })
}

/// Tells those whose paths a CA has closed that is missing to somebody else.
fn told_closed(host: &HostPattern, by: &Draft, drafts: &[&Draft], cas: &ClientCas) -> Vec<Problem> {
    let secret = |draft: &Draft| draft.stated.client_cert.as_ref().map(|ask| ask.secret.clone());
    // One that nobody has named so far may be there, and come with the Ingress that names it.
    let reason = if secret(by).is_some_and(|secret| cas.is_known(&secret)) {
        Reason::HostClosed
    } else {
        Reason::ClientCaUnusable
    };
    let message = format!(
        "all paths of host {host} answer {FORBIDDEN} on account of {}, which asks for client certificates there and has no CA \
         to check them with",
        by.origin
    );
    let others = drafts.iter().filter(|draft| secret(draft).is_none_or(|secret| cas.find(&secret).is_ok()));
    others.map(|draft| of_rules(&draft.origin, Severity::Error, reason, &message)).collect()
}

/// Tells those who state no rule that nobody without a certificate, or without the right one, gets at their paths. A subject
/// is looked at whatever else is asked for: who needs no certificate still cannot do without it.
fn told_rule(host: &HostPattern, by: &Draft, ask: &ClientCertAsk, drafts: &[&Draft]) -> Vec<Problem> {
    let without = match (&ask.subject, ask.verify) {
        (Some(_), _) => "one whose subject `auth-tls-match-cn` of that Ingress takes",
        (None, Some(VerifyClient::Required)) => "one",
        (None, Some(VerifyClient::Optional | VerifyClient::OptionalNoCa) | None) => return Vec::new(),
    };
    let message = format!(
        "on host {host} the rule about client certificates of {} holds: nobody without {without} gets at the paths of this \
         Ingress either",
        by.origin
    );
    let others = drafts.iter().filter(|draft| draft.stated.client_cert.is_none());
    let problem = |draft: &&Draft| {
        // Who shares a namespace is likely to have meant it for all of the host.
        let is_own = draft.name.namespace == by.name.namespace;
        let severity = if is_own { Severity::Warning } else { Severity::Error };
        of_rules(&draft.origin, severity, Reason::ClientCertImposed, &message)
    };
    others.map(problem).collect()
}

fn lost(
    host: &HostPattern,
    loser: &Draft,
    settled: &Settled<'_, ClientCertAsk>,
    prefix: &str,
    problems: &mut Vec<Problem>,
) -> Deny {
    let by = &settled.winner.0.origin;
    let message = format!(
        "on host {host} another rule about client certificates holds, that of {by}, which is older (or of the same age, and \
         its name is greater): the paths of this Ingress answer {FORBIDDEN} there"
    );
    problems.extend(problem(loser, prefix, Reason::ClientCertConflict, message.clone()));
    Deny { status: FORBIDDEN, reason: message.into() }
}

/// A rule says nothing of requests that come in the clear: where the winner's own paths answer those, he should know.
pub(super) fn note_clear(
    host: &HostPattern,
    rule: &ClientCertRule,
    answers_in_the_clear: bool,
    prefix: &str,
    problems: &mut Vec<Problem>,
) {
    if rule.auth.is_none() || rule.subject.is_some() || !answers_in_the_clear {
        return;
    }
    let mut notes = Notes::new(&rule.origin);
    let message = format!(
        "no client certificate can be asked for over plain http, and host {host} answers there too: send it to https, by \
         `spec.tls` or by `force-ssl-redirect`"
    );
    notes.warning(&field(prefix), Reason::ClientCertInTheClear, message);
    problems.extend(notes.into_problems());
}

fn problem(draft: &Draft, prefix: &str, reason: Reason, message: String) -> Vec<Problem> {
    let mut notes = Notes::new(&draft.origin);
    notes.error(&field(prefix), reason, message);
    notes.into_problems()
}

fn field(prefix: &str) -> String {
    format!("metadata.annotations[{prefix}/auth-tls-secret]")
}
