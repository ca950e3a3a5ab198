//! Bounds of a request as a whole.

use std::num::NonZeroU64;

use super::{
    class::{Form, Scope, Unknown},
    setting::Setting,
    value::size,
};

pub(super) static SETTINGS: &[Setting] = &[Setting {
    key: "proxy-body-size",
    value: "size",
    default: "1m",
    doc: "The largest request body; above it the answer is 413. 0: any size.",
    example: "50m",
    fail_closed: None,
    scope: Scope::Class(Form::Size, Unknown::AsGlobal),
    parse: |text, settings| size(text, u64::MAX).map(|size| settings.proxy_body_size = NonZeroU64::new(size)),
}];
