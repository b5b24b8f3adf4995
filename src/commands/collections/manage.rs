//! Making, dropping and renaming collections: `COLLECTION CREATE | DROP | RENAME`, `DELCOL`.

use super::name;
use crate::commands::error::CmdError;
use crate::commands::spec::{CmdResult, Databases, Group, Handler, Spec, flag};
use crate::engine::index::Kind;
use crate::engine::keyspace::ExclusiveTxn;
use crate::engine::registry::Slot;
use crate::resp::{Args, Reply};

/// `COLLECTION CREATE name [KIND hmap | bdef | bcust]`
pub const CREATE: Spec = Spec {
    databases: Databases::At(&[2]),
    since: "0.1.0",
    flags: flag::WRITE | flag::DENY_OOM,
    acl: &["keyspace"],
    summary: "Makes an empty collection",
    syntax: "name [KIND hmap | bdef | bcust]",
    ..Spec::new("create", Group::Collection, -3, Handler::Exclusive(create))
};

/// `COLLECTION DROP name`
pub const DROP: Spec = Spec {
    databases: Databases::At(&[2]),
    since: "0.1.0",
    flags: flag::WRITE,
    acl: &["keyspace", "dangerous"],
    summary: "Drops a collection with all its keys",
    complexity: "O(1); memory is freed in the background.",
    syntax: "name",
    ..Spec::new("drop", Group::Collection, 3, Handler::Exclusive(drop_second))
};

/// `COLLECTION RENAME name newname`
pub const RENAME: Spec = Spec {
    databases: Databases::At(&[2, 3]),
    since: "0.1.0",
    flags: flag::WRITE,
    acl: &["keyspace"],
    summary: "Gives a collection another name; clients that have selected it keep it",
    syntax: "name newname",
    ..Spec::new("rename", Group::Collection, 4, Handler::Exclusive(rename))
};

/// `DELCOL name`
pub const DELCOL: Spec = Spec {
    databases: Databases::At(&[1]),
    since: "0.1.0",
    flags: flag::WRITE,
    acl: &["keyspace", "dangerous"],
    summary: "Drops a collection with all its keys, as COLLECTION DROP",
    complexity: "O(1); memory is freed in the background.",
    syntax: "name",
    ..Spec::new("delcol", Group::Collection, 2, Handler::Exclusive(delcol))
};

fn create(txn: &mut ExclusiveTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let kind = match (args.len(), args.get(3), args.get(4)) {
        (3, ..) => Kind::Hmap,
        (5, Some(option), Some(kind)) if option.eq_ignore_ascii_case(b"kind") => name::kind(kind)?,
        _ => return Err(CmdError::Syntax),
    };
    create_named(txn, args.at(2), kind)?;
    reply.ok();
    Ok(())
}

/// Makes a collection of this name, which must be a valid and free one.
pub(super) fn create_named(txn: &mut ExclusiveTxn<'_, '_>, name: &[u8], kind: Kind) -> CmdResult {
    let name = name::fresh(name)?;
    must_be_free(txn, name)?;
    txn.create(None, name, kind).map_err(|error| format!("ERR {error}"))?;
    Ok(())
}

fn must_be_free(txn: &ExclusiveTxn<'_, '_>, name: &str) -> CmdResult {
    match txn.slot_named(name) {
        Some(_) => Err(format!("ERR collection '{name}' exists already").into()),
        None => Ok(()),
    }
}

fn drop_second(txn: &mut ExclusiveTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    drop_named(txn, args.at(2), reply)
}

fn delcol(txn: &mut ExclusiveTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    drop_named(txn, args.at(1), reply)
}

fn drop_named(txn: &mut ExclusiveTxn<'_, '_>, name: &[u8], reply: &mut Reply) -> CmdResult {
    let slot = named(txn, name, "dropped; FLUSHDB empties it")?;
    txn.drop_collection(slot.collection.id())
        .map_err(|error| format!("ERR {error}"))?;
    reply.ok();
    Ok(())
}

fn rename(txn: &mut ExclusiveTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let slot = named(txn, args.at(2), "renamed")?;
    let new_name = name::fresh(args.at(3))?;
    if *slot.name != *new_name {
        must_be_free(txn, new_name)?;
        txn.rename(slot.collection.id(), new_name)
            .map_err(|error| format!("ERR {error}"))?;
    }
    reply.ok();
    Ok(())
}

/// The slot of a collection somebody made; `default` and the numbered ones cannot be what `what` says.
fn named(txn: &ExclusiveTxn<'_, '_>, name: &[u8], what: &str) -> Result<Slot, CmdError> {
    let slot = txn
        .slot_named(name::existing(name)?)
        .ok_or_else(|| name::no_such(name))?;
    if slot.collection.traits().is_read_only() {
        let name = &slot.name;
        return Err(
            format!("ERR collection '{name}' is attached from a snapshot, COLLECTION DETACH lets go of it").into(),
        );
    }
    if slot.id.is_numbered() {
        return Err(format!(
            "ERR collection '{}' is a numbered database and cannot be {what}",
            slot.name
        )
        .into());
    }
    Ok(slot)
}
