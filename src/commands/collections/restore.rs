//! What was: `CHECKPOINT RESTORE` brings it back, `COLLECTION ATTACH | DETACH` shows it.

use std::sync::Arc;

use super::checkpoint::error;
use super::name;
use crate::checkpoint::{AttachRequest, Moment, Only, RestoreRequest, Target};
use crate::commands::context::MaintenanceCx;
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting, late_ok};
use crate::commands::spec::{CmdResult, DatabaseUse, DatabaseUses, Databases, Group, Handler, Maintenance, Spec, flag};
use crate::commands::support::number::parse_u64;
use crate::engine::keyspace::ExclusiveTxn;
use crate::recovery::{Until, moment};
use crate::resp::{Args, Reply};
use crate::wal::Lsn;

const FLAGS: u32 = flag::DENY_OOM | flag::ADMIN | flag::NO_SCRIPT | flag::NO_MULTI;

/// `CHECKPOINT RESTORE id | TO moment [COLLECTION name [AS other [REPLACE]]]`
pub const RESTORE: Spec = Spec {
    databases: Databases::Told(restored),
    since: "0.2.0",
    flags: FLAGS | flag::WRITE,
    acl: &["keyspace", "dangerous"],
    summary: "Brings all collections, or one, back to a checkpoint, an LSN or a time, all at once",
    complexity: "O(N) where N is the number of keys, and of changes between a checkpoint and the moment.",
    syntax: "id | TO LSN n | TO unix-ms | TO time [COLLECTION name [AS other [REPLACE]]]",
    ..Spec::new(
        "restore",
        Group::Collection,
        -3,
        Handler::Maintenance(Maintenance::new(restore)),
    )
};

/// `COLLECTION ATTACH checkpoint-id name AS other READONLY`
pub const ATTACH: Spec = Spec {
    databases: Databases::At(&[3, 5]),
    since: "0.2.0",
    flags: FLAGS,
    acl: &["keyspace"],
    summary: "Shows a collection as it is in a checkpoint under another name, for reading, until the server ends",
    complexity: "O(N) where N is the number of keys.",
    syntax: "checkpoint-id name AS other READONLY",
    ..Spec::new(
        "attach",
        Group::Collection,
        7,
        Handler::Maintenance(Maintenance::new(attach)),
    )
};

/// `COLLECTION DETACH name`
pub const DETACH: Spec = Spec {
    databases: Databases::At(&[2]),
    since: "0.2.0",
    flags: flag::ADMIN | flag::NO_SCRIPT,
    acl: &["keyspace"],
    summary: "Lets go of a collection that was attached from a checkpoint",
    complexity: "O(1); memory is freed in the background.",
    syntax: "name",
    ..Spec::new("detach", Group::Collection, 3, Handler::Exclusive(detach))
};

/// All, or the one that is named and what it is to be called.
fn restored(args: Args<'_>, uses: &mut DatabaseUses) {
    match moment_of(args) {
        Ok((_, from)) if args.len() > from + 1 => {
            uses.push(DatabaseUse::At(from + 1));
            uses.extend((args.len() > from + 3).then_some(DatabaseUse::At(from + 3)));
        }
        _ => uses.push(DatabaseUse::All),
    }
}

fn restore(cx: &mut MaintenanceCx<'_>, args: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let (moment, rest) = moment_of(args)?;
    let request = RestoreRequest {
        moment,
        only: only(args, rest)?,
    };
    let checkpoints = Arc::clone(&cx.server.checkpoints);
    Ok(Flow::Later(Box::pin(async move {
        checkpoints.restore(request).await.map_err(error)?;
        Ok(Box::new(late_ok) as LateReply)
    })))
}

/// The moment, and where the arguments go on.
fn moment_of(args: Args<'_>) -> Result<(Moment, usize), CmdError> {
    if !args.at(2).eq_ignore_ascii_case(b"to") {
        return Ok((Moment::Checkpoint(checkpoint_id(args.at(2))?), 3));
    }
    let word = args.get(3).ok_or(CmdError::Syntax)?;
    if word.eq_ignore_ascii_case(b"lsn") {
        let lsn = args.get(4).ok_or(CmdError::Syntax)?;
        return Ok((Moment::Lsn(Lsn::new(parse_u64(lsn).ok_or(CmdError::NotInteger)?)), 5));
    }
    match std::str::from_utf8(word).ok().and_then(moment::parse) {
        Some(Until::Time(at_ms)) => Ok((Moment::Time(at_ms), 4)),
        Some(Until::Lsn(lsn)) => Ok((Moment::Lsn(lsn), 4)),
        None => Err(CmdError::quoting(
            "ERR invalid moment '",
            word,
            128,
            "': expected LSN n, Unix milliseconds, or a time such as 2026-11-25T08:00:00Z",
        )),
    }
}

fn checkpoint_id(argument: &[u8]) -> Result<u64, CmdError> {
    let rest = "': expected a number, or TO and a moment";
    parse_u64(argument).ok_or_else(|| CmdError::quoting("ERR invalid checkpoint id '", argument, 128, rest))
}

fn only(args: Args<'_>, from: usize) -> Result<Option<Only>, CmdError> {
    let is = |at: usize, word: &[u8]| args.get(at).is_some_and(|arg| arg.eq_ignore_ascii_case(word));
    if args.len() == from {
        return Ok(None);
    }
    if !is(from, b"collection") {
        return Err(CmdError::Syntax);
    }
    let name = name::any(args.get(from + 1).ok_or(CmdError::Syntax)?)?;
    let (target, replace) = match args.len() - from {
        // What it was takes the place of what it is.
        2 => (name.clone(), true),
        4 if is(from + 2, b"as") => (name::any(args.at(from + 3))?, false),
        5 if is(from + 2, b"as") && is(from + 4, b"replace") => (name::any(args.at(from + 3))?, true),
        _ => return Err(CmdError::Syntax),
    };
    let target = Target { name: target, replace };
    Ok(Some(Only { name, target }))
}

fn attach(cx: &mut MaintenanceCx<'_>, args: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    if !args.at(4).eq_ignore_ascii_case(b"as") || !args.at(6).eq_ignore_ascii_case(b"readonly") {
        return Err(CmdError::Syntax);
    }
    let request = AttachRequest {
        checkpoint: checkpoint_id(args.at(2))?,
        name: name::any(args.at(3))?,
        as_name: name::fresh(args.at(5))?.to_owned(),
    };
    let checkpoints = Arc::clone(&cx.server.checkpoints);
    Ok(Flow::Later(Box::pin(async move {
        checkpoints.attach(request).await.map_err(error)?;
        Ok(Box::new(late_ok) as LateReply)
    })))
}

fn detach(txn: &mut ExclusiveTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let argument = args.at(2);
    let slot = txn.slot_named(name::existing(argument)?);
    let slot = slot.ok_or_else(|| name::no_such(argument))?;
    if !slot.collection.traits().is_read_only() {
        return Err(format!(
            "ERR collection '{}' is not attached, COLLECTION DROP removes it",
            slot.name
        )
        .into());
    }
    txn.detach(&slot).map_err(|error| format!("ERR {error}"))?;
    reply.ok();
    Ok(())
}
