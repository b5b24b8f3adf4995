//! What `ping` and `doctor` are told of TLS.

use std::path::PathBuf;

use clap::Args;

/// How a server is reached over TLS.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct TlsArgs {
    /// The authorities that a server's certificate must be signed by
    #[arg(long, value_name = "FILE", default_value = "/etc/ssl/certs/ca-certificates.crt")]
    pub ca: PathBuf,

    /// A certificate to show to the server
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,

    /// The private key of that certificate
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
}
