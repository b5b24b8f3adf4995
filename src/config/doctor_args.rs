//! The command line of `lokikv doctor`.

use std::path::PathBuf;

use clap::Args;

use super::cli::{key_and_value, overrides};
use super::load::{ConfigError, Loaded, load};
use super::tls_args::TlsArgs;

/// What `doctor` looks at.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct DoctorArgs {
    /// A data directory, which a server may be using; or a running server, as redis://user:password@host:port, of which
    /// the host is enough, or rediss:// over TLS
    #[arg(value_name = "DIR|URL")]
    pub target: String,

    /// The configuration that the server of the directory has (TOML); else the defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Set a key of that configuration; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,

    #[command(flatten)]
    #[expect(missing_docs, reason = "a comment here would be the help's")]
    pub tls: TlsArgs,

    /// How long to wait for a server's answers
    #[arg(long, value_name = "MS", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout_ms: u64,
}

impl DoctorArgs {
    /// The configuration of the directory's server.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        load(self.config.as_deref(), &overrides(None, Some(&self.target), &self.set))
    }
}
