//! Holds on the files of checkpoints and of the log, for a program that copies them: `CHECKPOINT HOLD | RENEW |
//! RELEASE`.
//!
//! **Invariant:** a hold has a time at which it ends, an hour from now at most.

use std::sync::Arc;
use std::time::Duration;

use super::FLAGS;
use super::snapshots::{ask, spec};
use crate::checkpoint::{Checkpointer, Held};
use crate::commands::context::{MaintenanceCx, SessionCx};
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, Waiting};
use crate::commands::spec::{Group, Handler, Maintenance, Spec};
use crate::commands::support::number::parse_u64;
use crate::resp::{Args, Reply};

const NAME_BYTES_MAX: usize = 64;
const TIME_MS_MAX: u64 = 3_600_000;

/// `CHECKPOINT HOLD name milliseconds`
pub const HOLD: Spec = Spec {
    summary: "Keeps all files of checkpoints and of the log for a time, and makes the log stable; tells where they are",
    complexity: "O(1), and the time that the disk takes to sync the log.",
    ..spec(
        "hold",
        4,
        "name milliseconds",
        Handler::Maintenance(Maintenance::new(hold)),
    )
};

/// `CHECKPOINT RENEW name milliseconds`
pub const RENEW: Spec = Spec {
    complexity: "O(1)",
    ..at_once(
        "renew",
        4,
        "name milliseconds",
        "Has a hold last for a time from now on; tells whether it was still there",
        renew,
    )
};

/// `CHECKPOINT RELEASE name`
pub const RELEASE: Spec = Spec {
    complexity: "O(1)",
    ..at_once(
        "release",
        3,
        "name",
        "Ends a hold; tells whether it was still there",
        release,
    )
};

const fn at_once(
    name: &'static str,
    arity: i32,
    syntax: &'static str,
    summary: &'static str,
    handler: fn(&mut SessionCx<'_>, Args<'_>, &mut Reply) -> Result<Flow, CmdError>,
) -> Spec {
    Spec {
        since: "0.1.0",
        flags: FLAGS,
        syntax,
        summary,
        ..Spec::new(name, Group::Collection, arity, Handler::Session(handler))
    }
}

fn name_of(arg: &[u8]) -> Result<&[u8], CmdError> {
    if arg.is_empty() || arg.len() > NAME_BYTES_MAX {
        return Err(CmdError::text("ERR the name of a hold has 1 to 64 bytes"));
    }
    Ok(arg)
}

fn time_of(arg: &[u8]) -> Result<Duration, CmdError> {
    let time = parse_u64(arg).filter(|ms| (1..=TIME_MS_MAX).contains(ms));
    time.map(Duration::from_millis)
        .ok_or(CmdError::text("ERR a hold lasts 1 to 3600000 milliseconds"))
}

fn hold(cx: &mut MaintenanceCx<'_>, args: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let (name, time) = (name_of(args.at(2))?.to_vec(), time_of(args.at(3))?);
    let data_dir = cx.server.params.config().storage.data_path();
    let data_dir = std::path::absolute(&data_dir).unwrap_or(data_dir);
    let act = async move |checkpoints: Arc<Checkpointer>| checkpoints.hold(&name, time).await;
    ask(cx, act, move |reply, held: Held| {
        reply.map(6);
        reply.bulk(b"lsn");
        match held.lsn {
            Some(lsn) => reply.int(lsn.get() as i64),
            None => reply.null(),
        }
        reply.bulk(b"time-ms");
        reply.int(held.wall_ms as i64);
        let texts = [
            ("data-set", format!("{:032x}", held.data_set)),
            ("data-dir", data_dir.display().to_string()),
            ("checkpoint-dir", held.checkpoint_dir.display().to_string()),
            ("wal-dir", held.wal_dir.display().to_string()),
        ];
        for (name, text) in texts {
            reply.bulk(name.as_bytes());
            reply.bulk(text.as_bytes());
        }
    })
}

fn renew(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let (name, time) = (name_of(args.at(2))?, time_of(args.at(3))?);
    reply.int(i64::from(cx.server.checkpoints.renew_hold(name, time)));
    Ok(Flow::Done)
}

fn release(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let name = name_of(args.at(2))?;
    reply.int(i64::from(cx.server.checkpoints.release_hold(name)));
    Ok(Flow::Done)
}
