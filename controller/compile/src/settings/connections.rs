//! How many client connections there may be.

use std::num::NonZeroU32;

use super::{class, setting::Setting, value::number32};

pub(super) static SETTINGS: &[Setting] = &[
    Setting {
        key: "max-worker-connections",
        value: "number",
        default: "16384",
        doc: "How many client connections one worker may have; further ones are refused: 503, over TLS without a word. \
              0: as many as the limit of open files allows.",
        example: "1000",
        fail_closed: None,
        scope: class::PROCESS,
        parse: |text, settings| {
            number32(text, 0..=u32::MAX).map(|most| settings.connections.per_worker = NonZeroU32::new(most))
        },
    },
    Setting {
        key: "max-connections-per-client",
        value: "number",
        default: "0",
        doc: "How many connections one client may have, over all workers; further ones are refused: 503, over TLS \
              without a word. 0: any number. A client is the address that a connection comes from (of IPv6 its network \
              of 64 bits), so behind a load balancer without `use-proxy-protocol` all clients are one. ingress-nginx has \
              no such setting.",
        example: "100",
        fail_closed: None,
        scope: class::PROCESS,
        parse: |text, settings| {
            number32(text, 0..=u32::MAX).map(|most| settings.connections.per_client = NonZeroU32::new(most))
        },
    },
];
