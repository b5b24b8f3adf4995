//! The checkpoints that are kept: `CHECKPOINT LIST | INFO | VERIFY | DELETE | PIN | UNPIN | DIFF`.
//!
//! They wait for a checkpoint that is being taken, since one thread does both.

use std::future::Future;
use std::sync::Arc;

use super::{FLAGS, error};
use crate::checkpoint::{
    CheckpointError, Checkpointer, Difference, Snapshot, SnapshotCollection, SnapshotId, Verified,
};
use crate::commands::context::MaintenanceCx;
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting};
use crate::commands::spec::{Access, Group, Handler, Maintenance, Spec};
use crate::commands::support::number::parse_u64;
use crate::resp::{Args, Reply};

pub(super) const fn spec(name: &'static str, arity: i32, syntax: &'static str, handler: Handler) -> Spec {
    Spec {
        since: "0.1.0",
        flags: FLAGS,
        syntax,
        ..Spec::new(name, Group::Collection, arity, handler)
    }
}

/// `CHECKPOINT DELETE id`
pub const DELETE: Spec = Spec {
    summary: "Deletes a checkpoint that is neither the newest nor pinned, and the files that only it needs",
    complexity: "O(N) where N is the number of checkpoints and page files.",
    ..spec(
        "delete",
        3,
        "<id | LATEST>",
        Handler::Maintenance(Maintenance::new(delete)),
    )
};

/// `CHECKPOINT DIFF id1 id2`
pub const DIFF: Spec = Spec {
    unnamed: Access::of(&["RO", "access"]),
    summary: "Tells which collections differ between two checkpoints, and in how many pages and keys",
    complexity: "O(N) where N is the number of pages, of which only those that differ are read.",
    ..spec(
        "diff",
        4,
        "<id | LATEST> <id | LATEST>",
        Handler::Maintenance(Maintenance::new(diff)),
    )
};

/// `CHECKPOINT INFO id`
pub const INFO: Spec = Spec {
    summary: "Describes a checkpoint and the collections in it",
    complexity: "O(N) where N is the number of pages.",
    ..spec("info", 3, "<id | LATEST>", Handler::Maintenance(Maintenance::new(info)))
};

/// `CHECKPOINT LIST`
pub const LIST: Spec = Spec {
    summary: "Lists the checkpoints that are kept, newest last",
    complexity: "O(N) where N is the number of checkpoints.",
    ..spec("list", 2, "", Handler::Maintenance(Maintenance::new(list)))
};

/// `CHECKPOINT PIN id`
pub const PIN: Spec = Spec {
    summary: "Keeps a checkpoint until it is unpinned, whatever its age",
    ..spec("pin", 3, "<id | LATEST>", Handler::Maintenance(Maintenance::new(pin)))
};

/// `CHECKPOINT UNPIN id`
pub const UNPIN: Spec = Spec {
    summary: "Lets a checkpoint go when its time comes",
    ..spec(
        "unpin",
        3,
        "<id | LATEST>",
        Handler::Maintenance(Maintenance::new(unpin)),
    )
};

/// `CHECKPOINT VERIFY id`
pub const VERIFY: Spec = Spec {
    summary: "Reads a checkpoint back and tells what is wrong with it, with file and byte",
    complexity: "O(N) where N is the number of keys.",
    ..spec(
        "verify",
        3,
        "<id | LATEST>",
        Handler::Maintenance(Maintenance::new(verify)),
    )
};

fn id_of(arg: &[u8]) -> Result<SnapshotId, CmdError> {
    if arg.eq_ignore_ascii_case(b"latest") {
        return Ok(SnapshotId::Latest);
    }
    let number = parse_u64(arg).filter(|number| *number > 0);
    number
        .map(SnapshotId::Number)
        .ok_or(CmdError::text("ERR a checkpoint is named by its number or LATEST"))
}

/// Waits for what the checkpointer's thread finds, then writes it.
pub(super) fn ask<T: 'static, F: Future<Output = Result<T, CheckpointError>>>(
    cx: &MaintenanceCx<'_>,
    act: impl FnOnce(Arc<Checkpointer>) -> F + 'static,
    write: impl FnOnce(&mut Reply, T) + 'static,
) -> Result<Flow<Waiting>, CmdError> {
    let checkpoints = Arc::clone(&cx.server.checkpoints);
    Ok(Flow::Later(Box::pin(async move {
        let found = act(checkpoints).await.map_err(error)?;
        let late: LateReply = Box::new(move |_, reply| write(reply, found));
        Ok(late)
    })))
}

fn list(cx: &mut MaintenanceCx<'_>, _: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let act = async |checkpoints: Arc<Checkpointer>| checkpoints.snapshots().await;
    ask(cx, act, |reply, snapshots| {
        reply.array(snapshots.len());
        for snapshot in &snapshots {
            let fields = numbers(snapshot);
            reply.map(fields.len());
            write_numbers(reply, &fields);
        }
    })
}

