//! Just enough of nginx's configuration syntax to read what ingress-nginx's users wrote in it.

mod ciphers;
mod size;
mod snippet;
mod time;
mod versions;

pub(crate) use ciphers::{ciphers, usable_ciphers};
pub(crate) use size::size;
pub(crate) use snippet::Snippet;
pub(crate) use time::time;
pub(crate) use versions::{versions, versions_notice};

/// What ingress-nginx reads as true (Go's `strconv.ParseBool`).
pub(crate) const TRUE: &[&str] = &["1", "t", "T", "true", "TRUE", "True"];

/// What ingress-nginx reads as false.
pub(crate) const FALSE: &[&str] = &["0", "f", "F", "false", "FALSE", "False"];

/// A truth value as ingress-nginx reads it; none for anything else.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    if TRUE.contains(&text) { Some(true) } else { FALSE.contains(&text).then_some(false) }
}
