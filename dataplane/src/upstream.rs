//! Backends: their endpoints, the connections to them, and the steps from a request to an answer.

mod answer_fields;
mod connect;
mod fields;
mod io;
mod live;
mod pool;
pub mod resolve;
mod retry;
mod send;
mod sessions;
mod shared;
mod stream;
mod tries;

pub use answer_fields::{AnswerFields, Codings};
pub use fields::{
    X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO, elements, of_request as request_fields,
    strip_connection,
};
pub use live::{LiveEndpoints, LiveUpstream, Place};
pub use pool::Pool;
pub use retry::{LiveForward, forward};
pub use send::{Answered, Caller};
pub use tries::Tries;
