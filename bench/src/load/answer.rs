//! Reading answers: the head is parsed, the body only counted.

use anyhow::{Context, Result, bail, ensure};

/// More fields than any proxy of the bench adds.
const MAX_FIELDS: usize = 64;
/// A head that is longer is a fault of the bench.
const MAX_HEAD: usize = 64 * 1024;

/// The answer that a connection is in the middle of.
#[derive(Debug, Default)]
pub struct Answer {
    /// The head so far, where it came in more than one piece.
    head: Vec<u8>,
    /// Bytes of the body that are still to come; none while the head is awaited.
    left: Option<u64>,
    closes: bool,
}

/// What is known after some more bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The answer goes on.
    More,
    /// It is complete.
    Done {
        /// Whether the server said that it closes the connection (RFC 9112, section 9.6).
        closes: bool,
    },
}

impl Answer {
    /// Whether the head is read and only body is to come, which nobody needs to look at.
    pub fn in_body(&self) -> bool {
        self.left.is_some()
    }

    /// Takes bytes as they come from the connection.
    ///
    /// # Errors
    /// Where the answer is not 200 with a Content-Length: the bench has no use for any other.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Progress> {
        if self.left.is_some() {
            return self.skip(bytes.len());
        }
        let body = if self.head.is_empty() {
            self.parse(bytes)?
        } else {
            let before = self.head.len();
            let mut head = std::mem::take(&mut self.head);
            head.extend_from_slice(bytes);
            let body = self.parse(&head)?;
            if body.is_none() {
                self.head = head;
            }
            body.map(|body| body.saturating_sub(before))
        };
        match body {
            Some(start) => self.skip(bytes.len().saturating_sub(start)),
            None => self.keep(bytes),
        }
    }

    /// Counts bytes of the body.
    ///
    /// # Errors
    /// Where there are more than announced.
    pub fn skip(&mut self, bytes: usize) -> Result<Progress> {
        let left = self.left.context("body before head")?;
        let left = left.checked_sub(bytes as u64).context("bytes after the end of an answer")?;
        if left > 0 {
            self.left = Some(left);
            return Ok(Progress::More);
        }
        let closes = self.closes;
        *self = Self::default();
        Ok(Progress::Done { closes })
    }

    /// Where the body begins in `bytes`, once the head is whole.
    fn parse(&mut self, bytes: &[u8]) -> Result<Option<usize>> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(body) = response.parse(bytes)? else { return Ok(None) };
        ensure!(response.code == Some(200), "status {:?}", response.code);
        let mut length = None;
        for field in response.headers.iter() {
            if field.name.eq_ignore_ascii_case("content-length") {
                length = Some(std::str::from_utf8(field.value)?.parse()?);
            } else if field.name.eq_ignore_ascii_case("connection") {
                self.closes = field.value.eq_ignore_ascii_case(b"close");
            }
        }
        self.left = Some(length.context("an answer without Content-Length")?);
        Ok(Some(body))
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<Progress> {
        if self.head.is_empty() {
            self.head.extend_from_slice(bytes);
        }
        if self.head.len() > MAX_HEAD {
            bail!("a head of more than {MAX_HEAD} bytes");
        }
        Ok(Progress::More)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nConnection: close\r\n\r\nabcde";

    #[test]
    fn however_it_is_cut() {
        for cut in 1..ANSWER.len() {
            let (a, b) = ANSWER.split_at(cut);
            let mut answer = Answer::default();
            assert_eq!(answer.feed(a).unwrap(), Progress::More, "{cut}");
            assert_eq!(answer.feed(b).unwrap(), Progress::Done { closes: true }, "{cut}");
            assert!(!answer.in_body());
        }
        let mut answer = Answer::default();
        let (last, others) = ANSWER.split_last().unwrap();
        assert!(others.iter().all(|byte| answer.feed(&[*byte]).unwrap() == Progress::More));
        assert_eq!(answer.feed(&[*last]).unwrap(), Progress::Done { closes: true });
    }

    #[test]
    fn only_200_with_a_length_counts() {
        for bad in [
            &b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
        ] {
            assert!(Answer::default().feed(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
