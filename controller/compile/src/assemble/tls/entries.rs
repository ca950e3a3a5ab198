//! Which entry of an object's `spec.tls` is for which host. Looked up and not searched for: an object has room for tens of
//! thousands of both, and one that has them must not delay what is served of all others.

use std::{
    cell::OnceCell,
    collections::{BTreeSet, HashMap},
};

use snapshot::HostPattern;

use super::{pair, wildcard_of};
use crate::{
    cert::{Certs, names_covering},
    draft::{Draft, TlsDraft, TlsHosts},
};

/// The entries of one object. Where two suit, the first one counts.
pub(super) struct Entries<'a> {
    tls: &'a [TlsDraft],
    certs: &'a Certs,
    by_listed: HashMap<&'a HostPattern, usize>,
    /// By the names of their certificates. Most objects list all of their hosts and never need it.
    by_certified: OnceCell<HashMap<&'a str, usize>>,
    /// That lists none, and so is for all hosts.
    of_all: Option<usize>,
}

impl<'a> Entries<'a> {
    pub fn new(draft: &'a Draft, certs: &'a Certs) -> Self {
        let mut by_listed = HashMap::new();
        for (at, tls) in draft.tls.iter().enumerate() {
            if let TlsHosts::Listed(hosts) = &tls.hosts {
                for host in hosts {
                    by_listed.entry(host).or_insert(at);
                }
            }
        }
        let of_all = draft.tls.iter().position(|tls| matches!(tls.hosts, TlsHosts::All));
        Self { tls: &draft.tls, certs, by_listed, by_certified: OnceCell::new(), of_all }
    }

    /// The entry that is for this host.
    pub fn find(&self, host: &HostPattern) -> Option<&'a TlsDraft> {
        let listed = |host: &HostPattern| self.by_listed.get(host).copied();
        let at = listed(host).or_else(|| listed(&wildcard_of(host)?)).or_else(|| self.certified(host)).or(self.of_all);
        self.tls.get(at?)
    }

    fn certified(&self, host: &HostPattern) -> Option<usize> {
        let by_certified = self.by_certified.get_or_init(|| by_certified(self.tls, self.certs));
        names_covering(host).filter_map(|name| by_certified.get(&*name).copied()).min()
    }
}

fn by_certified<'a>(tls: &'a [TlsDraft], certs: &'a Certs) -> HashMap<&'a str, usize> {
    let (mut by_name, mut seen) = (HashMap::new(), BTreeSet::new());
    for (at, tls) in tls.iter().enumerate() {
        let Some(pair) = pair(tls, certs).filter(|pair| seen.insert(&pair.id)) else { continue };
        for name in &pair.cert.names {
            by_name.entry(&**name).or_insert(at);
        }
    }
    by_name
}
