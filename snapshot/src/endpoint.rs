//! Where a service's pods are.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The endpoints of one Service port that take new requests, in the order of their addresses.
/// Empty: requests are answered 503.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSet {
    /// Ready ones; where none is ready, those that are terminating and still serve.
    pub endpoints: Vec<Endpoint>,
}

/// One address of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// The address.
    pub address: SocketAddr,
}
