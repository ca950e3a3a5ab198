//! The first message of a TLS handshake, looked at before anybody answers it (RFC 8446 section 4.1.2).

use std::io::{self, Read};

use rustls::server::{Accepted, Acceptor};
use tokio::net::TcpStream;

/// A ClientHello.
pub struct Hello {
    /// What it says, for whoever ends TLS here: bytes that came behind it are in there.
    pub accepted: Accepted,
    /// All that was read, as it came, for whoever gets it handed on.
    pub bytes: Vec<u8>,
}

impl Hello {
    /// The server name that the client wants, in lower case (RFC 6066 section 3). Where the hello is encrypted, that of
    /// the outer one (RFC 9849 section 5.1).
    pub fn server_name(&self) -> Option<String> {
        self.accepted.client_hello().server_name().map(str::to_ascii_lowercase)
    }
}

/// Reads a ClientHello in however many records and segments it comes. The TLS library bounds its size (64 KiB), the
/// caller its time.
///
/// # Errors
/// The connection ends before, or what comes is none; an alert has been sent then.
pub async fn read(stream: &TcpStream) -> io::Result<Hello> {
    let mut acceptor = Acceptor::default();
    let mut bytes = Vec::new();
    loop {
        stream.readable().await?;
        match acceptor.read_tls(&mut Copying { stream, bytes: &mut bytes }) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => return Ok(Hello { accepted, bytes }),
            Err((error, mut alert)) => {
                let mut message = Vec::new();
                if alert.write(&mut message).is_ok() {
                    // As far as it is taken at once: nobody waits for a client that speaks something else.
                    stream.try_write(&message).ok();
                }
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }
}

/// Reads no more than it is asked for, and keeps what it read.
struct Copying<'a> {
    stream: &'a TcpStream,
    bytes: &'a mut Vec<u8>,
}

impl Read for Copying<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.try_read(buffer)?;
        self.bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}
