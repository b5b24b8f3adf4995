//! Commands of replication, which this server does not have: they say so, or answer as a Redis without replicas does.

use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Group, Handler, Spec, Support, flag};
use crate::commands::support::number::parse_i64;
use crate::resp::{Args, Reply};

const NONE: CmdError = CmdError::text(
    "ERR this server has no replication: it takes no replicas and follows no master; WAL READ gives its changes",
);
const REFUSED: Support = Support::Partial("there is no replication: refused");

pub(super) const FAILOVER: Spec = Spec {
    since: "6.2.0",
    flags: flag::ADMIN | flag::NO_SCRIPT | flag::STALE,
    summary: "Hands over to a replica, of which there are none",
    syntax: "[TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]",
    support: Support::Partial("there are no replicas, so that it answers Redis's error for that"),
    ..Spec::new("failover", Group::Server, -1, Handler::Session(failover))
};

fn failover(_: &mut SessionCx<'_>, args: Args<'_>, _: &mut Reply) -> Result<Flow, CmdError> {
    const NO_REPLICAS: CmdError = CmdError::text("ERR FAILOVER requires connected replicas.");
    let mut at = 1;
    while let Some(option) = args.get(at) {
        at += match option.to_ascii_lowercase().as_slice() {
            b"abort" if args.len() == 2 => return Err(CmdError::text("ERR No failover in progress.")),
            b"force" => 1,
            b"to" if at + 2 < args.len() => {
                parse_i64(args.at(at + 2)).ok_or(CmdError::NotInteger)?;
                3
            }
            b"timeout" if at + 1 < args.len() => {
                let timeout = parse_i64(args.at(at + 1)).ok_or(CmdError::NotInteger)?;
                if timeout <= 0 {
                    return Err(CmdError::text("ERR FAILOVER timeout must be greater than 0"));
                }
                2
            }
            _ => return Err(CmdError::Syntax),
        };
    }
    Err(NO_REPLICAS)
}

pub(super) const PSYNC: Spec = Spec {
    since: "2.8.0",
    flags: flag::ADMIN | flag::NO_SCRIPT | flag::NO_ASYNC_LOADING | flag::NO_MULTI,
    summary: "Begins replication, which there is none of",
    syntax: "replicationid offset",
    support: REFUSED,
    ..Spec::new("psync", Group::Server, -3, Handler::Session(refuse))
};

pub(super) const REPLCONF: Spec = Spec {
    since: "3.0.0",
    flags: flag::ADMIN | flag::NO_SCRIPT | flag::LOADING | flag::STALE | flag::ALLOW_BUSY,
    summary: "Sets what a replica wants, of which there are none",
    support: REFUSED,
    ..Spec::new("replconf", Group::Server, -1, Handler::Session(refuse))
};

pub(super) const SYNC: Spec = Spec {
    flags: flag::ADMIN | flag::NO_SCRIPT | flag::NO_ASYNC_LOADING | flag::NO_MULTI,
    summary: "Begins replication, which there is none of",
    support: REFUSED,
    ..Spec::new("sync", Group::Server, 1, Handler::Session(refuse))
};

fn refuse(_: &mut SessionCx<'_>, _: Args<'_>, _: &mut Reply) -> Result<Flow, CmdError> {
    Err(NONE)
}

const FOLLOWING: Spec = Spec {
    flags: flag::ADMIN | flag::NO_SCRIPT | flag::STALE | flag::NO_ASYNC_LOADING,
    summary: "Follows a master, which this server cannot; NO ONE changes nothing",
    syntax: "<host port | NO ONE>",
    support: Support::Partial("NO ONE changes nothing, all else is refused"),
    ..Spec::new("replicaof", Group::Server, 3, Handler::Session(replicaof))
};

pub(super) const REPLICAOF: Spec = Spec {
    since: "5.0.0",
    ..FOLLOWING
};

pub(super) const SLAVEOF: Spec = Spec {
    name: "slaveof",
    ..FOLLOWING
};

fn replicaof(_: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if args.at(1).eq_ignore_ascii_case(b"no") && args.at(2).eq_ignore_ascii_case(b"one") {
        reply.ok();
        return Ok(Flow::Done);
    }
    if !parse_i64(args.at(2)).is_some_and(|port| (0..=65_535).contains(&port)) {
        return Err(CmdError::text("ERR Invalid master port"));
    }
    Err(NONE)
}
