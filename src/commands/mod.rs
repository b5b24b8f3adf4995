//! Every command: its spec beside its handler, one table per family.

pub mod acl;
#[cfg(test)]
mod batch_tests;
pub mod bitmap;
pub mod blocking;
pub mod chance;
pub mod cluster;
pub mod collections;
pub mod compat;
pub mod connection;
pub mod context;
#[cfg(test)]
mod edge_tests;
pub mod error;
pub mod flow;
pub mod generic;
pub mod geo;
pub mod hash;
pub mod help;
pub mod hyperloglog;
pub mod list;
pub mod misconf;
pub mod mortal;
pub mod multi_pop;
pub mod ordered;
pub mod pubsub;
#[cfg(test)]
mod record_tests;
pub mod redact;
pub mod rights;
pub mod scripting;
pub mod server;
pub mod set;
pub mod spec;
pub mod stream;
pub mod string;
pub mod support;
pub mod table;
#[cfg(test)]
pub mod testing;
pub mod transactions;
#[cfg(test)]
pub(crate) mod undo_tests;
pub mod value;
pub mod vector;
pub mod wal;
pub mod zset;

pub use error::CmdError;
pub use flow::Flow;
pub use spec::{CmdResult, Handler, Spec};
