//! Which collections there are, and what they hold: `COLLECTION LIST | INFO`.

use std::sync::Arc;

use super::config;
use super::select::by_name;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Databases, Group, Handler, Spec, flag};
use crate::engine::ids::DatabaseId;
use crate::engine::registry::Slot;
use crate::resp::{Args, Reply};
use crate::wal::Lsn;

/// `COLLECTION INFO name`
pub const INFO: Spec = Spec {
    databases: Databases::At(&[2]),
    since: "0.1.0",
    flags: flag::READONLY,
    acl: &["keyspace"],
    tips: &["nondeterministic_output"],
    summary: "Tells how many keys, bytes and pages a collection has, and more",
    complexity: "O(N) where N is the number of pages.",
    syntax: "name",
    ..Spec::new("info", Group::Collection, 3, Handler::Session(info))
};

/// `COLLECTION LIST`
pub const LIST: Spec = Spec {
    since: "0.1.0",
    flags: flag::READONLY,
    acl: &["keyspace"],
    summary: "Lists the names of the default, the named, and the numbered collections that are not empty",
    complexity: "O(N) where N is the number of collections.",
    ..Spec::new("list", Group::Collection, 2, Handler::Session(list))
};

/// Replies with the names of all collections that somebody may care for.
pub(super) fn list(cx: &mut SessionCx<'_>, _: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let engine = Arc::clone(&cx.server.engine);
    let slots: Vec<Slot> = engine.registry().slots().cloned().collect();
    let shown =
        |slot: &&Slot| slot.id == DatabaseId::DEFAULT || !slot.id.is_numbered() || slot.collection.key_count() > 0;
    let names: Vec<&str> = slots.iter().filter(shown).map(|slot| &*slot.name).collect();
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name.as_bytes()));
    Ok(Flow::Done)
}

fn info(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let slot = by_name(cx.server, args.at(2))?;
    let collection = &slot.collection;
    let last_lsn = cx.server.checkpoints.stats().last.map_or(Lsn::ZERO, |last| last.lsn);
    let totals = collection.totals(last_lsn);
    let is_attached = collection.traits().is_read_only();
    let settings = config::describe(&collection.settings());
    let mut texts = vec![
        ("name", slot.name.to_string()),
        ("kind", collection.placement().kind.name().to_owned()),
        ("state", if is_attached { "attached" } else { "live" }.to_owned()),
    ];
    texts.extend(settings);
    let persisted = cx.server.checkpoints.persisted(&slot.name).unwrap_or_default();
    let numbers = [
        ("database", u64::from(slot.id.get())),
        ("keys", totals.keys),
        ("expires", totals.expires),
        ("bytes", totals.bytes),
        ("pages", totals.pages),
        ("dirty_pages", totals.dirty_pages),
        ("reads", totals.counts.reads),
        ("writes", totals.counts.writes),
        ("expired", totals.counts.expired),
        ("evicted", totals.counts.evicted),
        ("last_persist_ms", persisted.wall_ms),
        ("last_persist_lsn", persisted.lsn.get()),
        ("shards", collection.shard_count() as u64),
        ("id", u64::from(collection.id().get())),
    ];
    reply.map(texts.len() + numbers.len());
    for (name, text) in texts {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    for (name, number) in numbers {
        reply.bulk(name.as_bytes());
        reply.int(number as i64);
    }
    Ok(Flow::Done)
}
