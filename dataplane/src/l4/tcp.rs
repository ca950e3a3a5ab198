//! A TCP connection that is handed on.

use std::{
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::{Instant, SystemTime},
};

use proxy_header::{ProxiedAddress, ProxyHeader};
use snapshot::TcpService;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use super::{
    LiveBackend,
    backend::Unreachable,
    relay::{Count, End, relay},
};
use crate::observe::{StreamMetrics, StreamProtocol, StreamRecord, StreamStatus};

/// A TCP service that is served.
#[derive(Debug)]
pub struct LiveTcp {
    /// What it was built from.
    pub source: Arc<TcpService>,
    /// Where connections go.
    pub backend: LiveBackend,
    /// Its counters.
    pub metrics: Arc<StreamMetrics>,
}

/// Between whom a connection is, as an endpoint may be told.
#[derive(Debug, Clone, Copy)]
pub struct Parties {
    /// The client.
    pub client: SocketAddr,
    /// The address that it connected to.
    pub local: SocketAddr,
}

/// Serves a connection to its end, or until it is `cut`; `first` is what was read of it already. What it was like is for the
/// log.
pub async fn serve(
    client: TcpStream,
    first: Vec<u8>,
    parties: Parties,
    live: &LiveTcp,
    cut: impl Future<Output = ()>,
) -> StreamRecord {
    let mut cut = pin!(cut);
    let began = Instant::now();
    let _open = live.metrics.open();
    let mut up = Count { own: 0, all: &live.metrics.received };
    let mut down = Count { own: 0, all: &live.metrics.sent };
    let connected = tokio::select! {
        connected = connect(&first, parties, live) => connected,
        () = &mut cut => Err(Unreachable::Failed),
    };
    let status = match connected {
        Ok(endpoint) => {
            up.add(first.len());
            drop(first);
            let end = tokio::select! {
                end = relay(&client, &endpoint, live.source.idle, [&mut up, &mut down]) => end,
                () = &mut cut => End::Cut,
            };
            let cut_short = match end {
                End::Whole => None,
                End::Idle => Some("it was silent for too long".to_owned()),
                End::Cut => Some("the worker leaves".to_owned()),
                End::Broken(error) => Some(error.to_string()),
            };
            if let Some(reason) = cut_short {
                tracing::debug!(client = %parties.client, reason, "connection ended before its time");
                // Who was cut short must not take it for the end.
                reset(&endpoint);
                reset(&client);
            }
            StreamStatus::Served
        }
        Err(unreachable) => {
            tracing::debug!(client = %parties.client, origin = %live.source.origin, ?unreachable, "not handed on");
            reset(&client);
            match unreachable {
                Unreachable::NoEndpoint => StreamStatus::NoEndpoint,
                Unreachable::Failed => StreamStatus::Unreachable,
            }
        }
    };
    live.metrics.ended(status);
    StreamRecord {
        ended: SystemTime::now(),
        remote_address: parties.client.ip().to_canonical(),
        protocol: StreamProtocol::Tcp,
        status,
        sent: down.own,
        received: up.own,
        time: began.elapsed(),
    }
}

/// A connection to an endpoint, which has been sent what comes before the client's bytes, and those that are here.
async fn connect(first: &[u8], parties: Parties, live: &LiveTcp) -> Result<TcpStream, Unreachable> {
    let TcpService { connect, retry, send_proxy_header, .. } = &*live.source;
    let failed = || live.metrics.connect_failed();
    let (mut endpoint, address) = live.backend.connect(*connect, retry, failed).await?;
    let mut head = Vec::new();
    if *send_proxy_header && let Err(error) = proxy_header(parties).encode_v1(&mut head) {
        tracing::error!(%address, %error, "no PROXY header can be made");
        return Err(Unreachable::Failed);
    }
    head.extend_from_slice(first);
    if !head.is_empty() {
        let sent = timeout(*connect, endpoint.write_all(&head)).await;
        if let Err(error) = sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            tracing::debug!(%address, %error, "an endpoint did not take the first bytes");
            return Err(Unreachable::Failed);
        }
    }
    Ok(endpoint)
}

/// What an endpoint is told of a connection. Of two families it can be told nothing.
fn proxy_header(Parties { client, local }: Parties) -> ProxyHeader<'static> {
    let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    let (client, local) = (canonical(client), canonical(local));
    if client.is_ipv4() == local.is_ipv4() {
        ProxyHeader::with_address(ProxiedAddress::stream(client, local))
    } else {
        ProxyHeader::with_local()
    }
}

/// Closes a connection in such a way that its other side knows it for no proper end.
fn reset(stream: &TcpStream) {
    // Where that is impossible it is closed all the same.
    stream.set_zero_linger().ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(client: &str, local: &str) -> String {
        let parties = Parties { client: client.parse().unwrap(), local: local.parse().unwrap() };
        let mut bytes = Vec::new();
        super::proxy_header(parties).encode_v1(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn tells_endpoints_who_asks() {
        assert_eq!(header("192.0.2.1:5000", "10.0.0.1:90"), "PROXY TCP4 192.0.2.1 10.0.0.1 5000 90\r\n");
        assert_eq!(header("[::ffff:192.0.2.1]:5000", "10.0.0.1:90"), "PROXY TCP4 192.0.2.1 10.0.0.1 5000 90\r\n");
        assert_eq!(header("[2001:db8::1]:5000", "[2001:db8::2]:90"), "PROXY TCP6 2001:db8::1 2001:db8::2 5000 90\r\n");
        assert_eq!(header("[2001:db8::1]:5000", "10.0.0.1:90"), "PROXY UNKNOWN\r\n");
    }
}
