//! Which directives a piece of nginx configuration holds. It is never interpreted.

use std::{collections::BTreeSet, iter::Peekable, str::Chars};

/// How many directives a message names.
const LISTED: usize = 20;

/// Longer than the name of any directive of nginx; what is longer still is noise in a message.
const LONGEST_NAME: usize = 64;

/// The directives of a snippet.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Snippet {
    /// The names of all directives, those within blocks too.
    pub(crate) directives: BTreeSet<String>,
    /// The names of those that decide who may have what.
    pub(crate) access: BTreeSet<String>,
    /// Whether quotes and blocks do not close: nobody can say what it holds.
    pub(crate) broken: bool,
}

impl Snippet {
    /// Reads the directives of `text` (nginx's rules for quotes, comments and blocks).
    pub(crate) fn read(text: &str) -> Self {
        let mut snippet = Self::default();
        let mut words = Vec::new();
        // For each block that is open: whether its lines are data, not directives.
        let mut blocks: Vec<bool> = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(token) = token(&mut chars) {
            let data = blocks.last() == Some(&true);
            match token {
                Token::Word(word) if !data => words.push(word),
                Token::Word(_) => {}
                Token::End => snippet.statement(&mut words),
                Token::Open => {
                    blocks.push(data || words.first().is_some_and(|name| holds_data(name)));
                    snippet.statement(&mut words);
                }
                Token::Close => {
                    snippet.broken |= blocks.pop().is_none();
                    snippet.statement(&mut words);
                }
                Token::Unclosed => snippet.broken = true,
            }
        }
        snippet.broken |= !blocks.is_empty();
        // nginx wants a semicolon after the last one too; what it would refuse still shows what was meant.
        snippet.statement(&mut words);
        snippet
    }

    /// Whether leaving the snippet out could open what it kept shut.
    pub(crate) fn is_about_access(&self) -> bool {
        self.broken || !self.access.is_empty()
    }

    /// The directives for a message, each as `describe` has it.
    pub(crate) fn list(&self, describe: impl Fn(&str) -> String) -> String {
        let mut names: Vec<String> = self.directives.iter().take(LISTED).map(|name| describe(name)).collect();
        if let Some(more) = self.directives.len().checked_sub(LISTED).filter(|more| *more > 0) {
            names.push(format!("and {more} more"));
        }
        names.join(", ")
    }

    fn statement(&mut self, words: &mut Vec<String>) {
        if let Some((name, arguments)) = words.split_first() {
            let name: String = name.to_ascii_lowercase().chars().take(LONGEST_NAME).collect();
            if decides_access(&name, arguments) {
                self.access.insert(name.clone());
            }
            self.directives.insert(name);
        }
        words.clear();
    }
}

/// Whether the lines of a directive's block are values of a table.
fn holds_data(name: &str) -> bool {
    ["geo", "map", "split_clients", "types"].contains(&name)
}

/// Whether a directive can refuse a request: those that name addresses, credentials or conditions, code of any kind,
/// answers of 4xx and 5xx, and files whose content is not known.
fn decides_access(name: &str, arguments: &[String]) -> bool {
    const NAMES: [&str; 8] =
        ["allow", "deny", "satisfy", "if", "include", "internal", "limit_except", "valid_referers"];
    const BEGINNINGS: [&str; 10] =
        ["auth_", "js_", "lua_", "modsecurity", "perl", "sec", "ssl_client", "ssl_crl", "ssl_trusted", "ssl_verify"];
    match name {
        "return" => !arguments.first().is_some_and(|status| is_harmless_return(status)),
        _ => {
            NAMES.contains(&name)
                || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
                || name.contains("_by_lua")
        }
    }
}

/// 1xx to 3xx, or an address, which nginx takes as a 302. A variable may be anything.
fn is_harmless_return(first: &str) -> bool {
    matches!(first.as_bytes(), [b'1'..=b'3', b'0'..=b'9', b'0'..=b'9']) || first.contains("://")
}

enum Token {
    Word(String),
    End,
    Open,
    Close,
    Unclosed,
}

fn token(chars: &mut Peekable<Chars<'_>>) -> Option<Token> {
    loop {
        match chars.next()? {
            c if c.is_whitespace() => {}
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            ';' => return Some(Token::End),
            '{' => return Some(Token::Open),
            '}' => return Some(Token::Close),
            quote @ ('"' | '\'') => return Some(quoted(quote, chars)),
            first => return Some(Token::Word(word(first, chars))),
        }
    }
}

