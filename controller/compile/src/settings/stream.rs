//! TCP and UDP services.

use std::{num::NonZeroU32, time::Duration};

use snapshot::Retry;

use super::{
    class,
    setting::Setting,
    value::{boolean, number32, time, time_or_none},
};

/// How TCP connections and UDP datagrams are handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamSettings {
    /// `proxy-stream-timeout`.
    pub idle: Duration,
    /// `proxy-stream-next-upstream`.
    pub next: bool,
    /// `proxy-stream-next-upstream-tries`, `-timeout`.
    pub retry: Retry,
    /// `proxy-stream-responses`; none: any number.
    pub replies: Option<NonZeroU32>,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(600),
            next: true,
            retry: Retry { tries: 3, timeout: Duration::from_secs(600) },
            replies: Some(NonZeroU32::MIN),
        }
    }
}

impl StreamSettings {
    /// When another endpoint is tried.
    pub fn retry(&self) -> Retry {
        if self.next { self.retry } else { Retry { tries: 1, ..self.retry } }
    }
}

pub(super) static SETTINGS: &[Setting] = &[
    Setting {
        key: "proxy-stream-timeout",
        value: "time",
        default: "600s",
        doc: "How long a TCP connection may be silent both ways before it is closed, and a UDP session before it ends.",
        example: "1h",
        fail_closed: None,
        scope: class::STREAM,
        parse: |text, settings| time(text).map(|time| settings.stream.idle = time),
    },
    Setting {
        key: "proxy-stream-next-upstream",
        value: "`true` or `false`",
        default: "true",
        doc: "Whether another endpoint is tried where a TCP connection to one cannot be made.",
        example: "false",
        fail_closed: None,
        scope: class::STREAM,
        parse: |text, settings| boolean(text).map(|on| settings.stream.next = on),
    },
    Setting {
        key: "proxy-stream-next-upstream-tries",
        value: "number",
        default: "3",
        doc: "How many endpoints are tried in all for a TCP connection. 0: as many as there are.",
        example: "2",
        fail_closed: None,
        scope: class::STREAM,
        parse: |text, settings| number32(text, 0..=u32::MAX).map(|tries| settings.stream.retry.tries = tries),
    },
    Setting {
        key: "proxy-stream-next-upstream-timeout",
        value: "time",
        default: "600s",
        doc: "After how long no further endpoint is tried for a TCP connection. 0: no limit.",
        example: "10s",
        fail_closed: None,
        scope: class::STREAM,
        parse: |text, settings| time_or_none(text).map(|time| settings.stream.retry.timeout = time),
    },
    Setting {
        key: "proxy-stream-responses",
        value: "number",
        default: "1",
        doc: "How many datagrams a UDP service answers to one of a client: once all have come the session ends, and what \
              the client sends next may go to another endpoint. 0: nobody knows, and a session ends by \
              `proxy-stream-timeout` alone.",
        example: "3",
        fail_closed: None,
        scope: class::STREAM,
        parse: |text, settings| {
            number32(text, 0..=u32::MAX).map(|replies| settings.stream.replies = NonZeroU32::new(replies))
        },
    },
];
