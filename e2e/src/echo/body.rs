//! The body of an answer: of known length, and never all in memory when large.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Bytes, Frame, SizeHint};

/// The most that is sent in one piece.
const PIECE: usize = 64 * 1024;
static ZEROS: [u8; PIECE] = [0; PIECE];

/// Bytes at hand, or as many zeros as wanted.
#[derive(Debug)]
pub enum Body {
    /// Sent once.
    Whole(Bytes),
    /// So many bytes are still to come.
    Zeros(u64),
}

impl Body {
    /// A body of `length` zero bytes.
    #[must_use]
    pub fn zeros(length: u64) -> Self {
        Self::Zeros(length)
    }

    /// A body without bytes.
    #[must_use]
    pub fn empty() -> Self {
        Self::Whole(Bytes::new())
    }

    fn length(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Zeros(left) => *left,
        }
    }

    fn next(&mut self) -> Option<Bytes> {
        match self {
            Self::Whole(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()),
            Self::Zeros(left) => {
                let piece = usize::try_from(*left).unwrap_or(PIECE).min(PIECE);
                *left -= piece as u64;
                ZEROS.get(..piece).filter(|piece| !piece.is_empty()).map(Bytes::from_static)
            }
        }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Whole(text.into())
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.next().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.length() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length())
    }
}
