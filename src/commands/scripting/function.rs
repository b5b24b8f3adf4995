//! FUNCTION: libraries of functions, as data.

use std::sync::Arc;
use std::time::Instant;

use super::busy::{busy_with, end_scripts};
use super::library::{check_functions, examine, library_is_there, name, refused};
use super::payload;
use crate::commands::context::{Scripting, SessionCx};
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::help::{help_spec, subcommand_syntax};
use crate::commands::spec::{CmdResult, Group, Handler, Spec, assert_sorted, flag};
use crate::glob::{Case, glob_match};
use crate::resp::{Args, Reply};
use crate::state::{BusyScript, Catalogue, Examiner, Function, Known, Server};

pub(super) const FUNCTION: Spec = Spec {
    since: "7.0.0",
    summary: "Contains commands about functions and their libraries",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Spec::new("function", Group::Scripting, -2, Handler::Container)
};

const SUBCOMMANDS: &[Spec] = &[
    DELETE,
    DUMP,
    FLUSH,
    help_spec(Group::Scripting, "7.0.0", &["scripting"]),
    KILL,
    LIST,
    LOAD,
    RESTORE,
    STATS,
];

const _: () = assert_sorted(SUBCOMMANDS);

const fn spec(name: &'static str, arity: i32, handler: Handler) -> Spec {
    Spec {
        since: "7.0.0",
        flags: flag::NO_SCRIPT | flag::UNDOABLE,
        acl: &["scripting"],
        ..Spec::new(name, Group::Scripting, arity, handler)
    }
}

/// One that changes libraries.
const fn changing(name: &'static str, arity: i32, handler: Handler) -> Spec {
    Spec {
        flags: flag::WRITE | flag::NO_SCRIPT | flag::UNDOABLE,
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..spec(name, arity, handler)
    }
}

/// The library of this name is not there.
const NO_LIBRARY: CmdError = CmdError::text("ERR Library not found");

const DELETE: Spec = Spec {
    summary: "Deletes a library and its functions",
    complexity: "O(1)",
    syntax: "library-name",
    ..changing("delete", 3, Handler::Script(delete))
};

fn delete(cx: &mut dyn Scripting, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    cx.change_libraries(&mut |txn| txn.delete_library(args.at(2)).map_err(|_| NO_LIBRARY))?;
    reply.ok();
    Ok(())
}

const DUMP: Spec = Spec {
    summary: "Writes all libraries in Redis's own format, for FUNCTION RESTORE here or there",
    complexity: "O(N) where N is the number of functions",
    ..spec("dump", 2, Handler::Session(dump))
};

fn dump(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let libraries = Arc::clone(cx.server.engine.registry().libraries());
    let codes = libraries.iter().map(|library| &*library.code);
    reply.bulk(&crate::rdb::dump_libraries(codes));
    Ok(Flow::Done)
}

const FLUSH: Spec = Spec {
    summary: "Deletes all libraries and functions",
    complexity: "O(N) where N is the number of functions deleted",
    syntax: "[ASYNC | SYNC]",
    ..changing("flush", -2, Handler::Script(flush))
};

fn flush(cx: &mut dyn Scripting, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    if args.len() > 3 {
        return Err(subcommand_syntax("function", args.at(1)));
    }
    let is_mode = |arg: &[u8]| arg.eq_ignore_ascii_case(b"async") || arg.eq_ignore_ascii_case(b"sync");
    if !args.get(2).is_none_or(is_mode) {
        return Err(CmdError::text("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"));
    }
    cx.change_libraries(&mut |txn| txn.flush_libraries().map_err(refused))?;
    reply.ok();
    Ok(())
}

const KILL: Spec = Spec {
    flags: flag::NO_SCRIPT | flag::ALLOW_BUSY,
    tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
    summary: "Ends the function that is running",
    complexity: "O(1)",
    while_busy: Some(|cx, _, reply| end_scripts(cx.server, true, reply)),
    ..spec("kill", 2, Handler::Session(kill))
};

fn kill(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    end_scripts(cx.server, true, reply).map(|()| Flow::Done)
}

const LIST: Spec = Spec {
    tips: &["nondeterministic_output_order"],
    summary: "Tells of libraries and their functions",
    complexity: "O(N) where N is the number of functions",
    syntax: "[LIBRARYNAME library-name-pattern] [WITHCODE]",
    ..spec("list", -2, Handler::Session(list))
};

/// What LIST is to tell.
#[derive(Default)]
struct Listed<'a> {
    pattern: Option<&'a [u8]>,
    with_code: bool,
}

impl<'a> Listed<'a> {
    fn parse(args: Args<'a>) -> Result<Self, CmdError> {
        let mut listed = Self::default();
        let mut rest = args.skip(2).iter();
        while let Some(arg) = rest.next() {
            if !listed.with_code && arg.eq_ignore_ascii_case(b"withcode") {
                listed.with_code = true;
            } else if listed.pattern.is_none() && arg.eq_ignore_ascii_case(b"libraryname") {
                let pattern = rest.next();
                listed.pattern = Some(pattern.ok_or(CmdError::text("ERR library name argument was not given"))?);
            } else {
                return Err(CmdError::quoting("ERR Unknown argument ", arg, usize::MAX, ""));
            }
        }
        Ok(listed)
    }
}

