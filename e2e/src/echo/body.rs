//! The body of an answer, never all in memory when large.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{HeaderMap, HeaderValue};

/// The most that is sent in one piece.
const PIECE: usize = 64 * 1024;
static ZEROS: [u8; PIECE] = [0; PIECE];

/// Bytes at hand, as many zeros as wanted, or what comes in.
#[derive(Debug)]
pub enum Body {
    /// Sent once.
    Whole(Bytes),
    /// So many bytes are still to come.
    Zeros(u64),
    /// The request's body, piece by piece, and behind it the trailer of a gRPC call that went well.
    Echo(Incoming),
    /// Nothing more.
    Ended,
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

    /// None: nobody knows.
    fn length(&self) -> Option<u64> {
        match self {
            Self::Whole(bytes) => Some(bytes.len() as u64),
            Self::Zeros(left) => Some(*left),
            Self::Echo(_) => None,
            Self::Ended => Some(0),
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
            Self::Echo(_) | Self::Ended => None,
        }
    }
}

/// The next piece of a request's body. One that breaks off has no trailer: the client learns of it.
fn echo(incoming: &mut Incoming, cx: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
    loop {
        return Poll::Ready(match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
            Some(Ok(frame)) if frame.is_data() => Some(frame),
            Some(Ok(_trailers)) => continue,
            Some(Err(_)) => None,
            None => Some(Frame::trailers(HeaderMap::from_iter([(
                hyper::header::HeaderName::from_static("grpc-status"),
                HeaderValue::from_static("0"),
            )]))),
        });
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

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Self::Echo(incoming) = &mut *self else {
            return Poll::Ready(self.next().map(|bytes| Ok(Frame::data(bytes))));
        };
        let frame = ready!(echo(incoming, cx));
        if frame.as_ref().is_none_or(Frame::is_trailers) {
            *self = Self::Ended;
        }
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.length() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.length().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
