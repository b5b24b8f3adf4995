//! All commands: the families, put together here and nowhere else.

use std::sync::OnceLock;

use super::spec::{Spec, Table};

/// Families, each sorted by name.
const FAMILIES: &[&[Spec]] = &[
    super::acl::COMMANDS,
    super::bitmap::COMMANDS,
    super::cluster::COMMANDS,
    super::collections::COMMANDS,
    super::connection::COMMANDS,
    super::generic::COMMANDS,
    super::geo::COMMANDS,
    super::hash::COMMANDS,
    super::hyperloglog::COMMANDS,
    super::ordered::COMMANDS,
    super::list::COMMANDS,
    super::pubsub::COMMANDS,
    super::scripting::COMMANDS,
    super::server::COMMANDS,
    super::stream::COMMANDS,
    super::set::COMMANDS,
    super::string::COMMANDS,
    super::transactions::COMMANDS,
    super::vector::COMMANDS,
    super::wal::COMMANDS,
    super::zset::COMMANDS,
];

/// The table of all commands. What is below it is handed the table by who runs it.
pub fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| Table::new(FAMILIES))
}
