//! The table `redis`, which is `server` as well: what a script may ask of the server.

use super::from_reply::{push_error, push_reply, with_code};
use super::host::{LogLevel, Stop};
use super::lua::{Kind, Native, Raise, Stack};
use super::numbers::{exact_i64, shortest, to_i64};
use super::sha1::Sha1;
use crate::resp::{Args, OwnedRequest, Proto};
use std::ffi::c_int;

/// What everybody may use.
const FUNCTIONS: [(&str, Native); 9] = [
    ("call", call),
    ("pcall", pcall),
    ("error_reply", error_reply),
    ("status_reply", status_reply),
    ("sha1hex", sha1hex),
    ("log", log),
    ("setresp", set_resp),
    ("set_repl", set_repl),
    ("acl_check_cmd", acl_check),
];
/// What scripts may use, and functions not.
const OF_SCRIPTS: [(&str, Native); 3] = [
    ("replicate_commands", replicate_commands),
    ("breakpoint", breakpoint),
    ("debug", debug),
];
/// What libraries may use while they are loaded.
const OF_LOADING: [(&str, Native); 2] = [("register_function", super::register::register), ("log", log)];

const LOG_LEVELS: [(&str, f64); 4] = [
    ("LOG_DEBUG", 0.0),
    ("LOG_VERBOSE", 1.0),
    ("LOG_NOTICE", 2.0),
    ("LOG_WARNING", 3.0),
];
const REPLICATION: [(&str, f64); 5] = [
    ("REPL_NONE", 0.0),
    ("REPL_AOF", 1.0),
    ("REPL_SLAVE", 2.0),
    ("REPL_REPLICA", 2.0),
    ("REPL_ALL", 3.0),
];

/// What `set_repl` understands.
const REPL_ALL: i64 = 3;

/// Whose table `redis` it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Scripts,
    Functions,
    /// That of libraries while they are loaded.
    Loading,
}

/// Pushes the table. `version` is Redis's that the server says it is like.
pub(super) fn push_table(stack: &mut Stack<'_>, whose: Whose, version: &str) {
    stack.push_table(0, 32);
    let table = stack.top();
    let numbers = match whose {
        Whose::Loading => {
            stack.set_natives(table, &OF_LOADING);
            &[]
        }
        Whose::Functions => {
            stack.set_natives(table, &FUNCTIONS);
            &REPLICATION[..]
        }
        Whose::Scripts => {
            stack.set_natives(table, &FUNCTIONS);
            stack.set_natives(table, &OF_SCRIPTS);
            &REPLICATION[..]
        }
    };
    for (name, number) in LOG_LEVELS.iter().chain(numbers) {
        stack.push_number(*number);
        stack.set_field(table, name);
    }
    stack.push_string(version);
    stack.set_field(table, "REDIS_VERSION");
    // A byte for each of its parts.
    let parts = version.split('.').map(|part| part.parse::<u8>().unwrap_or(0));
    stack.push_number(f64::from(
        parts.fold(0, |number: u32, part| number << 8 | u32::from(part)),
    ));
    stack.set_field(table, "REDIS_VERSION_NUM");
}

fn call(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    if run_command(stack)? { Err(Raise::Top) } else { Ok(1) }
}

fn pcall(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    run_command(stack).map(|_| 1)
}

/// Runs the command that the arguments are, and pushes its reply; whether that is an error.
fn run_command(stack: &mut Stack<'_>) -> Result<bool, Raise> {
    let called = with_command(stack, |stack, command| {
        let context = stack.context();
        let mut reply = context.reply.take();
        reply.set_proto(context.proto.get());
        reply.set_held_bytes_max(context.heap.limit());
        let called = context.ask(|host| host.call(command, &mut reply));
        let result = match called {
            Ok(()) if reply.is_over_limit() => Err(Raise::Memory),
            Ok(()) => push_reply(stack, &reply.contiguous()),
            Err(Stop) => Err(Raise::Stopped),
        };
        reply.clear();
        if !reply.is_over_limit() {
            context.reply.replace(reply);
        }
        result
    });
    called.unwrap_or_else(|text| {
        push_error(stack, text);
        Ok(true)
    })
}

/// Does `work` with the command that the arguments are; the error is why they are none.
fn with_command<R>(
    stack: &mut Stack<'_>,
    work: impl FnOnce(&mut Stack<'_>, Args<'_>) -> R,
) -> Result<R, &'static [u8]> {
    let context = stack.context();
    let mut request = context.request.take();
    let result = fill(stack, &mut request).map(|()| work(stack, request.args()));
    request.clear();
    context.request.replace(request);
    result
}

const TOO_LONG: &[u8] = b"ERR the command's arguments are longer than what scripts.memory_bytes_max allows";

