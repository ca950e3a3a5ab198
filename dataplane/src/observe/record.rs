//! What is known of a request when its answer has ended.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, SystemTime},
};

use http::Version;

/// One request, as the access log and the metrics need it. Borrows everything, so that making one costs nothing.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// When the answer ended (nginx's `$time_local`).
    pub ended: SystemTime,
    /// The client, after trusted proxies were looked through (`$remote_addr`).
    pub remote_address: IpAddr,
    /// Who authenticated (`$remote_user`).
    pub remote_user: Option<&'a str>,
    /// The method as the client sent it; empty where no request line could be read.
    pub method: &'a str,
    /// The request target as the client sent it.
    pub target: &'a str,
    /// The HTTP version of the request.
    pub version: Version,
    /// The status the client got; 499 where it left before (`$status`).
    pub status: u16,
    /// Bytes of the answer's body that were sent (`$body_bytes_sent`).
    pub body_sent: u64,
    /// Bytes of the whole answer that were sent (`$bytes_sent`).
    pub response_length: u64,
    /// The `Referer` field.
    pub referer: Option<&'a [u8]>,
    /// The `User-Agent` field.
    pub user_agent: Option<&'a [u8]>,
    /// Bytes of request line, header and body that were received (`$request_length`).
    pub request_length: u64,
    /// From the first byte of the request to the last of the answer (`$request_time`).
    pub request_time: Duration,
    /// The backend as `namespace-service-port` (`$proxy_upstream_name`); none where no route forwards.
    pub upstream: Option<&'a str>,
    /// Each endpoint that was tried, in order.
    pub tries: &'a [Try],
    /// The request's id (`$req_id`).
    pub request_id: &'a str,
}

/// One try at an endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Try {
    /// The endpoint (`$upstream_addr`).
    pub address: SocketAddr,
    /// Its status, or the one its failure stands for: 502, 504 (`$upstream_status`); none where the client left
    /// before.
    pub status: Option<u16>,
    /// Bytes of its answer's body (`$upstream_response_length`).
    pub response_length: u64,
    /// How long connecting took; zero for a connection that was used again (`$upstream_connect_time`); none where it
    /// failed.
    pub connect_time: Option<Duration>,
    /// From the start of the try to the end of the answer's header (`$upstream_header_time`); none without one.
    pub header_time: Option<Duration>,
    /// From the start of the try to the end of the answer, or to its failure (`$upstream_response_time`).
    pub response_time: Duration,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A plain request without an upstream.
    pub(crate) fn sample() -> Record<'static> {
        Record {
            ended: SystemTime::UNIX_EPOCH,
            remote_address: IpAddr::from([192, 0, 2, 7]),
            remote_user: None,
            method: "GET",
            target: "/a?b=c",
            version: Version::HTTP_11,
            status: 200,
            body_sent: 12,
            response_length: 112,
            referer: None,
            user_agent: None,
            request_length: 80,
            request_time: Duration::from_millis(1234),
            upstream: None,
            tries: &[],
            request_id: "0123456789abcdef",
        }
    }

    /// An answered try.
    pub(crate) fn sample_try(address: &str, status: u16) -> Try {
        Try {
            address: address.parse().unwrap(),
            status: Some(status),
            response_length: 12,
            connect_time: Some(Duration::ZERO),
            header_time: Some(Duration::from_millis(3)),
            response_time: Duration::from_micros(4900),
        }
    }
}
