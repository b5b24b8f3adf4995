//! What the binary does besides serving, on a directory that no server is using: `verify`, `inspect`.
//!
//! **Invariant:** neither changes anything.

mod cli;
pub mod inspect;
mod progress;
pub mod report;
pub mod time;

pub use cli::{inspect, verify};
pub use progress::Progress;
