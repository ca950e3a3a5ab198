//! CAs, clients' certificates, revocation lists.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use snapshot::{CaBundle, ClientAuth, ClientCertRule, Origin, VerifyClient};

/// A chain, its own certificate first, and the key in PKCS#8.
pub type Identity = (Vec<Vec<u8>>, Vec<u8>);

pub struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// What stands between it and the root, nearest first.
    above: Vec<Vec<u8>>,
}

/// What a client's certificate says.
pub struct Client {
    pub name: &'static str,
    pub serial: u64,
    /// The first and the last year.
    pub years: (i32, i32),
    pub purpose: ExtendedKeyUsagePurpose,
}

impl Client {
    pub const fn named(name: &'static str) -> Self {
        Self { name, serial: 7, years: (2020, 2120), purpose: ExtendedKeyUsagePurpose::ClientAuth }
    }
}

fn ca_params(name: &str, years: (i32, i32)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    params
}

impl Ca {
    pub fn root(name: &str) -> Self {
        Self::valid(name, (2020, 2120))
    }

    pub fn valid(name: &str, years: (i32, i32)) -> Self {
        let issuer = CertifiedIssuer::self_signed(ca_params(name, years), KeyPair::generate().unwrap()).unwrap();
        Self { issuer, above: Vec::new() }
    }

    /// One that this one vouches for.
    pub fn below(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::signed_by(ca_params(name, (2020, 2120)), key, &self.issuer).unwrap();
        let above = std::iter::once(issuer.der().to_vec()).chain(self.above.iter().cloned()).collect();
        Self { issuer, above }
    }

    pub fn der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    pub fn client(&self, client: &Client) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Staff, Inc.");
        params.distinguished_name.push(DnType::CommonName, client.name);
        params.serial_number = Some(SerialNumber::from(client.serial));
        params.extended_key_usages = vec![client.purpose.clone()];
        params.not_before = date_time_ymd(client.years.0, 1, 1);
        params.not_after = date_time_ymd(client.years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        (std::iter::once(leaf).chain(self.above.iter().cloned()).collect(), key.serialize_der())
    }

    /// What it revoked, until the beginning of a year.
    pub fn crl(&self, revoked: &[u64], until: i32) -> Vec<u8> {
        let revoked = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2021, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().der().to_vec()
    }
}

/// A Secret `default/NAME`.
pub fn bundle(name: &str, certs: &[Vec<u8>], crls: &[Vec<u8>]) -> Arc<CaBundle> {
    let all: Vec<&Vec<u8>> = certs.iter().chain(crls).collect();
    Arc::new(CaBundle {
        origin: Arc::new(Origin::new("Secret", "default", name)),
        certs: certs.to_vec(),
        crls: crls.to_vec(),
        fingerprint: format!("{:x}", all.iter().flat_map(|der| der.iter()).fold(0u64, fold)).into(),
        tell_names: true,
    })
}

fn fold(hash: u64, byte: &u8) -> u64 {
    hash.rotate_left(5).wrapping_mul(31) ^ u64::from(*byte)
}

/// A rule that asks for certificates of a CA.
pub fn rule(ca: &Arc<CaBundle>, verify: VerifyClient) -> ClientCertRule {
    ClientCertRule {
        origin: Arc::new(Origin::new("Ingress", "default", "private")),
        auth: Some(Arc::new(ClientAuth { ca: Arc::clone(ca), verify, depth: 1 })),
        subject: None,
        pass_certificate: false,
        error_page: None,
    }
}
