//! The command line of what is done on a directory without a server: `verify`, `inspect`, `repair`, `restore`.

use super::refusal::ArgumentError;
use crate::lsn::Lsn;
use std::path::PathBuf;

use clap::Args;

/// What `verify` reads.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct VerifyArgs {
    /// The data directory (storage.data_dir)
    #[arg(value_name = "DIR")]
    pub dir: String,

    /// Checkpoints, when not under DIR (storage.checkpoint_dir)
    #[arg(long, value_name = "DIR", default_value = "")]
    pub checkpoint_dir: String,

    /// Persisted collections, when not under DIR (storage.persist_dir)
    #[arg(long, value_name = "DIR", default_value = "")]
    pub persist_dir: String,

    /// The log, when not under DIR (storage.wal_dir)
    #[arg(long, value_name = "DIR", default_value = "")]
    pub wal_dir: String,
}

/// What `restore` does.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct RestoreArgs {
    /// The moment: "lsn N", Unix milliseconds, or a time such as 2026-11-25T08:00:00Z; of a backup, the last one unless
    /// it is given
    #[arg(long, value_name = "MOMENT")]
    pub to: Option<String>,

    /// The data directory to read, which no server is using; or a backup, or a directory of backups
    #[arg(long, value_name = "DIR")]
    pub from: String,

    /// The new data directory; it must be empty or not there
    #[arg(long, value_name = "NEWDIR", required_unless_present = "in_place")]
    pub into: Option<String>,

    /// Put the restored data into DIR itself; its checkpoints and log are set aside under other names, nothing is
    /// deleted
    #[arg(long, conflicts_with = "into")]
    pub in_place: bool,

    /// Checkpoints, when not under DIR (storage.checkpoint_dir)
    #[arg(long, value_name = "DIR", default_value = "")]
    pub checkpoint_dir: String,

    /// The log, when not under DIR (storage.wal_dir)
    #[arg(long, value_name = "DIR", default_value = "")]
    pub wal_dir: String,
}

/// What `repair` may do.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct RepairArgs {
    /// Where the data is
    #[command(flatten)]
    pub dirs: VerifyArgs,

    /// Carry it out; what is dropped goes to a folder quarantine-TIME in the data directory
    #[arg(long)]
    pub yes: bool,

    /// Only say what would be done; this is the default
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,

    /// Accept that data which was acknowledged is lost, where there is no other way
    #[arg(long)]
    pub accept_loss: bool,
}

/// What `inspect` shows.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct InspectArgs {
    /// A data directory, or files of one: log segments, manifests, page files
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,

    /// Write JSON, one document a line
    #[arg(long)]
    pub json: bool,

    /// Show at most N records, rows, pages or entries of each path; 0 = all
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: u64,

    /// Show only records of these LSNs: one, or FIRST..LAST, where either may be left out
    #[arg(long, value_name = "LSN", value_parser = lsn_range)]
    pub lsn: Option<(Lsn, Lsn)>,

    /// Show only the page with this id, with its entries
    #[arg(long, value_name = "ID")]
    pub page: Option<u64>,
}

fn lsn_range(text: &str) -> Result<(Lsn, Lsn), ArgumentError> {
    let number = |text: &str, default: Lsn| match text.trim() {
        "" => Ok(default),
        text => text.parse().map_err(|_| ArgumentError::NotAnLsn(text.to_owned())),
    };
    match text.split_once("..") {
        Some((first, last)) => Ok((number(first, Lsn::ZERO)?, number(last, Lsn::MAX)?)),
        None if text.trim().is_empty() => Err(ArgumentError::Form("LSN or FIRST..LAST")),
        None => number(text, Lsn::ZERO).map(|lsn| (lsn, lsn)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_lsns() {
        assert_eq!(lsn_range("7"), Ok((Lsn::new(7), Lsn::new(7))));
        assert_eq!(lsn_range("7..9"), Ok((Lsn::new(7), Lsn::new(9))));
        assert_eq!(lsn_range("..9"), Ok((Lsn::ZERO, Lsn::new(9))));
        assert_eq!(lsn_range("7.."), Ok((Lsn::new(7), Lsn::MAX)));
        assert!(lsn_range("").is_err() && lsn_range("x").is_err() && lsn_range("1..y").is_err());
    }
}
