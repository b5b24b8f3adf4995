//! The command line: `lokikv [flags] [config file]`, `lokikv ping`, and what is done on a directory without a server
//! (`offline`).
//!
//! **Invariants**
//! - A flag is a layer over the file, never a second way to validate: all flags become [`Override`]s.
//! - No environment variable configures anything.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use super::doctor_args::DoctorArgs;
use super::generate_args::GenerateArgs;
use super::load::{ConfigError, Loaded, Override, load};
use super::migrate_args::{BackupArgs, ExportArgs, ImportArgs};
pub use super::offline::{InspectArgs, RepairArgs, RestoreArgs, VerifyArgs};
use super::refusal::ArgumentError;
use super::server_url::ServerUrl;
use super::tls_args::TlsArgs;

/// A clean end.
pub const EXIT_OK: u8 = 0;
/// The server could not start, go on or end in good order, `ping` got no answer or was told that writes are refused, or
/// `verify` or `inspect` found a fault.
pub const EXIT_FAILURE: u8 = 1;
/// A mistake in flags or configuration.
pub const EXIT_USAGE: u8 = 2;

/// `repair` would change something, and was not told to.
pub const EXIT_REPAIRABLE: u8 = 3;
/// `ping` was answered by a server that is loading its data: alive, and not ready.
pub const EXIT_LOADING: u8 = 5;
/// `repair` would lose what was acknowledged, and was not told to accept that.
pub const EXIT_NEEDS_CONSENT: u8 = 4;

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "config.toml";

const AFTER_HELP: &str = "\
Configuration: defaults < file < flags. Without --config the file ./config.toml is read when it exists.
Every key of the file can be set with --set; config.toml in the source tree explains them all.

Examples:
  lokikv                                        ./config.toml, or the defaults
  lokikv /etc/lokikv/config.toml                another file
  lokikv --port 7000 --data-dir /var/lib/lokikv
  lokikv --set memory.max_bytes=2gb --set wal.fsync=always
  lokikv --set server.bind='[\"127.0.0.1\", \"::1\"]'
  lokikv --set wal.enabled=false --set checkpoint.interval_s=0      purely in memory
  lokikv --config config.toml --check-config    say whether the file is valid, start nothing
  lokikv ping --port 7000                       for health checks
  lokikv ping rediss://127.0.0.1:6380 --ca ca.crt
  lokikv verify /var/lib/lokikv                 read everything on disk back; changes nothing
  lokikv inspect /var/lib/lokikv                what is there; with a file: what is in it
  lokikv doctor /var/lib/lokikv                 whether the machine, the disk and the data are as they should be
  lokikv doctor redis://:secret@127.0.0.1:6379  the same of a running server, as far as it tells
  lokikv restore --to 2026-11-25T08:00:00Z --from /var/lib/lokikv --into /var/lib/lokikv-then
  lokikv repair /var/lib/lokikv                 what would have to be dropped to make it startable
  lokikv import dump.rdb --data-dir /var/lib/lokikv
  lokikv import --from redis://:secret@old.example:6379 --verify --data-dir /var/lib/lokikv
  lokikv export --data-dir /var/lib/lokikv dump.rdb
  lokikv backup --from redis://:secret@localhost --to /backup/lokikv --keep 24
  lokikv restore --from /backup/lokikv --to 2026-11-25T08:00:00Z --into /var/lib/lokikv-then

Exit codes:
  0  clean shutdown; --check-config: valid; ping: the server answered; verify, inspect: all is whole;
     doctor: nothing is amiss; other tools: done
  1  the server could not start or had to stop (port taken, damaged data, failing disk); ping: no answer,
     or writes are refused since the log has failed; verify, inspect: something is damaged or missing;
     doctor: something is amiss; other tools: not done; all of them: what they say cannot be written
  2  a mistake in flags or in the configuration; doctor: it could not look
  3  repair: there is something to repair; nothing was changed, use --yes
  4  repair: that would lose acknowledged data; nothing was changed, use --yes --accept-loss
  5  ping: the server is loading its data";

/// A durable Redis-protocol server.
#[derive(Debug, Parser)]
#[command(name = "lokikv", version, about, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The same as --config FILE
    #[arg(value_name = "CONFIG", conflicts_with = "config")]
    config_file: Option<PathBuf>,

    /// TCP port; the same as --set server.port=N
    #[arg(long, value_name = "N")]
    port: Option<String>,

    /// Folder of all data; the same as --set storage.data_dir=DIR
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,

    /// Set a key of the configuration; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,

    /// Check the configuration and exit
    #[arg(long)]
    pub check_config: bool,

    /// What to do instead of serving
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the binary can do besides serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask a running server whether it is alive
    Ping(PingArgs),
    /// Read back every checkpoint, persisted collection and log record of a data directory that no server is using
    Verify(VerifyArgs),
    /// Look at a data directory and its machine, or ask a running server, and say what to change
    Doctor(DoctorArgs),
    /// Show what is in a data directory, or in one of its files: manifests, pages, log records
    Inspect(InspectArgs),
    /// Make a data directory with the data as it was at an earlier moment, from another one or from a backup
    Restore(RestoreArgs),
    /// Make a damaged data directory startable by dropping what cannot be read; without --yes it only says what
    Repair(RepairArgs),
    /// Read what Redis or Valkey has written, or copy a running one, into a data directory that no server is using
    Import(Box<ImportArgs>),
    /// Back up a running server, or look at backups
    Backup(Box<BackupArgs>),
    /// Write a Redis file from a data directory that no server is using
    Export(ExportArgs),
    /// Write what a package holds besides the binary
    #[command(subcommand, hide = true)]
    Generate(GenerateArgs),
}

