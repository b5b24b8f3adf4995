//! The command line of `generate`.

use std::path::PathBuf;

use clap::Subcommand;
use clap_complete::Shell;

/// What `generate` writes.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum GenerateArgs {
    /// Write man pages, one for the program and one for each subcommand
    Man {
        /// An existing folder
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Write the completions of a shell to standard output
    Completions {
        /// Which shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
}
