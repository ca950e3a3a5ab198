//! Ingresses of one host, of which some say how TLS is spoken to backends and some do not.

use std::{collections::BTreeMap, sync::Arc};

use snapshot::HostPattern;

use crate::{Problem, Reason, draft::Draft, notes::Notes};

/// In ingress-nginx, what the oldest Ingress of a host says of TLS to backends holds for those that say nothing; here it
/// holds for its own backends, so that nobody's certificate is shown to the backends of others. Who may have relied on it
/// is told. The most senior draft is the first.
pub(super) fn problems(drafts: &[Arc<Draft>], prefix: &str) -> Vec<Problem> {
    let mut first: BTreeMap<&HostPattern, &Draft> = BTreeMap::new();
    let names_a_secret =
        |draft: &&Arc<Draft>| draft.stated.upstream.as_ref().is_some_and(|upstream| upstream.tls.secret.is_some());
    for draft in drafts.iter().filter(names_a_secret) {
        for host in &draft.hosts {
            first.entry(&host.host).or_insert(draft);
        }
    }
    let silent = |draft: &&Arc<Draft>| {
        let Some(upstream) = &draft.stated.upstream else { return false };
        upstream.tls.secret.is_none() && upstream.protocol.is_some_and(|protocol| protocol.tls().is_some())
    };
    drafts.iter().filter(silent).flat_map(|draft| inherited(draft, &first, prefix)).collect()
}

fn inherited(draft: &Draft, first: &BTreeMap<&HostPattern, &Draft>, prefix: &str) -> Vec<Problem> {
    let Some((host, other)) = draft.hosts.iter().find_map(|host| Some((&host.host, first.get(&host.host)?))) else {
        return Vec::new();
    };
    let mut notes = Notes::new(&draft.origin);
    let message = format!(
        "`proxy-ssl-secret` of {} holds for its own backends alone; ingress-nginx would use it for those of this Ingress \
         too, because both serve {host}: state it here too where it is wanted",
        other.origin
    );
    notes.warning(&format!("metadata.annotations[{prefix}/backend-protocol]"), Reason::ProxySslNotShared, message);
    notes.into_problems()
}
