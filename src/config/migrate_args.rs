//! Flags of `lokikv import`, `lokikv export` and `lokikv backup`.

use std::path::PathBuf;

use clap::Args;

use super::cli::{key_and_value, overrides, present_file};
use super::load::{ConfigError, Loaded, load};
use super::refusal::ArgumentError;
use super::server_url::ServerUrl;
use crate::rdb::Version;

/// Which data directory, and how it is configured.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Place {
    /// Configuration file (TOML); else ./config.toml when it exists
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Folder of all data; the same as --set storage.data_dir=DIR
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,

    /// Set a key of the configuration; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
}

impl Place {
    /// The configuration that the flags ask for.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        load(
            present_file(self.config.clone()).as_deref(),
            &overrides(None, self.data_dir.as_ref(), &self.set),
        )
    }
}

/// What to import, and where to.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ImportArgs {
    /// What Redis or Valkey has written: dump.rdb, an append-only file, or the folder with its parts and manifest
    #[arg(value_name = "FILE", required_unless_present = "from", conflicts_with = "from")]
    pub file: Option<PathBuf>,

    #[command(flatten)]
    #[expect(missing_docs, reason = "a comment here would be the help's")]
    pub place: Place,

    #[command(flatten)]
    #[expect(missing_docs, reason = "a comment here would be the help's")]
    pub live: LiveArgs,

    /// Put all keys into this collection, instead of each database into the one of its number
    #[arg(long, value_name = "NAME")]
    pub into_collection: Option<String>,

    /// The kind of that collection, if it has to be made
    #[arg(long, value_name = "KIND", default_value = "hmap", requires = "into_collection")]
    pub kind: String,

    /// Keep the keys that are there; the file's keys take the place of those of the same name
    #[arg(long, conflicts_with = "replace")]
    pub merge: bool,

    /// Empty the collections that the file has keys for first
    #[arg(long)]
    pub replace: bool,
}

/// How servers are reached.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Access {
    /// The authorities that certificates of servers must be signed by
    #[arg(
        long,
        value_name = "FILE",
        requires = "from",
        default_value = "/etc/ssl/certs/ca-certificates.crt"
    )]
    pub ca: PathBuf,

    /// A certificate to show to servers
    #[arg(long, value_name = "FILE", requires_all = ["from", "key"])]
    pub cert: Option<PathBuf>,

    /// The private key of that certificate
    #[arg(long, value_name = "FILE", requires_all = ["from", "cert"])]
    pub key: Option<PathBuf>,

    /// For how long a server that went away, or is loading, is waited for
    #[arg(long, value_name = "S", requires = "from", default_value_t = 60)]
    pub retry_s: u64,
}

/// A running server that is copied, and how.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct LiveArgs {
    /// Copy a running Redis (7.0 or later) or Valkey instead: redis://user:password@host:port/database, of which the
    /// host is enough, or rediss:// over TLS
    #[arg(long, value_name = "URL")]
    pub from: Option<ServerUrl>,

    /// Copy into a running LokiKV instead of a data directory
    #[arg(long, value_name = "URL", requires = "from", conflicts_with_all = ["config", "data_dir", "set"])]
    pub to: Option<ServerUrl>,

    #[command(flatten)]
    #[expect(missing_docs, reason = "a comment here would be the help's")]
    pub access: Access,

    /// How many connections read from the server
    #[arg(long, value_name = "N", requires = "from", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub connections: u64,

    /// Read no more keys a second than this
    #[arg(long, value_name = "KEYS_PER_S", requires = "from", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub rate: Option<u64>,

    /// Where it is kept how far the copy is; else lokikv-import.json in the data directory, or with --to in the current
    /// one
    #[arg(long, value_name = "FILE", requires = "from")]
    pub state: Option<PathBuf>,

    /// Compare all keys, values and expiry times with the server's afterwards
    #[arg(long, requires = "from", conflicts_with = "verify_only")]
    pub verify: bool,

    /// Compare only, copy nothing
    #[arg(long, requires = "from")]
    pub verify_only: bool,

    /// Leave out libraries of functions
    #[arg(long, requires = "from")]
    pub skip_functions: bool,
}

/// What to back up, and where to; or which backups to look at.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["from", "list", "verify"]))]
pub struct BackupArgs {
    /// Back up a running LokiKV, whose data directory can be read here: redis://user:password@host:port, of which the
    /// host is enough, or rediss:// over TLS
    #[arg(long, value_name = "URL", requires = "to")]
    pub from: Option<ServerUrl>,

    /// The directory of backups, which is made if it is not there
    #[arg(long, value_name = "DIR", requires = "from")]
    pub to: Option<PathBuf>,

    #[command(flatten)]
    #[expect(missing_docs, reason = "a comment here would be the help's")]
    pub access: Access,

    /// Keep this many backups; older ones are removed once the new one is whole
    #[arg(long, value_name = "N", requires = "from", value_parser = clap::value_parser!(u64).range(1..))]
    pub keep: Option<u64>,

    /// Copy every file that no earlier backup has, also where the server's could be linked
    #[arg(long, requires = "from")]
    pub copy: bool,

    /// Where the server's data directory is seen from here, if it is not where the server says
    #[arg(long, value_name = "DIR", requires = "from")]
    pub data_dir: Option<String>,

    /// Its checkpoints, when not under that
    #[arg(long, value_name = "DIR", default_value = "", requires = "from")]
    pub checkpoint_dir: String,

    /// Its log, when not under that
    #[arg(long, value_name = "DIR", default_value = "", requires = "from")]
    pub wal_dir: String,

    /// Show the backups in DIR, and which moments can be restored from each
    #[arg(long, value_name = "DIR")]
    pub list: Option<PathBuf>,

    /// Read the backups in DIR back, or the one that DIR is
    #[arg(long, value_name = "DIR")]
    pub verify: Option<PathBuf>,

    /// With --list: write JSON, one document a line
    #[arg(long, requires = "list")]
    pub json: bool,
}

/// What to export.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ExportArgs {
    /// The file to write
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    #[command(flatten)]
    #[expect(missing_docs, reason = "a comment here would be the help's")]
    pub place: Place,

    /// Write the named collection as database DB; may be repeated
    #[arg(long, value_name = "NAME=DB", value_parser = name_and_number)]
    pub collection: Vec<(String, u32)>,

    /// Leave out named collections that have no number
    #[arg(long)]
    pub skip_named: bool,

    /// Replace the file if there is one
    #[arg(long)]
    pub force: bool,

    /// Write this version of the format (9 to 12, or valkey), instead of 10, or 12 where fields of hashes expire
    #[arg(long, value_name = "VERSION", value_parser = rdb_version)]
    pub rdb_version: Option<Version>,

    /// Leave out libraries of functions
    #[arg(long)]
    pub skip_functions: bool,
}

fn rdb_version(text: &str) -> Result<Version, ArgumentError> {
    let called = |version: &Version| match version {
        Version::Valkey(_) => text.eq_ignore_ascii_case("valkey"),
        Version::Redis(number) => text.parse() == Ok(*number),
    };
    let known = Version::WRITTEN.into_iter().find(called);
    known.ok_or(ArgumentError::Form("9, 10, 11, 12, 13 or valkey"))
}

fn name_and_number(text: &str) -> Result<(String, u32), ArgumentError> {
    let (name, db) = text.rsplit_once('=').ok_or(ArgumentError::Form("NAME=DB"))?;
    let db = db.parse().map_err(|_| ArgumentError::NotADatabase(db.to_owned()))?;
    Ok((name.to_owned(), db))
}
