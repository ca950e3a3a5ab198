//! Sockets and the threads that serve them.

mod accept;
mod bind;
mod datagrams;
mod desk;
mod entrance;
mod limits;
mod refuse;
mod stop;
mod stream;
mod worker;

pub use bind::{BindError, Bound, Kind, bind};
pub use limits::{raise_open_files, worker_count};
pub use worker::{WorkerHandle, WorkerSpec, start_workers};
