//! Commands about the server: its commands, configuration, figures, memory, checkpoints, end.

mod command;
mod commandlog;
mod config;
mod databases;
mod debug;
mod hotkeys;
mod info;
mod latency;
mod lolwut;
mod memory;
mod module;
mod monitor;
mod persistence;
mod reload;
mod replication;
mod shutdown;
mod time;

use super::spec::Spec;
use super::spec::assert_sorted;

pub use command::acl::{categories, has as has_category};
pub use command::arguments::{Argument, parse as parse_arguments};

/// The Redis version whose behaviour this server follows; clients choose features by it.
pub const REDIS_VERSION: &str = "8.2.3";
/// The version of Valkey whose additions are there as well.
const VALKEY_VERSION: &str = "9.1.2";
/// Our own version.
pub const LOKIKV_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The family, sorted by name.
pub const COMMANDS: &[Spec] = &[
    persistence::BGREWRITEAOF,
    persistence::BGSAVE,
    command::COMMAND,
    commandlog::COMMANDLOG,
    config::CONFIG,
    databases::DBSIZE,
    debug::DEBUG,
    replication::FAILOVER,
    databases::FLUSHALL,
    databases::FLUSHDB,
    hotkeys::HOTKEYS,
    info::INFO,
    persistence::LASTSAVE,
    latency::LATENCY,
    lolwut::LOLWUT,
    memory::MEMORY,
    module::MODULE,
    monitor::MONITOR,
    replication::PSYNC,
    replication::REPLCONF,
    replication::REPLICAOF,
    time::ROLE,
    persistence::SAVE,
    shutdown::SHUTDOWN,
    replication::SLAVEOF,
    commandlog::SLOWLOG,
    databases::SWAPDB,
    replication::SYNC,
    time::TIME,
];

const _: () = assert_sorted(COMMANDS);
