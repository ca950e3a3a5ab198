//! Services of TCP and UDP, and their backends.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use snapshot::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UdpSocket,
    task::AbortHandle,
};

use super::{Backend, World, world::local};

impl World {
    /// A port `tcp:NAME` whose connections go to these endpoints.
    pub fn tcp(mut self, name: &str, endpoints: &[SocketAddr]) -> Self {
        let service = self.tcp_service("ConfigMap", name, endpoints);
        self.listen(&format!("tcp:{name}"), Serves::Tcp(Arc::new(service)));
        self
    }

    /// A port `udp:NAME` whose datagrams go to these endpoints, with no end of replies.
    pub fn udp(mut self, name: &str, endpoints: &[SocketAddr]) -> Self {
        let backend = self.stream_backend(name, "/UDP", endpoints);
        let origin = Arc::new(Origin::new("ConfigMap", "system", "udp"));
        let service = UdpService { origin, backend, idle: Duration::from_secs(60), replies: None };
        self.listen(&format!("udp:{name}"), Serves::Udp(Arc::new(service)));
        self
    }

    /// TLS of a host of the listener `https` is handed on to these endpoints.
    pub fn passthrough(mut self, host: &str, endpoints: &[SocketAddr]) -> Self {
        let service = self.tcp_service("Ingress", host, endpoints);
        let listener = Arc::make_mut(self.snapshot.listeners.get_mut("https").unwrap());
        let Serves::Tls { passthrough, .. } = &mut listener.serves else { panic!("no TLS") };
        passthrough.insert(host.parse().unwrap(), Arc::new(service));
        self
    }

    /// Changes every TCP service.
    pub fn tcp_services(mut self, change: impl Fn(&mut TcpService)) -> Self {
        for listener in self.snapshot.listeners.values_mut() {
            if let Serves::Tcp(service) = &mut Arc::make_mut(listener).serves {
                change(Arc::make_mut(service));
            }
        }
        self
    }

    /// Changes every UDP service.
    pub fn udp_services(mut self, change: impl Fn(&mut UdpService)) -> Self {
        for listener in self.snapshot.listeners.values_mut() {
            if let Serves::Udp(service) = &mut Arc::make_mut(listener).serves {
                change(Arc::make_mut(service));
            }
        }
        self
    }

    /// Every connection begins with a PROXY header, which these networks are believed.
    pub fn proxy_protocol(mut self, trusted: &[&str]) -> Self {
        let trusted: Vec<_> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        for listener in self.snapshot.listeners.values_mut() {
            let rules = ProxyProtocol { trusted: trusted.clone(), timeout: Duration::from_secs(30) };
            Arc::make_mut(listener).proxy_protocol = Some(rules);
        }
        self
    }

    /// Other endpoints for a port.
    pub fn set_stream_endpoints(&mut self, name: &str, suffix: &str, endpoints: &[SocketAddr]) {
        let set = EndpointSet { endpoints: endpoints.iter().map(|&address| Endpoint { address }).collect() };
        self.snapshot.endpoints.insert(port(name, suffix), Arc::new(set));
    }

    fn tcp_service(&mut self, kind: &str, name: &str, endpoints: &[SocketAddr]) -> TcpService {
        TcpService {
            origin: Arc::new(Origin::new(kind, "system", "tcp")),
            backend: self.stream_backend(name, "", endpoints),
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(60),
            retry: Retry { tries: 3, timeout: Duration::from_secs(60) },
            send_proxy_header: false,
        }
    }

    fn stream_backend(&mut self, name: &str, suffix: &str, endpoints: &[SocketAddr]) -> StreamBackend {
        self.set_stream_endpoints(name, suffix, endpoints);
        let target = Target::Endpoints(port(name, suffix));
        StreamBackend { namespace: "default".into(), service: name.into(), port: 1, target }
    }

    fn listen(&mut self, id: &str, serves: Serves) {
        let listener = Listener { binds: vec![local(0)], proxy_protocol: None, serves };
        self.snapshot.listeners.insert(id.into(), Arc::new(listener));
    }
}

fn port(name: &str, suffix: &str) -> ServicePort {
    ServicePort::new("default", name, format_args!("1{suffix}"))
}

/// A backend that sends back what it gets, to its end.
pub struct Echo;

impl Echo {
    pub async fn start() -> Backend {
        Backend::raw(|mut stream, _| async move {
            let (mut read, mut write) = stream.split();
            tokio::io::copy(&mut read, &mut write).await.ok();
            write.shutdown().await.ok();
        })
        .await
    }

    /// Says its name first, then sends back what it gets.
    pub async fn named(name: &'static str) -> Backend {
        Backend::raw(move |mut stream, _| async move {
            stream.write_all(name.as_bytes()).await.unwrap();
            let (mut read, mut write) = stream.split();
            tokio::io::copy(&mut read, &mut write).await.ok();
            write.shutdown().await.ok();
        })
        .await
    }
}

/// A backend of UDP that answers each datagram with as many as it is told, and remembers who asked.
pub struct UdpBackend {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<SocketAddr>>>,
    received: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl UdpBackend {
    /// Answers with `name:datagram`, `replies` times.
    pub async fn start(name: &'static str, replies: usize) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (seen, received) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<AtomicUsize>::default());
        let (own, count) = (Arc::clone(&seen), Arc::clone(&received));
        let task = tokio::spawn(async move {
            let mut buffer = vec![0; 1 << 16];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                own.lock().unwrap().push(from);
                count.fetch_add(1, SeqCst);
                let answer = [name.as_bytes(), b":", &buffer[..length]].concat();
                for _ in 0..replies {
                    socket.send_to(&answer, from).await.ok();
                }
            }
        });
        Self { address, seen, received, task: task.abort_handle() }
    }

    /// How many datagrams it has received.
    pub fn received(&self) -> usize {
        self.received.load(SeqCst)
    }
}

impl Drop for UdpBackend {
    fn drop(&mut self) {
        self.task.abort();
    }
}
