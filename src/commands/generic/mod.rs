//! Commands on keys of any type: removing, renaming, expiring, walking over them.

mod copy;
mod delete;
mod dump;
mod expire;
mod lookup;
mod migrate;
mod migrate_target;
mod object;
mod persist;
mod rename;
mod scan;
mod sort;
mod sort_options;
#[cfg(test)]
mod sort_tests;
mod transfer;
mod ttl;
mod wait;

use super::spec::Spec;
use super::spec::assert_sorted;

pub use object::encoding_of;
pub use scan::Walk;
pub use sort_options::reading_option;

/// The family, sorted by name.
pub const COMMANDS: &[Spec] = &[
    copy::COPY,
    delete::DEL,
    dump::DUMP,
    lookup::EXISTS,
    expire::EXPIRE,
    expire::EXPIREAT,
    ttl::EXPIRETIME,
    scan::KEYS,
    migrate::MIGRATE,
    copy::MOVE,
    object::OBJECT,
    persist::PERSIST,
    expire::PEXPIRE,
    expire::PEXPIREAT,
    ttl::PEXPIRETIME,
    ttl::PTTL,
    scan::RANDOMKEY,
    rename::RENAME,
    rename::RENAMENX,
    dump::RESTORE,
    dump::RESTORE_ASKING,
    scan::SCAN,
    sort::SORT,
    sort::SORT_RO,
    lookup::TOUCH,
    ttl::TTL,
    lookup::TYPE,
    delete::UNLINK,
    wait::WAIT,
    wait::WAITAOF,
];
const _: () = assert_sorted(COMMANDS);
