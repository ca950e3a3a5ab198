//! What is known of a session of TCP or UDP when it has ended.

use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

/// One session, as the access log needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamRecord {
    /// When it ended (nginx's `$time_local`).
    pub ended: SystemTime,
    /// The client (`$remote_addr`).
    pub remote_address: IpAddr,
    /// What it was of (`$protocol`).
    pub protocol: StreamProtocol,
    /// What came of it (`$status`).
    pub status: StreamStatus,
    /// Bytes that the client got (`$bytes_sent`).
    pub sent: u64,
    /// Bytes that came from the client (`$bytes_received`).
    pub received: u64,
    /// How long it took (`$session_time`).
    pub time: Duration,
}

/// What a session is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl StreamProtocol {
    /// As it stands in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

/// What came of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamStatus {
    /// An endpoint had it, however it ended.
    Served,
    /// The endpoints that were tried did not take it.
    Unreachable,
    /// There was no endpoint.
    NoEndpoint,
}

impl StreamStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Served, Self::Unreachable, Self::NoEndpoint];

    /// The number that nginx has for it (<https://nginx.org/en/docs/stream/ngx_stream_core_module.html#var_status>).
    pub fn code(self) -> u16 {
        match self {
            Self::Served => 200,
            Self::Unreachable => 502,
            Self::NoEndpoint => 503,
        }
    }
}
