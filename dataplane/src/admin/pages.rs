//! What is on each page.

use std::{collections::BTreeMap, sync::Arc};

use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
};
use http_body_util::Full;
use hyper::body::Bytes;
use prometheus::{Registry, TEXT_FORMAT, TextEncoder, proto::MetricFamily};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const PLAIN: &str = "text/plain; charset=utf-8";

/// Says what is still missing before requests can be served; nothing where all is there.
pub type Check = Box<dyn Fn() -> Vec<String> + Send + Sync>;

/// The pages of a process: `/healthz`, `/readyz`, `/metrics` and those that are added.
pub struct Pages {
    checks: Vec<Check>,
    pulses: Vec<Check>,
    registries: Vec<Registry>,
    metrics: Arc<Semaphore>,
    more: BTreeMap<&'static str, Page>,
}

struct Page {
    content_type: &'static str,
    body: Box<dyn Fn() -> String + Send + Sync>,
    turns: Arc<Semaphore>,
}

/// Held by whoever has a page made, until nothing of it is in memory any more.
pub(super) type Turn = OwnedSemaphorePermit;

/// Readers of `/metrics` at a time: one who reads slowly must not keep it from Prometheus.
const SCRAPES: usize = 4;

fn turns(most: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(most))
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            checks: Vec::new(),
            pulses: Vec::new(),
            registries: Vec::new(),
            metrics: turns(SCRAPES),
            more: BTreeMap::new(),
        }
    }
}

impl Pages {
    /// `/healthz` answers 200, `/readyz` too, and `/metrics` is empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `/readyz` answers 503 with what `check` misses, until it misses nothing.
    #[must_use]
    pub fn ready_when(mut self, check: impl Fn() -> Vec<String> + Send + Sync + 'static) -> Self {
        self.checks.push(Box::new(check));
        self
    }

    /// `/healthz` answers 503 with what `check` says, while it says anything: only a restart would help.
    #[must_use]
    pub fn healthy_when(mut self, check: impl Fn() -> Vec<String> + Send + Sync + 'static) -> Self {
        self.pulses.push(Box::new(check));
        self
    }

    /// `/metrics` shows what this registry gathers.
    #[must_use]
    pub fn metrics(mut self, registry: Registry) -> Self {
        self.registries.push(registry);
        self
    }

    /// `path` shows what `body` makes when it is asked for.
    #[must_use]
    pub fn page(
        mut self,
        path: &'static str,
        content_type: &'static str,
        body: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        self.more.insert(path, Page { content_type, body: Box::new(body), turns: turns(1) });
        self
    }

    /// Who may have a page made; none: it is small, and made at once.
    pub(super) fn turns(&self, method: &Method, path: &str) -> Option<Arc<Semaphore>> {
        if !is_asked_for(method) {
            return None;
        }
        let turns = if path == "/metrics" { Some(&self.metrics) } else { self.more.get(path).map(|page| &page.turns) };
        turns.map(Arc::clone)
    }

    /// The answer to a request. With a turn it may take as long as gathering all metrics does.
    pub(super) fn answer(&self, method: &Method, path: &str, turn: Option<Turn>) -> Response<Full<Bytes>> {
        if !is_asked_for(method) {
            let mut response = respond(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET and HEAD\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match path {
            "/healthz" => verdict(&self.pulses),
            "/readyz" => verdict(&self.checks),
            "/metrics" => self.exposition(turn),
            _ => match self.more.get(path) {
                Some(page) => respond(StatusCode::OK, page.content_type, large((page.body)(), turn)),
                None => respond(StatusCode::NOT_FOUND, PLAIN, self.index()),
            },
        }
    }

    fn exposition(&self, turn: Option<Turn>) -> Response<Full<Bytes>> {
        let families = merge(self.registries.iter().flat_map(Registry::gather));
        match TextEncoder::new().encode_to_string(&families) {
            Ok(text) => respond(StatusCode::OK, TEXT_FORMAT, large(text, turn)),
            Err(error) => {
                respond(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, format!("cannot encode metrics: {error}\n"))
            }
        }
    }

    fn index(&self) -> String {
        let paths: Vec<&str> =
            ["/healthz", "/readyz", "/metrics"].into_iter().chain(self.more.keys().copied()).collect();
        format!("not found; there are {}\n", paths.join(" "))
    }
}

/// Whether the method is one for pages.
fn is_asked_for(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// 200 where no check says anything.
fn verdict(checks: &[Check]) -> Response<Full<Bytes>> {
    let missing: Vec<String> = checks.iter().flat_map(|check| check()).collect();
    if missing.is_empty() {
        return respond(StatusCode::OK, PLAIN, "ok\n");
    }
    respond(StatusCode::SERVICE_UNAVAILABLE, PLAIN, missing.join("\n") + "\n")
}

/// The text format allows each name once; two registries may both have one.
fn merge(families: impl Iterator<Item = MetricFamily>) -> Vec<MetricFamily> {
    let mut merged: BTreeMap<String, MetricFamily> = BTreeMap::new();
    for mut family in families {
        let name = family.name().to_owned();
        match merged.get_mut(&name) {
            Some(first) => first.mut_metric().extend(family.take_metric()),
            None => drop(merged.insert(name, family)),
        }
    }
    merged.into_values().collect()
}

/// A page that is large, and the turn of who had it made: it ends with the last of the page's bytes.
struct Large {
    text: String,
    _turn: Option<Turn>,
}

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

fn large(text: String, turn: Option<Turn>) -> Bytes {
    Bytes::from_owner(Large { text, _turn: turn })
}

fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The answer where a page could not be made.
pub(super) fn broken() -> Response<Full<Bytes>> {
    respond(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, "the page could not be made\n")
}

/// The answer where somebody else is reading the page, and takes long.
pub(super) fn busy() -> Response<Full<Bytes>> {
    respond(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "somebody else is reading this page\n")
}
