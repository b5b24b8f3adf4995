//! DEBUG: for tests of clients and servers; refused unless `server.enable_debug_command` allows it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::reload::reload_values;
use crate::client::Client;
use crate::commands::context::{MaintenanceCx, SessionCx};
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting, late_ok};
use crate::commands::generic::encoding_of;
use crate::commands::help::{subcommand_syntax, write_help};
use crate::commands::spec::{Group, Handler, Maintenance, Spec, Support, flag};
use crate::config::values::DebugCommand;
use crate::glob::{Case, glob_match};
use crate::page::Entry;
use crate::resp::{Args, Reply};
use crate::state::Server;

pub(super) const DEBUG: Spec = Spec {
    flags: flag::ADMIN | flag::NO_SCRIPT | flag::LOADING | flag::STALE,
    summary: "A container for commands that tests need",
    complexity: "Depends on subcommand.",
    syntax: "subcommand [argument [argument ...]]",
    support: Support::Partial("the subcommands that DEBUG HELP lists; SLEEP holds up its own connection only (D6)"),
    ..Spec::new(
        "debug",
        Group::Server,
        -2,
        Handler::Maintenance(Maintenance {
            run: debug,
            in_multi: Some(|args| (!is(args, b"reload")).then_some(debug_in_multi)),
        }),
    )
};

const REFUSED: CmdError = CmdError::text(
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a \
     local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
);

/// Subcommands with their syntax, for HELP.
const HELP: &[(&str, &str, &str)] = &[
    ("change-repl-id", "", "Accepted without effect"),
    ("error", "<string>", "Answers an error with this text"),
    ("jmap", "", "Accepted without effect"),
    ("log", "<message>", "Writes the message to the log"),
    ("object", "<key>", "Describes the value of a key"),
    ("quicklist-packed-threshold", "<size>", "Accepted without effect"),
    (
        "reload",
        "[option ...]",
        "Writes all values in Redis's format, reads them back, and takes a checkpoint unless NOSAVE",
    ),
    (
        "set-active-expire",
        "<0|1>",
        "Stops or starts the sweep for expired keys",
    ),
    ("sleep", "<seconds>", "Answers after this time"),
    (
        "stringmatch-len",
        "<len> <pattern>",
        "Matches a long text of the letter x",
    ),
];

fn is(args: Args<'_>, subcommand: &[u8]) -> bool {
    args.get(1).is_some_and(|name| name.eq_ignore_ascii_case(subcommand))
}

fn debug(cx: &mut MaintenanceCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    check_allowed(cx.server, cx.client)?;
    let needs_data = is(args, b"reload") || is(args, b"object");
    match args.len() {
        _ if needs_data && cx.worker.awaits_data() => Err(CmdError::LOADING),
        3 if is(args, b"sleep") => Ok(sleep(args.at(2))),
        _ if is(args, b"reload") => reload(cx, args),
        _ => cx.as_session(|cx| at_once(cx, args, reply)).map(Flow::may_wait),
    }
}

/// Inside a transaction SLEEP holds everybody up, as in Redis.
fn debug_in_multi(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    check_allowed(cx.server, cx.client)?;
    if args.len() != 3 || !is(args, b"sleep") {
        return at_once(cx, args, reply);
    }
    std::thread::sleep(seconds(args.at(2)));
    reply.ok();
    Ok(Flow::Done)
}

/// The subcommands that neither wait nor need the engine alone.
fn at_once(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let name = args.at(1).to_ascii_lowercase();
    match (name.as_slice(), args.len()) {
        (b"help", 2) => write_help(reply, "debug", HELP.iter().copied()),
        (b"change-repl-id" | b"jmap", 2) | (b"quicklist-packed-threshold", 3) => reply.ok(),
        (b"error", 3) => return Err(error_text(args.at(2))),
        (b"log", 3) => {
            tracing::warn!("DEBUG LOG: {}", String::from_utf8_lossy(args.at(2)));
            reply.ok();
        }
        (b"object", 3..) => object(cx, args.at(2), reply)?,
        (b"set-active-expire", 3) => {
            cx.server.active_expire.store(args.at(2) != b"0", Ordering::Relaxed);
            reply.ok();
        }
        (b"stringmatch-len", 4) => stringmatch(args.at(2), args.at(3), reply)?,
        _ => return Err(subcommand_syntax("debug", args.at(1))),
    }
    Ok(Flow::Done)
}

