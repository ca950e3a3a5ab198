//! What a controller cannot go on with.

use std::{path::PathBuf, sync::Arc};

/// An error that ends a controller, or keeps it from starting. Mistakes in objects are no errors but problems.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The folder of manifests cannot be read.
    #[error("the manifests folder {} cannot be read: {cause}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        cause: Arc<std::io::Error>,
    },
    /// Neither a kubeconfig nor a ServiceAccount leads to a cluster.
    #[error("no way to a Kubernetes API: {0}")]
    NoCluster(String),
    /// A flag has a value that cannot be used.
    #[error("{0}")]
    Options(String),
    /// The data plane refused the very first snapshot, so nothing is served and nothing will be.
    #[error("{0}")]
    Dataplane(String),
    /// Metrics of one name were registered twice: a programming error.
    #[error("metrics cannot be registered: {0}")]
    Metrics(String),
    /// A CustomResourceDefinition cannot be written: a programming error.
    #[error("CustomResourceDefinitions cannot be written: {0}")]
    Crds(String),
    /// A task of the controller ended by itself: a programming error.
    #[error("the controller's {0} task ended unexpectedly")]
    Task(&'static str),
}