/// Fills in the arguments as a command, unless they are none.
fn fill(stack: &Stack<'_>, request: &mut OwnedRequest) -> Result<(), &'static [u8]> {
    if stack.arguments() == 0 {
        return Err(b"ERR Please specify at least one argument for this redis lib call");
    }
    // One value may be many of them.
    let mut room_bytes = stack.context().heap.limit();
    for at in 1..=stack.arguments() {
        match stack.kind(at) {
            Kind::String => {
                let text = stack.argument_text(at).unwrap_or_default();
                room_bytes = room_bytes.checked_sub(text.len()).ok_or(TOO_LONG)?;
                request.push(text);
            }
            Kind::Number => push_digits(request, stack.number(at).unwrap_or_default()),
            _ => return Err(b"ERR Lua redis lib command arguments must be strings or integers"),
        }
    }
    Ok(())
}

fn push_digits(request: &mut OwnedRequest, number: f64) {
    match exact_i64(number) {
        Some(integer) => request.push(itoa::Buffer::new().format(integer).as_bytes()),
        None => request.push(shortest(number).as_bytes()),
    }
}

/// Raises an error of ours, as Redis does: without a place before it.
pub(super) fn refuse<T>(stack: &mut Stack<'_>, text: &str) -> Result<T, Raise> {
    push_error(stack, text.as_bytes());
    Err(Raise::Top)
}

/// The only argument, if it is a string, up to its first NUL.
fn only_text<'a>(stack: &Stack<'a>) -> Option<&'a [u8]> {
    let is_text = stack.arguments() == 1 && stack.kind(1) == Kind::String;
    let text = stack.argument_text(1).filter(|_| is_text)?;
    text.split(|&byte| byte == 0).next()
}

fn error_reply(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    match only_text(stack) {
        None => push_error(stack, b"ERR wrong number or type of arguments"),
        Some(text) => {
            let text = text.strip_prefix(b"-").unwrap_or(text);
            push_error(stack, &with_code(&[b"-", text].concat()));
        }
    }
    Ok(1)
}

fn status_reply(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    if only_text(stack).is_none() {
        push_error(stack, b"ERR wrong number or type of arguments");
        return Ok(1);
    }
    stack.push_table(0, 1);
    stack.push_copy(1);
    stack.set_field(-2, "ok");
    Ok(1)
}

fn sha1hex(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    if stack.arguments() != 1 {
        return refuse(stack, "ERR wrong number of arguments");
    }
    let digest = Sha1::of(stack.argument_text(1).unwrap_or_default());
    stack.push_string(digest.to_string());
    Ok(1)
}

fn log(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    if stack.arguments() < 2 {
        return refuse(stack, "ERR redis.log() requires two arguments or more.");
    }
    let Some(level) = stack.number(1) else {
        return refuse(stack, "ERR First argument must be a number (log level).");
    };
    let level = match to_i64(level) {
        0 => LogLevel::Debug,
        1 => LogLevel::Verbose,
        2 => LogLevel::Notice,
        3 => LogLevel::Warning,
        _ => return refuse(stack, "ERR Invalid log level."),
    };
    let words: Vec<&[u8]> = (2..=stack.arguments())
        .filter_map(|at| stack.argument_text(at))
        .collect();
    let message = words.join(&b' ');
    let logged = stack.context().ask(|host| {
        host.log(level, &message);
        Ok(())
    });
    logged.map(|()| 0).map_err(|Stop| Raise::Stopped)
}

fn set_resp(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    if stack.arguments() != 1 {
        return refuse(stack, "ERR redis.setresp() requires one argument.");
    }
    let proto = match to_i64(stack.number(1).unwrap_or_default()) {
        2 => Proto::Resp2,
        3 => Proto::Resp3,
        _ => return refuse(stack, "ERR RESP version must be 2 or 3."),
    };
    stack.context().proto.set(proto);
    Ok(0)
}

/// Has no effect: effects are what is logged, whatever a script says.
fn set_repl(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    if stack.arguments() != 1 {
        return refuse(stack, "ERR redis.set_repl() requires one argument.");
    }
    let flags = to_i64(stack.number(1).unwrap_or_default());
    if flags & !REPL_ALL != 0 {
        let text = "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.";
        return refuse(stack, text);
    }
    Ok(0)
}

fn replicate_commands(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    stack.push_boolean(true);
    Ok(1)
}

/// There is no debugger that would stop.
fn breakpoint(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    stack.push_boolean(false);
    Ok(1)
}

fn debug(_: &mut Stack<'_>) -> Result<c_int, Raise> {
    Ok(0)
}

fn acl_check(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let checked = with_command(stack, |stack, command| {
        match stack.context().ask(|host| Ok(host.acl_check(command))) {
            Err(Stop) => Err(Raise::Stopped),
            Ok(None) => refuse(stack, "ERR Invalid command passed to redis.acl_check_cmd()"),
            Ok(Some(may)) => {
                stack.push_boolean(may);
                Ok(1)
            }
        }
    });
    checked.unwrap_or_else(|text| {
        push_error(stack, text);
        Err(Raise::Top)
    })
}
