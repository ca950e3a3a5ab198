//! Against a DNS server of our own, over sockets.

use std::{
    net::Ipv4Addr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use tokio::{net::UdpSocket, time::sleep};

use super::*;

/// Answers every A question with the same addresses and a TTL of 0; without addresses it fails (SERVFAIL).
struct Server {
    addresses: Mutex<Vec<Ipv4Addr>>,
    questions: AtomicUsize,
    port: u16,
}

const A: &[u8] = &[0, 1];

impl Server {
    async fn start(addresses: &[&str]) -> Arc<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let server = Arc::new(Self { addresses: Mutex::default(), questions: AtomicUsize::new(0), port });
        server.set(addresses);
        tokio::spawn(Arc::clone(&server).serve(socket));
        server
    }

    fn set(&self, addresses: &[&str]) {
        *self.addresses.lock().unwrap() = addresses.iter().map(|a| a.parse().unwrap()).collect();
    }

    async fn serve(self: Arc<Self>, socket: UdpSocket) {
        let mut buffer = [0; 1500];
        loop {
            let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
            self.questions.fetch_add(1, Ordering::Relaxed);
            socket.send_to(&self.answer(&buffer[..length]), client).await.unwrap();
        }
    }

    /// RFC 1035 section 4.1: the header, the question as it came, and an answer for each address.
    fn answer(&self, query: &[u8]) -> Vec<u8> {
        let name_end = 12 + query[12..].iter().position(|&byte| byte == 0).unwrap() + 1;
        let question = &query[12..name_end + 4];
        let addresses = self.addresses.lock().unwrap();
        let is_answered = question[question.len() - 4..].starts_with(A) && !addresses.is_empty();
        let answers = if is_answered { addresses.as_slice() } else { &[] };
        let code = if addresses.is_empty() { 2 } else { 0 };
        let mut reply = query[..2].to_vec();
        reply.extend([0x81, 0x80 | code, 0, 1, 0, answers.len() as u8, 0, 0, 0, 0]);
        reply.extend(question);
        for address in answers {
            reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
            reply.extend(address.octets());
        }
        reply
    }

    fn resolver(&self) -> (Resolver, Registry) {
        let mut connection = ConnectionConfig::udp();
        connection.port = self.port;
        let server = NameServerConfig::new(Ipv4Addr::LOCALHOST.into(), true, vec![connection]);
        let config = ResolverConfig::from_parts(None, vec!["search.example.".parse().unwrap()], vec![server]);
        let mut options = ResolverOpts::default();
        options.timeout = Duration::from_secs(1);
        options.attempts = 1;
        let registry = Registry::new();
        let source = Source::with_config(config, options);
        (Resolver::with_source(Handle::current(), &registry, source).unwrap(), registry)
    }
}

fn addresses(name: &ResolvedName) -> Vec<String> {
    name.endpoints().endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect()
}

/// Waits, within a bound.
async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("not within 20 s: {what}");
}

async fn becomes(name: &ResolvedName, wanted: &[&str]) {
    until(&format!("the name is at {wanted:?}"), || addresses(name) == wanted).await;
}

fn counted(registry: &Registry, result: &str) -> f64 {
    let families = registry.gather();
    let metrics = families.iter().flat_map(|family| family.get_metric());
    metrics.filter(|m| m.get_label()[0].value() == result).map(|m| m.get_counter().get_value()).sum()
}

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn follows_changes_and_keeps_the_last_good_answer() {
    let server = Server::start(&["10.0.0.2", "10.0.0.1", "10.0.0.2"]).await;
    let (resolver, registry) = server.resolver();
    let name = resolver.watch("db.example", 5432, false).unwrap();
    name.looked_up(LIMIT).await;
    assert_eq!(addresses(&name), ["10.0.0.1:5432", "10.0.0.2:5432"]);
    server.set(&["10.0.0.3"]);
    becomes(&name, &["10.0.0.3:5432"]).await;
    server.set(&[]);
    until("a look-up fails", || counted(&registry, "failed") > 0.0).await;
    assert_eq!(addresses(&name), ["10.0.0.3:5432"]);
    server.set(&["10.0.0.4"]);
    becomes(&name, &["10.0.0.4:5432"]).await;
}

#[tokio::test]
async fn checks_each_address() {
    let server = Server::start(&["127.0.0.1", "10.0.0.1", "169.254.169.254"]).await;
    let (resolver, registry) = server.resolver();
    let name = resolver.watch("rebind.example", 80, false).unwrap();
    let trusted = resolver.watch("rebind.example", 80, true).unwrap();
    name.looked_up(LIMIT).await;
    trusted.looked_up(LIMIT).await;
    assert_eq!(addresses(&name), ["10.0.0.1:80"]);
    assert_eq!(addresses(&trusted), ["10.0.0.1:80", "127.0.0.1:80", "169.254.169.254:80"]);
    // A name that moves to a local address altogether must not be served from where it was.
    server.set(&["127.0.0.1"]);
    becomes(&name, &[]).await;
    assert!(counted(&registry, "refused") >= 2.0);
}

#[tokio::test]
async fn an_address_needs_no_look_up() {
    let server = Server::start(&[]).await;
    let (resolver, _) = server.resolver();
    let name = resolver.watch("10.0.0.9", 80, false).unwrap();
    name.looked_up(LIMIT).await;
    assert_eq!(addresses(&name), ["10.0.0.9:80"]);
    assert_eq!(addresses(&resolver.watch("::1", 80, true).unwrap()), ["[::1]:80"]);
    let refused = resolver.watch("127.0.0.1", 80, false);
    assert_eq!(refused.err(), Some(ResolveError::Refused(Ipv4Addr::LOCALHOST.into())));
    assert_eq!(server.questions.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn stops_when_it_is_dropped() {
    let server = Server::start(&["10.0.0.1"]).await;
    let (resolver, _) = server.resolver();
    let name = resolver.watch("db.example", 80, false).unwrap();
    name.looked_up(LIMIT).await;
    let places = resolver.watches.available_permits();
    let source = Arc::downgrade(&resolver.source);
    drop((name, resolver.clone()));
    assert_eq!(resolver.watches.available_permits(), places + 1);
    drop(resolver);
    until("the task, the last to hold it, has ended", || source.strong_count() == 0).await;
}

#[tokio::test]
async fn the_number_of_names_is_bounded() {
    let server = Server::start(&["10.0.0.1"]).await;
    let (resolver, _) = server.resolver();
    let held = Arc::clone(&resolver.watches).try_acquire_many_owned(u32::try_from(WATCHES).unwrap()).unwrap();
    assert_eq!(resolver.watch("a.example", 80, false).err(), Some(ResolveError::TooMany));
    drop(held);
    assert!(resolver.watch("a.example", 80, false).is_ok());
}

#[tokio::test]
async fn the_hosts_file_counts() {
    let resolver = Resolver::new(Handle::current(), &Registry::new()).unwrap();
    let name = resolver.watch("localhost", 80, true).unwrap();
    name.looked_up(LIMIT).await;
    assert!(name.endpoints().endpoints.iter().all(|endpoint| endpoint.address.ip().is_loopback()));
    assert!(!name.endpoints().endpoints.is_empty());
}
