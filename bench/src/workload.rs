//! What the proxies are asked to do.

use std::time::Duration;

use anyhow::Result;

use crate::{
    load::{Budget, Load, Sample, Target, h2},
    peer::Peer,
    process::Running,
    site::{HOSTS, Site, plain_host, tls_host},
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
    H2,
}

/// All of them.
pub const ALL: [Workload; 5] = [
    H1_1K,
    Workload { name: "h1, 100 KiB", path: "/100k", protocol: Protocol::Plain, connections: 16 },
    Workload { name: "h1, 1 MiB", path: "/1m", protocol: Protocol::Plain, connections: 8 },
    Workload { name: "TLS 1.3, 1 KiB", path: "/1k", protocol: Protocol::Tls, connections: 32 },
    Workload { name: "h2 over TLS, 1 KiB", path: "/1k", protocol: Protocol::H2, connections: 0 },
];
/// The one that the gate looks at.
pub const H1_1K: Workload = Workload { name: "h1, 1 KiB", path: "/1k", protocol: Protocol::Plain, connections: 32 };

impl Workload {
    /// Whether this proxy is measured with it: other buffers only matter to larger bodies.
    pub fn suits(&self, peer: Peer) -> bool {
        peer != Peer::NginxTuned || matches!(self.path, "/100k" | "/1m")
    }

    /// Whether this proxy can do it at all: HTTP/2 is seen by what the handshake agrees on.
    pub fn served_by(&self, running: &Running, site: &Site) -> bool {
        if self.protocol != Protocol::H2 {
            return true;
        }
        let target = Target { tls: Some(site.tls_h2.clone()), ..self.target(running, site) };
        target.open(&tls_host(0)).is_ok_and(|stream| stream.is_h2())
    }

    /// Whom to ask for what.
    pub fn target(&self, running: &Running, site: &Site) -> Target {
        let plain = self.protocol == Protocol::Plain;
        Target {
            address: if plain { running.plain } else { running.tls },
            tls: (!plain).then(|| site.tls.clone()),
            hosts: (0..HOSTS).map(|i| if plain { plain_host(i) } else { tls_host(i) }).step_by(7).collect(),
            path: self.path,
        }
    }

    /// Opens the connections.
    ///
    /// # Errors
    /// Where one cannot be opened.
    pub fn connect(&self, running: &Running, site: &Site) -> Result<Load> {
        Load::connect(&self.target(running, site), self.connections)
    }

    /// Warms up, then measures for a time; `measure` is called right before and right after.
    ///
    /// # Errors
    /// Where any answer was not 200.
    pub fn run<T>(
        &self,
        running: &Running,
        site: &Site,
        time: Duration,
        mut measure: impl FnMut() -> Result<T>,
    ) -> Result<(T, Sample, T)> {
        if self.protocol == Protocol::H2 {
            let run = || h2::run(&mut site.h2load(), running.tls, &tls_host(0));
            run()?;
            return Ok((measure()?, run()?, measure()?));
        }
        let mut load = self.connect(running, site)?;
        load.run(Budget::Time(time / 5))?;
        Ok((measure()?, load.run(Budget::Time(time))?, measure()?))
    }
}
