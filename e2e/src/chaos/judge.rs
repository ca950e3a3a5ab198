//! Whether an answer is right.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, bail};
use hyper::header::LOCATION;

use super::crash::Crashes;
use super::history::{History, Patience, Spans};
use super::site::{Certificate, Expected, Routes, expected, mark};
use super::{BOUND, PROMPT};
use crate::client::Answer;

/// A request, and what became of it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its host.
    pub host: String,
    /// Its path and query, in which there is a number that no other request has.
    pub path: String,
    /// Whether it came over TLS.
    pub https: bool,
    /// When it was sent.
    pub from: Instant,
    /// When it ended.
    pub to: Instant,
    /// The address of the Pod of Tidegate that its connection went through before. None: it is new, or nobody said.
    pub via: Option<String>,
    /// The answer, or why there is none.
    pub outcome: Result<Reply, String>,
}

/// What an answer says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// `Location`.
    pub location: Option<String>,
    /// The namespace, Service, host and path that the echo backend says.
    pub echo: [String; 4],
    /// The names of the certificate, over TLS.
    pub names: Option<Vec<String>>,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        let location = answer.headers.get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        Self {
            status: answer.status.as_u16(),
            location,
            echo: ["namespace", "service", "host", "path"].map(|field| answer.echo(field)),
            names: answer.leaf.map(|leaf| leaf.dns_names),
        }
    }
}

/// Everything that is known about what is to be answered.
#[derive(Debug)]
pub struct Model {
    /// Where the apps are.
    pub namespace: String,
    /// Hosts, and what was and is asked of them.
    pub sites: BTreeMap<String, Site>,
    /// When changes were not seen: the API server was down, or a process of Tidegate had been killed.
    pub blind: Spans,
    /// When a data plane had been killed and was not back: its connections broke, and new ones were refused.
    pub crashed: Crashes,
}

/// Why something is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// So it is to be, or was to be [`PROMPT`] before.
    Prompt,
    /// A change may take so long ([`BOUND`]).
    Bounded,
    /// It took longer, and something was away meanwhile.
    Late,
    /// There is no answer: a data plane had been killed, beside another Pod that was ready.
    Lost,
    /// The same where no other was.
    LostAlone,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Prompt, Self::Bounded, Self::Late, Self::Lost, Self::LostAlone];

    /// In a few words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Prompt => "right",
            Self::Bounded => "right by the bound alone",
            Self::Late => "right since something had been away",
            Self::Lost => "lost to a kill beside a ready Pod",
            Self::LostAlone => "lost to a kill where no other was ready",
        }
    }
}

/// One host.
#[derive(Debug)]
pub struct Site {
    /// Its Ingress.
    pub routes: History<Option<Routes>>,
    /// Its Secret.
    pub certificate: History<Certificate>,
}

impl Model {
    /// Whether this is as it should be, and why.
    ///
    /// # Errors
    /// It is not; the error has all that would have been right.
    pub fn judge(&self, seen: &Seen) -> anyhow::Result<Verdict> {
        let reply = match &seen.outcome {
            Ok(reply) => reply,
            Err(error) => return self.excuse(seen).with_context(|| format!("no answer: {error}")),
        };
        let site = self.sites.get(&seen.host).with_context(|| format!("nobody knows {}", seen.host))?;
        let never = Spans::default();
        let patience =
            [(Verdict::Prompt, PROMPT, &never), (Verdict::Bounded, BOUND, &never), (Verdict::Late, BOUND, &self.blind)];
        for (verdict, bound, away) in patience {
            if self.answers(site, seen, reply, Patience { bound, away }) {
                return Ok(verdict);
            }
        }
        let widest = Patience { bound: BOUND, away: &self.blind };
        bail!(
            "{reply:?} is none of {:?} with {:?}",
            site.routes.seen(seen.from, seen.to, widest).collect::<Vec<_>>(),
            site.certificate.seen(seen.from, seen.to, widest).collect::<Vec<_>>()
        )
    }

    /// Why there may be no answer.
    fn excuse(&self, seen: &Seen) -> Option<Verdict> {
        let alone = self.crashed.excuse(seen.via.as_deref(), seen.from, seen.to)?;
        Some(if alone { Verdict::LostAlone } else { Verdict::Lost })
    }

    /// Whether this is one of the answers that are right where changes may take so long.
    fn answers(&self, site: &Site, seen: &Seen, reply: &Reply, patience: Patience<'_>) -> bool {
        let allowed: Vec<_> = site.routes.seen(seen.from, seen.to, patience).collect();
        let fits = |routes: &&Option<Routes>| {
            let expected = expected(routes.as_ref(), seen.https, &seen.path);
            self.fits(&expected, seen, reply)
        };
        let certificates: Vec<_> = site.certificate.seen(seen.from, seen.to, patience).collect();
        // The handshake comes first: its certificate may be that of an earlier state than the answer's, never of a later.
        let shown = allowed.iter().position(|routes| shows(&certificates, routes.as_ref(), seen, reply));
        let answered = allowed.iter().rposition(fits);
        shown.zip(answered).is_some_and(|(shown, answered)| shown <= answered)
    }

