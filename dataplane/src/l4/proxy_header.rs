//! The PROXY protocol, versions 1 and 2: who the client is, in front of what it sends
//! (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>).

use std::net::SocketAddr;

use memchr::memchr;
use proxy_header::{Error, ParseConfig, Protocol, ProxyHeader};
use snapshot::ProxyProtocol;
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

/// How headers of version 1 begin.
const V1: &[u8] = b"PROXY ";
/// How headers of version 2 begin.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// What a header of version 2 has in front of what its length counts.
const V2_HEAD: usize = 16;
/// Bytes of the longest header of version 1.
const LONGEST_V1: usize = 107;
/// Bytes of the longest header of version 2 that is taken: room for the certificate's names, which some proxies add.
const LONGEST_V2: usize = 4 << 10;

/// Between whom a connection is, as the proxy in front of us says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proxied {
    /// The client.
    pub client: SocketAddr,
    /// The address that the client connected to.
    pub destination: SocketAddr,
}

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadHeader {
    /// It comes from somebody who is not believed.
    Untrusted,
    /// It does not begin with a header.
    Missing,
    /// The header breaks the protocol's rules, is too long, or ends too soon.
    Malformed,
    /// The header does not come.
    Late,
}

/// Reads the header of a connection from `peer`, and not a byte more. None: the proxy speaks for itself (its health
/// check), or does not say for whom.
///
/// # Errors
/// There is none, or not one to believe.
pub async fn read(
    stream: &mut TcpStream,
    peer: SocketAddr,
    rules: &ProxyProtocol,
) -> Result<Option<Proxied>, BadHeader> {
    let address = peer.ip().to_canonical();
    if !rules.trusted.iter().any(|network| network.contains(&address)) {
        return Err(BadHeader::Untrusted);
    }
    timeout(rules.timeout, receive(stream)).await.unwrap_or(Err(BadHeader::Late))
}

async fn receive(stream: &mut TcpStream) -> Result<Option<Proxied>, BadHeader> {
    let ended = |held: &[u8]| if held.is_empty() { BadHeader::Missing } else { BadHeader::Malformed };
    let mut seen = vec![0; LONGEST_V1 + 1];
    let mut held = 0;
    loop {
        // Looked at before it is taken: what comes behind the header is the connection's.
        let room = seen.get_mut(held..).unwrap_or_default();
        let peeked = stream.peek(room).await.map_err(|_| BadHeader::Malformed)?;
        if peeked == 0 {
            return Err(ended(seen.get(..held).unwrap_or_default()));
        }
        let (own, proxied) = match parse(seen.get(..held + peeked).unwrap_or_default())? {
            Parsed::Whole { length, proxied } => (length.saturating_sub(held), Some(proxied)),
            Parsed::Part { longest } => {
                seen.resize(longest.max(held + peeked), 0);
                (peeked, None)
            }
        };
        let taken = seen.get_mut(held..held + own).unwrap_or_default();
        stream.read_exact(taken).await.map_err(|_| BadHeader::Malformed)?;
        if let Some(proxied) = proxied {
            return Ok(proxied);
        }
        held += own;
    }
}

/// What bytes are as the beginning of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// A header and perhaps more.
    Whole {
        /// Bytes of the header.
        length: usize,
        /// For whom the proxy speaks, if it says so.
        proxied: Option<Proxied>,
    },
    /// A part of a header.
    Part {
        /// As many bytes as the header may have.
        longest: usize,
    },
}

/// Looks at the beginning of a connection.
///
/// # Errors
/// It is none of a header, or that of a malformed one.
pub fn parse(bytes: &[u8]) -> Result<Parsed, BadHeader> {
    let longest = longest(bytes)?;
    match ProxyHeader::parse(bytes, ParseConfig { include_tlvs: false, ..ParseConfig::default() }) {
        Ok((_, length)) if length > longest || !is_one_line(bytes, length) => Err(BadHeader::Malformed),
        Ok((header, length)) => {
            let proxied = header.proxied_address().filter(|address| address.protocol == Protocol::Stream);
            let proxied = proxied.map(|address| Proxied { client: address.source, destination: address.destination });
            Ok(Parsed::Whole { length, proxied })
        }
        // A line that has ended will not become longer.
        Err(Error::BufferTooShort) if bytes.first() == V1.first() && bytes.contains(&b'\n') => {
            Err(BadHeader::Malformed)
        }
        Err(Error::BufferTooShort) if bytes.len() < longest => Ok(Parsed::Part { longest }),
        Err(_) => Err(BadHeader::Malformed),
    }
}

/// Whether a header of version 1 ends with its first line: the library passes over an end of a line where it looks for
/// that of the header.
fn is_one_line(bytes: &[u8], length: usize) -> bool {
    bytes.first() != V1.first() || memchr(b'\n', bytes).is_none_or(|end| end + 1 == length)
}

