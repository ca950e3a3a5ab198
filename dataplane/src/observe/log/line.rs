//! The format of a line: ingress-nginx's `upstreaminfo`
//! (<https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/log-format/>).

use std::{
    io::Write,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use http::Version;

use super::{Record, StreamRecord};
use crate::observe::Try;

/// Appends the line of a request, with its end.
pub(super) fn write(out: &mut Vec<u8>, record: &Record<'_>, local_time: &str) {
    address(out, record.remote_address);
    out.extend_from_slice(b" - ");
    text(out, record.remote_user.map(str::as_bytes));
    out.extend_from_slice(b" [");
    out.extend_from_slice(local_time.as_bytes());
    out.extend_from_slice(b"] \"");
    request(out, record);
    out.extend_from_slice(b"\" ");
    number(out, record.status.into());
    out.push(b' ');
    number(out, record.body_sent);
    out.extend_from_slice(b" \"");
    text(out, record.referer);
    out.extend_from_slice(b"\" \"");
    text(out, record.user_agent);
    out.extend_from_slice(b"\" ");
    number(out, record.request_length);
    out.push(b' ');
    seconds(out, record.request_time);
    out.extend_from_slice(b" [");
    text(out, record.upstream.map(str::as_bytes));
    // The alternative upstream is a canary's; there is none yet.
    out.extend_from_slice(b"] [] ");
    upstream(out, record.tries);
    text(out, Some(record.request_id.as_bytes()));
    out.push(b'\n');
}

/// Appends the line of a session of TCP or UDP, as ingress-nginx's `log-format-stream` has it by default.
pub(super) fn write_stream(out: &mut Vec<u8>, record: &StreamRecord, local_time: &str) {
    out.push(b'[');
    address(out, record.remote_address);
    out.extend_from_slice(b"] [");
    out.extend_from_slice(local_time.as_bytes());
    out.extend_from_slice(b"] ");
    out.extend_from_slice(record.protocol.as_str().as_bytes());
    for value in [record.status.code().into(), record.sent, record.received] {
        out.push(b' ');
        number(out, value);
    }
    out.push(b' ');
    seconds(out, record.time);
    out.push(b'\n');
}

fn request(out: &mut Vec<u8>, record: &Record<'_>) {
    if record.method.is_empty() {
        return out.push(b'-');
    }
    // A token (RFC 9110 section 9.1), else it were none.
    out.extend_from_slice(record.method.as_bytes());
    out.push(b' ');
    escaped(out, record.target.as_bytes());
    out.extend_from_slice(match record.version {
        Version::HTTP_09 => b"",
        Version::HTTP_10 => b" HTTP/1.0",
        Version::HTTP_2 => b" HTTP/2.0",
        Version::HTTP_3 => b" HTTP/3.0",
        _ => b" HTTP/1.1",
    });
}

/// Address, length, time and status, each a list of all tries.
fn upstream(out: &mut Vec<u8>, tries: &[Try]) {
    list(out, tries, |out, one| socket_address(out, one.address));
    list(out, tries, |out, one| number(out, one.response_length));
    list(out, tries, |out, one| seconds(out, one.response_time));
    list(out, tries, |out, one| match one.status {
        Some(status) => number(out, status.into()),
        None => out.push(b'-'),
    });
}

fn list(out: &mut Vec<u8>, tries: &[Try], write_one: impl Fn(&mut Vec<u8>, &Try)) {
    if tries.is_empty() {
        out.push(b'-');
    }
    for (index, one) in tries.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        write_one(out, one);
    }
    out.push(b' ');
}

fn text(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        Some(value) if !value.is_empty() => escaped(out, value),
        _ => out.push(b'-'),
    }
}

/// As nginx escapes by default: quotes, backslashes and everything that is not printable ASCII become `\xHH`, so that
/// a client can neither end a field nor forge a line.
fn escaped(out: &mut Vec<u8>, value: &[u8]) {
    // Without a way out of the loop it looks at many bytes at a time, and nearly every value is harmless.
    if !value.iter().fold(false, |found, byte| found | is_escaped(*byte)) {
        return out.extend_from_slice(value);
    }
    for run in value.split_inclusive(|byte| is_escaped(*byte)) {
        match run.split_last() {
            Some((&last, harmless)) if is_escaped(last) => {
                out.extend_from_slice(harmless);
                out.extend_from_slice(b"\\x");
                out.extend([last >> 4, last & 15].map(hex));
            }
            _ => out.extend_from_slice(run),
        }
    }
}

fn is_escaped(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | ..b' ' | 0x7f..)
}

fn hex(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' + (nibble - 10) }
}

