//! What must hold for any input: a function for each fuzz target (`targets/`), which panics where it does not hold.
#![allow(clippy::expect_used)] // a property is a test

mod frame;
mod head;
mod normalize;
mod proxy_header;
mod rule;

pub use frame::frame;
pub use head::head;
pub use normalize::normalize;
pub use proxy_header::proxy_header;
pub use rule::rule;
