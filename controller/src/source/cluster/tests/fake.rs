//! A Kubernetes API in this process: lists, watches, streaming lists, merge patches, and faults on demand.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};
use tower::Service;

use super::super::connect::{Limits, bounded};

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// Cheap to clone: all clones are one server.
#[derive(Clone, Default)]
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(crate) struct State {
    version: u64,
    /// By collection, such as `ingresses`, and `namespace/name`.
    objects: BTreeMap<String, BTreeMap<String, Value>>,
    /// Everything that happened: version, collection, event.
    log: Vec<(u64, String, Value)>,
    watchers: Vec<(Selection, mpsc::UnboundedSender<Value>)>,
    /// Watches that are open and tell nothing.
    dead: Vec<mpsc::UnboundedSender<Value>>,
    /// Whether `sendInitialEvents` is known.
    pub(crate) streaming: bool,
    /// The only namespaces whose objects may be read, if there are such.
    pub(crate) confined: Option<BTreeSet<String>>,
    /// Objects elsewhere, `namespace/name`, that may be read by their names, as with a Role that has `resourceNames`.
    pub(crate) granted: BTreeSet<String>,
    /// Collections that may not be read.
    pub(crate) forbidden: BTreeSet<String>,
    /// Collections that the server does not have.
    pub(crate) absent: BTreeSet<String>,
    /// Names of objects that a watch of one does not come to tell of.
    pub(crate) silent: BTreeSet<String>,
    /// Objects by name, as another API server that is behind knows them: in a streaming list of one it is asked.
    pub(crate) stale: BTreeMap<String, Value>,
    /// Whether writes are forbidden.
    pub(crate) read_only: bool,
    /// What a write must be about to hang: a part of its path or of what it says.
    pub(crate) hanging: Option<String>,
    /// Namespaces in which we have no permission to write.
    pub(crate) closed: BTreeSet<String>,
    /// So many writes are too many.
    pub(crate) busy: usize,
    /// What happened up to here is forgotten: watches from before get a 410.
    pub(crate) compacted: u64,
    /// Verb, and path without the query.
    pub(crate) requests: Vec<(String, String)>,
    /// Bodies of writes, by verb and path.
    pub(crate) writes: Vec<(String, Value)>,
    /// When each of them came.
    pub(crate) written_at: Vec<Instant>,
    /// The queries of lists and watches, by collection.
    pub(crate) queries: Vec<(String, String)>,
}

/// A collection, or a part of it.
struct Selection {
    collection: String,
    namespace: Option<String>,
    /// Field selectors: the field, whether it must or must not be so, the value.
    fields: Vec<(String, bool, String)>,
    labels: Vec<(String, String)>,
}

impl Selection {
    fn new(path: &Path, query: &str) -> Self {
        let parameter = |name: &str| {
            let value = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap_or_default();
            value.replace("%3D", "=").replace("%21", "!").replace("%2C", ",").replace("%2F", "/")
        };
        let pairs = |text: String| -> Vec<(String, String)> {
            let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
            pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        let field = |(key, value): (String, String)| match key.strip_suffix('!') {
            Some(key) => (key.to_owned(), false, value),
            None => (key, true, value),
        };
        Self {
            collection: path.collection.clone(),
            namespace: path.namespace.clone(),
            fields: pairs(parameter("fieldSelector")).into_iter().map(field).collect(),
            labels: pairs(parameter("labelSelector")),
        }
    }

    /// The one name that it is about.
    fn name(&self) -> Option<&str> {
        let name = self.fields.iter().find(|(key, equal, _)| *equal && key == "metadata.name");
        name.map(|(_, _, name)| name.as_str())
    }

    fn holds(&self, object: &Value) -> bool {
        let field = |key: &str| key.split('.').fold(object, |value, key| &value[key]).as_str().unwrap_or_default();
        self.namespace.as_ref().is_none_or(|namespace| object["metadata"]["namespace"] == **namespace)
            && self.fields.iter().all(|(key, equal, value)| (field(key) == value) == *equal)
            && self.labels.iter().all(|(key, value)| object["metadata"]["labels"][key] == **value)
    }
}

/// What a request is about.
struct Path {
    namespace: Option<String>,
    collection: String,
    name: Option<String>,
}

impl Path {
    fn new(path: &str) -> Self {
        let mut parts = path.trim_start_matches('/').split('/').map(str::to_owned);
        // `api/v1`, or `apis/GROUP/v1`.
        let skip = if parts.next().as_deref() == Some("apis") { 2 } else { 1 };
        let mut parts = parts.skip(skip).peekable();
        let namespace = parts.next_if(|part| part == "namespaces").and_then(|_| parts.next());
        let collection = parts.next().unwrap_or_else(|| "namespaces".to_owned());
        Self { namespace, collection, name: parts.next() }
    }

