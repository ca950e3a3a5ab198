//! Which requests are taken at all (RFC 9110, RFC 9112). What could mean one thing here and another at the upstream is
//! refused.

use std::borrow::Cow;

use http::{HeaderValue, Method, Uri, Version, request::Parts, uri::PathAndQuery};
use snapshot::HeadLimits;

use super::survey::Survey;
use crate::{
    exchange::{Cause, Failure, Path},
    route::{PathError, host_of, normalize},
};

/// What a request asks for.
#[derive(Debug)]
pub struct Target {
    /// The host as the client named it, port and all.
    pub authority: HeaderValue,
    /// In lower case, without port; empty where an HTTP/1.0 client named none.
    pub host: Box<str>,
    /// The target in origin form.
    pub uri: Uri,
    /// Its normalised path.
    pub path: Path,
}

/// Checks a head, whose fields and length were looked at before.
///
/// # Errors
/// The request is refused.
pub fn check(head: &Parts, survey: &Survey, length: u64, limits: &HeadLimits) -> Result<Target, Failure> {
    check_limits(head, survey, length, limits)?;
    if matches!(head.method, Method::CONNECT | Method::TRACE) {
        return Err(Cause::MethodNotAllowed.into());
    }
    check_framing(head, survey)?;
    let authority = authority(head, survey)?;
    let host = host(&authority)?.into();
    if head.uri.path() == "*" && (head.uri.authority().is_none() || head.version == Version::HTTP_2) {
        let asked = if head.method == Method::OPTIONS { Ok(()) } else { Err(Cause::BadRequest("target is *")) };
        return asked
            .map(|()| Target { authority, host, uri: head.uri.clone(), path: Path::None })
            .map_err(Failure::from);
    }
    let uri = origin_form(&head.uri)?;
    let path = match normalize(uri.path()).map_err(|error| Cause::BadRequest(describe(&error)))? {
        Cow::Borrowed(_) => Path::Same,
        Cow::Owned(path) => Path::Normalized(path),
    };
    Ok(Target { authority, host, uri, path })
}

fn check_limits(head: &Parts, survey: &Survey, length: u64, limits: &HeadLimits) -> Result<(), Cause> {
    let target = target_length(&head.uri);
    if target > limit(limits.target) {
        return Err(Cause::TargetTooLong);
    }
    if head.headers.len() > limit(limits.fields)
        || survey.longest > limit(limits.field)
        || length > u64::from(limits.total)
    {
        return Err(Cause::HeadTooLarge);
    }
    Ok(())
}

fn limit(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn target_length(uri: &Uri) -> usize {
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    authority.saturating_add(uri.path_and_query().map_or(0, |target| target.as_str().len()))
}

/// Bytes of a head, as near as it can be told from its parsed form.
pub fn length(head: &Parts, survey: &Survey) -> u64 {
    let line = head.method.as_str().len().saturating_add(target_length(&head.uri)).saturating_add(12);
    u64::try_from(line.saturating_add(survey.length).saturating_add(2)).unwrap_or(u64::MAX)
}

/// One transfer coding at most, and that is chunked (RFC 9112 section 6.1). hyper has seen to `Content-Length`.
fn check_framing(head: &Parts, survey: &Survey) -> Result<(), Cause> {
    match survey.codings.count {
        0 => Ok(()),
        1 if head.version == Version::HTTP_10 => Err(Cause::BadRequest("transfer-encoding")),
        1 if survey.codings.is_chunked => Ok(()),
        1 => Err(Cause::TransferCoding),
        _ => Err(Cause::BadRequest("transfer-encoding")),
    }
}

/// The authority is what the client means to ask, and `Host` may only repeat it (RFC 9113 section 8.3.1). Who translates
/// from HTTP/1.1 may send the field alone.
fn authority_of_http2(head: &Parts, survey: &Survey) -> Result<HeaderValue, Cause> {
    let Some(authority) = head.uri.authority() else { return host_field(survey, head.version) };
    if !matches!(head.uri.scheme_str(), Some("http" | "https")) {
        return Err(Cause::BadRequest("scheme is not http"));
    }
    if survey.host.is_some() {
        let host = host_field(survey, head.version)?;
        if !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) {
            return Err(Cause::BadRequest("host is not the authority"));
        }
    }
    HeaderValue::from_str(authority.as_str()).map_err(|_| Cause::BadRequest("host"))
}

