//! TCP and UDP services, and hosts whose TLS is handed on, become what is served.

use std::sync::Arc;

use snapshot::{HostPattern, Listener, ListenerId, ProxyProtocol, Rejection, StreamBackend, TcpService, UdpService};

use super::{Builder, Runtime};
use crate::{
    l4::{LiveBackend, LiveTcp, LiveUdp},
    observe::{StreamLabels, StreamProtocol},
    route::HostTable,
    upstream::Place,
};

/// A port of TCP services.
#[derive(Debug)]
pub struct TcpListener {
    /// How clients' addresses are told to us.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Where its connections go.
    pub service: Arc<LiveTcp>,
}

/// A port of a UDP service.
pub use crate::l4::LiveUdp as UdpListener;

/// Whose TLS is handed on, by server name; none for a host whose TLS ends here.
pub type PassthroughTable = HostTable<Option<Arc<LiveTcp>>>;

/// What a stream is built from, beside its service.
pub(super) struct Surroundings<'a> {
    /// What was served before.
    pub old: &'a Runtime,
    /// What is being built: its endpoints are there already.
    pub new: &'a mut Runtime,
    /// What cannot be used.
    pub rejected: &'a mut Vec<Rejection>,
}

impl Builder {
    pub(super) fn tcp(
        &mut self,
        id: &ListenerId,
        listener: &Listener,
        source: &Arc<TcpService>,
        around: &mut Surroundings<'_>,
    ) -> Arc<TcpListener> {
        let old = around.old.tcp.get(id).map(|old| Arc::clone(&old.service));
        let service = self.tcp_service((id, ""), source, old.as_ref(), around);
        Arc::new(TcpListener { proxy_protocol: listener.proxy_protocol.clone(), service })
    }

    pub(super) fn udp(
        &mut self,
        id: &ListenerId,
        source: &Arc<UdpService>,
        around: &mut Surroundings<'_>,
    ) -> Arc<LiveUdp> {
        let old = around.old.udp.get(id);
        let place = self.stream_place(&source.backend, old.map(|old| &old.backend), around);
        match old {
            Some(old) if Arc::ptr_eq(&old.source, source) && old.backend.place.is(&place) => Arc::clone(old),
            _ => {
                let backend = LiveBackend::new(source.backend.clone(), place, self.next_seed());
                let labels = labels(StreamProtocol::Udp, (id, ""), &source.backend);
                Arc::new(LiveUdp { source: Arc::clone(source), backend, metrics: self.metrics.stream(&labels) })
            }
        }
    }

    /// The hosts whose TLS is handed on, and those whose TLS is not although a wildcard among the former covers them.
    /// None where there are none of the former: nobody then has to look.
    pub(super) fn passthrough<'a>(
        &mut self,
        id: &ListenerId,
        hosts: impl Iterator<Item = &'a HostPattern>,
        passthrough: impl ExactSizeIterator<Item = (&'a HostPattern, &'a Arc<TcpService>)>,
        around: &mut Surroundings<'_>,
    ) -> Option<PassthroughTable> {
        if passthrough.len() == 0 {
            return None;
        }
        let old = around.old.listeners.get(id).and_then(|old| old.passthrough.clone());
        let mut table: Vec<_> =
            hosts.filter(|host| **host != HostPattern::Any).map(|host| (host.clone(), None)).collect();
        for (host, source) in passthrough {
            let old = old.as_ref().and_then(|old| old.get(host)?.clone());
            let service = self.tcp_service((id, &host.to_string()), source, old.as_ref(), around);
            table.push((host.clone(), Some(service)));
        }
        Some(table.into_iter().collect())
    }

    fn tcp_service(
        &mut self,
        name: (&ListenerId, &str),
        source: &Arc<TcpService>,
        old: Option<&Arc<LiveTcp>>,
        around: &mut Surroundings<'_>,
    ) -> Arc<LiveTcp> {
        let place = self.stream_place(&source.backend, old.map(|old| &old.backend), around);
        match old {
            Some(old) if Arc::ptr_eq(&old.source, source) && old.backend.place.is(&place) => Arc::clone(old),
            _ => {
                let backend = LiveBackend::new(source.backend.clone(), place, self.next_seed());
                let labels = labels(StreamProtocol::Tcp, name, &source.backend);
                Arc::new(LiveTcp { source: Arc::clone(source), backend, metrics: self.metrics.stream(&labels) })
            }
        }
    }

    fn stream_place(
        &mut self,
        source: &StreamBackend,
        old: Option<&LiveBackend>,
        around: &mut Surroundings<'_>,
    ) -> Place {
        let old = old.map(|old| (&old.source.target, &old.place));
        match self.place(&source.target, old, &mut around.new.endpoints) {
            Ok(place) => place,
            Err(error) => {
                let reason = error.to_string();
                around.rejected.push(super::apply::reject_service(&source.namespace, &source.service, &reason));
                Place::Nowhere
            }
        }
    }
}

fn labels(protocol: StreamProtocol, (id, host): (&ListenerId, &str), backend: &StreamBackend) -> StreamLabels {
    StreamLabels {
        protocol,
        listener: id.as_str().into(),
        host: host.into(),
        namespace: Arc::clone(&backend.namespace),
        service: Arc::clone(&backend.service),
    }
}
