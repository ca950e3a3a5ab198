//! Connections that are not served.

use std::io::{Read, Write};

use tokio::net::TcpStream;

use crate::observe::{Connections, Refused, Seldom};

/// What a client in the clear gets to read.
const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: text/plain\r\n\
    content-length: 24\r\n\
    connection: close\r\n\
    \r\n\
    503 Service Unavailable\n";

/// Refuses connections, and says so: each in a metric, now and then in the log.
#[derive(Debug, Default)]
pub struct Refusals {
    full: Seldom,
    client: Seldom,
    untrusted: Seldom,
    proxy: Seldom,
}

impl Refusals {
    /// Counts a connection that is to be closed.
    pub fn note(&self, stream: &TcpStream, why: Refused, gauges: &Connections) {
        gauges.refused(why);
        let (log, reason) = match why {
            Refused::Full => (&self.full, "every worker has as many as it may have"),
            Refused::Client => (&self.client, "their client has as many as it may have"),
            Refused::ProxyUntrusted => {
                (&self.untrusted, "nobody believes PROXY headers from there (proxy-real-ip-cidr)")
            }
            Refused::ProxyMissing => (&self.proxy, "they do not begin with a PROXY header"),
            Refused::ProxyMalformed => (&self.proxy, "their PROXY header breaks the rules"),
            Refused::ProxyLate => (&self.proxy, "their PROXY header did not come in time"),
        };
        if let Some(connections) = log.say() {
            let peer = stream.peer_addr().ok();
            tracing::warn!(connections, last = ?peer, reason, "connections refused");
        }
    }

    /// Closes a connection, at no cost that grows: no task, no wait, no buffer. In the clear the client is told why as
    /// far as the socket takes it at once, over TLS there is nobody to tell yet.
    pub fn refuse(&self, stream: TcpStream, is_plain_http: bool, why: Refused, gauges: &Connections) {
        self.note(&stream, why, gauges);
        // Not by way of the runtime, which does not know yet that the socket can be written to.
        if let Ok(mut stream) = stream.into_std()
            && is_plain_http
            && stream.write(ANSWER).is_ok()
        {
            // What is closed with unread bytes in it is reset, and that may overtake the answer.
            let _ = stream.read(&mut [0; 4096]);
        }
    }
}
