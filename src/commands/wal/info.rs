//! `WAL INFO`: how far the log reaches and what it takes.

use super::enabled_wal;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Group, Handler, Spec, flag};
use crate::resp::{Args, Reply};
use crate::wal::Fsync;

/// `WAL INFO`
pub const INFO: Spec = Spec {
    since: "0.1.0",
    flags: flag::ADMIN | flag::NO_SCRIPT,
    tips: &["nondeterministic_output"],
    summary: "Tells the oldest, last, written, stable and visible LSN, the segments and their bytes",
    complexity: "O(N) where N is the number of segments.",
    ..Spec::new("info", Group::Collection, 2, Handler::Session(info))
};

fn info(cx: &mut SessionCx<'_>, _: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let wal = enabled_wal(cx.server)?;
    let stats = wal.stats();
    let numbers = [
        ("oldest-lsn", wal.first_lsn().get()),
        ("last-lsn", stats.last_lsn.get()),
        ("written-lsn", stats.written_lsn.get()),
        ("stable-lsn", stats.stable_lsn.get()),
        ("visible-lsn", wal.visible_lsn().get()),
        ("segments", stats.segments),
        ("bytes", stats.disk_bytes),
        ("pending-bytes", stats.pending_bytes),
    ];
    reply.map(numbers.len() + 2);
    for (name, number) in numbers {
        reply.bulk(name.as_bytes());
        reply.int(number as i64);
    }
    reply.bulk(b"fsync");
    reply.bulk(match wal.fsync() {
        Fsync::Always => b"always",
        Fsync::EverySec => b"everysec",
        Fsync::No => b"no",
    });
    reply.bulk(b"failure");
    match wal.failure() {
        Some(why) => reply.bulk(why.as_bytes()),
        None => reply.null(),
    }
    Ok(Flow::Done)
}
