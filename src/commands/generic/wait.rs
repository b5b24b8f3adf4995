//! WAIT: waits until replicas have what the connection wrote. There are no replicas, so that it answers 0: at once when
//! none are asked for, else when the time is over.

use std::time::Duration;

use crate::client::{HasEnded, Unblocked};
use crate::commands::blocking::{UNBLOCKED, sleep};
use crate::commands::context::{MaintenanceCx, SessionCx};
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting};
use crate::commands::spec::{Group, Handler, Maintenance, Spec, flag};
use crate::commands::support::number::parse_i64;
use crate::resp::{Args, Reply};

pub(super) const WAIT: Spec = Spec {
    since: "3.0.0",
    flags: flag::NO_SCRIPT,
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

/// The replicas asked for, and the time in milliseconds.
fn parse(args: Args<'_>) -> Result<(i64, u64), CmdError> {
    let replicas = parse_i64(args.at(1)).ok_or(CmdError::NotInteger)?;
    let timeout_ms = parse_i64(args.at(2)).ok_or(CmdError::text("ERR timeout is not an integer or out of range"))?;
    let timeout_ms = u64::try_from(timeout_ms).map_err(|_| CmdError::text("ERR timeout is negative"))?;
    Ok((replicas, timeout_ms))
}

/// Inside a transaction nothing is waited for.
fn wait_not(_: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    parse(args)?;
    reply.int(0);
    Ok(Flow::Done)
}

fn wait(cx: &mut MaintenanceCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let (replicas, timeout_ms) = parse(args)?;
    if replicas <= 0 {
        reply.int(0);
        return Ok(Flow::Done);
    }
    let waiter = cx.client.handle.block();
    Ok(Flow::Blocked(Box::pin(async move {
        let timeout = (timeout_ms > 0).then(|| Duration::from_millis(timeout_ms));
        if waiter.until(sleep(timeout)).await == Err(HasEnded::Unblocked(Unblocked::Refused)) {
            return Err(UNBLOCKED);
        }
        let late: LateReply = Box::new(|reply| reply.int(0));
        Ok(late)
    })))
}