fn check_allowed(server: &Server, client: &Client) -> Result<(), CmdError> {
    let is_allowed = match server.params.config().server.enable_debug_command {
        DebugCommand::No => false,
        DebugCommand::Yes => true,
        DebugCommand::Local => {
            let handle = &client.handle;
            let addr = handle.addr.parse::<std::net::SocketAddr>();
            handle.is_unix || addr.is_ok_and(|addr| addr.ip().to_canonical().is_loopback())
        }
    };
    if is_allowed { Ok(()) } else { Err(REFUSED) }
}

fn error_text(text: &[u8]) -> CmdError {
    CmdError::Quoting(text.to_vec())
}

/// As many seconds as the text says; what is no number is zero, as in Redis.
fn seconds(text: &[u8]) -> Duration {
    let seconds = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.trim().parse::<f64>().ok());
    let wait = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    wait.unwrap_or_default()
}

fn sleep(text: &[u8]) -> Flow<Waiting> {
    let wait = seconds(text);
    Flow::Later(Box::pin(async move {
        tokio::time::sleep(wait).await;
        let late: LateReply = Box::new(late_ok);
        Ok(late)
    }))
}

fn reload(cx: &mut MaintenanceCx<'_>, args: Args<'_>) -> Result<Flow<Waiting>, CmdError> {
    const BAD_OPTION: CmdError =
        CmdError::text("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
    let mut saves = true;
    for option in args.iter().skip(2) {
        match option.to_ascii_lowercase().as_slice() {
            b"merge" | b"noflush" => {}
            b"nosave" => saves = false,
            _ => return Err(BAD_OPTION),
        }
    }
    reload_values(cx)?;
    let checkpoints = Arc::clone(&cx.server.checkpoints);
    Ok(Flow::Later(Box::pin(async move {
        if saves {
            let done = checkpoints.checkpoint().await;
            done.map_err(|error| format!("ERR Error trying to save the DB, check server logs: {error}"))?;
        }
        let late: LateReply = Box::new(late_ok);
        Ok(late)
    })))
}

fn stringmatch(len: &[u8], pattern: &[u8], reply: &mut Reply) -> Result<(), CmdError> {
    const BYTES_MAX: i64 = 512 << 20;
    let len = crate::commands::support::number::parse_i64(len).ok_or(CmdError::NotInteger)?;
    if !(0..=BYTES_MAX).contains(&len) {
        return Err(CmdError::OutOfRange);
    }
    let text = vec![b'x'; len as usize];
    reply.int(i64::from(glob_match(pattern, &text, Case::Sensitive)));
    Ok(())
}

/// Describes the value of `key` in Redis's form.
fn object(cx: &SessionCx<'_>, key: &[u8], reply: &mut Reply) -> Result<(), CmdError> {
    let engine = &cx.server.engine;
    let slot = engine.registry().slot(cx.client.database).cloned();
    let collection = slot.ok_or(CmdError::NoSuchKey)?.collection;
    let key = collection.key(key);
    let state = collection.shard(collection.shard_of(key.hash)).lock();
    let entry = state.index.get(key).filter(|entry| !entry.is_expired(cx.kit.now_ms()));
    let entry = entry.ok_or(CmdError::NoSuchKey)?;
    let encoding = encoding_of(&entry, engine.naming());
    let address: *const Entry = &raw const *entry;
    let access = entry.access();
    reply.simple(&format!(
        "Value at:{address:p} refcount:1 encoding:{encoding} serializedlength:{} lru:{} lru_seconds_idle:{}",
        entry.value().rough_bytes() + 1,
        access.second(),
        access.idle_s(cx.kit.now_ms()),
    ));
    Ok(())
}
