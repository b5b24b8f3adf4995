//! `WAL`: the write-ahead log as a feed of changes.

mod filter;
mod info;
mod read;

use super::error::CmdError;
use super::help::help_spec;
use super::spec::{Group, Handler, Spec, assert_sorted};
use crate::state::Server;
use crate::wal::Wal;

/// `WAL subcommand …`
pub const WAL: Spec = Spec {
    since: "0.1.0",
    summary: "Contains commands that read the write-ahead log",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Spec::new("wal", Group::Collection, -2, Handler::Container)
};

const SUBCOMMANDS: &[Spec] = &[help_spec(Group::Collection, "0.1.0", &[]), info::INFO, read::READ];
const _: () = assert_sorted(SUBCOMMANDS);

/// The family, sorted by name.
pub const COMMANDS: &[Spec] = &[WAL];
const _: () = assert_sorted(COMMANDS);

/// The log, if there is one.
pub(super) fn enabled_wal(server: &Server) -> Result<Wal, CmdError> {
    let wal = server.engine.wal().clone();
    if wal.is_enabled() {
        Ok(wal)
    } else {
        Err(CmdError::text(
            "ERR the write-ahead log is disabled (wal.enabled = false)",
        ))
    }
}
