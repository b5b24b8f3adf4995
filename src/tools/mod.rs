//! What the binary does besides serving, on a directory that no server is using: `verify`, `inspect`, `repair`,
//! `restore`; backups; `doctor`, which looks at one beside its server, or asks that; `ping`, which asks a server; and
//! what a package holds besides the binary (`generate`).
//!
//! **Invariant:** only `repair --yes` changes what is there, and `restore --in-place` sets it aside; nothing is
//! deleted. A directory whose restore in place was interrupted is refused by all but that restore.

pub mod backup;
mod cli;
mod connect;
pub mod doctor;
mod error;
mod generate;
pub mod inspect;
mod output;
mod ping;
mod progress;
pub mod repair;
pub mod report;
pub mod restore;

pub use cli::{inspect, repair, verify};
pub use doctor::doctor;
pub use error::ToolError;
pub use generate::generate;
pub use output::{Output, complain};
pub use ping::ping;
pub use progress::Progress;
pub use restore::restore;
