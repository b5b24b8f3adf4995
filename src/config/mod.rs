//! The TOML configuration, command-line flags, and Redis's names for both.
//!
//! The way of a setting: [`cli`] flags and `config.toml` → `load` (layers, with the line of every mistake) → the
//! typed [`Config`] → [`params::Params`], which `CONFIG GET/SET/REWRITE` and the hot paths share.
//!
//! **Invariants**
//! - The structs of [`schema`] are the only list of keys: known keys, suggestions, dotted parameter names and the
//!   completeness test of `config.toml` are all derived from them.
//! - A [`Config`] that left this module is valid: every value was checked alone and against the others.
//! - Precedence is defaults < file < flags.

pub mod acl;
pub mod bind;
mod check;
pub mod cli;
mod convert;
mod de;
mod derived;
pub mod doctor_args;
mod flat;
pub mod generate_args;
pub mod http;
pub mod keyspace_events;
pub mod live;
mod load;
mod locate;
pub mod log_levels;
pub mod logs;
pub mod migrate_args;
mod offline;
mod open_files;
pub mod params;
pub mod percentiles;
pub mod refusal;
pub mod schema;
pub mod scripts;
pub mod server_url;
pub mod share;
pub mod size;
pub mod stop;
mod suggest;
pub mod tls;
pub mod tls_args;
pub mod values;

pub use check::Conflict;
pub use derived::{ADMIN_CLIENTS_MAX, AdminDoor, HTTP_CONNECTIONS_MAX, core_count};
pub use live::Live;
pub use load::{ConfigError, Loaded, Override, load};
pub use params::Params;
pub use schema::Config;

#[cfg(test)]
mod file_tests;
