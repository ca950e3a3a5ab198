//! The webhook's certificate, from two files that whoever issues it may replace at any time.

use std::{path::PathBuf, sync::Arc, time::Duration};

use compile::{Problem, Reason, Severity, pem_problem};
use rustls::{ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{sync::watch, time::sleep};

use super::{AdmissionConfig, metrics::Metrics, validity::Validity};
use crate::board::{Board, trouble};

/// Between two looks at the files. Kubelet replaces them by renaming folders, which events of the file system tell
/// badly; two small files are read quickly.
const INTERVAL: Duration = Duration::from_secs(5);

/// Follows the files.
pub(super) struct Files {
    certificate: PathBuf,
    key: PathBuf,
    sender: watch::Sender<Option<Arc<ServerConfig>>>,
    board: Arc<Board>,
    metrics: Metrics,
    /// Of the certificate that is shown.
    validity: Option<Validity>,
    /// What was read last, good or not.
    seen: Option<Result<Pair, String>>,
}

/// What is in both.
#[derive(PartialEq, Eq)]
struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    pub(super) fn new(
        config: &AdmissionConfig,
        sender: watch::Sender<Option<Arc<ServerConfig>>>,
        board: Arc<Board>,
        metrics: Metrics,
    ) -> Self {
        let AdmissionConfig { listen: _, certificate, key } = config.clone();
        Self { certificate, key, sender, board, metrics, validity: None, seen: None }
    }

    /// Looks from time to time, for ever.
    pub(super) async fn follow(mut self) {
        loop {
            self.look().await;
            sleep(INTERVAL).await;
        }
    }

    /// Takes a pair that can be used; with one that cannot, the one before stays. Says when it ends, too.
    pub(super) async fn look(&mut self) {
        self.read().await;
        let now = jiff::Timestamp::now().as_second();
        let problem = self.validity.and_then(|validity| validity.problem(now));
        self.board.find("admission certificate", problem.into_iter().collect());
    }

    async fn read(&mut self) {
        let (certificate, key) = (self.certificate.clone(), self.key.clone());
        let read = tokio::task::spawn_blocking(move || read(certificate, key)).await;
        let read = read.unwrap_or_else(|error| Err(error.to_string()));
        if self.seen.as_ref() == Some(&read) {
            return;
        }
        match read.as_ref().map_err(Clone::clone).and_then(config) {
            Ok((config, validity)) => {
                self.metrics.expires(validity.not_after);
                self.validity = Some(validity);
                tracing::info!(file = %self.certificate.display(), "certificate of the admission webhook taken");
                self.sender.send_replace(Some(Arc::new(config)));
                self.board.find("admission", Vec::new());
            }
            Err(error) => self.board.find("admission", vec![unusable(&error, self.sender.borrow().is_some())]),
        }
        self.seen = Some(read);
    }
}

fn read(certificate: PathBuf, key: PathBuf) -> Result<Pair, String> {
    let read = |file: PathBuf| std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()));
    Ok(Pair { certificate: read(certificate)?, key: read(key)? })
}

fn config(pair: &Pair) -> Result<(ServerConfig, Validity), String> {
    let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(&pair.certificate).collect();
    let chain = chain.map_err(|error| format!("the certificate is no PEM: {}", pem_problem(&error)))?;
    let leaf = chain.first().ok_or("there is no certificate in its file")?;
    let validity = Validity::of(leaf)?;
    let key = PrivateKeyDer::from_pem_slice(&pair.key)
        .map_err(|error| format!("the key is no PEM: {}", pem_problem(&error)))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(|error| error.to_string())?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((config, validity))
}

fn unusable(error: &str, has_other: bool) -> Problem {
    let rest = if has_other { "the one before is shown" } else { "the admission webhook answers nobody" };
    let message = format!("cannot be used, so that {rest} until it is right: {error}");
    trouble("--validating-webhook-certificate", Reason::WebhookCertificateUnusable, Severity::Error, message)
}
