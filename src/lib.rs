//! LokiKV: a durable Redis-protocol server whose engine is collections made of pages.
//!
//! The modules follow the way of a SET, left to right; a layer calls only what is to its right:
//! [`net`] → [`resp`] → [`session`] → [`commands`] → [`engine`] → [`page`] / [`wal`], and later
//! [`checkpoint`]; at start [`recovery`]. All file access goes through [`storage`]. [`rdb`] reads and writes Redis's own
//! format of files and values, [`migrate`] moves whole data sets by it.

pub mod checkpoint;
pub mod commands;
pub mod config;
pub mod engine;
pub mod metrics;
pub mod migrate;
pub mod net;
pub mod page;
pub mod rdb;
pub mod recovery;
pub mod resp;
pub mod server;
pub mod session;
pub mod storage;
#[cfg(test)]
mod test_histories;
pub mod tools;
pub mod wal;
