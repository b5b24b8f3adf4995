//! WAIT and WAITAOF: until replicas have what the connection wrote, or the log's sync has reached it. There are no
//! replicas, so that whoever waits for some waits until the time is over.

use std::sync::Arc;
use std::time::Duration;

use crate::client::{HasEnded, Unblocked};
use crate::commands::blocking::{UNBLOCKED, sleep, timeout_ms};
use crate::commands::context::{MaintenanceCx, SessionCx};
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting};
use crate::commands::spec::{Group, Handler, Maintenance, Spec, flag};
use crate::commands::support::number::parse_i64;
use crate::engine::Engine;
use crate::lsn::Lsn;
use crate::resp::{Args, Reply};

pub(super) const WAIT: Spec = Spec {
    since: "3.0.0",
    flags: flag::BLOCKING,
    acl: &["connection"],
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    summary: "Waits until replicas have got what this connection wrote",
    syntax: "numreplicas timeout",
    ..Spec::new(
        "wait",
        Group::Generic,
        3,
        Handler::Maintenance(Maintenance {
            run: wait,
            in_multi: Some(|_| Some(wait_not)),
        }),
    )
};

/// The replicas asked for, and how long they are waited for.
fn parse(args: Args<'_>) -> Result<(i64, Option<Duration>), CmdError> {
    let replicas = parse_i64(args.at(1)).ok_or(CmdError::NotInteger)?;
    Ok((replicas, timeout_ms(args.at(2))?))
}

/// Inside a transaction nothing is waited for.
fn wait_not(_: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    parse(args)?;
    reply.int(0);
    Ok(Flow::Done)
}

fn wait(cx: &mut MaintenanceCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let (replicas, timeout) = parse(args)?;
    if replicas <= 0 {
        reply.int(0);
        return Ok(Flow::Done);
    }
    let waiter = cx.client.handle.block();
    Ok(Flow::Blocked(Box::pin(async move {
        if waiter.until(sleep(timeout)).await == Err(HasEnded::Unblocked(Unblocked::Refused)) {
            return Err(UNBLOCKED);
        }
        let late: LateReply = Box::new(|_, reply| reply.int(0));
        Ok(late)
    })))
}

pub(super) const WAITAOF: Spec = Spec {
    since: "7.2.0",
    flags: flag::BLOCKING,
    acl: &["connection"],
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    summary: "Waits until the log's sync has reached what this connection wrote",
    syntax: "numlocal numreplicas timeout",
    ..Spec::new(
        "waitaof",
        Group::Generic,
        4,
        Handler::Maintenance(Maintenance {
            run: waitaof,
            in_multi: Some(|_| Some(waitaof_not)),
        }),
    )
};

/// What WAITAOF waits for.
struct Awaited {
    is_local: bool,
    are_replicas: bool,
    timeout: Option<Duration>,
}

fn parse_aof(engine: &Engine, args: Args<'_>) -> Result<Awaited, CmdError> {
    let local = parse_i64(args.at(1)).ok_or(CmdError::NotInteger)?;
    if !(0..=1).contains(&local) {
        return Err(CmdError::text("ERR value is out of range, value must between 0 and 1"));
    }
    let replicas = parse_i64(args.at(2)).filter(|replicas| *replicas >= 0);
    let replicas = replicas.ok_or(CmdError::text("ERR value is out of range, must be positive"))?;
    let timeout = timeout_ms(args.at(3))?;
    if local > 0 && !engine.wal().is_enabled() {
        return Err(CmdError::text(
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
        ));
    }
    Ok(Awaited {
        is_local: local > 0,
        are_replicas: replicas > 0,
        timeout,
    })
}

/// Whether the log's sync has reached this record.
fn is_synced(engine: &Engine, written: Lsn) -> bool {
    engine.wal().is_enabled() && engine.wal().stable_lsn() >= written
}

fn write_reached(reply: &mut Reply, is_synced: bool) {
    reply.array(2);
    reply.int(i64::from(is_synced));
    reply.int(0);
}

/// Inside a transaction nothing is waited for; what that has written is not asked after, since its record has not
/// ended.
fn waitaof_not(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    parse_aof(&cx.server.engine, args)?;
    write_reached(reply, is_synced(&cx.server.engine, cx.client.handle.written_lsn()));
    Ok(Flow::Done)
}

fn waitaof(cx: &mut MaintenanceCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let engine = Arc::clone(&cx.server.engine);
    let awaited = parse_aof(&engine, args)?;
    // In this turn, or before.
    let written = cx.client.handle.written_lsn().max(cx.worker.dependencies().written);
    let is_reached = !awaited.is_local || is_synced(&engine, written);
    if is_reached && !awaited.are_replicas {
        write_reached(reply, is_synced(&engine, written));
        return Ok(Flow::Done);
    }
    let waiter = cx.client.handle.block();
    Ok(Flow::Blocked(Box::pin(async move {
        let event = async {
            let reached = async {
                // A log that is closed is as one that never gets so far.
                let is_stable = engine.wal().make_stable(written).await.is_ok();
                if !is_stable || awaited.are_replicas {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = reached => {}
                () = sleep(awaited.timeout) => {}
            }
        };
        if waiter.until(event).await == Err(HasEnded::Unblocked(Unblocked::Refused)) {
            return Err(UNBLOCKED);
        }
        let is_synced = is_synced(&engine, written);
        let late: LateReply = Box::new(move |_, reply| write_reached(reply, is_synced));
        Ok(late)
    })))
}
