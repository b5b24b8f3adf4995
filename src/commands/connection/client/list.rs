//! CLIENT LIST and INFO: one line per client.
//!
//! **Invariant:** the fields and their order are those of Redis 8.2; monitoring tools parse them.

use std::fmt::Write as _;
use std::sync::atomic::Ordering::Relaxed;

use super::common::{ADMIN, OWN};
use super::filter::{Filter, Purpose};
use crate::client::{CachingMode, ClientHandle};
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Command, Group, Handler, Spec, Table};
use crate::pubsub::TopicKind;
use crate::resp::{Args, Reply};

pub(super) const INFO: Spec = Spec {
    since: "6.2.0",
    flags: OWN,
    acl: &["connection"],
    tips: &["nondeterministic_output"],
    summary: "Describes the connection",
    ..Spec::new("info", Group::Connection, 2, Handler::Session(info))
};

fn info(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let line = client_line(cx.commands, &cx.client.handle, cx.kit.now_ms());
    reply.verbatim(b"txt", &format!("{line}\n"));
    Ok(Flow::Done)
}

pub(super) const LIST: Spec = Spec {
    since: "2.4.0",
    flags: ADMIN,
    acl: &["connection"],
    tips: &["nondeterministic_output"],
    summary: "Describes the connected clients",
    complexity: "O(N) where N is the number of client connections",
    syntax: "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]] [USER username] [ADDR ip:port] \
             [LADDR ip:port] [SKIPME yes/no] [MAXAGE maxage] [IDLE idle] [NAME name] [LIB-NAME name] [LIB-VER version] \
             [DB db] [FLAGS flags] [CAPA capa] [IP ip]",
    ..Spec::new("list", Group::Connection, -2, Handler::Session(list))
};

fn list(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let clients = Filter::parse(cx, args, Purpose::List)?.choose(cx);
    let now_ms = cx.kit.now_ms();
    // A client can be asked for any number of times.
    let text = reply.deferred_text();
    for client in clients {
        let line = client_line(cx.commands, &client, now_ms) + "\n";
        if !reply.put_text(line.as_bytes()) {
            break;
        }
    }
    reply.finish_text(text, b"txt");
    Ok(Flow::Done)
}

/// A client in one line, as CLIENT LIST shows it.
pub fn client_line(commands: &Table, client: &ClientHandle, now_ms: u64) -> String {
    let labels = client.labels().clone();
    let seconds_since = |ms: u64| now_ms.saturating_sub(ms) / 1000;
    let (query, free) = (client.query_bytes.load(Relaxed), client.query_free_bytes.load(Relaxed));
    let output = client.output_bytes.load(Relaxed);
    let multi = client.queued.load(Relaxed);
    let queued_bytes = client.queued_bytes.load(Relaxed);
    let mut line = String::with_capacity(400);
    // Writing to a String cannot fail.
    let _ = write!(
        line,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={multi} \
         watch={} qbuf={query} qbuf-free={free} argv-mem=0 multi-mem={queued_bytes} rbs={output} rbp={output} obl={output} \
         oll=0 omem=0 tot-mem={} events={} cmd={} user={} redir={} resp={} lib-name={} \
         lib-ver={} io-thread=0 tot-net-in={} tot-net-out={} tot-cmds={}",
        client.id,
        client.addr,
        client.laddr,
        client.fd,
        String::from_utf8_lossy(&labels.name),
        seconds_since(client.connected_ms),
        seconds_since(client.active_ms.load(Relaxed)),
        flags(client),
        client.database.load(Relaxed),
        client.subscription_count(TopicKind::Channel),
        client.subscription_count(TopicKind::Pattern),
        client.subscription_count(TopicKind::Shard),
        client.watched.load(Relaxed),
        client.held_bytes(),
        if output > 0 { "rw" } else { "r" },
        last_command(commands, client),
        user(client),
        told_instead(client),
        client.proto.load(Relaxed),
        String::from_utf8_lossy(&labels.lib_name),
        String::from_utf8_lossy(&labels.lib_version),
        client.received_bytes.load(Relaxed),
        client.sent_bytes.load(Relaxed),
        client.commands.load(Relaxed),
    );
    line
}

/// The client that is told in this one's place of what is stale in its cache: 0 for none, -1 for one that has no cache.
pub(super) fn told_instead(client: &ClientHandle) -> i64 {
    let redirect = client.caching.redirect();
    redirect.map_or(-1, |other| i64::try_from(other).unwrap_or(i64::MAX))
}

/// The letters of what it is.
pub(super) fn flags(client: &ClientHandle) -> String {
    let letters = [
        (client.is_monitor.load(Relaxed), 'O'),
        (client.is_subscriber(), 'P'),
        (client.queued.load(Relaxed) >= 0, 'x'),
        (client.is_blocked(), 'b'),
        (client.caching.is_on(), 't'),
        (client.caching.is_broken(), 'R'),
        (client.caching.mode() == CachingMode::Broadcast, 'B'),
        (client.is_unix, 'U'),
        (client.no_evict.load(Relaxed), 'e'),
        (client.no_touch.load(Relaxed), 'T'),
        (client.is_killed(), 'A'),
    ];
    let set: String = letters
        .iter()
        .filter(|(set, _)| *set)
        .map(|(_, letter)| *letter)
        .collect();
    if set.is_empty() { "N".to_owned() } else { set }
}

/// The name of its user.
fn user(client: &ClientHandle) -> String {
    let user = client.user();
    user.map_or_else(
        || "default".to_owned(),
        |user| String::from_utf8_lossy(&user.name).into_owned(),
    )
}

fn last_command(commands: &Table, client: &ClientHandle) -> String {
    let number = client.last_command.load(Relaxed) as usize;
    let command = number.checked_sub(1).and_then(|id| commands.all().get(id));
    command.map_or_else(|| "NULL".to_owned(), Command::full_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_client() {
        let client = ClientHandle::new(
            7,
            "1.2.3.4:5".into(),
            "1.2.3.4:6".into(),
            (9, false),
            std::task::Waker::noop().clone(),
            1_000,
        );
        let line = client_line(&Table::new(&[]), &client, 63_500);
        assert!(line.starts_with(
            "id=7 addr=1.2.3.4:5 laddr=1.2.3.4:6 fd=9 name= age=62 idle=62 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 \
             watch=0 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem="
        ));
        assert!(
            line.ends_with(
                " events=r cmd=NULL user=default redir=-1 resp=2 lib-name= lib-ver= io-thread=0 tot-net-in=0 \
                 tot-net-out=0 tot-cmds=0"
            ),
            "{line}"
        );
    }

    #[test]
    fn flags_of_a_busy_client() {
        let client = ClientHandle::new(
            1,
            String::new(),
            String::new(),
            (0, true),
            std::task::Waker::noop().clone(),
            0,
        );
        client.queued.store(2, Relaxed);
        client.no_touch.store(true, Relaxed);
        client.kill();
        assert_eq!(flags(&client), "xUTA");
    }
}
