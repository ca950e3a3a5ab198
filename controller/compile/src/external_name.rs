//! Services of type ExternalName: a DNS name instead of pods.
//! <https://kubernetes.io/docs/concepts/services-networking/service/#externalname>

use std::net::IpAddr;

use k8s_openapi::{api::core::v1::Service, apimachinery::pkg::util::intstr::IntOrString};
use snapshot::{HostPattern, Target};

use crate::{
    Options, Reason, Transport,
    draft::{BackendRef, PortRef},
    service::{Missing, port_not_found},
};

/// The Service's port (for ids and names) and what to connect to.
pub(crate) fn target(service: &Service, backend: &BackendRef, options: &Options) -> Result<(u16, Target), Missing> {
    if options.disable_svc_external_name {
        let message = format!("Service {} is of type ExternalName, which is switched off", backend.service);
        return Err(Missing::new(Reason::ExternalNameDisabled, message));
    }
    let host = host(service).ok_or_else(|| {
        let message =
            format!("Service {} is of type ExternalName and its externalName is no DNS name", backend.service);
        Missing::new(Reason::InvalidExternalName, message)
    })?;
    let (port, connect) = ports(service, &backend.port).ok_or_else(|| port_not_found(backend, Transport::Tcp))?;
    let allow_local = options.allow_local_external_names;
    Ok((port, Target::Name { host: host.into(), port: connect, allow_local }))
}

fn host(service: &Service) -> Option<String> {
    let name = service.spec.as_ref()?.external_name.as_deref()?;
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_name = matches!(name.parse(), Ok(HostPattern::Exact(_))) || name.parse::<IpAddr>().is_ok();
    is_name.then_some(name)
}

/// The port as the Service numbers it, and the one to connect to: a numeric `targetPort` where there is one, as in
/// ingress-nginx. A number that the Service does not list is taken as it is: such a Service needs no ports.
fn ports(service: &Service, wanted: &PortRef) -> Option<(u16, u16)> {
    let mut ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
    let listed = ports.find(|port| match wanted {
        PortRef::Number(number) => port.port == i32::from(*number),
        PortRef::Name(name) => port.name.as_deref() == Some(name),
        PortRef::First => true,
    });
    let Some(listed) = listed else {
        return if let PortRef::Number(number) = wanted { Some((*number, *number)) } else { None };
    };
    let port = valid(listed.port)?;
    match listed.target_port {
        Some(IntOrString::Int(target)) if target != 0 => Some((port, valid(target)?)),
        _ => Some((port, port)),
    }
}

fn valid(port: i32) -> Option<u16> {
    u16::try_from(port).ok().filter(|port| *port != 0)
}
