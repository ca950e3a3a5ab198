//! A CA that answers about the certificates that it has issued (RFC 6960).

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SerialNumber, SigningKey,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use x509_cert::{
    Certificate,
    der::{
        Decode, Encode,
        asn1::{BitString, Ia5String, Null, ObjectIdentifier, OctetString},
    },
    ext::pkix::{AccessDescription, AuthorityInfoAccessSyntax, name::GeneralName},
    spki::AlgorithmIdentifierOwned,
};
use x509_ocsp::{
    BasicOcspResponse, CertStatus, OcspGeneralizedTime, OcspRequest, OcspResponse, OcspResponseStatus, ResponderId,
    ResponseBytes, ResponseData, RevokedInfo, SingleResponse, Version,
};

const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const OCSP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");
const BASIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");

pub struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn der(&self) -> Vec<u8> {
        self.0.der().to_vec()
    }

    /// A certificate for a host which names `url` as the place to ask, and its key.
    pub fn certificate(&self, host: &str, url: &str) -> (Vec<u8>, Vec<u8>) {
        let place = GeneralName::UniformResourceIdentifier(Ia5String::new(url).unwrap());
        let access = AccessDescription { access_method: OCSP, access_location: place };
        let access = AuthorityInfoAccessSyntax(vec![access]).to_der().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], access)];
        // In DER it has a zero in front, or it would be negative.
        params.serial_number = Some(SerialNumber::from_slice(&[0x9f, 1, 2, 3]));
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap().der().to_vec(), key.serialize_der())
    }

    /// Somebody with a certificate for a purpose.
    pub fn charge(&self, purpose: ExtendedKeyUsagePurpose) -> Signer {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "responder");
        params.extended_key_usages = vec![purpose];
        let cert = params.signed_by(&key, &self.0).unwrap().der().to_vec();
        Signer { key, cert: Some(cert) }
    }

    pub fn signer(&self) -> Signer {
        Signer { key: KeyPair::try_from(self.0.key().serialize_der()).unwrap(), cert: None }
    }
}

/// Who signs answers.
pub struct Signer {
    key: KeyPair,
    /// What it is sent with.
    cert: Option<Vec<u8>>,
}

/// What a responder does.
pub enum Says {
    /// Answers with this status from now on, for so long.
    Status(Signer, CertStatus, Duration),
    /// That the certificate is good, but from then to then, in seconds from now.
    Between(Signer, i64, Option<i64>),
    /// About another certificate.
    Other(Signer),
    /// With these bytes.
    Bytes(Vec<u8>),
    /// With the error `tryLater`.
    Error,
    /// With HTTP's 404.
    Missing,
    /// That the certificate is good, when it is told to.
    Late(Signer, Arc<Notify>),
}

pub fn revoked() -> CertStatus {
    CertStatus::Revoked(RevokedInfo { revocation_time: time(-60), revocation_reason: None })
}

pub struct Responder {
    pub address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Responder {
    pub async fn start(says: Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let (counter, says) = (Arc::clone(&asked), Arc::new(says));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Relaxed);
                let says = Arc::clone(&says);
                tokio::spawn(async move { serve(stream, &says).await });
            }
        });
        Self { address, asked }
    }

    pub fn url(&self) -> String {
        format!("http://{}/ocsp", self.address)
    }

    /// How often somebody has connected.
    pub fn asked(&self) -> usize {
        self.asked.load(Relaxed)
    }
}

async fn serve(mut stream: TcpStream, says: &Says) -> Option<()> {
    let request = read(&mut stream).await?;
    let answer = match says {
        Says::Late(signer, speak) => {
            speak.notified().await;
            signer.sign(about(&request, CertStatus::good(), 0, Some(3600)))
        }
        Says::Missing => {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await.ok()?;
            return Some(());
        }
        Says::Bytes(bytes) => bytes.clone(),
        Says::Error => {
            let status = OcspResponseStatus::TryLater;
            OcspResponse { response_status: status, response_bytes: None }.to_der().unwrap()
        }
        Says::Other(signer) => {
            let mut answer = about(&request, CertStatus::good(), 0, Some(3600));
            answer.cert_id.issuer_key_hash = OctetString::new([7; 20]).unwrap();
            signer.sign(answer)
        }
        Says::Between(signer, from, until) => signer.sign(about(&request, CertStatus::good(), *from, *until)),
        Says::Status(signer, status, valid) => {
            signer.sign(about(&request, *status, 0, i64::try_from(valid.as_secs()).ok()))
        }
    };
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(&answer).await.ok()
}

/// The body of a request.
async fn read(stream: &mut TcpStream) -> Option<OcspRequest> {
    let mut bytes = Vec::new();
    loop {
        stream.read_buf(&mut bytes).await.ok().filter(|count| *count > 0)?;
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
        assert!(head.starts_with("post /ocsp http/1.1\r\n") && head.contains("content-type: application/ocsp-request"));
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if bytes.len() == end + 4 + length.parse::<usize>().unwrap() {
            return Some(OcspRequest::from_der(&bytes[end + 4..]).unwrap());
        }
    }
}

fn time(from_now: i64) -> OcspGeneralizedTime {
    let span = Duration::from_secs(from_now.unsigned_abs());
    let now = SystemTime::now();
    OcspGeneralizedTime::try_from(if from_now < 0 { now - span } else { now + span }).unwrap()
}

fn about(request: &OcspRequest, status: CertStatus, from: i64, until: Option<i64>) -> SingleResponse {
    SingleResponse {
        cert_id: request.tbs_request.request_list[0].req_cert.clone(),
        cert_status: status,
        this_update: time(from),
        next_update: until.map(time),
        single_extensions: None,
    }
}

impl Signer {
    fn sign(&self, answer: SingleResponse) -> Vec<u8> {
        let tbs_response_data = ResponseData {
            version: Version::V1,
            responder_id: ResponderId::ByKey(OctetString::new([0; 20]).unwrap()),
            produced_at: time(0),
            responses: vec![answer],
            response_extensions: None,
        };
        let signature = self.key.sign(&tbs_response_data.to_der().unwrap()).unwrap();
        let certs = self.cert.iter().map(|der| Certificate::from_der(der).unwrap()).collect();
        let basic = BasicOcspResponse {
            tbs_response_data,
            signature_algorithm: AlgorithmIdentifierOwned { oid: ECDSA_SHA256, parameters: None },
            signature: BitString::from_bytes(&signature).unwrap(),
            certs: self.cert.is_some().then_some(certs),
        };
        let response = OctetString::new(basic.to_der().unwrap()).unwrap();
        let response_bytes = Some(ResponseBytes { response_type: BASIC, response });
        OcspResponse { response_status: OcspResponseStatus::Successful, response_bytes }.to_der().unwrap()
    }
}

/// What a responder says that does not know a certificate.
pub fn unknown() -> CertStatus {
    CertStatus::Unknown(Null)
}
