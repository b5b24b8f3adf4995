//! HELLO: the protocol version, and in the same step who the client is.
//!
//! **Invariant:** all arguments are checked before anything changes.

use super::auth::{log_in, log_in_at_once};
use super::client::check_name;
use crate::client::Client;
use crate::commands::context::{MaintenanceCx, SessionCx};
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, Waiting};
use crate::commands::server::REDIS_VERSION;
use crate::commands::spec::{CmdResult, Group, Handler, Maintenance, Spec, Table, flag};
use crate::commands::support::number::parse_i64;
use crate::resp::{Args, Proto, Reply};
use crate::state::Server;

const NO_AUTH: CmdError = CmdError::text(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> \
     option can be used to authenticate the client and select the RESP protocol version at the same time",
);

pub(super) const HELLO: Spec = Spec {
    since: "6.0.0",
    flags: flag::NO_SCRIPT | flag::LOADING | flag::STALE | flag::FAST | flag::NO_AUTH | flag::ALLOW_BUSY,
    acl: &["connection"],
    summary: "Agrees on the protocol version with the server",
    syntax: "[protover [AUTH username password] [SETNAME clientname]]",
    is_secret: is_login,
    while_busy: Some(|cx, args, reply| greet_at_once((cx.server, cx.commands), cx.client, args, reply)),
    ..Spec::new(
        "hello",
        Group::Connection,
        -1,
        Handler::Maintenance(Maintenance {
            run: hello,
            in_multi: Some(|_| Some(hello_in_transaction)),
        }),
    )
};

/// Whether argument `at` is a user or a password; also of requests that [`parse`] refuses.
fn is_login(args: Args<'_>, at: usize) -> bool {
    let mut option_at = 2;
    while option_at < at {
        let option = args.get(option_at).unwrap_or_default();
        let values = if option.eq_ignore_ascii_case(b"AUTH") {
            if at <= option_at + 2 {
                return true;
            }
            2
        } else {
            usize::from(option.eq_ignore_ascii_case(b"SETNAME"))
        };
        option_at += 1 + values;
    }
    false
}

#[derive(Default)]
struct Options<'a> {
    proto: Option<Proto>,
    login: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

fn hello(cx: &mut MaintenanceCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let options = parse(args)?;
    let Some(login) = options.login else {
        return greet(cx.client, &options, reply).map(|()| Flow::Done);
    };
    let judged = log_in((cx.server, cx.commands), cx.client, args, login)?;
    if judged.is_in() {
        agree(cx.client, &options);
    }
    let (proto, id) = (options.proto, cx.client.handle.id);
    Ok(judged.answer(reply, move |reply| write_context(id, proto, reply)))
}

fn hello_in_transaction(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    greet_at_once((cx.server, cx.commands), cx.client, args, reply).map(|()| Flow::Done)
}

fn greet_at_once(place: (&Server, &Table), client: &mut Client, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let options = parse(args)?;
    if let Some(login) = options.login {
        log_in_at_once(place, client, args, login)?;
    }
    greet(client, &options, reply)
}

/// Greets a client that is in.
fn greet(client: &mut Client, options: &Options<'_>, reply: &mut Reply) -> CmdResult {
    if !client.may_run() {
        return Err(NO_AUTH);
    }
    agree(client, options);
    write_context(client.handle.id, options.proto, reply);
    Ok(())
}

/// Takes over what the client has asked for; the reply switches its protocol itself.
fn agree(client: &Client, options: &Options<'_>) {
    if let Some(name) = options.name {
        client.handle.relabel(|labels| labels.name = name.to_vec());
    }
    if let Some(proto) = options.proto {
        client.note_proto(proto);
    }
}

fn parse(args: Args<'_>) -> Result<Options<'_>, CmdError> {
    let mut options = Options::default();
    let mut rest = args.iter().skip(1);
    let Some(version) = rest.next() else {
        return Ok(options);
    };
    options.proto = Some(match parse_i64(version) {
        Some(2) => Proto::Resp2,
        Some(3) => Proto::Resp3,
        Some(_) => return Err(CmdError::text("NOPROTO unsupported protocol version")),
        None => {
            return Err(CmdError::text("ERR Protocol version is not an integer or out of range"));
        }
    });
    while let Some(option) = rest.next() {
        if option.eq_ignore_ascii_case(b"AUTH") && rest.len() >= 2 {
            options.login = rest.next().zip(rest.next());
        } else if option.eq_ignore_ascii_case(b"SETNAME") && rest.len() >= 1 {
            options.name = rest.next();
            check_name(options.name.unwrap_or_default())?;
        } else {
            let before = "ERR Syntax error in HELLO option '";
            return Err(CmdError::quoting(before, option, usize::MAX, "'"));
        }
    }
    Ok(options)
}

fn write_context(id: u64, proto: Option<Proto>, reply: &mut Reply) {
    if let Some(proto) = proto {
        reply.set_proto(proto);
    }
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.int(if reply.proto() == Proto::Resp3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.int(id.cast_signed());
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
}
