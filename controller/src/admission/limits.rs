//! What the webhook takes in.

use std::time::Duration;

/// Bytes of a review. The API server takes no object above 3 MB.
pub(super) const BODY: usize = 3 << 20;

/// Bytes of all reviews that are held at the same time, in KiB.
pub(super) const ROOM_KIB: u32 = 32 << 10;

/// Reviews that are under way or wait; a further one is refused.
pub(super) const REVIEWS: usize = 256;

/// How long an Ingress that was allowed counts before a watch brings it: until it is stored, seen and compiled, with time
/// to spare for a slow API server.
pub(super) const HELD_FOR: Duration = Duration::from_secs(5);

/// Ingresses that count so at the same time; the oldest makes room.
pub(super) const HELD: usize = 256;

/// Earlier versions of one of them that are known, so that their coming is not taken for its own.
pub(super) const VERSIONS: usize = 16;

/// Bytes of the reviews that they came in.
pub(super) const HELD_BYTES: usize = 8 << 20;

/// From a request's head to its answer. The API server waits for 10 s where the webhook's `timeoutSeconds` is not set.
pub(super) const REVIEW: Duration = Duration::from_secs(8);

/// Connections; further ones wait to be accepted. The API server needs one.
pub(super) const CONNECTIONS: usize = 128;

/// For a handshake.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(5);

/// For the head of a request, and between two of HTTP/1.1.
pub(super) const HEAD: Duration = Duration::from_secs(30);

/// After this long a connection takes no new request, so that nobody holds a place for ever.
pub(super) const AGE: Duration = Duration::from_secs(600);

/// Bytes of a request's head.
pub(super) const HEAD_BYTES: u32 = 16 << 10;

/// Requests in flight on one connection of HTTP/2.
pub(super) const STREAMS: u32 = 128;
