//! Our CustomResourceDefinitions, made from their Rust types.

use compile::IngressClassParameters;
use kube::core::CustomResourceExt;

use crate::Error;

/// All of them as YAML, for `kubectl apply`.
///
/// # Errors
/// One cannot be written as YAML: a programming error.
pub fn crds() -> Result<String, Error> {
    serde_saphyr::to_string(&IngressClassParameters::crd()).map_err(|error| Error::Crds(error.to_string()))
}
