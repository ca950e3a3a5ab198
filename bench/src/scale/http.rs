//! A client for one connection of HTTP/1.1, over any stream: to the API server, and to the proxies.

use std::io::{BufRead, BufReader, Read, Write};

use anyhow::{Context, Result, bail, ensure};

/// No answer that is asked for here is larger.
const MOST: usize = 64 << 20;

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// Whether the connection may be used again.
    pub keeps: bool,
}

/// A connection that is kept.
#[derive(Debug)]
pub struct Connection<S> {
    stream: BufReader<S>,
}

impl<S: Read + Write> Connection<S> {
    pub fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Sends a request and waits for all of its answer. A body is JSON.
    ///
    /// # Errors
    /// The connection breaks, or the answer is none of HTTP/1.1.
    pub fn send(&mut self, method: &str, host: &str, path: &str, body: &[u8]) -> Result<Answer> {
        let length = body.len();
        let fields = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{fields}\r\n")
                .into_bytes();
        request.extend_from_slice(body);
        let stream = self.stream.get_mut();
        stream.write_all(&request)?;
        stream.flush()?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Answer> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("no answer of HTTP: {first:?}"))?;
        let (mut length, mut chunked, mut keeps) = (0, false, true);
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().context("Content-Length")?;
            }
            chunked |= name.eq_ignore_ascii_case("transfer-encoding");
            keeps &= !(name.eq_ignore_ascii_case("connection") && value.trim().eq_ignore_ascii_case("close"));
        }
        let body = if chunked { self.chunks()? } else { self.bytes(length)? };
        Ok(Answer { status, body, keeps })
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let length = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)?;
            body.extend(self.bytes(length)?);
            ensure!(body.len() <= MOST, "an answer of more than {MOST} bytes");
            self.line()?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    fn bytes(&mut self, length: usize) -> Result<Vec<u8>> {
        ensure!(length <= MOST, "an answer of {length} bytes");
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            bail!("the connection was closed");
        }
        Ok(line.trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Canned(&'static [u8]);

    impl Read for Canned {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(into)
        }
    }

    impl Write for Canned {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn bodies_have_a_length_or_chunks() {
        let answers =
            b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nabHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: Close\r\n\r\n\
            2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\n";
        let mut connection = Connection::new(Canned(answers));
        let first = connection.send("GET", "a", "/", b"").unwrap();
        assert_eq!((first.status, first.body, first.keeps), (201, b"ab".to_vec(), true));
        let second = connection.send("GET", "a", "/", b"").unwrap();
        assert_eq!((second.status, second.body, second.keeps), (200, b"abc".to_vec(), false));
        assert!(connection.send("GET", "a", "/", b"").is_err());
    }
}
