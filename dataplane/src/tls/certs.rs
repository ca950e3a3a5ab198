//! The certificates of a snapshot, ready to sign with.

use std::sync::Arc;

use ahash::AHashMap;
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer},
    sign::CertifiedKey,
};
use snapshot::{Cert, CertId, KeyFormat, PrivateKey, Rejection, Snapshot};

use super::stapled::Stapled;

/// Certificates, kept for as long as their source stays the same.
#[derive(Default)]
pub struct Certs {
    parsed: AHashMap<CertId, Parsed>,
}

/// A certificate with the snapshot's parts that it was made from.
struct Parsed {
    cert: Arc<Cert>,
    key: Arc<PrivateKey>,
    usable: Result<Arc<Stapled>, String>,
}

/// What came of taking up the certificates of a snapshot.
#[derive(Default)]
pub struct Update {
    /// How many were parsed.
    pub parsed: usize,
    /// Whether any is another one than before, or gone.
    pub changed: bool,
    /// What cannot be used.
    pub rejected: Vec<Rejection>,
}

impl Certs {
    /// Takes up the certificates of a snapshot. Only those that changed are parsed.
    pub fn update(&mut self, snapshot: &Snapshot, provider: &CryptoProvider) -> Update {
        let mut update = Update::default();
        let before = self.parsed.len();
        self.parsed.retain(|id, _| snapshot.certs.contains_key(id));
        update.changed = before != self.parsed.len();
        for (id, cert) in &snapshot.certs {
            let Some(key) = snapshot.keys.get(id) else {
                update.rejected.push(reject(cert, "its key is missing"));
                update.changed |= self.parsed.remove(id).is_some();
                continue;
            };
            let same = |p: &Parsed| Arc::ptr_eq(&p.cert, cert) && Arc::ptr_eq(&p.key, key);
            if !self.parsed.get(id).is_some_and(same) {
                let usable = parse(cert, key, provider);
                let usable = usable.map(|parsed| Arc::new(Stapled::new(Arc::clone(&cert.origin), parsed)));
                self.parsed.insert(id.clone(), Parsed { cert: Arc::clone(cert), key: Arc::clone(key), usable });
                update.parsed = update.parsed.saturating_add(1);
                update.changed = true;
            }
            if let Some(Err(reason)) = self.parsed.get(id).map(|p| &p.usable) {
                update.rejected.push(reject(cert, reason));
            }
        }
        update
    }

    /// One that can be used.
    pub fn usable(&self, id: &CertId) -> Option<Arc<Stapled>> {
        self.parsed.get(id).and_then(|parsed| parsed.usable.as_ref().ok()).cloned()
    }
}

fn parse(cert: &Cert, key: &PrivateKey, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, String> {
    let chain: Vec<_> = cert.chain.iter().cloned().map(CertificateDer::from).collect();
    if chain.is_empty() {
        return Err("it holds no certificate".to_owned());
    }
    let der = key.secret_der().to_vec();
    let der: PrivateKeyDer<'static> = match key.format() {
        KeyFormat::Pkcs1 => PrivatePkcs1KeyDer::from(der).into(),
        KeyFormat::Pkcs8 => PrivatePkcs8KeyDer::from(der).into(),
        KeyFormat::Sec1 => PrivateSec1KeyDer::from(der).into(),
    };
    CertifiedKey::from_der(chain, der, provider).map(Arc::new).map_err(|error| error.to_string())
}

fn reject(cert: &Cert, reason: &str) -> Rejection {
    Rejection::new(Arc::clone(&cert.origin), format!("the certificate cannot be used: {reason}"))
}

#[cfg(test)]
mod tests {
    use snapshot::{CertInfo, Map, Origin};

    use super::*;

    fn put(snapshot: &mut Snapshot, name: &str) {
        let key = rcgen::KeyPair::generate().unwrap();
        let cert = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        let cert = Cert {
            origin: Arc::new(Origin::new("Secret", "default", name)),
            chain: vec![cert.der().to_vec()],
            names: vec![name.into()],
            info: CertInfo::default(),
            not_after: 0,
            fingerprint: name.into(),
        };
        snapshot.certs.insert(name.into(), Arc::new(cert));
        snapshot.keys.insert(name.into(), Arc::new(PrivateKey::new(KeyFormat::Pkcs8, key.serialize_der())));
    }

    #[test]
    fn of_a_thousand_only_the_changed_one_is_parsed() {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let mut snapshot = Snapshot::default();
        (0..1000).for_each(|number| put(&mut snapshot, &format!("h{number}.example")));
        let mut certs = Certs::default();
        assert_eq!(certs.update(&snapshot, &provider).parsed, 1000);
        // As it comes from the controller: equal pieces are the same `Arc` only after sharing.
        let copy = |old: &Snapshot| Snapshot {
            certs: old.certs.iter().map(|(id, cert)| (id.clone(), Arc::new(Cert::clone(cert)))).collect(),
            keys: old.keys.iter().map(|(id, key)| (id.clone(), Arc::new(PrivateKey::clone(key)))).collect(),
            ..Snapshot::default()
        };
        let same = copy(&snapshot).share(&snapshot);
        let update = certs.update(&same, &provider);
        assert!((update.parsed, update.changed) == (0, false));
        let mut changed = copy(&snapshot);
        put(&mut changed, "h7.example");
        let changed = changed.share(&same);
        let update = certs.update(&changed, &provider);
        assert!((update.parsed, update.changed) == (1, true));
        let gone = Snapshot { certs: Map::default(), ..changed };
        let update = certs.update(&gone, &provider);
        assert!((update.parsed, update.changed) == (0, true) && certs.parsed.is_empty());
    }
}
