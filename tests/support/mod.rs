//! What every integration test shares: real server processes, a raw RESP client, seeded randomness.
//!
//! Tests here talk to programs over sockets, as clients do; nothing of the library is linked in.
//! Replies are decoded by the `redis-protocol` crate, so that the server's own encoder is never its own judge.
#![allow(dead_code, reason = "every suite includes this module and uses its own part of it")]
#![allow(unused_imports, reason = "the same")]

pub mod conn;
pub mod lease;
pub mod rng;
pub mod server;
pub mod text;
pub mod value;

pub use conn::{Conn, Reply};
pub use lease::Lease;
pub use rng::Rng;
pub use server::{Program, Server};
pub use value::Value;

/// A command: its name and arguments.
pub type Args = Vec<Vec<u8>>;

/// Builds a command from anything that is bytes: `args!["SET", key, b"\x00"]`.
#[macro_export]
macro_rules! args {
    ($($arg:expr),* $(,)?) => {{
        let command: $crate::support::Args = vec![$(AsRef::<[u8]>::as_ref(&$arg).to_vec()),*];
        command
    }};
}

/// The number in environment variable `name`, or `default`.
pub fn env_number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
        Err(_) => default,
    }
}

/// The seed of this run: `LOKIKV_SEED`, or the clock. Printed, so that a failure can be repeated.
pub fn seed() -> u64 {
    let clock = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(1, |d| d.as_nanos() as u64);
    let seed = env_number("LOKIKV_SEED", clock);
    eprintln!("seed: LOKIKV_SEED={seed}");
    seed
}

/// Milliseconds since 1970, by this machine's clock.
pub fn now_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as i64)
}
