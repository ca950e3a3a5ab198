//! Keys that say who may have what, or who the client is: without them nothing may be open that they kept shut.

use super::{Known, Loss};

pub(super) static KNOWN: &[Known] = &[
    addresses("bind-address"),
    addresses("bind-address-ipv4"),
    addresses("bind-address-ipv6"),
    restricts("block-cidrs", EMPTY, ""),
    restricts("block-referers", EMPTY, ""),
    restricts("block-user-agents", EMPTY, ""),
    restricts("denylist-source-range", EMPTY, ""),
    restricts("enable-modsecurity", OFF, "There is no web application firewall here."),
    restricts("enable-owasp-modsecurity-crs", OFF, "There is no web application firewall here."),
    restricts("global-auth-url", EMPTY, ""),
    restricts("plugins", EMPTY, "Nobody can say what Lua code refuses."),
    restricts("whitelist-source-range", EMPTY, ""),
    Known {
        key: "forwarded-for-header",
        loss: Loss::Trust,
        quiet: &["", "X-Forwarded-For", "x-forwarded-for"],
        note: "Only `X-Forwarded-For` is read, and a proxy that sets another header may pass on what a client wrote \
               there.",
    },
    snippet("http-snippet"),
    snippet("location-snippet"),
    snippet("main-snippet"),
    snippet("server-snippet"),
    Known { key: "stream-snippet", loss: Loss::StreamSnippet, quiet: EMPTY, note: "" },
];

/// A list without entries restricts nothing.
const EMPTY: &[&str] = &[""];

/// What ingress-nginx reads as false ([`crate::nginx::FALSE`]), and no value, with which its default holds.
const OFF: &[&str] = &["", "0", "f", "F", "false", "FALSE", "False"];

const fn restricts(key: &'static str, quiet: &'static [&'static str], note: &'static str) -> Known {
    Known { key, loss: Loss::Access, quiet, note }
}

const fn addresses(key: &'static str) -> Known {
    let note = "It keeps addresses closed: use the flag `--bind-address`.";
    Known { key, loss: Loss::Addresses, quiet: EMPTY, note }
}

const fn snippet(key: &'static str) -> Known {
    Known { key, loss: Loss::Snippet, quiet: &[""], note: "" }
}
