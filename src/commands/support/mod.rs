//! The pure algorithms behind the commands: parsing, formatting, patterns, bits, subsequences, expire times.
//!
//! **Invariants**: nothing here knows a key, a shard, a session or a clock; what is random or depends on time comes in
//! as an argument, so every function can be replayed. Results and error texts are those of Redis, byte for byte.

pub mod bitfield;
pub mod bits;
pub mod expire;
pub mod geo;
pub mod lcs;
pub mod long_double;
pub mod number;
pub mod random;
