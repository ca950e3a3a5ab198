//! The global ConfigMap (`--configmap`) as typed values.

pub(crate) mod class;
mod client;
mod connections;
mod default;
mod handshake;
mod http2;
mod lifecycle;
mod limits;
mod reference;
mod setting;
mod stream;
mod tls;
mod trust;
mod unserved;
mod upstream;
mod value;

use std::{collections::BTreeMap, num::NonZeroU64, sync::Arc, time::Duration};

use ipnet::IpNet;
use k8s_openapi::api::core::v1::ConfigMap;
use snapshot::{
    ConnectionLimits, HeadLimits, Hsts, Http2, KeepAlive, Origin, TicketKey, TlsOptions, UpstreamKeepAlive,
};

pub use handshake::Sessions;
pub use reference::{chart, reference};
pub use stream::StreamSettings;

use crate::{NamespacedName, Problem, Reason, Severity, notes::shortened};
use setting::Setting;
use unserved::Effect;

/// The global settings, defaults where the ConfigMap says nothing. Names and defaults are ingress-nginx's.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `keep-alive`, `keep-alive-requests`.
    pub keep_alive: KeepAlive,
    /// `upstream-keepalive-connections`, `-timeout`, `-requests`, `-time`.
    pub upstream_keep_alive: UpstreamKeepAlive,
    /// `client-header-timeout`.
    pub client_header_timeout: Duration,
    /// `client-body-timeout`.
    pub client_body_timeout: Duration,
    /// `client-body-buffer-size`, bytes.
    pub client_body_buffer_size: u64,
    /// `large-client-header-buffers` and `client-header-buffer-size` as bounds of the head.
    pub head: HeadLimits,
    /// `http2-max-concurrent-streams`; none: `use-http2` is off.
    pub http2: Option<Http2>,
    /// `proxy-connect-timeout`.
    pub proxy_connect_timeout: Duration,
    /// `proxy-read-timeout`.
    pub proxy_read_timeout: Duration,
    /// `proxy-send-timeout`.
    pub proxy_send_timeout: Duration,
    /// `proxy-next-upstream-tries`.
    pub proxy_next_upstream_tries: u32,
    /// `proxy-next-upstream-timeout`.
    pub proxy_next_upstream_timeout: Duration,
    /// `proxy-body-size`; none: any size.
    pub proxy_body_size: Option<NonZeroU64>,
    /// `ssl-redirect`.
    pub ssl_redirect: bool,
    /// `force-ssl-redirect`.
    pub force_ssl_redirect: bool,
    /// `preserve-trailing-slash`.
    pub preserve_trailing_slash: bool,
    /// `http-redirect-code`.
    pub http_redirect_code: u16,
    /// `no-tls-redirect-locations`: paths of Ingresses that begin with one of these are not redirected.
    pub no_tls_redirect_locations: Vec<String>,
    /// `hsts`.
    pub hsts_on: bool,
    /// `hsts-max-age`, `hsts-include-subdomains`, `hsts-preload`, also where it is off: a class may want it.
    pub hsts: Hsts,
    /// `ssl-protocols`, `ssl-ciphers`, `ssl-prefer-server-ciphers`, `ssl-reject-handshake`.
    pub tls: TlsOptions,
    /// `enable-ocsp`.
    pub ocsp: bool,
    /// `ssl-session-*`.
    pub sessions: Sessions,
    /// `ssl-session-ticket-key`.
    pub ticket_key: Option<TicketKey>,
    /// `server-tokens`.
    pub server_tokens: bool,
    /// `use-forwarded-headers`.
    pub use_forwarded_headers: bool,
    /// `proxy-real-ip-cidr`; empty: nobody.
    pub proxy_real_ip_cidr: Vec<IpNet>,
    /// `allow-cross-namespace-resources`.
    pub allow_cross_namespace_resources: bool,
    /// `use-proxy-protocol`.
    pub use_proxy_protocol: bool,
    /// `proxy-protocol-header-timeout`.
    pub proxy_protocol_header_timeout: Duration,
    /// `proxy-stream-*`.
    pub stream: StreamSettings,
    /// `max-worker-connections`, `max-connections-per-client`.
    pub connections: ConnectionLimits,
    /// `worker-shutdown-timeout`.
    pub worker_shutdown_timeout: Duration,
    /// Why every path must answer 503: the ConfigMap restricts access in a way that is not served.
    pub denied: Option<String>,
    /// Why no TCP or UDP service may be served, for the same reason.
    pub stream_denied: Option<String>,
}

impl Settings {
    /// What answers over https say; none: nothing.
    pub fn hsts(&self) -> Option<Hsts> {
        self.hsts_on.then_some(self.hsts)
    }
}

