//! CLIENT subcommands that change how the server treats clients.

use std::sync::atomic::Ordering;

use super::common::{ADMIN, OWN, either};
use crate::client::Unblocked;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::help::subcommand_syntax;
use crate::commands::spec::{Group, Handler, Spec, Support};
use crate::commands::support::number::parse_i64;
use crate::resp::{Args, Reply, Wants};

pub(super) const IMPORT_SOURCE: Spec = Spec {
    since: "8.1.0",
    flags: OWN,
    acl: &["connection"],
    summary: "Marks the connection as a source of an import, which this server does not have",
    syntax: "<ON | OFF>",
    support: Support::Partial("there is no import mode, so that ON answers Valkey's error for that"),
    ..Spec::new("import-source", Group::Connection, 3, Handler::Session(import_source))
};

fn import_source(_cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if !args.at(2).eq_ignore_ascii_case(b"off") {
        return Err(CmdError::text("ERR Server is not in import mode"));
    }
    reply.ok();
    Ok(Flow::Done)
}

pub(super) const NO_EVICT: Spec = Spec {
    since: "7.0.0",
    flags: ADMIN,
    acl: &["connection"],
    summary: "Sets whether the connection is spared when clients are evicted",
    syntax: "<ON | OFF>",
    ..Spec::new("no-evict", Group::Connection, 3, Handler::Session(no_evict))
};

fn no_evict(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let on = either(args.at(2), "on", "off").ok_or(CmdError::Syntax)?;
    cx.client.handle.no_evict.store(on, Ordering::Relaxed);
    reply.ok();
    Ok(Flow::Done)
}

pub(super) const NO_TOUCH: Spec = Spec {
    since: "7.2.0",
    flags: OWN,
    acl: &["connection"],
    summary: "Sets whether the connection's reads leave the access clock of keys alone",
    syntax: "<ON | OFF>",
    ..Spec::new("no-touch", Group::Connection, 3, Handler::Session(no_touch))
};

fn no_touch(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let on = either(args.at(2), "on", "off").ok_or(CmdError::Syntax)?;
    cx.client.handle.no_touch.store(on, Ordering::Relaxed);
    reply.ok();
    Ok(Flow::Done)
}

pub(super) const PAUSE: Spec = Spec {
    since: "3.0.0",
    flags: ADMIN,
    acl: &["connection"],
    summary: "Lets commands of all clients wait for some time",
    syntax: "timeout [WRITE | ALL]",
    ..Spec::new("pause", Group::Connection, -3, Handler::Session(pause))
};

fn pause(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if args.len() > 4 {
        return Err(subcommand_syntax("client", args.at(1)));
    }
    const BAD_MODE: CmdError = CmdError::text("ERR CLIENT PAUSE mode must be WRITE or ALL");
    let all = args.get(3).map_or(Some(true), |mode| either(mode, "all", "write"));
    let all = all.ok_or(BAD_MODE)?;
    let timeout_ms = parse_i64(args.at(2)).ok_or(CmdError::text("ERR timeout is not an integer or out of range"))?;
    let timeout_ms = u64::try_from(timeout_ms).map_err(|_| CmdError::text("ERR timeout is negative"))?;
    let now_ms = cx.kit.now_ms();
    let until_ms = now_ms.saturating_add(timeout_ms);
    if i64::try_from(until_ms).is_err() {
        return Err(CmdError::text("ERR timeout is out of range"));
    }
    let engine = &cx.server.engine;
    cx.server
        .pause
        .set((until_ms, all), now_ms, |until_ms| engine.hold_expiry(until_ms));
    reply.ok();
    Ok(Flow::Done)
}

pub(super) const UNPAUSE: Spec = Spec {
    since: "6.2.0",
    flags: ADMIN,
    acl: &["connection"],
    summary: "Ends CLIENT PAUSE",
    complexity: "O(N) Where N is the number of paused clients",
    ..Spec::new("unpause", Group::Connection, 2, Handler::Session(unpause))
};

fn unpause(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let engine = &cx.server.engine;
    cx.server.pause.clear(|| engine.hold_expiry(0));
    reply.ok();
    Ok(Flow::Done)
}

pub(super) const REPLY: Spec = Spec {
    since: "3.2.0",
    flags: OWN,
    acl: &["connection"],
    summary: "Sets whether the connection gets replies",
    syntax: "<ON | OFF | SKIP>",
    ..Spec::new("reply", Group::Connection, 3, Handler::Session(set_reply))
};

fn set_reply(_cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    match args.at(2).to_ascii_lowercase().as_slice() {
        b"on" => {
            reply.set_wants(Wants::All);
            reply.ok();
        }
        b"off" => reply.set_wants(Wants::Nothing),
        // Without replies there is none to skip.
        b"skip" if reply.wants() == Wants::Nothing => {}
        b"skip" => reply.set_wants(Wants::SkipsNext),
        _ => return Err(CmdError::Syntax),
    }
    Ok(Flow::Done)
}

pub(super) const UNBLOCK: Spec = Spec {
    since: "5.0.0",
    flags: ADMIN,
    acl: &["connection"],
    summary: "Ends another connection's blocking command",
    complexity: "O(log N) where N is the number of client connections",
    syntax: "client-id [TIMEOUT | ERROR]",
    ..Spec::new("unblock", Group::Connection, -3, Handler::Session(unblock))
};

fn unblock(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if args.len() > 4 {
        return Err(subcommand_syntax("client", args.at(1)));
    }
    const BAD_REASON: CmdError = CmdError::text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    let times_out = args
        .get(3)
        .map_or(Some(true), |reason| either(reason, "timeout", "error"));
    let how = if times_out.ok_or(BAD_REASON)? {
        Unblocked::TimedOut
    } else {
        Unblocked::Refused
    };
    let id = parse_i64(args.at(2)).ok_or(CmdError::NotInteger)?;
    let client = u64::try_from(id).ok().and_then(|id| cx.server.clients.get(id));
    reply.int(i64::from(client.is_some_and(|client| client.unblock(how))));
    Ok(Flow::Done)
}
