//! Whole databases: `DBSIZE`, `FLUSHALL`, `FLUSHDB`, `SWAPDB`.
//!
//! Flushed data always goes in the background, after the collection has been replaced by an empty one. Where Redis
//! takes a database's number, `SWAPDB` takes a collection's name, too.

use crate::commands::collections::check_slot;
use crate::commands::error::CmdError;
use crate::commands::spec::{CmdResult, Databases, Group, Handler, Spec, Support, flag};
use crate::commands::support::number::parse_i64;
use crate::engine::ids::DatabaseId;
use crate::engine::keyspace::{ExclusiveTxn, KeyspaceTxn};
use crate::engine::registry::Slot;
use crate::resp::{Args, Reply};

const FLUSH_TIPS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];
const FLUSH_SUPPORT: Support = Support::Partial("with SYNC, too, the memory is freed in the background");

/// `DBSIZE`
pub const DBSIZE: Spec = Spec {
    flags: flag::FAST,
    acl: &["keyspace"],
    tips: &["request_policy:all_shards", "response_policy:agg_sum"],
    summary: "Counts the keys of the selected database",
    ..Spec::new("dbsize", Group::Server, 1, Handler::Keyspace(dbsize))
};

/// `FLUSHALL [ASYNC | SYNC]`
pub const FLUSHALL: Spec = Spec {
    databases: Databases::All,
    flags: flag::WRITE,
    acl: &["keyspace", "dangerous"],
    tips: FLUSH_TIPS,
    summary: "Removes all keys of all databases and collections",
    complexity: "O(1) for each database; memory is freed in the background.",
    syntax: "[ASYNC | SYNC]",
    support: FLUSH_SUPPORT,
    ..Spec::new("flushall", Group::Server, -1, Handler::Exclusive(flushall))
};

/// `FLUSHDB [ASYNC | SYNC]`
pub const FLUSHDB: Spec = Spec {
    databases: Databases::Selected,
    flags: flag::WRITE,
    acl: &["keyspace", "dangerous"],
    tips: FLUSH_TIPS,
    summary: "Removes all keys of the selected database",
    complexity: "O(1); memory is freed in the background.",
    syntax: "[ASYNC | SYNC]",
    support: FLUSH_SUPPORT,
    ..Spec::new("flushdb", Group::Server, -1, Handler::Exclusive(flushdb))
};

/// `SWAPDB index1 index2`
pub const SWAPDB: Spec = Spec {
    databases: Databases::At(&[1, 2]),
    since: "4.0.0",
    flags: flag::WRITE | flag::FAST,
    acl: &["keyspace", "dangerous"],
    summary: "Exchanges what two databases hold, also for clients that have selected them",
    complexity: "O(N) where N is the count of clients watching keys from both databases.",
    syntax: "index1 index2",
    ..Spec::new("swapdb", Group::Server, 3, Handler::Exclusive(swapdb))
};

fn dbsize(txn: &mut KeyspaceTxn<'_, '_>, _: Args<'_>, reply: &mut Reply) -> CmdResult {
    reply.int(txn.key_count() as i64);
    Ok(())
}

fn check_flush_mode(args: Args<'_>) -> CmdResult {
    let known = |mode: &[u8]| mode.eq_ignore_ascii_case(b"sync") || mode.eq_ignore_ascii_case(b"async");
    match (args.len(), args.get(1)) {
        (1, _) => Ok(()),
        (2, Some(mode)) if known(mode) => Ok(()),
        _ => Err(CmdError::Syntax),
    }
}

fn flushall(txn: &mut ExclusiveTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_flush_mode(args)?;
    txn.flush_all().map_err(|error| format!("ERR {error}"))?;
    reply.ok();
    Ok(())
}

fn flushdb(txn: &mut ExclusiveTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_flush_mode(args)?;
    if let Some(slot) = txn.slot(txn.database()) {
        flush(txn, &slot)?;
    }
    reply.ok();
    Ok(())
}

fn flush(txn: &mut ExclusiveTxn<'_, '_>, slot: &Slot) -> CmdResult {
    check_slot(slot, flag::WRITE)?;
    if !slot.is_written() {
        // Never written since it was last empty: nothing to remove, nothing to log.
        txn.note_all_stale();
        return Ok(());
    }
    Ok(txn
        .flush(slot.collection.id())
        .map_err(|error| format!("ERR {error}"))?)
}

fn swapdb(txn: &mut ExclusiveTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let one = database(txn, args.at(1), "ERR invalid first DB index")?;
    let other = database(txn, args.at(2), "ERR invalid second DB index")?;
    let (Some(one), Some(other)) = (one, other) else {
        return Err(CmdError::text("ERR DB index is out of range"));
    };
    for slot in [one, other].into_iter().filter_map(|id| txn.slot(id)) {
        check_slot(&slot, flag::WRITE)?;
    }
    txn.swap(one, other).map_err(|error| format!("ERR {error}"))?;
    reply.ok();
    Ok(())
}

/// The database an argument means, if there is such a one; `invalid` is the error when it is no number.
fn database(
    txn: &ExclusiveTxn<'_, '_>,
    argument: &[u8],
    invalid: &'static str,
) -> Result<Option<DatabaseId>, CmdError> {
    let Some(index) = parse_i64(argument) else {
        let named = std::str::from_utf8(argument).ok().and_then(|name| txn.slot_named(name));
        return named.map(|slot| Some(slot.id)).ok_or(CmdError::text(invalid));
    };
    let index = i32::try_from(index).map_err(|_| CmdError::text(invalid))?;
    let id = DatabaseId::numbered(i64::from(index));
    Ok(id.filter(|id| txn.slot(*id).is_some()))
}
