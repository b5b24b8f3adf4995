//! LokiKV: a durable Redis-protocol server whose engine is collections made of pages.
//!
//! The modules follow the way of a SET, left to right; a module imports only modules to its right (ARCHITECTURE.md has
//! all layers):
//! [`net`] → [`session`] → [`commands`] → [`state`] → [`client`] → [`checkpoint`] / [`recovery`] → [`engine`] → [`wal`]
//! → [`page`], with [`resp`] beside it. All file access goes through [`storage`]. [`server`] stands above all and
//! assembles them. [`rdb`] reads and writes Redis's own format of files and values, [`migrate`] moves whole data sets
//! by it.

// They panic where nothing can be written.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod acl;
pub mod allocator;
pub mod checkpoint;
pub mod client;
pub mod commands;
pub mod config;
pub mod engine;
pub mod glob;
pub mod http;
pub mod logging;
pub mod lsn;
pub mod metrics;
pub mod migrate;
pub mod net;
pub mod page;
pub mod pubsub;
pub mod rdb;
pub mod recovery;
pub mod resp;
pub mod script;
pub mod server;
pub mod session;
pub mod shared;
pub mod state;
pub mod storage;
pub mod sync;
#[cfg(test)]
mod test_histories;
pub mod time;
pub mod tls;
pub mod tools;
pub mod wal;
