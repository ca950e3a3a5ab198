//! How the backends of an Ingress are spoken to: `backend-protocol` and `proxy-ssl-*`.
//!
//! What is about the identity of either side and cannot be understood denies: a request must not reach a backend that was
//! to be checked, and was not.

use std::{collections::BTreeMap, sync::Arc};

use rustls_pki_types::ServerName;
use snapshot::{Origin, TlsVersions};

use crate::{
    NamespacedName, Problem,
    draft::{BackendProtocol, UpstreamDraft, UpstreamTlsDraft},
    nginx,
    notes::Notes,
};

const PROTOCOL: &str = "backend-protocol";
const SECRET: &str = "proxy-ssl-secret";
const VERIFY: &str = "proxy-ssl-verify";
const DEPTH: &str = "proxy-ssl-verify-depth";
const NAME: &str = "proxy-ssl-name";
const SEND_NAME: &str = "proxy-ssl-server-name";
const VERSIONS: &str = "proxy-ssl-protocols";
const CIPHERS: &str = "proxy-ssl-ciphers";

/// What the keys say.
pub(crate) struct UpstreamKeys {
    /// How backends are spoken to.
    pub upstream: UpstreamDraft,
    /// Why all paths of the Ingress must answer 503.
    pub denied: Option<Arc<str>>,
    /// What its owner should know.
    pub problems: Vec<Problem>,
}

/// Reads the keys under `prefix/` of the Ingress `owner`.
pub(crate) fn upstream(
    owner: &Arc<Origin>,
    annotations: Option<&BTreeMap<String, String>>,
    prefix: &str,
) -> UpstreamKeys {
    let Some(annotations) = annotations.filter(|annotations| !annotations.is_empty()) else {
        return UpstreamKeys { upstream: UpstreamDraft::default(), denied: None, problems: Vec::new() };
    };
    let mut reader = Reader { owner, annotations, prefix, notes: Notes::new(owner), denied: None };
    let upstream = UpstreamDraft { protocol: reader.protocol(), tls: reader.tls() };
    UpstreamKeys { upstream, denied: reader.denied, problems: reader.notes.into_problems() }
}

struct Reader<'a> {
    owner: &'a Origin,
    annotations: &'a BTreeMap<String, String>,
    prefix: &'a str,
    notes: Notes,
    denied: Option<Arc<str>>,
}

impl<'a> Reader<'a> {
    fn protocol(&mut self) -> Option<BackendProtocol> {
        let value = self.value(PROTOCOL)?;
        match value.to_ascii_uppercase().as_str() {
            "HTTP" => Some(BackendProtocol::Http),
            "HTTPS" => Some(BackendProtocol::Https),
            "AUTO_HTTP" => Some(BackendProtocol::AutoHttp),
            "GRPC" => Some(BackendProtocol::Grpc),
            "GRPCS" => Some(BackendProtocol::Grpcs),
            "FCGI" => {
                let why = "FastCGI is not spoken here; put a web server that speaks it before the application";
                self.deny(PROTOCOL, why);
                None
            }
            _ => {
                let wrong = format!("`{value}` is none of `HTTP`, `HTTPS`, `AUTO_HTTP`, `GRPC` and `GRPCS`");
                self.lessen(PROTOCOL, &format!("{wrong}: backends are spoken to as without it"));
                None
            }
        }
    }

    fn tls(&mut self) -> UpstreamTlsDraft {
        let default = UpstreamTlsDraft::default();
        let secret = self.secret();
        let verify = self.verify();
        if verify && secret.is_none() && self.denied.is_none() {
            self.deny(VERIFY, "wants the CA of a `proxy-ssl-secret`, and there is none");
        }
        UpstreamTlsDraft {
            secret,
            verify,
            depth: self.depth().unwrap_or(default.depth),
            name: self.name(),
            send_name: self.send_name(),
            versions: self.versions().unwrap_or(default.versions),
            suites: self.suites().unwrap_or(default.suites),
        }
    }