    fn fits(&self, expected: &Expected, seen: &Seen, reply: &Reply) -> bool {
        match expected {
            Expected::App(service) => {
                let echo = [&self.namespace, service, &seen.host, &seen.path];
                reply.status == 200 && reply.echo.iter().eq(echo)
            }
            Expected::Redirect => reply.status == 308 && reply.location == Some(by_https(seen)),
            Expected::NotFound => reply.status == 404,
            Expected::Unavailable => reply.status == 503,
        }
    }
}

/// Whether the certificate is the host's own where it has one, and another one's where it has not.
fn shows(allowed: &[&Certificate], routes: Option<&Routes>, seen: &Seen, reply: &Reply) -> bool {
    if !seen.https {
        return reply.names.is_none();
    }
    let Some(names) = &reply.names else { return false };
    let is_another = !names.contains(&seen.host);
    if !routes.is_some_and(|routes| routes.tls) {
        return is_another;
    }
    allowed.iter().any(|certificate| match certificate {
        Certificate::Marked(number) => *names == [seen.host.clone(), mark(*number, &seen.host)],
        Certificate::Broken => is_another,
    })
}

/// Where a redirect leads: to the same, but for one slash at the end of the path (`preserve-trailing-slash`).
fn by_https(seen: &Seen) -> String {
    let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
    format!("https://{}{}?{query}", seen.host, path.strip_suffix('/').unwrap_or(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;
    use crate::chaos::Backend;

    const HOST: &str = "a.example";

    fn routes(app: &str, tls: bool) -> Routes {
        Routes { all: Backend::App(app.into()), below: None, tls, extra: None }
    }

    fn model(routes: Option<Routes>) -> Model {
        let site = Site { routes: History::new(routes), certificate: History::new(Certificate::Marked(1)) };
        let sites = BTreeMap::from([(HOST.to_owned(), site)]);
        Model { namespace: "ns".into(), sites, blind: Spans::default(), crashed: Crashes::default() }
    }

    fn later() -> Instant {
        Instant::now() + BOUND * 4
    }

    fn reply(status: u16, service: &str) -> Reply {
        let echo = ["ns", service, HOST, "/?id=7"].map(str::to_owned);
        Reply { status, echo, ..Reply::default() }
    }

    fn seen(reply: Reply) -> Seen {
        let (host, path, https) = (HOST.to_owned(), "/?id=7".to_owned(), reply.names.is_some());
        Seen { host, path, https, from: later(), to: later(), via: None, outcome: Ok(reply) }
    }

    fn over_tls(names: &[&str]) -> Reply {
        Reply { names: Some(names.iter().map(ToString::to_string).collect()), ..reply(200, "one") }
    }

    #[test]
    fn an_answer_of_anybody_else_is_wrong() {
        let model = model(Some(routes("one", false)));
        model.judge(&seen(reply(200, "one"))).unwrap();
        model.judge(&seen(reply(200, "two"))).unwrap_err();
        for wrong in 0..4 {
            let mut other = reply(200, "one");
            other.echo[wrong] = "other".into();
            model.judge(&seen(other)).unwrap_err();
        }
        for status in [204, 308, 404, 500, 502, 503, 504] {
            model.judge(&seen(reply(status, "one"))).unwrap_err();
        }
        let unknown = Seen { host: "b.example".into(), ..seen(reply(200, "one")) };
        model.judge(&unknown).unwrap_err();
    }

    #[test]
    fn what_is_gone_is_gone() {
        let mut model = model(Some(routes("one", false)));
        let taken = later();
        let site = model.sites.get_mut(HOST).unwrap();
        site.routes.ask(None, taken);
        site.routes.take(taken);
        let at = |at, reply| Seen { from: at, to: at, ..seen(reply) };
        let soon = taken + BOUND - Duration::from_secs(1);
        model.judge(&at(soon, reply(200, "one"))).unwrap();
        model.judge(&at(soon, reply(404, ""))).unwrap();
        model.judge(&at(soon, reply(503, ""))).unwrap_err();
        model.judge(&at(taken + BOUND, reply(200, "one"))).unwrap_err();
        model.judge(&at(taken + BOUND, reply(404, ""))).unwrap();
        let down = model.blind.begin(soon, BOUND);
        model.judge(&at(taken + BOUND, reply(200, "one"))).unwrap();
        model.blind.end(down, soon);
        model.judge(&at(soon + BOUND, reply(200, "one"))).unwrap_err();
    }

    #[test]
    fn what_is_right_by_patience_alone_is_told() {
        let mut model = model(Some(routes("one", false)));
        let taken = later();
        let site = model.sites.get_mut(HOST).unwrap();
        site.routes.ask(None, taken);
        site.routes.take(taken);
        let down = model.blind.begin(taken + BOUND - Duration::from_secs(1), BOUND);
        model.blind.end(down, taken + BOUND);
        let old = |at| model.judge(&Seen { from: at, to: at, ..seen(reply(200, "one")) }).unwrap();
        assert_eq!(old(taken), Verdict::Prompt);
        assert_eq!(old(taken + PROMPT), Verdict::Bounded);
        assert_eq!(old(taken + BOUND), Verdict::Late);
        let new = Seen { from: taken + BOUND, to: taken + BOUND, ..seen(reply(404, "")) };
        assert_eq!(model.judge(&new).unwrap(), Verdict::Prompt);
    }

    #[test]
    fn no_answer_is_right_only_after_a_crash() {
        let mut model = model(Some(routes("one", false)));
        let lost = Seen { outcome: Err("reset".into()), ..seen(reply(200, "one")) };
        model.judge(&lost).unwrap_err();
        let crash = model.crashed.begin(Some("10.0.0.1".into()), false, lost.from - Duration::from_secs(1));
        assert_eq!(model.judge(&lost).unwrap(), Verdict::Lost);
        let through = |pod: &str| Seen { via: Some(pod.into()), ..lost.clone() };
        assert_eq!(model.judge(&through("10.0.0.1")).unwrap(), Verdict::Lost);
        model.judge(&through("10.0.0.2")).unwrap_err();
        model.judge(&seen(reply(502, ""))).unwrap_err();
        model.judge(&seen(reply(200, "two"))).unwrap_err();
        model.crashed.end(crash, lost.from - Duration::from_millis(1));
        model.judge(&lost).unwrap_err();
        model.crashed.begin(Some("10.0.0.1".into()), true, lost.from);
        assert_eq!(model.judge(&lost).unwrap(), Verdict::LostAlone);
    }

    #[test]
    fn the_certificate_must_be_the_hosts_own() {
        let mut with_tls = model(Some(routes("one", true)));
        with_tls.judge(&seen(over_tls(&[HOST, "mark-1.a.example"]))).unwrap();
        with_tls.judge(&seen(over_tls(&[HOST, "mark-2.a.example"]))).unwrap_err();
        with_tls.judge(&seen(over_tls(&["b.example", "mark-1.b.example"]))).unwrap_err();
        with_tls.judge(&seen(over_tls(&[]))).unwrap_err();
        let site = with_tls.sites.get_mut(HOST).unwrap();
        site.certificate.ask(Certificate::Broken, later());
        with_tls.judge(&seen(over_tls(&["default"]))).unwrap();
        with_tls.judge(&seen(over_tls(&[HOST, "mark-1.a.example"]))).unwrap();
        let without = model(Some(routes("one", false)));
        without.judge(&seen(over_tls(&["default"]))).unwrap();
        without.judge(&seen(over_tls(&[HOST, "mark-1.a.example"]))).unwrap_err();
    }

    #[test]
    fn a_change_may_come_between_handshake_and_answer() {
        let mut model = model(Some(routes("one", false)));
        let taken = later();
        let site = model.sites.get_mut(HOST).unwrap();
        site.routes.ask(Some(routes("two", true)), taken);
        let at = |names: &[&str], app| {
            let reply = Reply { names: over_tls(names).names, ..reply(200, app) };
            Seen { from: taken, to: taken, ..seen(reply) }
        };
        let own = [HOST, "mark-1.a.example"];
        model.judge(&at(&["default"], "one")).unwrap();
        model.judge(&at(&["default"], "two")).unwrap();
        model.judge(&at(&own, "two")).unwrap();
        model.judge(&at(&own, "one")).unwrap_err();
    }

    #[test]
    fn a_redirect_leads_to_the_same_by_https() {
        let model = model(Some(routes("one", true)));
        let to = |location: &str| Reply { location: Some(location.into()), ..reply(308, "") };
        model.judge(&seen(to("https://a.example?id=7"))).unwrap();
        let below = Seen { path: "/below?id=7".into(), ..seen(to("https://a.example/below?id=7")) };
        model.judge(&below).unwrap();
        model.judge(&seen(to("https://b.example?id=7"))).unwrap_err();
        model.judge(&seen(to("https://a.example?id=8"))).unwrap_err();
        model.judge(&seen(reply(200, "one"))).unwrap_err();
    }
}
