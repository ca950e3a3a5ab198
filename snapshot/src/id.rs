//! Stable names: pools, health and counters survive a change by id, so an id says what a thing is, never when it was made.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// Which compile a snapshot came from: a number drawn at each start of a controller, then a sequence.
/// A restarted controller is thus never mistaken for the one before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SnapshotId {
    /// Drawn at random when the controller starts.
    pub instance: u64,
    /// Counts up with each published snapshot.
    pub sequence: u64,
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.instance, self.sequence)
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<T: Into<Arc<str>>> From<T> for $name {
            fn from(name: T) -> Self {
                Self(name.into())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A listener: `http`, `https`, `tcp:9000`, `udp:53`.
    ListenerId
}
name! {
    /// A route table: the host pattern it serves.
    TableId
}
name! {
    /// An upstream: its [`ServicePort`], and a digest of what differs from the defaults where something does.
    UpstreamId
}
name! {
    /// A port of a Service: `namespace/name:port`, and `/UDP` behind it where it is one of UDP. Endpoints, health and outlier state belong to it.
    ServicePort
}
name! {
    /// A certificate: `namespace/name` of its Secret.
    CertId
}

impl ServicePort {
    /// The id of `port` (a number or a name) of a Service.
    pub fn new(namespace: &str, service: &str, port: impl fmt::Display) -> Self {
        Self(format!("{namespace}/{service}:{port}").into())
    }
}
