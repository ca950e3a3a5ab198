//! A Kubernetes API in this process: lists, watches, streaming lists, merge patches, and faults on demand.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tokio::sync::mpsc;

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
    /// Whether `sendInitialEvents` is known.
    pub(crate) streaming: bool,
    /// Collections that may not be read.
    pub(crate) forbidden: BTreeSet<String>,
    /// Collections that the server does not have.
    pub(crate) absent: BTreeSet<String>,
    /// Whether writes are forbidden.
    pub(crate) read_only: bool,
    /// What happened up to here is forgotten: watches from before get a 410.
    pub(crate) compacted: u64,
    /// Verb, and path without the query.
    pub(crate) requests: Vec<(String, String)>,
    /// Bodies of writes, by verb and path.
    pub(crate) writes: Vec<(String, Value)>,
    /// The queries of lists and watches, by collection.
    pub(crate) queries: Vec<(String, String)>,
}

/// A collection, or the object of one name in it.
struct Selection {
    collection: String,
    name: Option<String>,
}

impl Selection {
    fn holds(&self, object: &Value) -> bool {
        self.name.as_ref().is_none_or(|name| object["metadata"]["name"] == **name)
    }
}

impl Fake {
    pub(crate) fn new(streaming: bool) -> Self {
        let fake = Self::default();
        fake.state().streaming = streaming;
        fake
    }

    pub(crate) fn client(&self) -> Client {
        let fake = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let fake = fake.clone();
            async move { Ok::<_, Infallible>(fake.answer(request).await) }
        });
        Client::new(service, "default")
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

    async fn answer(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let query = request.uri().query().unwrap_or_default().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let mut state = self.state();
        state.requests.push((method.to_string(), path.clone()));
        if method != Method::GET {
            let body: Value = serde_json::from_slice(&body).unwrap();
            state.writes.push((format!("{method} {path}"), body.clone()));
            return if state.read_only { status(403, "may not write") } else { state.write(&method, &path, body) };
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
        let collection = path.rsplit('/').next().unwrap().to_owned();
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
        let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        let name = parameter("fieldSelector").and_then(|fields| fields.strip_prefix("metadata.name%3D"));
        let of = Selection { collection, name: name.map(str::to_owned) };
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

    fn streaming_list(&mut self, of: Selection) -> Answer {
        if !self.streaming {
            return status(
                422,
                "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled",
            );
        }
        let mut events: Vec<Value> =
            self.select(&of).into_iter().map(|object| json!({"type": "ADDED", "object": object})).collect();
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

    fn write(&mut self, method: &Method, path: &str, body: Value) -> Answer {
        if *method == Method::POST {
            let collection = path.rsplit('/').next().unwrap().to_owned();
            let objects = self.objects.entry(collection).or_default();
            if objects.contains_key(&key(&body)) {
                return status(409, "already exists");
            }
            objects.insert(key(&body), body.clone());
            return answer(201, &body);
        }
        let parts: Vec<&str> = path.trim_end_matches("/status").split('/').collect();
        let (collection, key) = match parts[..] {
            [.., "namespaces", namespace, collection, name] => (collection, format!("{namespace}/{name}")),
            [.., collection, name] => (collection, format!("/{name}")),
            _ => return status(404, "no such path"),
        };
        let found = self.objects.get(collection).and_then(|objects| objects.get(&key));
        let Some(mut object) = found.cloned() else { return status(404, "not found") };
        merge(&mut object, &body);
        self.put(collection, object.clone());
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
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, "reason": ""})
}

fn status(code: u16, message: &str) -> Answer {
    answer(code, &failure(code, message))
}

fn answer(code: u16, body: &Value) -> Answer {
    let mut response = Response::new(Full::from(body.to_string()).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}
