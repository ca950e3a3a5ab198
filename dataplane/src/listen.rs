//! Sockets and the threads that serve them.

mod accept;
mod bind;
mod desk;
mod limits;
mod refuse;
mod worker;

pub use bind::{BindError, Bound, bind};
pub use limits::{raise_open_files, worker_count};
pub use worker::{WorkerHandle, WorkerSpec, start_workers};
