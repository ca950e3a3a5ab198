//! Stopping.

use super::{class, setting::Setting, value::time};

pub(super) static SETTINGS: &[Setting] = &[Setting {
    key: "worker-shutdown-timeout",
    value: "time",
    default: "240s",
    doc: "How long requests in flight may go on after a stop was asked for.",
    example: "30s",
    fail_closed: None,
    scope: class::PROCESS,
    parse: |text, settings| time(text).map(|time| settings.worker_shutdown_timeout = time),
}];
