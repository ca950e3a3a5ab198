//! A host, and what it answers.

/// What the Ingress of a host says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes {
    /// Who answers everything.
    pub all: Backend,
    /// But `/below`, where that is a path of its own.
    pub below: Option<Backend>,
    /// Whether `spec.tls` names the host and its Secret.
    pub tls: bool,
    /// An annotation.
    pub extra: Option<Extra>,
}

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// To this Service, which has endpoints at all times.
    App(String),
    /// To a Service that there is not.
    Missing,
}

/// An annotation that is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extra {
    /// `force-ssl-redirect: "true"`: to https also without a certificate.
    ForceRedirect,
    /// `ssl-redirect: "false"`: not to https in spite of a certificate.
    NoRedirect,
    /// `auth-url`, or another one about access that is not served: nobody gets in.
    Denied,
    /// A value that means nothing, of a key that is not about access: no effect.
    Nonsense,
}

/// What the Secret of a host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// A certificate with [`mark`] among its names.
    Marked(u32),
    /// No certificate at all: the host is served with another one.
    Broken,
}

/// What is right to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// 200, by this app.
    App(String),
    /// 308, to the same by https.
    Redirect,
    /// No Ingress names the host.
    NotFound,
    /// 503.
    Unavailable,
}

/// The name in a certificate by which one is told from another.
#[must_use]
pub fn mark(number: u32, host: &str) -> String {
    format!("mark-{number}.{host}")
}

/// What a request gets. None: the host has no Ingress.
pub fn expected(routes: Option<&Routes>, https: bool, path: &str) -> Expected {
    let Some(routes) = routes else { return Expected::NotFound };
    let redirects = match routes.extra {
        Some(Extra::Denied) => return Expected::Unavailable,
        Some(Extra::ForceRedirect) => true,
        Some(Extra::NoRedirect) => false,
        Some(Extra::Nonsense) | None => routes.tls,
    };
    if redirects && !https {
        return Expected::Redirect;
    }
    let below = routes.below.as_ref().filter(|_| is_below(path));
    match below.unwrap_or(&routes.all) {
        Backend::App(name) => Expected::App(name.clone()),
        Backend::Missing => Expected::Unavailable,
    }
}

/// Prefixes match by element.
fn is_below(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    path == "/below" || path.starts_with("/below/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(name: &str) -> Backend {
        Backend::App(name.into())
    }

    #[test]
    fn paths_lead_where_they_should() {
        let routes = Routes { all: app("a"), below: Some(app("b")), tls: false, extra: None };
        let answers = |path| expected(Some(&routes), false, path);
        assert_eq!(answers("/?id=1"), Expected::App("a".into()));
        assert_eq!(answers("/below?id=1"), Expected::App("b".into()));
        assert_eq!(answers("/below/x?id=1"), Expected::App("b".into()));
        assert_eq!(answers("/belowx?id=1"), Expected::App("a".into()));
        let missing = Routes { below: Some(Backend::Missing), ..routes };
        assert_eq!(expected(Some(&missing), false, "/below"), Expected::Unavailable);
        assert_eq!(expected(None, false, "/"), Expected::NotFound);
    }

    #[test]
    fn https_is_asked_for_where_it_should() {
        let plain = Routes { all: app("a"), below: None, tls: false, extra: None };
        let with = |tls, extra| Routes { tls, extra, ..plain.clone() };
        let over_http = |routes| expected(Some(&routes), false, "/");
        assert_eq!(over_http(with(true, None)), Expected::Redirect);
        assert_eq!(over_http(with(true, Some(Extra::NoRedirect))), Expected::App("a".into()));
        assert_eq!(over_http(with(false, Some(Extra::ForceRedirect))), Expected::Redirect);
        assert_eq!(over_http(with(true, Some(Extra::Denied))), Expected::Unavailable);
        assert_eq!(over_http(with(false, Some(Extra::Nonsense))), Expected::App("a".into()));
        assert_eq!(expected(Some(&with(true, None)), true, "/"), Expected::App("a".into()));
        assert_eq!(expected(Some(&with(true, Some(Extra::Denied))), true, "/"), Expected::Unavailable);
    }
}
