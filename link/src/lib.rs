//! What joins the two planes where they are two processes: the controller's end and the data plane's end of a Unix
//! socket, and the file in which a data plane keeps what it serves.
//!
//! Each plane goes on knowing nothing but a channel of snapshots and one of reports: [`Server`] reads the first and
//! feeds the second for a controller, [`Follower`] the reverse for a data plane. Both ends stand in this one crate, since
//! neither plane may know the other, and a protocol is best read and tested as one.
//!
//! The messages are those of [`snapshot::frame`].

mod causes;
mod follow;
mod limits;
mod metrics;
mod server;
mod state;
mod wire;

pub use follow::{Follower, Status};
pub use limits::Limits;
pub use metrics::Metrics;
pub use server::{BindError, Peers, Server};
pub use state::{Folder, FolderError};
