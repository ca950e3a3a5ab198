//! HTTP/2 with clients.

use super::{
    class,
    setting::Setting,
    value::{boolean, number32},
};

pub(super) static SETTINGS: &[Setting] = &[
    // Before the one that says how, which changes nothing where it is off.
    Setting {
        key: "use-http2",
        value: "`true` or `false`",
        default: "true",
        doc: "Whether clients may speak HTTP/2: over TLS if they ask for it, in the clear if they begin with it.",
        example: "false",
        fail_closed: None,
        scope: class::CONNECTION,
        parse: |text, settings| {
            if !boolean(text)? {
                settings.http2 = None;
            }
            Ok(())
        },
    },
    Setting {
        key: "http2-max-concurrent-streams",
        value: "number",
        default: "128",
        doc: "How many requests one HTTP/2 connection of a client may have in flight.",
        example: "256",
        fail_closed: None,
        scope: class::CONNECTION,
        parse: |text, settings| {
            let most = number32(text, 1..=u32::MAX)?;
            if let Some(http2) = &mut settings.http2 {
                http2.max_streams = most;
            }
            Ok(())
        },
    },
];
