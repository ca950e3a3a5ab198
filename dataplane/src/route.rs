//! Which route serves a request. Pure: no I/O, no clock, and no allocation where a request is as most are.

mod authority;
mod host;
mod normalize;
mod path;

pub use authority::{HostError, host_of};
pub use host::HostTable;
pub use normalize::{PathError, normalize};
pub use path::PathTable;
