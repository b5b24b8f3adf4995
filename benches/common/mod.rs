//! What the benchmark programs share: starting servers, reading `/proc`, a tiny client, statistics.
//!
//! **Invariants**: every server binds 127.0.0.1 on a port of its own, keeps its files in a fresh
//! temporary directory, and is gone when its handle is dropped.

#![allow(dead_code, reason = "compiled into each benchmark, and each uses its part")]

pub mod client;
pub mod cores;
pub mod epoll;
pub mod histogram;
pub mod load;
pub mod machine;
pub mod peers;
pub mod process;
pub mod server;
pub mod sides;
pub mod stats;

/// Benchmarks stop at the first thing that goes wrong, and say what it was.
pub type Result<T> = std::result::Result<T, Error>;

/// Whatever went wrong.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// True when `cargo bench` runs the program; `cargo test --all-targets` starts it too, without the
/// flag, and must not pay for a benchmark.
pub fn asked_to_run() -> bool {
    std::env::args().any(|arg| arg == "--bench")
}
