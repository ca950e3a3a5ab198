//! The backends of what is handed on as it is.

use k8s_openapi::api::core::v1::Service;
use snapshot::{ServicePort, StreamBackend, Target};

use super::{Missing, find_port, port_not_found};
use crate::{EndpointSource, Family, Objects, Options, Reason, Transport, draft::BackendRef, external_name};

/// A backend that is there.
pub(crate) struct Stream {
    pub backend: StreamBackend,
    /// Where its endpoints come from; none: from DNS.
    pub endpoints: Option<(ServicePort, EndpointSource)>,
    /// What its owner should know all the same.
    pub remark: Option<String>,
}

/// Looks a backend up. What a Service's port says of its protocol (`appProtocol`) does not matter: it is handed on.
pub(crate) fn stream(
    objects: &Objects,
    options: &Options,
    backend: &BackendRef,
    transport: Transport,
) -> Result<Stream, Missing> {
    let Some(service) = objects.services.get(&backend.service) else {
        return Err(Missing::new(Reason::ServiceNotFound, format!("Service {} does not exist", backend.service)));
    };
    let made = |port, target| StreamBackend {
        namespace: backend.service.namespace.clone(),
        service: backend.service.name.clone(),
        port,
        target,
    };
    if is_external(service) {
        let (port, target) = external_name::target(service, backend, options)?;
        return Ok(Stream { backend: made(port, target), endpoints: None, remark: None });
    }
    let (found, remark) = find_port(service, backend, transport)?;
    let port = u16::try_from(found.port).ok().filter(|port| *port != 0);
    let port = port.ok_or_else(|| port_not_found(backend, transport))?;
    let suffix = match transport {
        Transport::Tcp => "",
        Transport::Udp => "/UDP",
    };
    let id = ServicePort::new(&backend.service.namespace, &backend.service.name, format_args!("{port}{suffix}"));
    let source = EndpointSource {
        service: backend.service.clone(),
        port_name: found.name.as_deref().unwrap_or_default().into(),
        family: Family::first_of(service),
        transport,
    };
    Ok(Stream { backend: made(port, Target::Endpoints(id.clone())), endpoints: Some((id, source)), remark })
}

fn is_external(service: &Service) -> bool {
    service.spec.as_ref().and_then(|spec| spec.type_.as_deref()) == Some("ExternalName")
}
