//! Which certificate answers which server name, and which hosts redirect to https.
//!
//! As in ingress-nginx: an entry of `spec.tls` concerns the hosts of its own Ingress's rules; an entry that lists the
//! host comes first, then one whose certificate names it; a certificate that does not cover the host gives way to the
//! default one. Beyond that, and as Kubernetes has it, a listed wildcard covers the hosts under it, and an entry that
//! lists no host is for all hosts of its Ingress.

mod entries;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use snapshot::{CertId, HostPattern, Origin};

use crate::{
    Problem, Reason,
    cert::{Certs, Pair},
    draft::{Draft, TlsDraft, TlsHosts},
    notes::Notes,
};
use entries::Entries;

/// What `spec.tls` of all drafts comes to.
pub(super) struct Tls {
    pub sni: BTreeMap<HostPattern, CertId>,
    pub default_cert: Option<CertId>,
    /// The hosts that some draft's `spec.tls` covers, also if its certificate is missing.
    pub covered: BTreeSet<HostPattern>,
    pub problems: Vec<Problem>,
}

/// Gives each of `hosts` the certificate of the most senior draft that has a usable one.
pub(super) fn assign(drafts: &[Arc<Draft>], certs: &Certs, hosts: &BTreeSet<&HostPattern>) -> Tls {
    let mut assigner = Assigner::new(certs, hosts);
    let with_tls = || drafts.iter().filter(|draft| !draft.tls.is_empty());
    for draft in with_tls() {
        assigner.hosts_of_rules(draft);
    }
    for draft in with_tls() {
        assigner.names_under_rules(draft);
    }
    let default_cert = certs.default.as_ref().and_then(|secret| certs.find(secret).ok()).map(|pair| pair.id.clone());
    let sni = assigner.sni.into_iter().map(|(host, (id, _))| (host, id)).collect();
    Tls { sni, default_cert, covered: assigner.covered, problems: assigner.problems }
}

struct Assigner<'a> {
    certs: &'a Certs,
    hosts: &'a BTreeSet<&'a HostPattern>,
    /// With the object that the certificate is served for.
    sni: BTreeMap<HostPattern, (CertId, Arc<Origin>)>,
    covered: BTreeSet<HostPattern>,
    problems: Vec<Problem>,
}

impl<'a> Assigner<'a> {
    fn new(certs: &'a Certs, hosts: &'a BTreeSet<&'a HostPattern>) -> Self {
        Self { certs, hosts, sni: BTreeMap::new(), covered: BTreeSet::new(), problems: Vec::new() }
    }

    fn hosts_of_rules(&mut self, draft: &Draft) {
        let mut notes = Notes::new(&draft.origin);
        for tls in &draft.tls {
            if let Some(Err(error)) = tls.secret.as_ref().map(|secret| self.certs.find(secret)) {
                let message = format!("{error}; the default certificate is served instead");
                notes.error(&secret_field(tls), Reason::CertificateUnusable, message);
            }
        }
        let entries = Entries::new(draft, self.certs);
        for host in own_hosts(draft) {
            let Some(tls) = entries.find(host) else { continue };
            self.covered.insert(host.clone());
            // Every host: the names that it is asked by come later.
            let Some(pair) = pair(tls, self.certs).filter(|_| *host != HostPattern::Any) else { continue };
            if !pair.names.cover(host) {
                let message = format!("its certificate does not cover host {host}; the default one is served there");
                notes.warning(&secret_field(tls), Reason::CertificateNotForHost, message);
            } else if let Err(message) = self.claim(host, pair, draft) {
                notes.warning(&secret_field(tls), Reason::CertificateConflict, message);
            }
        }
        self.problems.extend(notes.into_problems());
    }

    /// Names that an entry lists (or its certificate has, where it lists none) and that a less specific rule of the same
    /// object serves: a listed name under a wildcard rule, any name with a rule for every host.
    fn names_under_rules(&mut self, draft: &Draft) {
        let mut notes = Notes::new(&draft.origin);
        let (own, mut without_hosts) = (own_hosts(draft), BTreeSet::new());
        for tls in &draft.tls {
            let Some(pair) = pair(tls, self.certs) else { continue };
            // A certificate may have thousands of names; the same one once more says nothing new.
            if matches!(tls.hosts, TlsHosts::All) && !without_hosts.insert(&pair.id) {
                continue;
            }
            for name in names(tls, pair) {
                let served_here = serving(&name, self.hosts).is_some_and(|host| *host != name && own.contains(host));
                if served_here
                    && pair.names.cover(&name)
                    && let Err(message) = self.claim(&name, pair, draft)
                {
                    notes.warning(&secret_field(tls), Reason::CertificateConflict, message);
                }
            }
        }
        self.problems.extend(notes.into_problems());
    }

    /// Serves a name with a certificate, or says whose it is served with already.
    fn claim(&mut self, host: &HostPattern, pair: &Pair, draft: &Draft) -> Result<(), String> {
        let mine = || (pair.id.clone(), Arc::clone(&draft.origin));
        let (id, winner) = self.sni.entry(host.clone()).or_insert_with(mine);
        if *id == pair.id {
            return Ok(());
        }
        Err(format!("host {host} is served with the certificate {id}, which {winner} names and which comes first"))
    }
}

fn secret_field(tls: &TlsDraft) -> String {
    format!("{}.secretName", tls.field)
}

fn pair<'a>(tls: &TlsDraft, certs: &'a Certs) -> Option<&'a Pair> {
    certs.find(tls.secret.as_ref()?).ok()
}

fn own_hosts(draft: &Draft) -> BTreeSet<&HostPattern> {
    draft.hosts.iter().map(|host| &host.host).collect()
}

fn names(tls: &TlsDraft, pair: &Pair) -> Vec<HostPattern> {
    match &tls.hosts {
        TlsHosts::Listed(hosts) => hosts.clone(),
        TlsHosts::All => pair.cert.names.iter().filter_map(|name| name.parse().ok()).collect(),
    }
}

/// The wildcard that stands for this host: it has one label less.
fn wildcard_of(host: &HostPattern) -> Option<HostPattern> {
    let HostPattern::Exact(name) = host else { return None };
    name.split_once('.').map(|(_, suffix)| HostPattern::Wildcard(suffix.into()))
}

/// Which of `hosts` serves a name: itself, the wildcard above it, or every host.
fn serving<'a>(name: &HostPattern, hosts: &BTreeSet<&'a HostPattern>) -> Option<&'a HostPattern> {
    let wildcard = wildcard_of(name);
    [Some(name), wildcard.as_ref(), Some(&HostPattern::Any)]
        .into_iter()
        .flatten()
        .find_map(|host| hosts.get(host).copied())
}