fn list(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let listed = Listed::parse(args)?;
    let functions = cx.server.functions.now(&cx.server.engine);
    let is_wanted = |known: &&Known| {
        let pattern = listed.pattern;
        pattern.is_none_or(|pattern| glob_match(pattern, &known.library.name, Case::Insensitive))
    };
    let wanted: Vec<&Known> = functions.libraries().iter().filter(is_wanted).collect();
    reply.array(wanted.len());
    for known in wanted {
        write_library(known, listed.with_code, reply);
    }
    Ok(Flow::Done)
}

fn write_library(known: &Known, with_code: bool, reply: &mut Reply) {
    reply.map(if with_code { 4 } else { 3 });
    reply.bulk(b"library_name");
    reply.bulk(&known.library.name);
    reply.bulk(b"engine");
    reply.bulk(b"LUA");
    reply.bulk(b"functions");
    reply.array(known.functions.len());
    for function in known.functions.iter() {
        write_function(function, reply);
    }
    if with_code {
        reply.bulk(b"library_code");
        reply.bulk(&known.library.code);
    }
}

fn write_function(function: &Function, reply: &mut Reply) {
    reply.map(3);
    reply.bulk(b"name");
    reply.bulk(&function.name);
    reply.bulk(b"description");
    match &function.description {
        Some(description) => reply.bulk(description),
        None => reply.null(),
    }
    reply.bulk(b"flags");
    reply.set(function.flags.names().count());
    function.flags.names().for_each(|name| reply.simple(name));
}

const LOAD: Spec = Spec {
    flags: flag::WRITE | flag::DENY_OOM | flag::NO_SCRIPT | flag::UNDOABLE,
    summary: "Makes a library",
    complexity: "O(1) (considering compilation time is redundant)",
    syntax: "[REPLACE] function-code",
    ..changing("load", -3, Handler::Script(load))
};

fn load(cx: &mut dyn Scripting, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let last = args.len() - 1;
    let mut replaces = false;
    for option in args.iter().take(last).skip(2) {
        if !option.eq_ignore_ascii_case(b"replace") {
            return Err(CmdError::quoting("ERR Unknown option given: ", option, usize::MAX, ""));
        }
        replaces = true;
    }
    let code = args.at(last);
    let (server, name) = (Arc::clone(cx.server()), name(code)?);
    let check = |now: &Catalogue| {
        if !replaces && now.library(&name).is_some() {
            return Err(library_is_there(&name));
        }
        Ok(())
    };
    check(&server.functions.now(&server.engine))?;
    // Before the gate is taken: it may take its time.
    let known = [examine(&mut Examiner::new(server.functions.settings()), &name, code)?];
    cx.change_libraries(&mut |txn| {
        let now = server.functions.now(&server.engine);
        check(&now)?;
        for new in &known {
            check_functions(&now, new, |library| *library.name == *name)?;
            txn.put_libraries(&[Arc::clone(&new.library)], false).map_err(refused)?;
        }
        server.functions.after(&server.engine, &known);
        Ok(())
    })?;
    reply.bulk(&name);
    Ok(())
}

const RESTORE: Spec = Spec {
    flags: flag::WRITE | flag::DENY_OOM | flag::NO_SCRIPT | flag::UNDOABLE,
    summary: "Makes the libraries that FUNCTION DUMP has written",
    complexity: "O(N) where N is the number of functions on the payload",
    syntax: "serialized-value [FLUSH | APPEND | REPLACE]",
    ..changing("restore", -3, Handler::Script(payload::restore))
};

const STATS: Spec = Spec {
    flags: flag::NO_SCRIPT | flag::ALLOW_BUSY | flag::UNDOABLE,
    tips: &[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ],
    summary: "Tells which function is running for long, and how many there are",
    complexity: "O(1)",
    while_busy: Some(|cx, _, reply| write_stats(cx.server, &cx.server.functions.last(), reply)),
    ..spec("stats", 2, Handler::Session(stats))
};

fn stats(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let functions = cx.server.functions.now(&cx.server.engine);
    write_stats(cx.server, &functions, reply).map(|()| Flow::Done)
}

fn write_stats(server: &Server, functions: &Catalogue, reply: &mut Reply) -> CmdResult {
    let running = server.busy.oldest_function();
    if running.is_none()
        && let Some(error) = busy_with(server)
    {
        return Err(error);
    }
    reply.map(2);
    reply.bulk(b"running_script");
    match running {
        Some(running) => write_running(&running, reply),
        None => reply.null(),
    }
    reply.bulk(b"engines");
    reply.map(1);
    reply.bulk(b"LUA");
    reply.map(2);
    reply.bulk(b"libraries_count");
    reply.int(functions.libraries().len() as i64);
    reply.bulk(b"functions_count");
    reply.int(functions.count() as i64);
    Ok(())
}

fn write_running(running: &BusyScript, reply: &mut Reply) {
    reply.map(3);
    reply.bulk(b"name");
    reply.bulk(&running.name);
    reply.bulk(b"command");
    reply.array(running.request.len());
    running.request.iter().for_each(|arg| reply.bulk(arg));
    reply.bulk(b"duration_ms");
    let took = Instant::now().saturating_duration_since(running.since);
    reply.int(i64::try_from(took.as_millis()).unwrap_or(i64::MAX));
}