    fn key(&self) -> String {
        format!("{}/{}", self.namespace.as_deref().unwrap_or_default(), self.name.as_deref().unwrap_or_default())
    }
}

impl Fake {
    pub(crate) fn new(streaming: bool) -> Self {
        let fake = Self::default();
        fake.state().streaming = streaming;
        fake
    }

    pub(crate) fn client(&self) -> Client {
        self.client_while(&Arc::new(AtomicBool::new(true)))
    }

    /// A client that is answered only while it is `connected`; after that its requests hang.
    pub(crate) fn client_while(&self, connected: &Arc<AtomicBool>) -> Client {
        Client::new(self.service(connected), "default")
    }

    /// A client that takes silence for an error, as in a real cluster.
    pub(in crate::source::cluster) fn bounded_client(&self, connected: &Arc<AtomicBool>, limits: Limits) -> Client {
        Client::new(bounded(self.service(connected), limits), "default")
    }

    fn service(
        &self,
        connected: &Arc<AtomicBool>,
    ) -> impl Service<Request<Body>, Response = Answer, Error = Infallible, Future: Send> + Clone + Send + 'static {
        let (fake, connected) = (self.clone(), Arc::clone(connected));
        tower::service_fn(move |request: Request<Body>| {
            let (fake, connected) = (fake.clone(), Arc::clone(&connected));
            async move {
                if !connected.load(Ordering::SeqCst) {
                    std::future::pending::<()>().await;
                }
                Ok::<_, Infallible>(fake.answer(request).await)
            }
        })
    }

    /// An object as it is now.
    pub(crate) fn object(&self, collection: &str, name: &str) -> Value {
        self.state().objects.get(collection).and_then(|objects| objects.get(name)).cloned().unwrap_or_default()
    }

    /// All objects of a collection.
    pub(crate) fn objects(&self, collection: &str) -> Vec<Value> {
        self.state().objects.get(collection).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Makes or changes an object.
    pub(crate) fn put(&self, collection: &str, object: Value) {
        self.state().put(collection, object);
    }

    pub(crate) fn delete(&self, collection: &str, name: &str) {
        let mut state = self.state();
        let object = state.objects.get_mut(collection).unwrap().remove(name).unwrap();
        state.tell(collection, "DELETED", object);
    }

    /// Removes an object without a word to watches, as if they had missed it.
    pub(crate) fn delete_silently(&self, collection: &str, name: &str) {
        self.state().objects.get_mut(collection).unwrap().remove(name).unwrap();
    }

    /// Ends all watches, as a restarted server does.
    pub(crate) fn hang_up(&self) {
        self.state().watchers.clear();
    }

    /// Watches stay open and tell nothing any more, as those of a server that has lost its power.
    pub(crate) fn fall_silent(&self) {
        let mut state = self.state();
        let watchers = std::mem::take(&mut state.watchers);
        state.dead.extend(watchers.into_iter().map(|(_, sender)| sender));
    }

    /// The objects of a collection that are being watched by their names.
    pub(crate) fn watched_by_name(&self, collection: &str) -> BTreeSet<String> {
        let state = self.state();
        let open = state.watchers.iter().filter(|(of, sender)| of.collection == collection && !sender.is_closed());
        open.filter_map(|(of, _)| of.name().map(str::to_owned)).collect()
    }

    /// Whether a watch is open that has this field selector.
    pub(crate) fn is_watched(&self, collection: &str, field: &str, value: &str) -> bool {
        let state = self.state();
        let mut open = state.watchers.iter().filter(|(of, sender)| of.collection == collection && !sender.is_closed());
        open.any(|(of, _)| of.fields.iter().any(|(key, _, text)| key == field && text == value))
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let query = request.uri().query().unwrap_or_default().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        self.state().requests.push((method.to_string(), path.clone()));
        let hanging = self.state().hanging.clone();
        let is_part = |part: String| path.contains(&part) || String::from_utf8_lossy(&body).contains(&part);
        if method != Method::GET && hanging.is_some_and(is_part) {
            std::future::pending::<()>().await;
        }
        let mut state = self.state();
        if method != Method::GET {
            let body: Value = serde_json::from_slice(&body).unwrap();
            state.writes.push((format!("{method} {path}"), body.clone()));
            state.written_at.push(Instant::now());
            return state.refusal(&path).unwrap_or_else(|| state.write(&method, &path, body));
        }
        state.read(&path, &query)
    }
}

impl State {
    fn put(&mut self, collection: &str, mut object: Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let objects = self.objects.entry(collection.to_owned()).or_default();
        let before = objects.insert(key(&object), object.clone());
        let kind = if before.is_some() { "MODIFIED" } else { "ADDED" };
        self.record(collection, kind, object);
    }

