//! What can be wrong with a frame.

/// Bytes that are no frame, or a frame that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It says that it is longer than is allowed.
    #[error("a frame of {length} bytes, and {limit} are allowed")]
    TooLong {
        /// How long, in bytes.
        length: usize,
        /// How long it may be.
        limit: usize,
    },
    /// Not even a kind.
    #[error("an empty frame")]
    Empty,
    /// Nobody here knows that kind.
    #[error("a frame of the unknown kind {0}")]
    UnknownKind(u8),
    /// A controller may send it, and this is none.
    #[error("a frame of kind {0}, which no data plane sends")]
    Downward(u8),
    /// It ends inside of something, or goes on after its end.
    #[error("a frame that is too short or too long for what it holds")]
    Cut,
    /// What it holds cannot be read.
    #[error("a {what} that cannot be read: {reason}")]
    Value {
        /// What it holds.
        what: &'static str,
        /// Why not.
        reason: String,
    },
}

impl FrameError {
    pub(super) fn value(what: &'static str, reason: impl ToString) -> Self {
        Self::Value { what, reason: reason.to_string() }
    }

    /// Whether only the push is spoiled that it belongs to: what comes after it can be read all the same.
    pub fn spoils_the_push_only(&self) -> bool {
        match self {
            Self::Value { .. } | Self::Cut => true,
            Self::TooLong { .. } | Self::Empty | Self::UnknownKind(_) | Self::Downward(_) => false,
        }
    }
}
