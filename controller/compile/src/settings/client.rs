//! Connections of clients and the heads and bodies of their requests.

use super::{
    class,
    setting::Setting,
    value::{number32, seconds, size},
};

/// The most that one buffer of a request head may have, in bytes.
const LARGEST_BUFFER: u64 = 1 << 20;

/// The most that a gathered request body may have, in bytes: it is held in memory for each request.
const LARGEST_BODY_BUFFER: u64 = 1 << 30;

pub(super) static SETTINGS: &[Setting] = &[
    Setting {
        key: "keep-alive",
        value: "seconds",
        default: "75",
        doc: "How long a client's connection may be idle before it is closed. 0 closes it after each answer.",
        example: "30",
        fail_closed: None,
        scope: class::CONNECTION,
        parse: |text, settings| seconds(text, 0).map(|idle| settings.keep_alive.idle = idle),
    },
    Setting {
        key: "keep-alive-requests",
        value: "number",
        default: "1000",
        doc: "After how many requests a client's connection is closed.",
        example: "10000",
        fail_closed: None,
        scope: class::CONNECTION,
        // nginx closes after the first request where this is 0.
        parse: |text, settings| number32(text, 0..=u32::MAX).map(|most| settings.keep_alive.requests = most.max(1)),
    },
    Setting {
        key: "client-header-timeout",
        value: "seconds",
        default: "60",
        doc: "How long a client may take for the head of a request, from its first byte to its end; then 408.",
        example: "10",
        fail_closed: None,
        scope: class::CONNECTION,
        parse: |text, settings| seconds(text, 1).map(|time| settings.client_header_timeout = time),
    },
    Setting {
        key: "client-body-timeout",
        value: "seconds",
        default: "60",
        doc: "How long a client may pause within a request body; then 408.",
        example: "10",
        fail_closed: None,
        scope: class::CONNECTION,
        parse: |text, settings| seconds(text, 1).map(|time| settings.client_body_timeout = time),
    },
    Setting {
        key: "client-body-buffer-size",
        value: "size",
        default: "8k",
        doc: "A request body up to this size is gathered before the backend is asked; a larger one streams.",
        example: "64k",
        fail_closed: None,
        scope: class::CONNECTION,
        parse: |text, settings| size(text, LARGEST_BODY_BUFFER).map(|size| settings.client_body_buffer_size = size),
    },
    // Before client-header-buffer-size, which can only widen what this one sets.
    Setting {
        key: "large-client-header-buffers",
        value: "number and size",
        default: "4 8k",
        doc: "The size bounds the request line (414 above it) and each header field (431); number times size bounds \
              the whole head (431).",
        example: "4 32k",
        fail_closed: None,
        scope: class::CONNECTION,
        parse: |text, settings| {
            let (number, size) = buffers(text)?;
            settings.head.target = size;
            settings.head.field = size;
            settings.head.total = number.saturating_mul(size);
            Ok(())
        },
    },
    Setting {
        key: "client-header-buffer-size",
        value: "size",
        default: "1k",
        doc: "What a request line, a header field and a whole head may have at any rate, whatever \
              `large-client-header-buffers` says.",
        example: "16k",
        fail_closed: None,
        scope: class::CONNECTION,
        parse: |text, settings| {
            let size = buffer(text)?;
            let head = &mut settings.head;
            for bound in [&mut head.target, &mut head.field, &mut head.total] {
                *bound = (*bound).max(size);
            }
            Ok(())
        },
    },
];

/// `4 8k`.
fn buffers(text: &str) -> Result<(u32, u32), String> {
    let mut words = text.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(number), Some(size), None) => Ok((number32(number, 1..=64)?, buffer(size)?)),
        _ => Err(format!("`{text}` is not a number and a size such as `4 8k`")),
    }
}

fn buffer(text: &str) -> Result<u32, String> {
    let size = size(text, LARGEST_BUFFER)?;
    let size = u32::try_from(size).map_err(|_| format!("`{text}` is too large"))?;
    if size == 0 { Err("0 leaves no room for a request".to_owned()) } else { Ok(size) }
}
