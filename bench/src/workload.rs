//! What the proxies are asked to do.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, ensure};

use crate::{
    load::{Budget, Load, Sample, Target, h2},
    peer::Peer,
    process::Running,
    procfs::{self, Usage},
    site::{HOSTS, RSA_HOST, Site, plain_host, tls_host, with_tickets},
};

/// A kind of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    /// Its name in tables.
    pub name: &'static str,
    path: &'static str,
    protocol: Protocol,
    /// Connections, each with one request at a time; for HTTP/2 see [`h2`].
    connections: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Plain,
    Tls,
    /// TLS, with a new connection for each request.
    Handshake,
    /// As `Handshake`, with a host whose certificate is of RSA.
    HandshakeRsa,
    /// As `Handshake`, each but the first ones with a ticket.
    Resumed,
    H2,
    /// HTTP over a port of TCP that is handed on.
    Tcp,
}

/// All of them.
pub const ALL: [Workload; 10] = [
    H1_1K,
    Workload { name: "h1, 100 KiB", path: "/100k", protocol: Protocol::Plain, connections: 16 },
    Workload { name: "h1, 1 MiB", path: "/1m", protocol: Protocol::Plain, connections: 8 },
    TLS_1K,
    Workload { name: "TLS 1.3, 100 KiB", path: "/100k", protocol: Protocol::Tls, connections: 16 },
    Workload { name: "TLS 1.3 handshake, 1 KiB", path: "/1k", protocol: Protocol::Handshake, connections: 32 },
    Workload { name: "TLS 1.3 handshake, RSA 2048", path: "/1k", protocol: Protocol::HandshakeRsa, connections: 32 },
    Workload { name: "TLS 1.3 resumed, 1 KiB", path: "/1k", protocol: Protocol::Resumed, connections: 32 },
    H2_1K,
    Workload { name: "TCP, 1 MiB", path: "/1m", protocol: Protocol::Tcp, connections: 8 },
];

/// Those whose name holds `text`.
///
/// # Errors
/// Where there is none.
pub fn named(text: &str) -> Result<Vec<Workload>> {
    let found: Vec<Workload> = ALL.into_iter().filter(|workload| workload.name.contains(text)).collect();
    let names = ALL.map(|workload| workload.name).join("; ");
    ensure!(!found.is_empty(), "`{text}` is in no name of a workload: {names}");
    Ok(found)
}

/// The smallest request there is.
pub const H1_1K: Workload = Workload { name: "h1, 1 KiB", path: "/1k", protocol: Protocol::Plain, connections: 32 };
/// The same over TLS.
pub const TLS_1K: Workload = Workload { name: "TLS 1.3, 1 KiB", path: "/1k", protocol: Protocol::Tls, connections: 32 };
/// The same over HTTP/2.
pub const H2_1K: Workload =
    Workload { name: "h2 over TLS, 1 KiB", path: "/1k", protocol: Protocol::H2, connections: 0 };

/// A workload under way.
#[derive(Debug)]
pub enum Traffic<'a> {
    /// Our own load, with its connections.
    Own(Load),
    /// h2load, which opens its connections for each run.
    H2load(&'a Site, &'a Running),
}

impl Workload {
    /// Whether this proxy is measured with it: other buffers only matter to larger bodies, and not all are set up for TCP.
    pub fn suits(&self, peer: Peer) -> bool {
        if self.protocol == Protocol::Tcp {
            return peer.hands_tcp_on();
        }
        peer != Peer::NginxTuned || matches!(self.path, "/100k" | "/1m")
    }

    /// Whether this proxy can do it at all: HTTP/2 is seen by what the handshake agrees on.
    pub fn served_by(&self, running: &Running, site: &Site) -> bool {
        if self.protocol != Protocol::H2 {
            return true;
        }
        let target = Target { tls: Some(site.tls_h2.clone()), ..self.target(running, site) };
        target.open(&tls_host(0), 0).and_then(|stream| stream.agrees_on_h2()).unwrap_or(false)
    }

    /// Whom to ask for what.
    pub fn target(&self, running: &Running, site: &Site) -> Target {
        let hosts = |name: fn(usize) -> String| (0..HOSTS).map(name).step_by(7).collect();
        let (address, tls, hosts) = match self.protocol {
            Protocol::Plain => (running.plain, None, hosts(plain_host)),
            Protocol::Tcp => (running.tcp, None, hosts(plain_host)),
            Protocol::Tls | Protocol::H2 => (running.tls, Some(Arc::clone(&site.tls)), hosts(tls_host)),
            Protocol::Handshake => (running.tls, Some(Arc::clone(&site.tls_fresh)), hosts(tls_host)),
            Protocol::HandshakeRsa => (running.tls, Some(Arc::clone(&site.tls_fresh)), vec![RSA_HOST.to_owned()]),
            Protocol::Resumed => (running.tls, Some(with_tickets(&site.tls_fresh)), hosts(tls_host)),
        };
        let fresh = match self.protocol {
            Protocol::Handshake | Protocol::HandshakeRsa | Protocol::Resumed => true,
            Protocol::Plain | Protocol::Tls | Protocol::H2 | Protocol::Tcp => false,
        };
        Target { address, tls, hosts, path: self.path, fresh, resumes: self.protocol == Protocol::Resumed }
    }

    /// Opens the connections.
    ///
    /// # Errors
    /// Where one cannot be opened.
    pub fn connect<'a>(&self, running: &'a Running, site: &'a Site) -> Result<Traffic<'a>> {
        match self.protocol {
            Protocol::H2 => Ok(Traffic::H2load(site, running)),
            _ => Ok(Traffic::Own(Load::connect(&self.target(running, site), self.connections)?)),
        }
    }

    /// Warms up, then asks for a time: what was done in it, and what CPU time the proxy used for that.
    ///
    /// # Errors
    /// Where any answer was not 200, or the proxy wrote no access log.
    pub fn run(&self, running: &Running, site: &Site, time: Duration) -> Result<(Sample, Usage)> {
        let pids = running.pids()?;
        let mut traffic = self.connect(running, site)?;
        traffic.run(Budget::Time(time / 5))?;
        let before = procfs::usage(&pids)?;
        let sample = traffic.run(Budget::Time(time))?;
        let used = procfs::usage(&pids)?.since(before);
        // A session of TCP is in the log at its end.
        ensure!(running.take_log()? > 0 || self.protocol == Protocol::Tcp, "it wrote no access log");
        ensure!(sample.requests > 0, "no request was answered");
        Ok((sample, used))
    }
}

impl Traffic<'_> {
    /// Asks until the budget is spent. h2load has a number of its own.
    ///
    /// # Errors
    /// Where any answer was not 200.
    pub fn run(&mut self, budget: Budget) -> Result<Sample> {
        match self {
            Self::Own(load) => load.run(budget),
            Self::H2load(site, running) => {
                h2::run(&mut site.h2load(), running.tls, &tls_host(0), &site.path("h2load.log"))
            }
        }
    }
}
