//! HELLO: the protocol version, and in the same step who the client is.
//!
//! **Invariant:** all arguments are checked before anything changes.

use super::auth::authenticate;
use super::client::check_name;
use crate::client::Client;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::server::REDIS_VERSION;
use crate::commands::spec::{CmdResult, Group, Handler, Spec, flag};
use crate::commands::support::number::parse_i64;
use crate::resp::{Args, Proto, Reply};
use crate::state::Server;

const NO_AUTH: CmdError = CmdError::text(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> \
     option can be used to authenticate the client and select the RESP protocol version at the same time",
);

pub(super) const HELLO: Spec = Spec {
    since: "6.0.0",
    flags: flag::NO_SCRIPT | flag::LOADING | flag::STALE | flag::FAST | flag::NO_AUTH | flag::ALLOW_BUSY,
    acl: &["connection"],
    summary: "Agrees on the protocol version with the server",
    syntax: "[protover [AUTH username password] [SETNAME clientname]]",
    is_secret: is_login,
    while_busy: Some(|cx, args, reply| greet(cx.server, cx.client, args, reply)),
    ..Spec::new("hello", Group::Connection, -1, Handler::Session(hello))
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

fn hello(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    greet(cx.server, cx.client, args, reply).map(|()| Flow::Done)
}

fn greet(server: &Server, client: &mut Client, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let options = parse(args)?;
    if let Some((user, password)) = options.login {
        authenticate(server, client, user, password)?;
    }
    if !client.authenticated {
        return Err(NO_AUTH);
    }
    if let Some(name) = options.name {
        client.handle.relabel(|labels| labels.name = name.to_vec());
    }
    if let Some(proto) = options.proto {
        reply.set_proto(proto);
        client.note_proto(proto);
    }
    write_context(client, reply);
    Ok(())
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

fn write_context(client: &Client, reply: &mut Reply) {
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.int(if reply.proto() == Proto::Resp3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.int(client.handle.id.cast_signed());
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
}
