//! A real proxy on free ports, real backends over sockets, clients that speak bytes. Every wait is bounded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, unused_imports, missing_docs)]

mod backend;
mod channel;
mod client;
pub mod h2;
mod h2c;
pub mod pki;
pub mod private;
mod proxy;
mod stream;
pub mod tls;
pub mod tls_backend;
mod world;

use std::{future::Future, time::Duration};

pub use backend::{Backend, Received, read_request};
pub use client::{Answer, Client, get, tls_client};
pub use h2c::H2cBackend;
pub use proxy::Proxy;
pub use stream::{Echo, UdpBackend};
pub use world::World;

/// Far more than anything here takes: only a test that fails gets near it.
pub const LIMIT: Duration = Duration::from_secs(20);

/// Waits, but not for ever.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// Asks again and again until something is so.
pub async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    within(what, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
