//! Keys from one database to another: `COPY`, `MOVE`.
//!
//! Where Redis takes a database's number, a collection's name is taken, too.

use super::rename::second_key;
use super::transfer::Taken;
use crate::commands::collections::check_slot;
use crate::commands::error::CmdError;
use crate::commands::spec::{CmdResult, Group, Handler, Spec, first_key, flag};
use crate::commands::support::number::{parse_i64, parse_i64_in};
use crate::engine::effect::{DatabaseId, NAMED_FIRST};
use crate::engine::keyspace::ExclusiveTxn;
use crate::engine::registry::Slot;
use crate::resp::{Args, Reply};

const SAME: CmdError = CmdError::text("ERR source and destination objects are the same");
const NO_SUCH_DB: CmdError = CmdError::text("ERR DB index is out of range");

/// `COPY source destination [DB destination-db] [REPLACE]`
pub const COPY: Spec = Spec {
    since: "6.2.0",
    flags: flag::WRITE | flag::DENY_OOM,
    acl: &["keyspace"],
    keys: &[first_key(&["RO", "access"]), second_key(&["OW", "update"])],
    summary: "Copies the value and expiry of a key to another key",
    complexity: "O(1): values are shared until one of them changes, and large ones are not logged again.",
    syntax: "source destination [DB destination-db] [REPLACE]",
    ..Spec::new("copy", Group::Generic, -3, Handler::Exclusive(copy))
};

/// `MOVE key db`
pub const MOVE: Spec = Spec {
    flags: flag::WRITE | flag::FAST,
    acl: &["keyspace"],
    keys: &[first_key(&["RW", "access", "update"])],
    summary: "Moves a key to another database, unless it has a key of that name",
    syntax: "key db",
    ..Spec::new("move", Group::Generic, 3, Handler::Exclusive(move_key))
};

struct CopyOptions {
    target: Slot,
    replace: bool,
}

impl CopyOptions {
    fn parse(txn: &ExclusiveTxn<'_, '_>, args: Args<'_>) -> Result<Self, CmdError> {
        let mut options = Self {
            target: selected(txn)?,
            replace: false,
        };
        let mut rest = args.skip(3).iter();
        while let Some(option) = rest.next() {
            match option.to_ascii_lowercase().as_slice() {
                b"replace" => options.replace = true,
                b"db" => options.target = database(txn, rest.next().ok_or(CmdError::Syntax)?)?,
                _ => return Err(CmdError::Syntax),
            }
        }
        Ok(options)
    }
}

fn copy(txn: &mut ExclusiveTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let CopyOptions { target, replace } = CopyOptions::parse(txn, args)?;
    let source = selected(txn)?;
    let (from, to) = (args.at(1), args.at(2));
    if source.id == target.id && from == to {
        return Err(SAME);
    }
    let mut keys = txn.keys(&source.collection);
    let (taken, from) = (keys.get(from).map(Taken::from), keys.source(from));
    check_slot(&target, flag::WRITE | flag::DENY_OOM)?;
    let mut keys = txn.keys(&target.collection);
    let copied = match taken {
        Some(taken) if replace || !keys.exists(to) => {
            taken.put(&mut keys, to, from);
            true
        }
        _ => false,
    };
    reply.int(i64::from(copied));
    Ok(())
}

fn move_key(txn: &mut ExclusiveTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (source, target) = (selected(txn)?, database(txn, args.at(2))?);
    if source.id == target.id {
        return Err(SAME);
    }
    let key = args.at(1);
    check_slot(&source, flag::WRITE)?;
    check_slot(&target, flag::WRITE | flag::DENY_OOM)?;
    let mut keys = txn.keys(&source.collection);
    let (taken, from) = (keys.peek(key).map(Taken::from), keys.source(key));
    let moved = match taken {
        Some(taken) if !txn.keys(&target.collection).exists(key) => {
            taken.put(&mut txn.keys(&target.collection), key, from);
            txn.keys(&source.collection).delete(key);
            true
        }
        _ => false,
    };
    reply.int(i64::from(moved));
    Ok(())
}

/// The slot of the selected collection.
pub(super) fn selected(txn: &ExclusiveTxn<'_, '_>) -> Result<Slot, CmdError> {
    txn.slot(txn.database()).ok_or(CmdError::text(
        "NOCOLLECTION the selected collection has been dropped, select another one",
    ))
}

/// The database an argument means: a number, or the name of a collection.
fn database(txn: &ExclusiveTxn<'_, '_>, argument: &[u8]) -> Result<Slot, CmdError> {
    if parse_i64(argument).is_none()
        && let Some(slot) = std::str::from_utf8(argument).ok().and_then(|name| txn.slot_named(name))
    {
        return Ok(slot);
    }
    let index = parse_i64_in(argument, i64::from(i32::MIN), i64::from(i32::MAX)).map_err(|error| error.to_string())?;
    DatabaseId::try_from(index)
        .ok()
        .filter(|id| *id < NAMED_FIRST)
        .and_then(|id| txn.slot(id))
        .ok_or(NO_SUCH_DB)
}
