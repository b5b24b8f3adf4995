//! Groups: XGROUP CREATE, DESTROY, SETID.

use super::common::{apply, no_group, old_stream};
use super::id::{parse_id, parse_open_id};
use crate::commands::help::subcommand_syntax;
use crate::commands::spec::{Group, flag, key_at};
use crate::commands::value::int_arg;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::stream::{BigStream, StreamId, StreamOp};
use crate::resp::{Args, Reply};

pub(super) const NO_STREAM: CmdError = CmdError::text(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option \
     to create an empty stream automatically.",
);

pub(super) const CREATE: Spec = Spec {
    since: "5.0.0",
    flags: flag::DENY_OOM,
    acl: &["stream"],
    keys: &[key_at(2, &["RW", "insert"])],
    summary: "Makes a consumer group that begins behind an id; MKSTREAM makes the stream, too",
    syntax: "key groupname <id | $> [MKSTREAM] [ENTRIESREAD entries_read]",
    ..Spec::new("create", Group::Stream, -5, Handler::Write(create))
};

fn create(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (make, entries_read) = parse_options(args, true)?;
    let (key, name) = (args.at(2), args.at(3));
    let stream = old_stream(txn, key)?;
    if stream.is_none() && !make {
        return Err(NO_STREAM);
    }
    if args.len() > 8 {
        return Err(subcommand_syntax("xgroup", args.at(1)));
    }
    let last_id = match args.at(4) {
        b"$" => stream.map_or(StreamId::MIN, BigStream::last_id),
        id => parse_id(id, 0)?,
    };
    let exists = stream.is_some();
    let entries_read = as_many_as_were_added(entries_read, stream);
    if stream.is_some_and(|stream| stream.group(name).is_some()) {
        return Err(CmdError::text("BUSYGROUP Consumer Group name already exists"));
    }
    if !exists {
        apply(txn, key, StreamOp::Create);
    }
    let op = StreamOp::GroupCreate {
        group: name,
        last_id,
        entries_read,
    };
    apply(txn, key, op);
    txn.notify(Classes::STREAM, "xgroup-create", key);
    reply.ok();
    Ok(())
}

pub(super) const SETID: Spec = Spec {
    since: "5.0.0",
    acl: &["stream"],
    keys: &[key_at(2, &["RW", "update"])],
    summary: "Sets the id up to which a group has read",
    syntax: "key groupname <id | $> [ENTRIESREAD entries_read]",
    ..Spec::new("setid", Group::Stream, -5, Handler::Write(set_id))
};

fn set_id(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (_, entries_read) = parse_options(args, false)?;
    let (key, name) = (args.at(2), args.at(3));
    let stream = stream_with_group(txn, key, name)?;
    if args.len() > 7 {
        return Err(subcommand_syntax("xgroup", args.at(1)));
    }
    let last_id = match args.at(4) {
        b"$" => stream.last_id(),
        id => parse_open_id(id, 0)?,
    };
    let entries_read = as_many_as_were_added(entries_read, Some(stream));
    let op = StreamOp::GroupSetId {
        group: name,
        last_id,
        entries_read,
    };
    apply(txn, key, op);
    txn.notify(Classes::STREAM, "xgroup-setid", key);
    reply.ok();
    Ok(())
}

/// The stream at `key`, which has a group of this name.
pub(super) fn stream_with_group<'a>(
    txn: &'a mut Txn<'_, '_>,
    key: &[u8],
    name: &[u8],
) -> Result<&'a BigStream, CmdError> {
    let stream = old_stream(txn, key)?.ok_or(NO_STREAM)?;
    match stream.group(name) {
        Some(_) => Ok(stream),
        None => Err(no_group(key, name)),
    }
}

/// No group has read more than was ever added.
fn as_many_as_were_added(entries_read: Option<u64>, stream: Option<&BigStream>) -> Option<u64> {
    let added = stream.map_or(0, BigStream::entries_added);
    entries_read.map(|read| read.min(added))
}

/// Whether to make the stream, and how many entries the group has read.
fn parse_options(args: Args<'_>, is_create: bool) -> Result<(bool, Option<u64>), CmdError> {
    let (mut make, mut entries_read) = (false, None);
    let mut at = 5;
    while at < args.len() {
        let option = args.at(at);
        if is_create && option.eq_ignore_ascii_case(b"mkstream") {
            make = true;
            at += 1;
        } else if option.eq_ignore_ascii_case(b"entriesread") && at + 1 < args.len() {
            entries_read = match int_arg(args, at + 1)? {
                -1 => None,
                read => Some(
                    u64::try_from(read)
                        .map_err(|_| CmdError::text("ERR value for ENTRIESREAD must be positive or -1"))?,
                ),
            };
            at += 2;
        } else {
            return Err(subcommand_syntax("xgroup", args.at(1)));
        }
    }
    Ok((make, entries_read))
}

pub(super) const DESTROY: Spec = Spec {
    since: "5.0.0",
    acl: &["stream"],
    keys: &[key_at(2, &["RW", "delete"])],
    summary: "Destroys a group with all that is pending in it",
    complexity: "O(N) where N is the number of entries in the group's pending entries list (PEL).",
    syntax: "key groupname",
    ..Spec::new("destroy", Group::Stream, 4, Handler::Write(destroy))
};

fn destroy(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (key, name) = (args.at(2), args.at(3));
    let stream = old_stream(txn, key)?.ok_or(NO_STREAM)?;
    let exists = stream.group(name).is_some();
    if exists {
        apply(txn, key, StreamOp::GroupDestroy { group: name });
        txn.notify(Classes::STREAM, "xgroup-destroy", key);
    }
    reply.int(i64::from(exists));
    Ok(())
}