    fn tell(&mut self, collection: &str, kind: &str, mut object: Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.record(collection, kind, object);
    }

    fn record(&mut self, collection: &str, kind: &str, object: Value) {
        let event = json!({"type": kind, "object": object});
        self.log.push((self.version, collection.to_owned(), event.clone()));
        let concerns = |of: &Selection| of.collection == collection && of.holds(&event["object"]);
        self.watchers.retain(|(of, sender)| !concerns(of) || sender.send(event.clone()).is_ok());
    }

    fn select(&self, of: &Selection) -> Vec<&Value> {
        let objects = self.objects.get(&of.collection).into_iter().flat_map(BTreeMap::values);
        objects.filter(|object| of.holds(object)).collect()
    }

    fn read(&mut self, path: &str, query: &str) -> Answer {
        let path = Path::new(path);
        let collection = path.collection.clone();
        self.queries.push((collection.clone(), query.to_owned()));
        if self.absent.contains(&collection) {
            return status(404, "the server could not find the requested resource");
        }
        if self.forbidden.contains(&collection) {
            return status(
                403,
                &format!("{collection} is forbidden: User \"x\" cannot list resource \"{collection}\""),
            );
        }
        let of = Selection::new(&path, query);
        if self.is_out_of_bounds(&of) {
            return status(403, &format!("{collection} is forbidden in {:?}", path.namespace));
        }
        if path.name.is_some() {
            let found = self.objects.get(&collection).and_then(|objects| objects.get(&path.key()));
            return found.map_or_else(|| status(404, "not found"), |object| answer(200, object));
        }
        if of.name().is_some_and(|name| self.silent.contains(name)) {
            return self.open(of, Vec::new());
        }
        let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        if parameter("watch") != Some("true") {
            let items = self.select(&of);
            return answer(200, &json!({"metadata": {"resourceVersion": self.version.to_string()}, "items": items}));
        }
        if parameter("sendInitialEvents") == Some("true") {
            return self.streaming_list(of);
        }
        let from: u64 = parameter("resourceVersion").unwrap().parse().unwrap();
        self.watch(of, from)
    }

    /// What has a namespace, elsewhere than in those that may be read.
    fn is_out_of_bounds(&self, of: &Selection) -> bool {
        let has_namespace = ["ingresses", "services", "endpointslices", "secrets"].contains(&of.collection.as_str());
        let may = |confined: &BTreeSet<String>| {
            of.namespace.as_ref().is_some_and(|namespace| {
                let is_granted = |name: &str| self.granted.contains(&format!("{namespace}/{name}"));
                confined.contains(namespace) || of.name().is_some_and(is_granted)
            })
        };
        has_namespace && !self.confined.as_ref().is_none_or(may)
    }