/// How many bytes the header may have that begins like this.
fn longest(bytes: &[u8]) -> Result<usize, BadHeader> {
    if begins(bytes, V1) {
        return Ok(LONGEST_V1);
    }
    if !begins(bytes, V2) {
        return Err(BadHeader::Missing);
    }
    let longest = match bytes.get(V2_HEAD - 2..V2_HEAD) {
        Some(&[high, low]) => V2_HEAD + usize::from(u16::from_be_bytes([high, low])),
        _ => V2_HEAD,
    };
    if longest > LONGEST_V2 { Err(BadHeader::Malformed) } else { Ok(longest) }
}

/// Whether bytes are the beginning of a mark, or have it at their beginning.
fn begins(bytes: &[u8], mark: &[u8]) -> bool {
    bytes.iter().zip(mark).all(|(a, b)| a == b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proxy_header::ProxiedAddress;

    use super::*;

    fn header(client: SocketAddr, destination: SocketAddr, v2: bool) -> Vec<u8> {
        let header = ProxyHeader::with_address(ProxiedAddress::stream(client, destination));
        let mut bytes = Vec::new();
        if v2 {
            header.encode_v2(&mut bytes).unwrap()
        } else {
            header.encode_v1(&mut bytes).unwrap()
        }
        bytes
    }

    fn proxied(bytes: &[u8]) -> Result<Option<Proxied>, BadHeader> {
        match parse(bytes)? {
            Parsed::Whole { length, proxied } => {
                assert_eq!(length, bytes.len());
                Ok(proxied)
            }
            Parsed::Part { .. } => panic!("only a part"),
        }
    }

    #[test]
    fn a_proxy_may_speak_for_itself() {
        assert_eq!(proxied(b"PROXY UNKNOWN\r\n"), Ok(None));
        assert_eq!(proxied(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), Ok(None));
        assert_eq!(proxied(b"\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0"), Ok(None));
        // LOCAL, with addresses that do not count.
        assert_eq!(
            proxied(b"\r\n\r\n\0\r\nQUIT\n\x20\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\0\x50\0\x51"),
            Ok(None)
        );
        // A datagram is no connection.
        assert_eq!(
            proxied(b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\0\x50\0\x51"),
            Ok(None)
        );
    }

    #[test]
    fn what_breaks_the_rules_is_malformed() {
        for bad in [
            &b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\nxxxxxx"[..],
            b"PROXY TCP4 1.2.3.400 5.6.7.8 1 2\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
            b"PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n",
            b"PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
            b"PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rX",
            b"PROXY UNKNOWN a\nb\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\0\x50\0\x51",
            b"\r\n\r\n\0\r\nQUIT\n\x22\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\0\x50\0\x51",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x41\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\0\x50\0\x51",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x04\x01\x02\x03\x04",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
        ] {
            assert_eq!(parse(bad), Err(BadHeader::Malformed), "{}", bad.escape_ascii());
        }
        let endless = [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 200], b"\r\n".to_vec()].concat();
        assert_eq!(parse(&endless), Err(BadHeader::Malformed));
        assert_eq!(parse(&endless[..107]), Err(BadHeader::Malformed));
    }

    #[test]
    fn what_does_not_begin_like_one_is_none() {
        for bad in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"P0", b"PROXYTCP4 1.2.3.4", b"proxy tcp4", b"\r\n\r\nx", b"\x16"] {
            assert_eq!(parse(bad), Err(BadHeader::Missing), "{}", bad.escape_ascii());
        }
    }

    fn pair() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
        let v4 = (any::<([u8; 4], u16)>(), any::<([u8; 4], u16)>()).prop_map(|(a, b)| (a.into(), b.into()));
        let v6 = (any::<([u8; 16], u16)>(), any::<([u8; 16], u16)>()).prop_map(|(a, b)| (a.into(), b.into()));
        prop_oneof![v4, v6]
    }

    proptest! {
        #[test]
        fn every_beginning_of_a_header_is_a_part_of_it((a, b) in pair(), v2: bool, behind: Vec<u8>) {
            let header = header(a, b, v2);
            for end in 1..header.len() {
                let Ok(Parsed::Part { longest }) = parse(&header[..end]) else { panic!("no part: {end}") };
                prop_assert!(longest > end);
            }
            let whole = Parsed::Whole { length: header.len(), proxied: Some(Proxied { client: a, destination: b }) };
            prop_assert_eq!(parse(&[header, behind].concat()), Ok(whole));
        }

        #[test]
        fn no_bytes_bring_it_down(
            start in prop_oneof![Just(&b""[..]), Just(V1), Just(&b"PROXY TCP4 "[..]), Just(&b"PROXY TCP6 ::"[..]), Just(V2)],
            rest in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b' '), Just(b'\r'), Just(b'\n'), Just(b'1')], 0..300),
        ) {
            let bytes = [start, &rest].concat();
            match parse(&bytes) {
                Ok(Parsed::Whole { length, .. }) => prop_assert!(length <= bytes.len() && length <= LONGEST_V2),
                Ok(Parsed::Part { longest }) => prop_assert!(longest > bytes.len() && longest <= LONGEST_V2),
                Err(error) => prop_assert!(matches!(error, BadHeader::Missing | BadHeader::Malformed)),
            }
        }
    }
}