/// A quoted word; a backslash takes the next character as it is.
fn quoted(quote: char, chars: &mut Peekable<Chars<'_>>) -> Token {
    let mut word = String::new();
    while let Some(c) = chars.next() {
        match c {
            c if c == quote => return Token::Word(word),
            '\\' => word.extend(chars.next()),
            c => word.push(c),
        }
    }
    Token::Unclosed
}

/// A bare word; `${name}` belongs to it, and so does what a backslash stands before.
fn word(first: char, chars: &mut Peekable<Chars<'_>>) -> String {
    let mut word = String::new();
    let mut next = Some(first);
    while let Some(c) = next {
        word.push(c);
        match c {
            '\\' => word.extend(chars.next()),
            '$' if chars.peek() == Some(&'{') => {
                while let Some(c) = chars.next_if(|c| *c != '}') {
                    word.push(c);
                }
                word.extend(chars.next());
            }
            _ => {}
        }
        next = chars.next_if(|c| !c.is_whitespace() && !matches!(c, ';' | '{' | '}'));
    }
    word
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Snippet;

    fn names(set: &std::collections::BTreeSet<String>) -> Vec<&str> {
        set.iter().map(String::as_str).collect()
    }

    #[test]
    fn lists_directives_and_looks_into_blocks() {
        let snippet =
            Snippet::read("more_set_headers \"X-A: b; c\";\n# deny all;\nlocation /m { proxy_set_header A ${b}c; }");
        assert_eq!(names(&snippet.directives), ["location", "more_set_headers", "proxy_set_header"]);
        assert!(!snippet.is_about_access());
    }

    #[test]
    fn directives_about_access_are_found_anywhere() {
        for text in [
            "allow 10.0.0.0/8; deny all;",
            "location /metrics { deny all; }",
            "DENY all;",
            "satisfy any;",
            "auth_request /x;",
            "auth_basic \"a\";",
            "if ($http_x) { set $a b; }",
            "return 403;",
            "return 444;",
            "return $status;",
            "return;",
            "access_by_lua_block { ngx.exit(403) }",
            "include /etc/nginx/more.conf;",
            "SecRule ARGS x;",
            "deny all",
            "\"deny\" all;",
            "a\\;b; deny\tall;",
        ] {
            assert!(Snippet::read(text).is_about_access(), "{text}");
        }
    }

    #[test]
    fn redirects_and_headers_are_not_about_access() {
        for text in [
            "return 301 https://a$request_uri;",
            "return https://a;",
            "rewrite ^/a /b;",
            "add_header A \"deny all;\";",
            "",
        ] {
            assert!(!Snippet::read(text).is_about_access(), "{text}");
        }
    }

    #[test]
    fn lines_of_a_table_are_no_directives() {
        let snippet = Snippet::read("map $http_x $y { default deny; if 1; } geo $z { 10.0.0.0/8 1; } gzip on;");
        assert_eq!(names(&snippet.directives), ["geo", "gzip", "map"]);
        assert!(!snippet.is_about_access());
        assert!(Snippet::read("map $a $b { x 1; } deny all;").is_about_access());
    }

    #[test]
    fn messages_stay_short() {
        let text: String = (0..30).map(|number| format!("a{number} b; ")).collect();
        let list = Snippet::read(&format!("{} b; {text}", "z".repeat(1000))).list(str::to_owned);
        assert!(list.ends_with(", and 11 more"), "{list}");
        assert!(Snippet::read(&"z".repeat(1000)).list(str::to_owned).len() <= 64);
    }

    #[test]
    fn what_does_not_close_is_broken() {
        for text in ["add_header A \"b;", "location / {", "}", "add_header 'a"] {
            assert!(Snippet::read(text).broken, "{text}");
        }
        assert!(!Snippet::read("a { b; }").broken);
    }

    proptest! {
        #[test]
        fn never_panics(text in "(?s).*") {
            let _ = Snippet::read(&text);
        }

        #[test]
        fn a_deny_after_anything_that_closes_is_seen(text in "[a-z ;]*") {
            let text = format!("{text}; deny all;");
            prop_assert!(Snippet::read(&text).is_about_access());
        }
    }
}
