//! What the fields of an answer say to those who take it in, found in one walk.

use http::{HeaderMap, HeaderValue, header};

use super::fields::{is_of_connection, strip_connection};

/// What was found.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnswerFields {
    /// Whether some are about the connection alone.
    pub of_connection: bool,
    /// How many name a length.
    pub lengths: usize,
    /// What they say of transfer codings.
    pub codings: Codings,
}

impl AnswerFields {
    /// Looks at all fields.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            if name == header::CONTENT_LENGTH {
                found.lengths = found.lengths.saturating_add(1);
            } else if is_of_connection(name.as_str()) {
                found.of_connection = true;
                if name == header::TRANSFER_ENCODING {
                    found.codings.note(value);
                }
            }
        }
        found
    }

    /// Takes out what is not for the client. hyper has made sure that several lengths say the same; it is to see one.
    pub fn clean(self, headers: &mut HeaderMap) {
        if self.of_connection {
            strip_connection(headers);
        }
        if self.lengths > 1
            && let Some(length) = headers.remove(header::CONTENT_LENGTH)
        {
            headers.insert(header::CONTENT_LENGTH, length);
        }
    }
}

/// What fields `Transfer-Encoding` say (RFC 9112 section 6.1).
#[derive(Debug, Clone, Copy, Default)]
pub struct Codings {
    /// How many there are.
    pub count: usize,
    /// Whether the last one says `chunked` and nothing else.
    pub is_chunked: bool,
}

impl Codings {
    /// Another one.
    pub fn note(&mut self, value: &HeaderValue) {
        self.count = self.count.saturating_add(1);
        self.is_chunked = value.as_bytes().eq_ignore_ascii_case(b"chunked");
    }
}
