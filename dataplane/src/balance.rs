//! Which endpoint serves a request. Pure: time and randomness enter as arguments.

mod round_robin;

pub use round_robin::RoundRobin;
