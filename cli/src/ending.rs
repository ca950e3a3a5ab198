//! How a process that serves traffic ends: what is in flight is let end first, whatever it is that it ends for.

use std::time::Duration;

use dataplane::Dataplane;
use tokio::time::sleep;

use crate::{process::CannotGoOn, signal::StopSignal};

/// How long connections are let end where a part of the process failed. New ones are refused meanwhile, and another process
/// that would take them cannot begin: one client with a WebSocket must not keep everybody else out for all of
/// `worker-shutdown-timeout`. Most requests end in that time, and the default grace of a Pod is as long.
const FAILED: Duration = Duration::from_secs(30);

/// Why it ends.
pub enum Why {
    /// Somebody wants it to.
    Asked(StopSignal),
    /// A part of it ended that must not: a mistake of the program.
    Failed(anyhow::Error),
}

/// Drains, while `meanwhile` goes on, and waits for `grace` then. A stop that is asked for in all that time ends it at once,
/// or the second one, where the process ends by itself.
///
/// # Errors
/// What it ends for, if that is one.
pub async fn drain(
    why: Why,
    dataplane: Dataplane,
    meanwhile: impl Future<Output = ()>,
    grace: Duration,
    mut stop: impl AsyncFnMut() -> StopSignal,
) -> anyhow::Result<()> {
    let failure = match why {
        Why::Asked(signal) => {
            tracing::info!("{signal}: draining; a second signal ends at once");
            None
        }
        // There is nobody to be cut off.
        Why::Failed(error) if dataplane.served().borrow().is_none() => return Err(error),
        Why::Failed(error) => {
            tracing::error!("{error:#}: draining, since nobody would follow changes any more");
            Some(error)
        }
    };
    let is_asked = failure.is_none();
    let told = async {
        if !is_asked {
            let signal = stop().await;
            tracing::info!("{signal}: draining already; another signal ends at once");
        }
        stop().await
    };
    let drained = async {
        let limit = if is_asked { Duration::MAX } else { FAILED };
        let (drained, ()) = tokio::join!(dataplane.shut_down_within(limit), meanwhile);
        if !is_asked && drained.cut > 0 {
            tracing::warn!(cut = drained.cut, "connections that were still open are cut");
        }
        tracing::info!(cut = drained.cut, "drained");
        sleep(grace).await;
    };
    tokio::select! {
        () = drained => {}
        signal = told => tracing::warn!("{signal}: leaving at once"),
    }
    failure.map_or(Ok(()), |error| Err(CannotGoOn::because(error)))
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        io::{Read, Write},
        net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
        sync::{Arc, mpsc},
        thread,
    };

    use anyhow::anyhow;
    use dataplane::{
        Config,
        observe::{AccessLogTarget, MetricsConfig},
    };
    use snapshot::{
        Action, Endpoint, EndpointSet, Forward, HostPattern, Listener, Origin, PathMatch, Protocol, Report, Retry,
        Route, RouteTable, Serves, Snapshot, Target, Timeouts, Upstream, UpstreamKeepAlive,
    };
    use tokio::{
        sync::{mpsc::channel, watch},
        task::spawn_blocking,
    };

    use super::*;
    use crate::process::{CANNOT_BEGIN, CANNOT_GO_ON, exit_code};

    fn start(snapshot: Option<Snapshot>) -> (Dataplane, tokio::sync::mpsc::Receiver<Report>) {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let config = Config {
            workers: 1.try_into().unwrap(),
            metrics: MetricsConfig::default(),
            access_log: AccessLogTarget::Off,
            shutdown_grace: Duration::ZERO,
        };
        let (answer, reports) = channel(1);
        (Dataplane::start(config, watch::channel(snapshot.map(Arc::new)).1, answer).unwrap(), reports)
    }

    /// Everything goes to a backend.
    fn snapshot(backend: SocketAddr) -> Snapshot {
        let second = Duration::from_secs(1);
        let forward = Forward {
            upstream: "default/a:80".into(),
            timeouts: Timeouts { connect: second, read: 60 * second, send: 60 * second },
            retry: Retry { tries: 1, timeout: Duration::ZERO },
        };
        let route = Route {
            origin: Arc::new(Origin::new("Ingress", "default", "a")),
            path: PathMatch::Prefix("".into()),
            label: "/".into(),
            max_body: None,
            filters: Vec::new(),
            then: Action::Forward(forward),
        };
        let upstream = Upstream {
            namespace: "default".into(),
            service: "a".into(),
            port: 80,
            target: Target::Endpoints("default/a:80".into()),
            protocol: Protocol::Http1,
            tls: None,
            keep_alive: UpstreamKeepAlive { connections: 1, idle: second, requests: 9, lifetime: second },
        };
        let serves = Serves::Http { hosts: [(HostPattern::Any, "*".into())].into(), http: Arc::default() };
        let listener = Listener { binds: vec![(Ipv4Addr::LOCALHOST, 0).into()], proxy_protocol: None, serves };
        let table = RouteTable { routes: vec![Arc::new(route)], ..RouteTable::default() };
        Snapshot {
            listeners: [("http".into(), Arc::new(listener))].into(),
            tables: [("*".into(), Arc::new(table))].into(),
            upstreams: [("default/a:80".into(), Arc::new(upstream))].into(),
            endpoints: [(
                "default/a:80".into(),
                Arc::new(EndpointSet { endpoints: vec![Endpoint { address: backend }] }),
            )]
            .into(),
            drain_timeout: 60 * second,
            ..Snapshot::default()
        }
    }

    /// A backend that says when a request has come, and answers when it is told to.
    fn backend() -> (SocketAddr, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let ((came, has_come), (go, told)) = (mpsc::channel(), mpsc::channel());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            came.send(()).unwrap();
            told.recv().unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").unwrap();
        });
        (address, has_come, go)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn where_a_part_of_it_fails_what_is_in_flight_ends_first() {
        let (address, has_come, go) = backend();
        let (dataplane, mut reports) = start(Some(snapshot(address)));
        assert!(matches!(reports.recv().await, Some(Report::Applied { .. })));
        let port = dataplane.bound(&"http".into())[0];
        let client = spawn_blocking(move || {
            let mut stream = TcpStream::connect(port).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        spawn_blocking(move || has_come.recv().unwrap()).await.unwrap();
        let failed = Why::Failed(anyhow!("a task ended"));
        // It draws to its end, and one signal that comes meanwhile cuts nobody off.
        let mut signals = vec![StopSignal::Terminate];
        let stop = async || match signals.pop() {
            Some(signal) => signal,
            None => pending().await,
        };
        let meanwhile = async { go.send(()).unwrap() };
        let error = drain(failed, dataplane, meanwhile, Duration::ZERO, stop).await.unwrap_err();
        assert!(client.await.unwrap().ends_with("done"));
        assert!(exit_code(&error) == CANNOT_GO_ON && format!("{error:#}").contains("a task ended"), "{error:#}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn where_nothing_was_served_yet_it_ends_at_once() {
        let (dataplane, _reports) = start(None);
        let failed = Why::Failed(anyhow!("a port is taken"));
        let error = drain(failed, dataplane, pending(), Duration::MAX, async || pending().await).await.unwrap_err();
        assert_eq!(exit_code(&error), CANNOT_BEGIN);
    }
}