fn number(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Seconds with milliseconds, rounded down.
fn seconds(out: &mut Vec<u8>, duration: Duration) {
    match u8::try_from(duration.as_secs()) {
        Ok(seconds) => small(out, seconds),
        Err(_) => number(out, duration.as_secs()),
    }
    let millis = duration.subsec_millis();
    out.extend([b'.', digit(millis / 100), digit(millis / 10 % 10), digit(millis % 10)]);
}

/// Most numbers of a line are small, and for these a buffer to write them in costs more than they do.
fn small(out: &mut Vec<u8>, value: u8) {
    let value = u32::from(value);
    if value >= 100 {
        out.push(digit(value / 100));
    }
    if value >= 10 {
        out.push(digit(value / 10 % 10));
    }
    out.push(digit(value % 10));
}

/// Of a number up to nine.
fn digit(value: u32) -> u8 {
    b'0' + u8::try_from(value).unwrap_or_default()
}

fn socket_address(out: &mut Vec<u8>, socket: SocketAddr) {
    match socket {
        SocketAddr::V4(socket) => address(out, IpAddr::V4(*socket.ip())),
        SocketAddr::V6(socket) => {
            out.push(b'[');
            address(out, IpAddr::V6(*socket.ip()));
            out.push(b']');
        }
    }
    out.push(b':');
    number(out, socket.port().into());
}

/// IPv4 without the formatting machinery: it is most of them.
fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            small(out, a);
            for octet in [b, c, d] {
                out.push(b'.');
                small(out, octet);
            }
        }
        IpAddr::V6(address) => {
            // Writing to memory does not fail.
            write!(out, "{address}").ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::record::tests::{sample, sample_try};

    fn line(record: &Record<'_>) -> String {
        let mut out = Vec::new();
        write(&mut out, record, "24/Nov/2026:07:01:42 +0000");
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn without_upstream() {
        assert_eq!(
            line(&sample()),
            "192.0.2.7 - - [24/Nov/2026:07:01:42 +0000] \"GET /a?b=c HTTP/1.1\" 200 12 \"-\" \"-\" 80 1.234 [-] [] - - - - 0123456789abcdef\n"
        );
    }

    #[test]
    fn with_everything() {
        let failed = Try {
            status: Some(504),
            response_length: 0,
            connect_time: None,
            header_time: None,
            response_time: Duration::from_secs(60),
            ..sample_try("10.0.0.1:8080", 504)
        };
        let tries = [failed, sample_try("[2001:db8::2]:8080", 200)];
        let record = Record {
            remote_address: "2001:db8::1".parse().unwrap(),
            remote_user: Some("ann"),
            method: "POST",
            version: Version::HTTP_2,
            referer: Some(b"https://a.example/"),
            user_agent: Some(b"curl/8"),
            upstream: Some("default-web-80"),
            tries: &tries,
            ..sample()
        };
        assert_eq!(
            line(&record),
            "2001:db8::1 - ann [24/Nov/2026:07:01:42 +0000] \"POST /a?b=c HTTP/2.0\" 200 12 \"https://a.example/\" \"curl/8\" 80 1.234 [default-web-80] [] 10.0.0.1:8080, [2001:db8::2]:8080 0, 12 60.000, 0.004 504, 200 0123456789abcdef\n"
        );
    }

    #[test]
    fn a_session_of_tcp_or_udp() {
        let record = StreamRecord {
            ended: std::time::SystemTime::UNIX_EPOCH,
            remote_address: "192.0.2.7".parse().unwrap(),
            protocol: crate::observe::StreamProtocol::Udp,
            status: crate::observe::StreamStatus::Unreachable,
            sent: 12,
            received: 345,
            time: Duration::from_millis(6789),
        };
        let mut out = Vec::new();
        write_stream(&mut out, &record, "24/Nov/2026:07:01:42 +0000");
        assert_eq!(out, b"[192.0.2.7] [24/Nov/2026:07:01:42 +0000] UDP 502 12 345 6.789\n");
    }

    #[test]
    fn no_client_can_forge_a_line() {
        let record = Record { user_agent: Some(b"a\"\r\n\\\x7f\xc3\xa9\0"), remote_user: Some("x\ny"), ..sample() };
        let line = line(&record);
        assert!(line.contains(r#""a\x22\x0D\x0A\x5C\x7F\xC3\xA9\x00""#), "{line}");
        assert!(line.contains(r" - x\x0Ay ["));
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn a_request_that_could_not_be_read() {
        let record = Record { method: "", target: "", status: 400, request_id: "", ..sample() };
        assert!(line(&record).contains("] \"-\" 400 "));
        assert!(line(&record).ends_with(" -\n"));
    }

    #[test]
    fn milliseconds_have_three_digits() {
        for (micros, text) in
            [(0, "0.000"), (9_999, "0.009"), (10_000, "0.010"), (999_999, "0.999"), (12_100_000, "12.100")]
        {
            let mut out = Vec::new();
            seconds(&mut out, Duration::from_micros(micros));
            assert_eq!(out, text.as_bytes());
        }
    }
}
