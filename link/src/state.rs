//! What a data plane serves, kept in a file: it starts from there when no controller answers.
//!
//! The file is a `Hello`, which says of which build it is, and then pushes as they go over the socket: one that says
//! everything, and differences. It is written anew before it would grow to more than twice that, and where a key in it
//! is used no more. A push that was cut off by the end of the process has no `Commit` and counts for nothing. Private keys
//! are in it.

mod folder;
mod keep;
mod load;

pub use folder::{Folder, FolderError};
