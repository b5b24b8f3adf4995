//! CLIENT KILL: by address (the old form), or by filters that must all fit.

use super::common::ADMIN;
use super::filter::{Filter, Purpose};
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Group, Handler, Spec};
use crate::resp::{Args, Reply};

pub(super) const KILL: Spec = Spec {
    since: "2.4.0",
    flags: ADMIN,
    acl: &["connection"],
    summary: "Closes connections",
    complexity: "O(N) where N is the number of client connections",
    syntax: "<ip:port | <[ID client-id [client-id ...]] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | \
             [USER username] | [ADDR ip:port] | [LADDR ip:port] | [SKIPME yes/no] | [MAXAGE maxage] | [IDLE idle] | \
             [NAME name] | [LIB-NAME name] | [LIB-VER version] | [DB db] | [FLAGS flags] | [CAPA capa] | [IP ip]>>",
    ..Spec::new("kill", Group::Connection, -3, Handler::Session(kill))
};

fn kill(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if args.len() > 3 {
        let filter = Filter::parse(cx, args, Purpose::Kill)?;
        let (killed, own) = kill_matching(cx, &filter);
        reply.int(killed);
        return Ok(if own { Flow::Close } else { Flow::Done });
    }
    let (killed, own) = kill_matching(cx, &Filter::of_address(args.at(2)));
    if killed == 0 {
        return Err(CmdError::text("ERR No such client"));
    }
    reply.ok();
    Ok(if own { Flow::Close } else { Flow::Done })
}

/// Kills all that pass; how many, and whether the caller is one of them (which closes after its reply).
fn kill_matching(cx: &SessionCx<'_>, filter: &Filter<'_>) -> (i64, bool) {
    let own_id = cx.client.handle.id;
    let (mut killed, mut own) = (0, false);
    let mut clients = filter.choose(cx);
    clients.sort_by_key(|client| client.id);
    clients.dedup_by_key(|client| client.id);
    for client in clients {
        killed += 1;
        if client.id == own_id {
            own = true;
        } else {
            client.kill();
        }
    }
    (killed, own)
}
