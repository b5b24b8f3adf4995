//! What the binary does besides serving, on a directory that no server is using: `verify`, `inspect`, `restore`.
//!
//! **Invariant:** nothing that is there is changed; only `restore --in-place` sets it aside.

mod cli;
pub mod inspect;
mod progress;
pub mod report;
pub mod restore;
pub mod time;

pub use cli::{inspect, verify};
pub use progress::Progress;
pub use restore::restore;