    fn streaming_list(&mut self, of: Selection) -> Answer {
        if !self.streaming {
            return status(
                422,
                "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled",
            );
        }
        let objects = match of.name().and_then(|name| self.stale.get(name)) {
            Some(stale) => vec![stale],
            None => self.select(&of),
        };
        let mut events: Vec<Value> =
            objects.into_iter().map(|object| json!({"type": "ADDED", "object": object})).collect();
        events.push(json!({"type": "BOOKMARK", "object": {
            "kind": "x", "apiVersion": "v1", "metadata": {
                "resourceVersion": self.version.to_string(),
                "annotations": {"k8s.io/initial-events-end": "true"},
            },
        }}));
        self.open(of, events)
    }

    fn watch(&mut self, of: Selection, from: u64) -> Answer {
        if from < self.compacted {
            return self.open(of, vec![json!({"type": "ERROR", "object": failure(410, "too old")})]);
        }
        let concerns = |collection: &String, event: &Value| *collection == of.collection && of.holds(&event["object"]);
        let missed = self.log.iter().filter(|(version, of, event)| *version > from && concerns(of, event));
        let events = missed.map(|(_, _, event)| event.clone()).collect();
        self.open(of, events)
    }

    fn open(&mut self, of: Selection, events: Vec<Value>) -> Answer {
        let (sender, receiver) = mpsc::unbounded_channel();
        for event in events {
            sender.send(event).unwrap();
        }
        self.watchers.push((of, sender));
        let frames = stream::unfold(receiver, |mut receiver| async {
            let event: Value = receiver.recv().await?;
            let frame = http_body::Frame::data(Bytes::from(format!("{event}\n")));
            Some((Ok::<_, Infallible>(frame), receiver))
        });
        Response::new(StreamBody::new(frames).boxed_unsync())
    }

    fn refusal(&mut self, path: &str) -> Option<Answer> {
        if self.busy > 0 {
            self.busy -= 1;
            return Some(status(429, "too many requests"));
        }
        let Path { namespace, collection, .. } = Path::new(path);
        let namespace = namespace.filter(|namespace| self.closed.contains(namespace));
        let forbidden = |namespace| {
            let resource = format!("resource \"{collection}\" in the namespace \"{namespace}\"");
            status(403, &format!("{collection} is forbidden: User \"x\" cannot patch {resource}"))
        };
        namespace.map(forbidden).or_else(|| self.read_only.then(|| status(403, "may not write")))
    }

    fn write(&mut self, method: &Method, path: &str, mut body: Value) -> Answer {
        let path = Path::new(path);
        if path.collection == "selfsubjectaccessreviews" {
            body["status"] = json!({"allowed": self.confined.is_none()});
            return answer(201, &body);
        }
        if *method == Method::POST {
            if let Some(namespace) = &path.namespace {
                body["metadata"]["namespace"] = namespace.clone().into();
            }
            if self.objects.get(&path.collection).is_some_and(|objects| objects.contains_key(&key(&body))) {
                return status(409, "already exists");
            }
            self.put(&path.collection, body.clone());
            return answer(201, &body);
        }
        let found = self.objects.get(&path.collection).and_then(|objects| objects.get(&path.key()));
        let Some(mut object) = found.cloned() else { return status(404, "not found") };
        if *method == Method::PUT {
            if body["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"] {
                return status(409, "the object has been modified");
            }
            object = body;
        } else {
            merge(&mut object, &body);
        }
        self.put(&path.collection, object.clone());
        answer(200, &object)
    }
}

fn key(object: &Value) -> String {
    let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text("namespace"), text("name"))
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in fields {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut target[name], value);
        }
    }
}

fn failure(code: u16, message: &str) -> Value {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        _ => "",
    };
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, "reason": reason})
}

fn status(code: u16, message: &str) -> Answer {
    answer(code, &failure(code, message))
}

fn answer(code: u16, body: &Value) -> Answer {
    let mut response = Response::new(Full::from(body.to_string()).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}