/// Reads the global ConfigMap. A value that cannot be used leaves the default in place and is a [`Problem`] of the
/// ConfigMap; one about whom to trust leaves nobody trusted; one about access that is not served denies everything.
pub fn read(config_map: Option<(&NamespacedName, &ConfigMap)>) -> (Settings, Vec<Problem>) {
    let mut reader = Reader::default();
    if let Some((name, config_map)) = config_map {
        reader.origin = Arc::new(Origin::new("ConfigMap", &name.namespace, &name.name));
        reader.read(config_map);
    }
    (reader.settings, reader.problems)
}

/// The settings that are served, in the order in which they apply.
fn served() -> impl Iterator<Item = &'static Setting> {
    [
        client::SETTINGS,
        connections::SETTINGS,
        http2::SETTINGS,
        limits::SETTINGS,
        upstream::SETTINGS,
        tls::SETTINGS,
        handshake::SETTINGS,
        trust::SETTINGS,
        stream::SETTINGS,
        lifecycle::SETTINGS,
    ]
    .into_iter()
    .flatten()
}

struct Reader {
    origin: Arc<Origin>,
    settings: Settings,
    problems: Vec<Problem>,
}

impl Default for Reader {
    fn default() -> Self {
        let origin = Arc::new(Origin::new("ConfigMap", "", ""));
        Self { origin, settings: Settings::default(), problems: Vec::new() }
    }
}

impl Reader {
    fn read(&mut self, config_map: &ConfigMap) {
        let empty = BTreeMap::new();
        let data = config_map.data.as_ref().unwrap_or(&empty);
        for setting in served() {
            if let Some(value) = data.get(setting.key) {
                self.served(setting, value.trim());
            }
        }
        for (key, value) in data {
            if !served().any(|setting| setting.key == key) {
                self.unserved(key, value.trim());
            }
        }
        for key in config_map.binary_data.iter().flatten().map(|(key, _)| key) {
            self.problem(
                Severity::Warning,
                key,
                Reason::BadSetting,
                "is binary; a setting is text under `data`".to_owned(),
            );
        }
    }

    fn served(&mut self, setting: &Setting, value: &str) {
        if let Err(error) = (setting.parse)(value, &mut self.settings) {
            self.close(setting);
            let error = shortened(&error);
            let otherwise = setting.otherwise();
            self.problem(Severity::Error, setting.key, Reason::BadSetting, format!("{error}; {otherwise}"));
        } else if let Some(notice) = handshake::notice(setting.key, value) {
            self.problem(Severity::Warning, setting.key, Reason::SettingNotServed, shortened(&notice));
        }
    }

    fn unserved(&mut self, key: &str, value: &str) {
        let Some(verdict) = unserved::verdict(key, value) else { return };
        let why = || format!("setting `{key}`: {}", verdict.message);
        if verdict.effect.denies_paths() {
            self.settings.denied.get_or_insert_with(why);
        }
        if verdict.effect.denies_streams() {
            self.settings.stream_denied.get_or_insert_with(why);
        }
        match verdict.effect {
            Effect::NobodyTrusted => self.settings.proxy_real_ip_cidr.clear(),
            Effect::Closed(setting) => self.close(setting),
            Effect::Lessened | Effect::Denied | Effect::AllDenied | Effect::StreamsDenied => {}
        }
        self.problem(verdict.effect.severity(), key, verdict.reason, verdict.message);
    }

    fn close(&mut self, setting: &Setting) {
        if let Some((_, close)) = setting.fail_closed {
            close(&mut self.settings);
        }
    }

    fn problem(&mut self, severity: Severity, key: &str, reason: Reason, message: String) {
        let (object, field) = (self.origin.clone(), format!("data[{key}]"));
        self.problems.push(Problem { object, severity, field, message, reason });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_key_is_there_once() {
        let served: Vec<&str> = served().map(|setting| setting.key).collect();
        let known = unserved::KNOWN.iter().copied().flatten().map(|known| known.key);
        let all: Vec<&str> = served.iter().copied().chain(known).collect();
        let distinct: BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(all.len(), distinct.len());
    }

    #[test]
    fn the_text_of_each_default_is_the_default() {
        for setting in served() {
            let mut settings = Settings::default();
            assert_eq!((setting.parse)(setting.default, &mut settings), Ok(()), "{}", setting.key);
            assert_eq!(settings, Settings::default(), "{}", setting.key);
        }
    }

    #[test]
    fn every_example_is_good_and_changes_something() {
        for setting in served() {
            let mut settings = Settings::default();
            assert_eq!((setting.parse)(setting.example, &mut settings), Ok(()), "{}", setting.key);
            assert_ne!(settings, Settings::default(), "{}", setting.key);
        }
    }

    #[test]
    fn every_key_is_described() {
        let page = reference();
        for Setting { key, value, doc, .. } in served() {
            assert!(!value.is_empty() && doc.ends_with('.'), "{key}");
            assert!(page.contains(&format!("| `{key}` |")), "{key}");
        }
        for known in unserved::KNOWN.iter().copied().flatten() {
            assert!(page.contains(&format!("| `{}` |", known.key)), "{}", known.key);
        }
    }
}
