//! What TLS connections are made with: certificates, keys and what is agreed on, built from `[tls]` by rustls.
//!
//! **Invariants**
//! - What is in use works: certificate, key and authorities are read and tried whole before they replace others. What
//!   does not work changes nothing, and the reason is kept for INFO.
//! - A connection keeps what it began with; sessions of what was replaced cannot be resumed.

mod certificate;
mod client;
mod context;
mod error;
mod files;
mod live;
mod sessions;

pub use certificate::{Certificate, common_name};
pub use client::{Identity, client_config, client_stream};
pub use error::TlsError;
pub use live::{Terms, Tls, Unfinished};