    fn secret(&mut self) -> Option<NamespacedName> {
        let value = self.value(SECRET)?;
        match value.split_once('/') {
            Some((namespace, name)) if !name.is_empty() && !name.contains('/') => {
                if namespace == &*self.owner.namespace {
                    return Some(NamespacedName::new(namespace, name));
                }
                self.deny(SECRET, &format!("`{value}` is in another namespace than the Ingress, which is not allowed"));
            }
            _ => self.deny(SECRET, &format!("`{value}` is not of the form `namespace/name`")),
        }
        None
    }

    fn verify(&mut self) -> bool {
        match self.value(VERIFY) {
            Some("on") => true,
            None | Some("off") => false,
            Some(value) => {
                self.deny(VERIFY, &format!("`{value}` is neither `on` nor `off`"));
                false
            }
        }
    }

    /// 0 is the default, as in ingress-nginx.
    fn depth(&mut self) -> Option<u32> {
        let value = self.value(DEPTH)?;
        match value.parse() {
            Ok(0) => None,
            Ok(depth) => Some(depth),
            Err(_) => {
                self.lessen(DEPTH, &format!("`{value}` is no number: the default holds, which is 1"));
                None
            }
        }
    }

    fn name(&mut self) -> Option<Arc<str>> {
        let value = self.value(NAME)?;
        if ServerName::try_from(value).is_err() {
            self.deny(NAME, &format!("`{value}` is neither a DNS name nor an address"));
            return None;
        }
        Some(value.into())
    }

    fn send_name(&mut self) -> bool {
        match self.value(SEND_NAME) {
            Some("on") => true,
            None | Some("off") => false,
            Some(value) => {
                self.lessen(SEND_NAME, &format!("`{value}` is neither `on` nor `off`: no name is sent"));
                false
            }
        }
    }

    fn versions(&mut self) -> Option<TlsVersions> {
        let value = self.value(VERSIONS)?;
        let has = |version| value.split_whitespace().any(|word| word == version);
        let left_out: Vec<&str> =
            value.split_whitespace().filter(|word| !matches!(*word, "TLSv1.2" | "TLSv1.3")).collect();
        let versions = match (has("TLSv1.2"), has("TLSv1.3")) {
            (true, true) => TlsVersions::Both,
            (true, false) => TlsVersions::Tls12,
            (false, true) => TlsVersions::Tls13,
            (false, false) => {
                self.lessen(VERSIONS, &format!("`{value}` names neither `TLSv1.2` nor `TLSv1.3`: both are offered"));
                return None;
            }
        };
        if !left_out.is_empty() {
            self.lessen(VERSIONS, &format!("`{}` is not spoken and is left out", left_out.join(" ")));
        }
        Some(versions)
    }

    fn suites(&mut self) -> Option<Vec<snapshot::Tls12Suite>> {
        let value = self.value(CIPHERS)?;
        match nginx::usable_ciphers(value) {
            Ok(suites) => {
                if let Some(notice) = nginx::ciphers(value).notice() {
                    self.lessen(CIPHERS, &notice);
                }
                Some(suites)
            }
            Err(error) => {
                self.lessen(CIPHERS, &format!("{error}: all that we know are offered"));
                None
            }
        }
    }

    fn value(&self, key: &str) -> Option<&'a str> {
        self.annotations.get(&format!("{}/{key}", self.prefix)).map(|value| value.trim())
    }

    /// All paths of the Ingress answer 503.
    fn deny(&mut self, key: &str, why: &str) {
        let field = self.field(key);
        self.notes.error(&field, "BackendDenied", format!("{why}: the paths of the Ingress answer 503"));
        self.denied.get_or_insert_with(|| format!("annotation `{}/{key}` {why}", self.prefix).into());
    }

    fn lessen(&mut self, key: &str, what: &str) {
        let field = self.field(key);
        self.notes.warning(&field, "BadAnnotation", what);
    }

    fn field(&self, key: &str) -> String {
        format!("metadata.annotations[{}/{key}]", self.prefix)
    }
}
