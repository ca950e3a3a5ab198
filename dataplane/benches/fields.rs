//! What the fields of a request and of its answer go through on their way.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use dataplane::measured::FieldRules;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use snapshot::HttpOptions;

/// As curl sends it.
const FEW: [(&str, &str); 3] = [("host", "app.example.com"), ("user-agent", "curl/8.14.1"), ("accept", "*/*")];
/// As a browser behind a proxy sends it.
const MANY: [(&str, &str); 16] = [
    ("host", "app.example.com"),
    ("connection", "keep-alive"),
    ("cache-control", "max-age=0"),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", "\"Linux\""),
    ("upgrade-insecure-requests", "1"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("accept-language", "en-US,en;q=0.5"),
    ("cookie", "session=6f1e2d3c4b5a69788796a5b4c3d2e1f0; theme=dark; consent=yes"),
    ("referer", "https://app.example.com/somewhere/else.html"),
    ("x-forwarded-for", "198.51.100.7"),
    ("x-forwarded-proto", "https"),
    ("sec-fetch-mode", "navigate"),
    ("te", "trailers"),
];
const ANSWER: [(&str, &str); 8] = [
    ("date", "Tue, 24 Nov 2026 10:00:00 GMT"),
    ("server", "backend"),
    ("connection", "keep-alive"),
    ("keep-alive", "timeout=5"),
    ("content-type", "text/html; charset=utf-8"),
    ("content-length", "1024"),
    ("cache-control", "no-store"),
    ("set-cookie", "session=6f1e2d3c4b5a69788796a5b4c3d2e1f0; HttpOnly; Secure"),
];

fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let field =
        |(name, value): &(&'static str, &'static str)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    fields.iter().map(field).collect()
}

fn bench(c: &mut Criterion) {
    let rules = FieldRules::new(HttpOptions::default(), "192.0.2.1:50000".parse().unwrap());
    for (name, sent) in [("a request, 3 fields", &FEW[..]), ("a request, 16 fields", &MANY[..])] {
        let request = || {
            let mut request = Request::get("/api/v1/users?page=2").body(()).unwrap();
            *request.headers_mut() = fields(sent);
            request
        };
        assert!(rules.request(request()).unwrap().contains_key("x-forwarded-for"));
        c.bench_function(name, |b| {
            b.iter_batched(request, |request| rules.request(black_box(request)).unwrap(), BatchSize::SmallInput);
        });
    }
    c.bench_function("an answer, 8 fields", |b| {
        let answer = |mut headers| {
            rules.answer(black_box(&mut headers));
            headers
        };
        b.iter_batched(|| fields(&ANSWER), answer, BatchSize::SmallInput);
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
