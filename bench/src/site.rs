//! What all proxies of a run share: a folder on a tmpfs, the backend, the certificate, the hosts.

mod unverified;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use anyhow::{Context, Result, bail, ensure};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::{
        CryptoProvider,
        aws_lc_rs::{cipher_suite::TLS13_AES_128_GCM_SHA256, default_provider, kx_group::X25519},
    },
    version::TLS13,
};

use crate::backend::Backend;
use unverified::Unverified;

/// Hosts with plain HTTP in Tidegate's table, and as many with TLS; together 1,000.
pub const HOSTS: usize = 500;

/// The host whose certificate is of RSA.
pub const RSA_HOST: &str = "rsa.test";

/// What the proxies share.
#[derive(Debug)]
pub struct Site {
    /// For configurations and logs; whoever made it removes it.
    folder: PathBuf,
    /// The backend of all of them.
    pub backend: Backend,
    /// Where the peers were installed; the root of a small Debian and of Python wheels.
    pub peers: PathBuf,
    /// The binary of Tidegate.
    pub tidegate: PathBuf,
    /// Another build of it, to be compared with.
    pub other_tidegate: Option<PathBuf>,
    /// The certificate, PEM.
    pub certificate: String,
    /// Its key, PEM.
    pub key: String,
    /// A certificate of RSA 2048 for [`RSA_HOST`], and its key, PEM.
    pub rsa: (String, String),
    /// How clients speak TLS: 1.3 only, without resumption.
    pub tls: Arc<ClientConfig>,
    /// As `tls`, and offering h2.
    pub tls_h2: Arc<ClientConfig>,
    /// As `tls`, for a handshake in each request: one key exchange, so that all proxies compute the same, and no look at
    /// the certificate.
    pub tls_fresh: Arc<ClientConfig>,
}

impl Site {
    /// Makes the certificate and starts the backend.
    ///
    /// # Errors
    /// Where any of it cannot be done.
    pub fn open(folder: &Path, tidegate: &Path, peers: &Path) -> Result<Self> {
        ensure!(tidegate.is_file(), "no Tidegate at {}", tidegate.display());
        let made = rcgen::generate_simple_self_signed(vec!["*.bench.test".to_owned()])?;
        let rsa_key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let rsa = CertificateParams::new(vec![RSA_HOST.to_owned()])?.self_signed(&rsa_key)?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone())?;
        // One cipher, so that all proxies compute the same.
        let provider = CryptoProvider { cipher_suites: vec![TLS13_AES_128_GCM_SHA256], ..default_provider() };
        let fresh = Arc::new(CryptoProvider { kx_groups: vec![X25519], ..provider.clone() });
        let mut tls = ClientConfig::builder_with_provider(provider.into())
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.resumption = Resumption::disabled();
        let mut tls_fresh = ClientConfig::builder_with_provider(Arc::clone(&fresh))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified(fresh)))
            .with_no_client_auth();
        tls_fresh.resumption = Resumption::disabled();
        let mut tls_h2 = tls.clone();
        tls_h2.alpn_protocols = vec![b"h2".to_vec()];
        let site = Self {
            folder: folder.to_owned(),
            backend: Backend::start()?,
            peers: peers.to_owned(),
            tidegate: tidegate.to_owned(),
            other_tidegate: None,
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
            rsa: (rsa.pem(), rsa_key.serialize_pem()),
            tls: Arc::new(tls),
            tls_h2: Arc::new(tls_h2),
            tls_fresh: Arc::new(tls_fresh),
        };
        site.write("certificate.pem", &site.certificate)?;
        site.write("key.pem", &site.key)?;
        let (certificate, key) = &site.rsa;
        site.write("rsa-certificate.pem", certificate)?;
        site.write("rsa-key.pem", key)?;
        site.write("rsa-both.pem", &format!("{certificate}{key}"))?;
        site.write("both.pem", &format!("{}{}", site.certificate, site.key))?;
        Ok(site)
    }

    /// Where a file of this name is, or shall be.
    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    /// Writes a file, and makes the folders above it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<String> {
        let path = self.folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        Ok(self.path(name))
    }

    /// A program of the Debian packages.
    pub fn debian(&self, program: &str) -> PathBuf {
        self.peers.join("debian/usr").join(program)
    }

    /// Where the libraries of the Debian packages are, for those that the machine itself lacks.
    pub fn libraries(&self) -> (&'static str, String) {
        let folder = format!("debian/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
        ("LD_LIBRARY_PATH", self.peers.join(folder).to_string_lossy().into_owned())
    }

    /// The load generator for HTTP/2.
    pub fn h2load(&self) -> Command {
        let mut command = Command::new(self.debian("bin/h2load"));
        command.envs([self.libraries()]);
        command
    }
}

/// A host that is served as plain HTTP.
pub fn plain_host(index: usize) -> String {
    format!("plain-{index}.bench.test")
}

/// A host that is served with TLS.
pub fn tls_host(index: usize) -> String {
    format!("tls-{index}.bench.test")
}

/// As `config`, with tickets of its own: those of one proxy are no use at another.
pub fn with_tickets(config: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = config.clone();
    config.resumption = Resumption::in_memory_sessions(HOSTS);
    Arc::new(config)
}

/// A free port of the loopback that was not given out before. It is below those that the kernel gives to clients,
/// and never the same twice: two proxies that both set SO_REUSEPORT would silently share it.
///
/// # Errors
/// Where there is none.
pub fn free_port() -> Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    for _ in 0..1000 {
        let address = SocketAddr::from(([127, 0, 0, 1], NEXT.fetch_add(1, Ordering::Relaxed)));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no free port from 20000 on")
}
