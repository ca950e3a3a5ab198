//! The proxies, each with the smallest configuration that does the same: forward to one backend over kept connections,
//! say who the client was, write an access log to a file on a tmpfs, speak HTTP/1.1 and HTTP/2 over TLS, with an ECDSA and
//! an RSA certificate. nginx, HAProxy and Tidegate also hand a port of TCP on. One worker.

mod envoy;
mod haproxy;
mod nginx;
pub mod tidegate;
mod traefik;

use anyhow::{Context, Result};

use crate::{
    process::Launch,
    site::{Site, free_port},
};

/// A proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// Ours.
    Tidegate,
    /// Another build of ours.
    OtherTidegate,
    /// nginx, with its own default buffers.
    Nginx,
    /// nginx, with proxy buffers that hold larger answers.
    NginxTuned,
    /// HAProxy.
    Haproxy,
    /// Envoy.
    Envoy,
    /// Traefik.
    Traefik,
}

impl Peer {
    /// All of them, but for another build of ours.
    pub const ALL: [Self; 6] =
        [Self::Nginx, Self::Tidegate, Self::Haproxy, Self::NginxTuned, Self::Envoy, Self::Traefik];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tidegate => "Tidegate",
            Self::OtherTidegate => "the other Tidegate",
            Self::Nginx => "nginx",
            Self::NginxTuned => "nginx, 64 KiB buffers",
            Self::Haproxy => "HAProxy",
            Self::Envoy => "Envoy",
            Self::Traefik => "Traefik",
        }
    }

    /// Whether it is set up to hand TCP on.
    pub fn hands_tcp_on(self) -> bool {
        match self {
            Self::Tidegate | Self::OtherTidegate | Self::Nginx | Self::Haproxy => true,
            Self::NginxTuned | Self::Envoy | Self::Traefik => false,
        }
    }

    /// Writes its configuration, and says how to start it.
    ///
    /// # Errors
    /// Where the configuration cannot be written, or no other Tidegate was named.
    pub fn prepare(self, site: &Site) -> Result<Launch> {
        let ports = Ports::free()?;
        match self {
            Self::Tidegate => tidegate::prepare(site, ports, "tidegate", &site.tidegate),
            Self::OtherTidegate => {
                let program = site.other_tidegate.as_ref().context("no other Tidegate was named")?;
                tidegate::prepare(site, ports, "other-tidegate", program)
            }
            Self::Nginx => nginx::prepare(site, ports, nginx::Buffers::Default),
            Self::NginxTuned => nginx::prepare(site, ports, nginx::Buffers::Tuned),
            Self::Haproxy => haproxy::prepare(site, ports),
            Self::Envoy => envoy::prepare(site, ports),
            Self::Traefik => traefik::prepare(site, ports),
        }
    }
}

/// Where a proxy shall listen.
#[derive(Debug, Clone, Copy)]
struct Ports {
    plain: std::net::SocketAddr,
    tls: std::net::SocketAddr,
    tcp: std::net::SocketAddr,
}

impl Ports {
    fn free() -> Result<Self> {
        Ok(Self { plain: free_port()?, tls: free_port()?, tcp: free_port()? })
    }

    fn launch(self, site: &Site, name: &str, program: std::path::PathBuf) -> Launch {
        Launch {
            program,
            arguments: Vec::new(),
            environment: Vec::new(),
            output: site.path(&format!("{name}.out")).into(),
            log: site.path(&format!("{name}.log")).into(),
            plain: self.plain,
            tls: self.tls,
            tcp: self.tcp,
        }
    }
}
