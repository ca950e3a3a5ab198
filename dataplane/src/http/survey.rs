//! What the fields of a request say to those who take it in, found in one walk: to look each name up would cost every
//! request more than all that comes of it.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::upstream::Codings;

/// What was found.
#[derive(Debug, Default)]
pub struct Survey {
    /// Bytes of all fields, with the ends of their lines.
    pub length: usize,
    /// Bytes of the longest one.
    pub longest: usize,
    /// The first `Host`.
    pub host: Option<HeaderValue>,
    /// How many there are.
    pub hosts: usize,
    /// What `Transfer-Encoding` says.
    pub codings: Codings,
    /// Whether the client wants to switch to another protocol.
    pub upgrades: bool,
    /// Whether it expects something before it sends its body.
    pub expects: bool,
    /// `Referer`.
    pub referer: Option<HeaderValue>,
    /// `User-Agent`.
    pub user_agent: Option<HeaderValue>,
    /// The id that the client gave.
    pub request_id: Option<HeaderValue>,
}

impl Survey {
    /// Looks at all fields.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut survey = Self::default();
        for (name, value) in headers {
            let length = field_length(name, value);
            survey.length = survey.length.saturating_add(length);
            survey.longest = survey.longest.max(length);
            survey.note(name, value);
        }
        survey
    }

    fn note(&mut self, name: &HeaderName, value: &HeaderValue) {
        let first = |known: &mut Option<HeaderValue>| {
            known.get_or_insert_with(|| value.clone());
        };
        if *name == header::HOST {
            self.hosts = self.hosts.saturating_add(1);
            first(&mut self.host);
        } else if *name == header::USER_AGENT {
            first(&mut self.user_agent);
        } else if *name == header::REFERER {
            first(&mut self.referer);
        } else if *name == header::TRANSFER_ENCODING {
            self.codings.note(value);
        } else if *name == header::UPGRADE {
            self.upgrades = true;
        } else if *name == header::EXPECT {
            self.expects = true;
        } else if name.as_str() == "x-request-id" {
            first(&mut self.request_id);
        }
    }
}

/// `name: value` and the end of the line.
pub fn field_length(name: &HeaderName, value: &HeaderValue) -> usize {
    name.as_str().len().saturating_add(value.len()).saturating_add(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_there() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "a.b"),
            ("host", "c.d"),
            ("referer", "x"),
            ("transfer-encoding", "gzip"),
            ("transfer-encoding", "Chunked"),
            ("x-request-id", "1"),
            ("x-request-id", "2"),
            ("expect", "100-continue"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let survey = Survey::of(&headers);
        assert_eq!((survey.host.unwrap().as_bytes(), survey.hosts), (&b"a.b"[..], 2));
        assert_eq!((survey.codings.count, survey.codings.is_chunked), (2, true));
        assert_eq!((survey.referer.unwrap(), survey.request_id.unwrap()), ("x".parse().unwrap(), "1".parse().unwrap()));
        assert!(survey.expects && !survey.upgrades && survey.user_agent.is_none());
        assert_eq!((survey.length, survey.longest), (2 * 11 + 12 + 25 + 28 + 2 * 17 + 22, 28));
    }
}