/// The host of an absolute target counts more than the field (RFC 9112 section 3.2.2), which must be there all the same.
fn authority(head: &Parts, survey: &Survey) -> Result<HeaderValue, Cause> {
    if head.version == Version::HTTP_2 {
        return authority_of_http2(head, survey);
    }
    let field = host_field(survey, head.version)?;
    let Some(authority) = head.uri.authority() else { return Ok(field) };
    if !head.uri.scheme_str().is_some_and(|scheme| matches!(scheme, "http" | "https")) {
        return Err(Cause::BadRequest("target is neither a path nor http"));
    }
    // It must be well-formed although it does not count.
    host(&field)?;
    HeaderValue::from_str(authority.as_str()).map_err(|_| Cause::BadRequest("host"))
}

/// The field, there once and not empty; [`host`] looks into it.
fn host_field(survey: &Survey, version: Version) -> Result<HeaderValue, Cause> {
    match (&survey.host, survey.hosts) {
        (Some(host), 1) if !host.is_empty() => Ok(host.clone()),
        (Some(_), 1) => Err(Cause::BadRequest("host")),
        (Some(_), _) => Err(Cause::BadRequest("more than one host")),
        (None, _) if version == Version::HTTP_10 => Ok(HeaderValue::from_static("")),
        (None, _) => Err(Cause::BadRequest("no host")),
    }
}

fn host(authority: &HeaderValue) -> Result<Cow<'_, str>, Cause> {
    match str_of(authority)? {
        "" => Ok(Cow::Borrowed("")),
        authority => host_of(authority).map_err(|_| Cause::BadRequest("host")),
    }
}

fn str_of(value: &HeaderValue) -> Result<&str, Cause> {
    value.to_str().map_err(|_| Cause::BadRequest("host"))
}

fn origin_form(uri: &Uri) -> Result<Uri, Cause> {
    let target = uri.path_and_query().ok_or(Cause::BadRequest("target"))?;
    if uri.scheme().is_none() {
        return if target.as_str().starts_with('/') { Ok(uri.clone()) } else { Err(Cause::BadRequest("target")) };
    }
    // `http://host?query` has no path of its own: it is asked for as `/?query`.
    let target = match uri.query() {
        Some(query) if !target.as_str().starts_with('/') => PathAndQuery::try_from(format!("/?{query}")),
        _ => Ok(target.clone()),
    };
    target.map(Uri::from).map_err(|_| Cause::BadRequest("target"))
}

