//! Parts of the data plane that run by themselves, without a socket or a worker: a door for the benches and
//! the fuzz targets, and for nothing else.

use std::sync::Arc;

use snapshot::Snapshot;
use tokio::runtime::Handle;

use crate::{
    StartError,
    observe::{Metrics, MetricsConfig},
    runtime::{Applied, Builder, Runtime},
    tls::{TlsClients, TlsFactory},
    upstream::resolve::Resolver,
};

pub use crate::{
    http::FieldRules,
    l4::proxy_header::{BadHeader, Parsed as ParsedProxyHeader, parse as parse_proxy_header},
};

/// Snapshots become what would be served.
pub struct Applying {
    builder: Builder,
    runtime: Runtime,
    held: Option<Arc<Snapshot>>,
}

impl Applying {
    /// Serves nothing yet. To be called on a tokio runtime, which looks names up.
    ///
    /// # Errors
    /// Something that every snapshot needs cannot be had.
    pub fn new() -> Result<Self, StartError> {
        let metrics = Metrics::new(MetricsConfig::default())?;
        let resolver = Resolver::new(Handle::current(), metrics.registry())?;
        let clients = TlsClients::new(metrics.registry())?;
        let builder = Builder::new(TlsFactory::new()?, clients, resolver, metrics, 1);
        Ok(Self { builder, runtime: Runtime::default(), held: None })
    }

    /// Takes a snapshot over, carrying over what is the same in the one before. Returns whether anything but endpoints
    /// changed.
    pub fn apply(&mut self, snapshot: &Arc<Snapshot>) -> bool {
        let Applied { built, .. } = self.builder.apply(&self.runtime, self.held.as_deref(), snapshot);
        self.held = Some(Arc::clone(snapshot));
        let changed = built.is_some();
        if let Some(built) = built {
            self.runtime = built.runtime;
        }
        changed
    }
}
