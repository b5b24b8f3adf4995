//! LokiKV's own verbs: named collections, checkpoints, persisting and loading, a look into the log.
//!
//! Next to `COLLECTION …` stand the spellings of the first LokiKV (`/c_hcol`, `/selectcol` …), so that its transcripts
//! still run.

mod checkpoint;
mod config;
mod copy;
mod describe;
mod display;
mod display_wal;
mod guard;
mod help;
mod inspect;
mod legacy;
mod load;
mod manage;
pub mod name;
mod restore;
mod select;

use super::spec::assert_sorted;
use super::spec::{Group, Handler, Spec};

pub use checkpoint::{persist_then, persistable};
pub use guard::{check as check_collection, check_slot};
pub use select::selected;

/// `COLLECTION subcommand …`
pub const COLLECTION: Spec = Spec {
    since: "0.1.0",
    summary: "Contains commands that manage named collections",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Spec::new("collection", Group::Collection, -2, Handler::Container)
};

const SUBCOMMANDS: &[Spec] = &[
    restore::ATTACH,
    config::CONFIG,
    copy::CONVERT,
    copy::COPY,
    manage::CREATE,
    select::CURRENT,
    restore::DETACH,
    manage::DROP,
    help::HELP,
    inspect::INFO,
    inspect::LIST,
    checkpoint::PERSIST,
    manage::RENAME,
    select::USE,
];
const _: () = assert_sorted(SUBCOMMANDS);

/// The family, sorted by name.
pub const COMMANDS: &[Spec] = &[
    legacy::C_BCOL,
    legacy::C_BCUST,
    legacy::C_HCOL,
    legacy::GETCUR_COLNAME,
    legacy::LISTCOLNAMES,
    legacy::SELECTCOL,
    checkpoint::CHECKPOINT,
    COLLECTION,
    manage::DELCOL,
    display::DISPLAY,
    display_wal::DISPLAY_WAL,
    load::LOAD_BCUST,
    load::LOAD_BDEF,
    load::LOAD_HMAP,
];
const _: () = assert_sorted(COMMANDS);
