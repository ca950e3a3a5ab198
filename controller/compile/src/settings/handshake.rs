//! How TLS is spoken with clients.

use std::{num::NonZeroU32, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use snapshot::{Resumption, TicketKey};

use super::{
    class::{self, Form, Scope, Unknown},
    setting::Setting,
    value::{boolean, size, time},
};
use crate::nginx;

pub(super) static SETTINGS: &[Setting] = &[
    Setting {
        key: "ssl-protocols",
        value: "`TLSv1.2`, `TLSv1.3` or both with a blank",
        default: "TLSv1.2 TLSv1.3",
        doc: "Which versions of TLS are spoken. Older ones never are (RFC 8996).",
        example: "TLSv1.3",
        fail_closed: None,
        scope: class::CONNECTION,
        parse: |text, settings| nginx::versions(text).map(|versions| settings.tls.versions = versions),
    },
    Setting {
        key: "ssl-ciphers",
        value: "names of cipher suites with colons",
        default: "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
                  ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305",
        doc: "Which cipher suites of TLS 1.2 are offered, by OpenSSL's or IANA's names; those of TLS 1.3 always are. \
              There are no others than those of the default.",
        example: "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384",
        fail_closed: None,
        scope: Scope::Class(Form::List(':'), Unknown::AsGlobal),
        parse: |text, settings| nginx::usable_ciphers(text).map(|suites| settings.tls.ciphers.suites = suites),
    },
    Setting {
        key: "ssl-prefer-server-ciphers",
        value: "`true` or `false`",
        default: "true",
        doc: "Whether our order of cipher suites counts, not the client's.",
        example: "false",
        fail_closed: None,
        scope: Scope::Class(Form::Boolean, Unknown::AsGlobal),
        parse: |text, settings| boolean(text).map(|on| settings.tls.ciphers.server_order = on),
    },
    Setting {
        key: "ssl-reject-handshake",
        value: "`true` or `false`",
        default: "false",
        doc: "Whether handshakes are refused that name a host which no rule has, or none.",
        example: "true",
        // Whoever set it wants something refused.
        fail_closed: Some(("such handshakes are refused until it is right", |settings| {
            settings.tls.reject_unknown_names = true;
        })),
        scope: class::CONNECTION,
        parse: |text, settings| boolean(text).map(|on| settings.tls.reject_unknown_names = on),
    },
    // Before the three that say how, which change nothing where both are off.
    Setting {
        key: "enable-ocsp",
        value: "`true` or `false`",
        default: "false",
        doc: "Whether clients are sent with a certificate what its CA says of it (OCSP stapling). The CA is asked in the \
              background, at the address that the certificate names, over http.",
        example: "true",
        fail_closed: None,
        scope: class::CONNECTION,
        parse: |text, settings| boolean(text).map(|on| settings.ocsp = on),
    },
    Setting {
        key: "ssl-session-tickets",
        value: "`true` or `false`",
        default: "true",
        doc: "Whether clients get tickets with which they resume their sessions. Unlike nginx's, the keys change by \
              themselves: a ticket opens no older traffic.",
        example: "false",
        fail_closed: None,
        scope: class::CONNECTION,
        parse: |text, settings| boolean(text).map(|on| settings.sessions.tickets = on),
    },
    Setting {
        key: "ssl-session-cache",
        value: "`true` or `false`",
        default: "true",
        doc: "Whether sessions are kept to be resumed, where there are no tickets.",
        example: "false",
        fail_closed: None,
        scope: class::CONNECTION,
        parse: |text, settings| boolean(text).map(|on| settings.sessions.cache = on),
    },
    Setting {
        key: "ssl-session-cache-size",
        value: "size",
        default: "10m",
        doc: "How many sessions are kept: 4,000 for each megabyte, as in nginx.",
        example: "2m",
        fail_closed: None,
        scope: class::CONNECTION,
        parse: |text, settings| {
            let bytes = size(text, 1 << 30)?;
            let sessions = u32::try_from(bytes.saturating_mul(SESSIONS_OF_A_MEGABYTE) >> 20).ok();
            let sessions = sessions.and_then(NonZeroU32::new);
            settings.sessions.most = sessions.ok_or_else(|| format!("`{text}` has room for no session"))?;
            Ok(())
        },
    },
    Setting {
        key: "ssl-session-timeout",
        value: "time",
        default: "10m",
        doc: "How long a session may be resumed.",
        example: "1h",
        fail_closed: None,
        scope: class::CONNECTION,
        parse: |text, settings| {
            let time = time(text)?;
            // RFC 8446 section 4.6.1.
            let bounds = Duration::from_secs(2)..=Duration::from_secs(7 * 86_400);
            if !bounds.contains(&time) {
                return Err(format!("`{text}` is not between `2s` and `7d`"));
            }
            settings.sessions.lifetime = time;
            Ok(())
        },
    },
    Setting {
        key: "ssl-session-ticket-key",
        value: "48 or 80 random bytes in base64",
        default: "",
        doc: "What the keys of tickets are derived from, so that replicas take each other's. `openssl rand -base64 80` \
              makes one (join its lines); whoever has it reads what is resumed with tickets, so change it now and then.",
        example: "bm90IGEgc2VjcmV0OiBtYWtlIHlvdXJzIGJ5IG9wZW5zc2wsIG5vdCBieSB0aGlz",
        fail_closed: None,
        scope: class::PROCESS,
        parse: |text, settings| ticket_key(text).map(|key| settings.ticket_key = key),
    },
];

const SESSIONS_OF_A_MEGABYTE: u64 = 4000;

/// What the settings say of resuming sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sessions {
    /// `ssl-session-tickets`.
    pub tickets: bool,
    /// `ssl-session-cache`.
    pub cache: bool,
    /// `ssl-session-cache-size`, in sessions.
    pub most: NonZeroU32,
    /// `ssl-session-timeout`.
    pub lifetime: Duration,
}

impl Sessions {
    /// What comes of it: tickets before sessions that we keep.
    pub(crate) fn resumption(&self) -> Resumption {
        let Self { tickets, cache, most, lifetime } = *self;
        match (tickets, cache) {
            (true, _) => Resumption::Tickets { lifetime },
            (false, true) => Resumption::Sessions { most, lifetime },
            (false, false) => Resumption::Off,
        }
    }
}

/// What the owner of a value that can be used should know of it all the same.
pub(super) fn notice(key: &str, text: &str) -> Option<String> {
    match key {
        "ssl-protocols" => nginx::versions_notice(text),
        "ssl-ciphers" => nginx::ciphers(text).notice(),
        _ => None,
    }
}

/// The value is not quoted: it is a secret.
fn ticket_key(text: &str) -> Result<Option<TicketKey>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let bytes = STANDARD.decode(text).map_err(|_| "the value is not base64".to_owned())?;
    match bytes.len() {
        48 | 80 => Ok(Some(TicketKey::new(bytes))),
        length => Err(format!("the value has {length} bytes, not 48 or 80")),
    }
}
