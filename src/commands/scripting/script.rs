//! SCRIPT: the scripts that are cached.

use super::busy::end_scripts;
use super::find;
use crate::commands::context::{Scripting, SessionCx};
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::help::help_spec;
use crate::commands::spec::{CmdResult, Group, Handler, Spec, assert_sorted, flag};
use crate::resp::{Args, Reply};

pub(super) const SCRIPT: Spec = Spec {
    since: "2.6.0",
    summary: "Contains commands about cached scripts",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Spec::new("script", Group::Scripting, -2, Handler::Container)
};

const SUBCOMMANDS: &[Spec] = &[
    DEBUG,
    EXISTS,
    FLUSH,
    help_spec(Group::Scripting, "5.0.0", &["scripting"]),
    KILL,
    LOAD,
    SHOW,
];

const _: () = assert_sorted(SUBCOMMANDS);

const fn spec(name: &'static str, arity: i32, handler: Handler) -> Spec {
    Spec {
        since: "2.6.0",
        flags: flag::NO_SCRIPT,
        acl: &["scripting"],
        ..Spec::new(name, Group::Scripting, arity, handler)
    }
}

const DEBUG: Spec = Spec {
    since: "3.2.0",
    summary: "Sets the debug mode of scripts, of which there is none",
    syntax: "<YES | SYNC | NO>",
    support: crate::commands::spec::Support::Partial("there is no debugger: only NO is accepted"),
    ..spec("debug", 3, Handler::Session(debug))
};

fn debug(_cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let mode = args.at(2);
    if mode.eq_ignore_ascii_case(b"no") {
        reply.ok();
        return Ok(Flow::Done);
    }
    Err(
        if mode.eq_ignore_ascii_case(b"yes") || mode.eq_ignore_ascii_case(b"sync") {
            CmdError::text("ERR This server has no debugger for scripts")
        } else {
            CmdError::text("ERR Use SCRIPT DEBUG YES/SYNC/NO")
        },
    )
}

const EXISTS: Spec = Spec {
    tips: &["request_policy:all_shards", "response_policy:agg_logical_and"],
    summary: "Tells which scripts are cached",
    complexity: "O(N) where N is the number of scripts asked for",
    syntax: "sha1 [sha1 ...]",
    ..spec("exists", -3, Handler::Session(exists))
};

fn exists(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let digests = args.skip(2);
    reply.array(digests.len());
    for digest in digests.iter() {
        let is_there = find::by_digest(&cx.server.scripts, digest).is_some();
        reply.int(i64::from(is_there));
    }
    Ok(Flow::Done)
}

const FLUSH: Spec = Spec {
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    summary: "Lets go of all cached scripts",
    complexity: "O(N) with N being the number of scripts in cache",
    syntax: "[ASYNC | SYNC]",
    ..spec("flush", -2, Handler::Session(flush))
};

fn flush(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let is_mode = |arg: &[u8]| arg.eq_ignore_ascii_case(b"async") || arg.eq_ignore_ascii_case(b"sync");
    if args.len() > 3 || !args.get(2).is_none_or(is_mode) {
        return Err(CmdError::text("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    cx.server.scripts.flush();
    reply.ok();
    Ok(Flow::Done)
}

const KILL: Spec = Spec {
    flags: flag::NO_SCRIPT | flag::ALLOW_BUSY,
    tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
    summary: "Ends the script that is running",
    while_busy: Some(|cx, _, reply| end_scripts(cx.server, false, reply)),
    ..spec("kill", 2, Handler::Session(kill))
};

fn kill(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    end_scripts(cx.server, false, reply).map(|()| Flow::Done)
}

const LOAD: Spec = Spec {
    flags: flag::NO_SCRIPT | flag::STALE,
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    summary: "Caches a script, and returns its SHA1 digest",
    complexity: "O(N) with N being the length in bytes of the script body",
    syntax: "script",
    ..spec("load", 3, Handler::Script(load))
};

fn load(cx: &mut dyn Scripting, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let script = find::by_body(cx, args.at(2), true)?;
    reply.bulk(script.sha.to_string().as_bytes());
    Ok(())
}

const SHOW: Spec = Spec {
    since: "8.0.0",
    flags: flag::NO_SCRIPT | flag::STALE,
    summary: "Returns a cached script",
    syntax: "sha1",
    ..spec("show", 3, Handler::Session(show))
};

fn show(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    // In Valkey's words, which has it.
    let script = find::by_digest(&cx.server.scripts, args.at(2));
    let script = script.ok_or(CmdError::text("NOSCRIPT No matching script."))?;
    reply.bulk(&script.body);
    Ok(Flow::Done)
}