/// Where `ping` goes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct PingArgs {
    /// The server, as redis://user:password@host:port, of which the host is enough, or rediss:// over TLS; instead of
    /// host and port
    #[arg(value_name = "URL", conflicts_with_all = ["host", "port", "unixsocket"])]
    pub url: Option<ServerUrl>,

    /// Host name or address
    #[arg(long, default_value = "127.0.0.1")]
    pub host: String,

    /// TCP port
    #[arg(long, default_value_t = 6379)]
    pub port: u16,

    /// Unix socket, instead of host and port
    #[arg(long, value_name = "PATH", conflicts_with_all = ["host", "port"])]
    pub unixsocket: Option<PathBuf>,

    /// How long to wait for the answer
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout_ms: u64,

    #[command(flatten)]
    #[expect(missing_docs, reason = "a comment here would be the help's")]
    pub tls: TlsArgs,
}

impl PingArgs {
    /// How long to wait for the answer.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

impl Cli {
    /// The configuration that the flags ask for.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        load(self.file().as_deref(), &self.overrides())
    }

    /// The file to read: the named one, else `./config.toml` when it is there.
    pub fn file(&self) -> Option<PathBuf> {
        present_file(self.config.clone().or_else(|| self.config_file.clone()))
    }

    fn overrides(&self) -> Vec<Override> {
        overrides(self.port.as_ref(), self.data_dir.as_ref(), &self.set)
    }
}

/// The file to read: the named one, else `./config.toml` when it is there.
pub(super) fn present_file(named: Option<PathBuf>) -> Option<PathBuf> {
    named.or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|default| default.exists()))
}

/// The flags that set keys. `--set` comes last: it is the most explicit.
pub(super) fn overrides(port: Option<&String>, data_dir: Option<&String>, set: &[(String, String)]) -> Vec<Override> {
    let own = |key: &str, flag: &str, value: &String| Override {
        key: key.to_owned(),
        value: value.clone(),
        flag: format!("{flag} {value}"),
    };
    let port = port.map(|value| own("server.port", "--port", value));
    let data_dir = data_dir.map(|value| own("storage.data_dir", "--data-dir", value));
    let set = set.iter().map(|(key, value)| Override {
        key: key.clone(),
        value: value.clone(),
        // A password does not belong in an error message.
        flag: if key == "server.requirepass" {
            format!("--set {key}")
        } else {
            format!("--set {key}={value}")
        },
    });
    port.into_iter().chain(data_dir).chain(set).collect()
}

pub(super) fn key_and_value(text: &str) -> Result<(String, String), ArgumentError> {
    let (key, value) = text.split_once('=').ok_or(ArgumentError::Form("SECTION.KEY=VALUE"))?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn cli(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from([&["lokikv"], args].concat())
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
        let help = Cli::command().render_long_help().to_string();
        for part in [
            "--config",
            "--port",
            "--data-dir",
            "--set",
            "--check-config",
            "ping",
            "Examples:",
            "Exit codes:",
        ] {
            assert!(help.contains(part), "{part}");
        }
    }

    #[test]
    fn the_file_by_flag_or_place() {
        assert_eq!(cli(&["--config", "a.toml"]).unwrap().file(), Some("a.toml".into()));
        assert_eq!(
            cli(&["/etc/a.toml", "--port", "1"]).unwrap().file(),
            Some("/etc/a.toml".into())
        );
        assert!(cli(&["--config", "a.toml", "b.toml"]).is_err());
        assert!(cli(&["a.toml", "b.toml"]).is_err());
    }

    #[test]
    fn flags_become_keys_and_set_wins() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("c.toml");
        std::fs::write(&file, "[server]\nport = 1\n").unwrap();
        let file = file.to_str().unwrap();
        let loaded = cli(&[file, "--port", "2", "--data-dir", "/d", "--set", "wal.fsync=no"])
            .unwrap()
            .load()
            .unwrap();
        assert_eq!(
            (loaded.config.server.port, loaded.config.storage.data_dir.as_str()),
            (2, "/d")
        );
        let loaded = cli(&["--set", "server.port=3", "--port", "2", file])
            .unwrap()
            .load()
            .unwrap();
        assert_eq!(loaded.config.server.port, 3);
        let error = cli(&[file, "--port", "70000"]).unwrap().load().unwrap_err().to_string();
        assert_eq!(error, "--port 70000: server.port: 70000 is not a port (0..=65535)");
        assert_eq!(
            cli(&["--set", "server.port"]).unwrap_err().exit_code(),
            i32::from(EXIT_USAGE)
        );
    }

    #[test]
    fn ping() {
        let Some(Command::Ping(args)) = cli(&["ping"]).unwrap().command else {
            panic!("no ping")
        };
        assert_eq!(
            (args.host.as_str(), args.port, args.timeout_ms),
            ("127.0.0.1", 6379, 1000)
        );
        let Some(Command::Ping(args)) = cli(&["ping", "--unixsocket", "/s", "--timeout-ms", "5"])
            .unwrap()
            .command
        else {
            panic!("no ping")
        };
        assert_eq!((args.unixsocket, args.timeout_ms), (Some("/s".into()), 5));
        assert!(cli(&["ping", "--unixsocket", "/s", "--port", "1"]).is_err());
        let Some(Command::Ping(args)) = cli(&["ping", "rediss://:pw@h:7", "--ca", "/ca"]).unwrap().command else {
            panic!("no ping")
        };
        assert!(args.url.is_some_and(|url| url.is_tls && url.port == 7) && args.tls.ca.to_str() == Some("/ca"));
        assert!(cli(&["ping", "redis://h", "--port", "1"]).is_err());
        assert!(cli(&["ping", "rediss://h", "--cert", "/c"]).is_err());
        assert!(cli(&["ping", "--timeout-ms", "0"]).is_err());
    }
}
