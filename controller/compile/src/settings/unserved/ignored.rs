//! Keys that have no meaning outside nginx, or none any more.

use super::{Known, Loss};
use crate::nginx::FALSE;

pub(super) static KNOWN: &[Known] = &[
    nginx("access-log-params"),
    unneeded("access-log-path", "The access log goes to standard output."),
    Known {
        key: "allow-snippet-annotations",
        loss: Loss::Nothing,
        quiet: FALSE,
        note: "Snippets are refused whatever it says: nginx's own configuration is never interpreted.",
    },
    unneeded("annotation-value-word-blocklist", "No value becomes part of a configuration file."),
    unneeded("annotations-risk-level", "No value becomes part of a configuration file."),
    nginx("debug-connections"),
    nginx("enable-aio-write"),
    nginx("enable-multi-accept"),
    unneeded("error-log-level", "Set the level by the environment variable `RUST_LOG`."),
    unneeded("error-log-path", "The log goes to standard error."),
    unneeded("http-access-log-path", "The access log goes to standard output."),
    unneeded("http2-max-field-size", "Large headers are bounded by `large-client-header-buffers`."),
    unneeded("http2-max-header-size", "Large headers are bounded by `large-client-header-buffers`."),
    unneeded("http2-max-requests", "Use `keep-alive-requests`."),
    nginx("lua-shared-dicts"),
    nginx("map-hash-bucket-size"),
    unneeded("max-worker-open-files", "The limit of the process holds."),
    unneeded("modsecurity-snippet", "There is no web application firewall here."),
    unneeded("nginx-status-ipv4-whitelist", "There is no `/nginx_status`."),
    unneeded("nginx-status-ipv6-whitelist", "There is no `/nginx_status`."),
    nginx("opentelemetry-config"),
    nginx("proxy-headers-hash-bucket-size"),
    nginx("proxy-headers-hash-max-size"),
    unneeded("reuse-port", "Each worker always has listeners of its own."),
    nginx("server-name-hash-bucket-size"),
    nginx("server-name-hash-max-size"),
    nginx("ssl-buffer-size"),
    unneeded("ssl-dh-param", "No key exchange over finite fields is offered."),
    unneeded("stream-access-log-path", "The access log goes to standard output."),
    nginx("variables-hash-bucket-size"),
    nginx("variables-hash-max-size"),
    nginx("worker-cpu-affinity"),
    unneeded("worker-processes", "There is a worker for each CPU that the container may use."),
];

const fn nginx(key: &'static str) -> Known {
    unneeded(key, "It tunes nginx.")
}

const fn unneeded(key: &'static str, note: &'static str) -> Known {
    Known { key, loss: Loss::Nothing, quiet: &[], note }
}
