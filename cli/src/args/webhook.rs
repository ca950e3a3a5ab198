//! The flags of the admission webhook.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use controller::AdmissionConfig;

/// `--validating-webhook*`.
#[derive(Debug, Args)]
pub struct WebhookFlags {
    /// Where the admission webhook listens, such as :8443, by https on /networking/v1/ingresses; without it there is none.
    #[arg(long, value_name = "ADDRESS", value_parser = address, requires = "validating_webhook_certificate", requires = "validating_webhook_key")]
    validating_webhook: Option<SocketAddr>,
    /// The file with its certificate (PEM), which is read again when it changes.
    #[arg(long, value_name = "FILE")]
    validating_webhook_certificate: Option<PathBuf>,
    /// The file with the key of that certificate (PEM).
    #[arg(long, value_name = "FILE")]
    validating_webhook_key: Option<PathBuf>,
}

impl WebhookFlags {
    /// The webhook, if there is to be one.
    pub fn config(&self) -> Option<AdmissionConfig> {
        let Self { validating_webhook, validating_webhook_certificate, validating_webhook_key } = self;
        Some(AdmissionConfig {
            listen: (*validating_webhook)?,
            certificate: validating_webhook_certificate.clone()?,
            key: validating_webhook_key.clone()?,
        })
    }
}

/// `:8443`, as Go takes it, is all addresses.
fn address(text: &str) -> Result<SocketAddr, String> {
    let address = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
    address.parse().map_err(|_| "must be an IP address and a port, or a port alone such as :8443".to_owned())
}
