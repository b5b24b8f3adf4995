//! The TOML configuration, command-line flags, and Redis's names for both.
