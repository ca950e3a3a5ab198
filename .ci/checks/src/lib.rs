//! The project's own checks, those that no common tool makes.
//!
//! - [`layers`]: who may import whom, between crates and inside them.
//! - [`sizes`]: how long files and functions are, and how many parameters they take.
//! - [`words`]: what must not stand in the repository.
//!
//! Each returns [`Finding`]s: a place and the rule that is broken there.

mod error;
mod finding;
pub mod layers;
pub mod sizes;
mod source;
pub mod words;
mod workspace;

pub use error::Error;
pub use finding::Finding;
pub use workspace::{Package, Workspace};