fn describe(error: &PathError) -> &'static str {
    match error {
        PathError::Relative => "target",
        _ => "path",
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const LIMITS: HeadLimits = HeadLimits { target: 100, field: 100, total: 400, fields: 10 };

    fn checked(request: http::request::Builder) -> Result<Target, Cause> {
        let head = request.body(()).unwrap().into_parts().0;
        let survey = Survey::of(&head.headers);
        check(&head, &survey, length(&head, &survey), &LIMITS).map_err(|failure| failure.cause)
    }

    fn get(target: &str) -> http::request::Builder {
        Request::get(target)
    }

    #[test]
    fn takes_origin_and_absolute_form() {
        let target = checked(get("/a/../b?c").header("host", "A.b:80")).unwrap();
        assert_eq!((&*target.host, target.path.of(&target.uri)), ("a.b", Some("/b")));
        assert_eq!(target.uri, "/a/../b?c");
        let target = checked(get("http://other.b/x").header("host", "a.b")).unwrap();
        assert_eq!((&*target.host, target.authority.as_bytes()), ("other.b", &b"other.b"[..]));
        assert_eq!(target.uri, "/x");
        assert_eq!(checked(get("http://a.b?q").header("host", "a.b")).unwrap().uri, "/?q");
    }

    #[test]
    fn a_host_is_needed_once_and_well_formed() {
        assert_eq!(checked(get("/")).unwrap_err(), Cause::BadRequest("no host"));
        assert!(checked(get("/").version(Version::HTTP_10)).unwrap().host.is_empty());
        for hosts in [&["a.b", "a.b"][..], &[""], &["a@b"], &["a b"], &["a/b"]] {
            let request = hosts.iter().fold(get("/"), |request, host| request.header("host", *host));
            assert!(checked(request).is_err(), "{hosts:?}");
        }
        assert!(checked(get("http://u:p@a.b/").header("host", "a.b")).is_err());
        assert!(checked(get("ftp://a.b/").header("host", "a.b")).is_err());
    }

    #[test]
    fn in_http2_authority_and_host_are_the_same() {
        let request = |target: &str| get(target).version(Version::HTTP_2);
        let target = checked(request("https://A.b:80/x")).unwrap();
        assert_eq!((&*target.host, target.authority.as_bytes(), target.uri.path()), ("a.b", &b"A.b:80"[..], "/x"));
        assert_eq!(&*checked(request("https://a.b/").header("host", "A.B")).unwrap().host, "a.b");
        assert_eq!(&*checked(request("/").header("host", "a.b")).unwrap().host, "a.b");
        assert!(checked(request("https://a.b/").header("host", "b.b")).is_err());
        assert!(checked(request("https://a.b/").header("host", "a.b:443")).is_err());
        assert!(checked(request("https://a.b/").header("host", "a.b").header("host", "a.b")).is_err());
        assert!(checked(request("https://u@a.b/")).is_err());
        assert!(checked(request("ftp://a.b/")).is_err());
        assert_eq!(checked(request("/")).unwrap_err(), Cause::BadRequest("no host"));
        assert!(checked(Request::options("https://a.b").version(Version::HTTP_2)).is_ok());
    }

    #[test]
    fn knows_one_transfer_coding() {
        let with = |coding: &str| get("/").header("host", "a").header("transfer-encoding", coding);
        assert!(checked(with("Chunked")).is_ok());
        assert_eq!(checked(with("gzip, chunked")).unwrap_err(), Cause::TransferCoding);
        assert!(checked(with("chunked").header("transfer-encoding", "chunked")).is_err());
        assert!(checked(with("chunked").version(Version::HTTP_10)).is_err());
    }

    #[test]
    fn bounds_target_fields_and_head() {
        let host = |request: http::request::Builder| request.header("host", "a");
        assert_eq!(checked(host(get(&format!("/{}", "x".repeat(100))))).unwrap_err(), Cause::TargetTooLong);
        assert_eq!(checked(host(get("/")).header("x", "y".repeat(100))).unwrap_err(), Cause::HeadTooLarge);
        let many = (0..10).fold(host(get("/")), |request, n| request.header(format!("x{n}"), "y"));
        assert_eq!(checked(many).unwrap_err(), Cause::HeadTooLarge);
        let large = (0..5).fold(host(get("/")), |request, n| request.header(format!("x{n}"), "y".repeat(90)));
        assert_eq!(checked(large).unwrap_err(), Cause::HeadTooLarge);
    }

    #[test]
    fn refuses_methods_and_targets_that_are_not_for_us() {
        assert_eq!(
            checked(Request::builder().method("TRACE").uri("/").header("host", "a")).unwrap_err(),
            Cause::MethodNotAllowed
        );
        assert_eq!(checked(Request::connect("a.b:443").header("host", "a.b")).unwrap_err(), Cause::MethodNotAllowed);
        assert!(checked(Request::get("*").header("host", "a")).is_err());
        assert!(checked(Request::options("*").header("host", "a")).unwrap().path.of(&Uri::default()).is_none());
        assert!(checked(get("a.b").header("host", "a.b")).is_err());
        assert!(checked(get("/%00").header("host", "a")).is_err());
        assert!(checked(get("/../x").header("host", "a")).is_err());
    }
}