fn info(cx: &mut MaintenanceCx<'_>, args: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let id = id_of(args.at(2))?;
    let act = async move |checkpoints: Arc<Checkpointer>| checkpoints.snapshot(id).await;
    ask(cx, act, |reply, content| {
        let fields = numbers(&content.snapshot);
        reply.map(fields.len() + 2);
        write_numbers(reply, &fields);
        reply.bulk(b"collections");
        reply.array(content.collections.len());
        content
            .collections
            .iter()
            .for_each(|collection| write_collection(reply, collection));
        reply.bulk(b"libraries");
        reply.array(content.libraries.len());
        for library in &content.libraries {
            reply.map(2);
            reply.bulk(b"name");
            reply.bulk(&library.name);
            write_numbers(reply, &[("bytes", library.bytes)]);
        }
    })
}

fn verify(cx: &mut MaintenanceCx<'_>, args: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let id = id_of(args.at(2))?;
    let act = async move |checkpoints: Arc<Checkpointer>| checkpoints.verify_snapshot(id).await;
    ask(
        cx,
        act,
        |reply,
         Verified {
             id,
             pages,
             keys,
             faults,
         }| {
            reply.map(4);
            write_numbers(reply, &[("id", id), ("pages", pages), ("keys", keys)]);
            reply.bulk(b"faults");
            reply.array(faults.len());
            faults.iter().for_each(|fault| reply.bulk(fault.as_bytes()));
        },
    )
}

fn delete(cx: &mut MaintenanceCx<'_>, args: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let id = id_of(args.at(2))?;
    let act = async move |checkpoints: Arc<Checkpointer>| checkpoints.delete_snapshot(id).await;
    ask(cx, act, |reply, ()| reply.ok())
}

fn pin(cx: &mut MaintenanceCx<'_>, args: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    set_pinned(cx, args, true)
}

fn unpin(cx: &mut MaintenanceCx<'_>, args: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    set_pinned(cx, args, false)
}

fn set_pinned(cx: &MaintenanceCx<'_>, args: Args<'_>, is_pinned: bool) -> Result<Flow<Waiting>, CmdError> {
    let id = id_of(args.at(2))?;
    let act = async move |checkpoints: Arc<Checkpointer>| checkpoints.pin_snapshot(id, is_pinned).await;
    ask(cx, act, |reply, ()| reply.ok())
}

fn diff(cx: &mut MaintenanceCx<'_>, args: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let (first, second) = (id_of(args.at(2))?, id_of(args.at(3))?);
    let act = async move |checkpoints: Arc<Checkpointer>| checkpoints.compare_snapshots(first, second).await;
    ask(cx, act, |reply, compared| {
        reply.array(compared.collections.len() + compared.libraries.len());
        compared
            .collections
            .iter()
            .for_each(|difference| write_difference(reply, difference));
        for library in &compared.libraries {
            reply.map(2);
            reply.bulk(b"library");
            reply.bulk(&library.name);
            write_sides(reply, library.is_in_first, library.is_in_second);
        }
    })
}

fn numbers(snapshot: &Snapshot) -> [(&'static str, u64); 10] {
    [
        ("id", snapshot.id),
        ("lsn", snapshot.lsn.get()),
        ("time-ms", snapshot.wall_ms),
        ("keys", snapshot.keys),
        ("pages", snapshot.pages),
        ("written-pages", snapshot.written_pages),
        ("written-bytes", snapshot.written_bytes),
        ("referenced-bytes", snapshot.referenced_bytes),
        ("page-files", snapshot.page_files),
        ("pinned", u64::from(snapshot.is_pinned)),
    ]
}

fn write_numbers(reply: &mut Reply, fields: &[(&str, u64)]) {
    for (name, number) in fields {
        reply.bulk(name.as_bytes());
        reply.int(*number as i64);
    }
}

fn write_collection(reply: &mut Reply, collection: &SnapshotCollection) {
    reply.map(6);
    reply.bulk(b"name");
    reply.bulk(collection.name.as_bytes());
    reply.bulk(b"kind");
    reply.bulk(collection.kind.name().as_bytes());
    let SnapshotCollection {
        id, keys, pages, bytes, ..
    } = *collection;
    write_numbers(
        reply,
        &[
            ("id", u64::from(id.get())),
            ("keys", keys),
            ("pages", pages),
            ("bytes", bytes),
        ],
    );
}

fn write_difference(reply: &mut Reply, difference: &Difference) {
    reply.map(7);
    reply.bulk(b"name");
    reply.bulk(difference.name.as_bytes());
    write_sides(reply, difference.is_in_first, difference.is_in_second);
    write_numbers(
        reply,
        &[
            ("pages-first", difference.pages_first),
            ("pages-second", difference.pages_second),
            ("keys-added", difference.added),
            ("keys-removed", difference.removed),
            ("keys-changed", difference.changed),
        ],
    );
}

/// In which of two checkpoints something is.
fn write_sides(reply: &mut Reply, is_in_first: bool, is_in_second: bool) {
    reply.bulk(b"in");
    reply.bulk(match (is_in_first, is_in_second) {
        (true, false) => b"first",
        (false, true) => b"second",
        _ => b"both",
    });
}
