//! Keys from one database to another: `COPY`, `MOVE`.
//!
//! Where Redis takes a database's number, a collection's name is taken, too.

use super::rename::second_key;
use super::transfer::Taken;
use crate::commands::collections::check_slot;
use crate::commands::error::CmdError;
use crate::commands::spec::{
    Across, CmdResult, DatabaseUse, DatabaseUses, Databases, Group, Handler, Spec, first_key, flag,
};
use crate::commands::support::number::{parse_i64, parse_i64_in};
use crate::engine::across::AcrossTxn;
use crate::engine::events::Classes;
use crate::engine::ids::DatabaseId;
use crate::engine::registry::{Registry, Slot};
use crate::resp::{Args, Reply};

const SAME: CmdError = CmdError::text("ERR source and destination objects are the same");
const NO_SUCH_DB: CmdError = CmdError::text("ERR DB index is out of range");

/// `COPY source destination [DB destination-db] [REPLACE]`
pub const COPY: Spec = Spec {
    databases: Databases::SelectedAnd(copied_to),
    since: "6.2.0",
    flags: flag::WRITE | flag::DENY_OOM,
    acl: &["keyspace"],
    keys: &[first_key(&["RO", "access"]), second_key(&["OW", "update"])],
    summary: "Copies the value and expiry of a key to another key",
    complexity: "O(1): values are shared until one of them changes, and large ones are not logged again.",
    syntax: "source destination [DB destination-db] [REPLACE]",
    ..Spec::new("copy", Group::Generic, -3, Handler::Across(&COPY_ACROSS))
};

/// `MOVE key db`
pub const MOVE: Spec = Spec {
    databases: Databases::SelectedAnd(|_, uses| uses.push(DatabaseUse::At(2))),
    flags: flag::WRITE | flag::FAST,
    acl: &["keyspace"],
    keys: &[first_key(&["RW", "access", "update"])],
    summary: "Moves a key to another database, unless it has a key of that name",
    syntax: "key db",
    ..Spec::new("move", Group::Generic, 3, Handler::Across(&MOVE_ACROSS))
};

/// The database that COPY is given.
fn copied_to(args: Args<'_>, uses: &mut DatabaseUses) {
    let mut at = 3;
    while let Some(option) = args.get(at) {
        if option.eq_ignore_ascii_case(b"db") {
            at += 1;
            uses.push(DatabaseUse::At(at));
        }
        at += 1;
    }
}

const COPY_ACROSS: Across = Across {
    target: |registry, selected, args| {
        let options = CopyOptions::parse(args, |named| database(registry, named))?;
        Ok(options.database.unwrap_or(selected))
    },
    source_key: 1,
    target_key: 2,
    run: copy,
};

const MOVE_ACROSS: Across = Across {
    target: |registry, _, args| database(registry, args.at(2)),
    source_key: 1,
    target_key: 1,
    run: move_key,
};

/// What COPY is asked for beside its keys.
struct CopyOptions<D> {
    database: Option<D>,
    replace: bool,
}

impl<D> CopyOptions<D> {
    /// `find` a database where it is named: what is wrong with it is told before what is wrong behind it.
    fn parse(args: Args<'_>, find: impl Fn(&[u8]) -> Result<D, CmdError>) -> Result<Self, CmdError> {
        let mut options = Self {
            database: None,
            replace: false,
        };
        let mut rest = args.skip(3).iter();
        while let Some(option) = rest.next() {
            match option.to_ascii_lowercase().as_slice() {
                b"replace" => options.replace = true,
                b"db" => options.database = Some(find(rest.next().ok_or(CmdError::Syntax)?)?),
                _ => return Err(CmdError::Syntax),
            }
        }
        Ok(options)
    }
}

fn copy(txn: &mut AcrossTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (from, to) = (args.at(1), args.at(2));
    if txn.source_slot().id == txn.target_slot().id && from == to {
        return Err(SAME);
    }
    let replace = CopyOptions::parse(args, |_| Ok(()))?.replace;
    let mut keys = txn.source();
    let (taken, from) = (keys.get(from).map(Taken::from), keys.source(from));
    check_slot(txn.target_slot(), flag::WRITE | flag::DENY_OOM)?;
    let mut keys = txn.target();
    let copied = match taken {
        Some(taken) if replace || !keys.exists(to) => {
            let had = keys.type_at(to);
            taken.put(&mut keys, to, from);
            if had.is_some() {
                // What was there has been deleted first.
                keys.notify(Classes::NEW, "new", to);
            }
            keys.notify(Classes::GENERIC, "copy_to", to);
            keys.notify_replaced(to, had, taken.value_type());
            true
        }
        _ => false,
    };
    reply.int(i64::from(copied));
    Ok(())
}

fn move_key(txn: &mut AcrossTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    if txn.source_slot().id == txn.target_slot().id {
        return Err(SAME);
    }
    let key = args.at(1);
    check_slot(txn.source_slot(), flag::WRITE)?;
    check_slot(txn.target_slot(), flag::WRITE | flag::DENY_OOM)?;
    let mut keys = txn.source();
    let (taken, from) = (keys.peek(key).map(Taken::from), keys.source(key));
    let moved = match taken {
        Some(taken) if !txn.target().exists(key) => {
            taken.put(&mut txn.target(), key, from);
            txn.source().delete(key);
            txn.source().notify(Classes::GENERIC, "move_from", key);
            txn.target().notify(Classes::GENERIC, "move_to", key);
            true
        }
        _ => false,
    };
    reply.int(i64::from(moved));
    Ok(())
}

/// The database an argument means: a number, or the name of a collection.
fn database(registry: &Registry, argument: &[u8]) -> Result<Slot, CmdError> {
    if parse_i64(argument).is_none()
        && let Some(slot) = std::str::from_utf8(argument)
            .ok()
            .and_then(|name| registry.by_name(name))
    {
        return Ok(slot.clone());
    }
    let index = parse_i64_in(argument, i64::from(i32::MIN), i64::from(i32::MAX)).map_err(|error| error.to_string())?;
    DatabaseId::numbered(index)
        .and_then(|id| registry.slot(id).cloned())
        .ok_or(NO_SUCH_DB)
}
