//! The `lokikv` binary: parses flags and hands over to the library.

fn main() {}
