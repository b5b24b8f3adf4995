//! `PERSIST`: lets a key live for ever (Redis), or writes a collection to its own files (LokiKV).
//!
//! If the selected collection has a key of that name, Redis's meaning holds. Else, if a named collection of that name
//! exists, it is persisted; numbered databases are left out, since numbers are usual key names. `COLLECTION PERSIST`
//! is the form without ambiguity.

use std::sync::Arc;

use crate::commands::collections;
use crate::commands::context::{MaintenanceCx, SessionCx};
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, Waiting};
use crate::commands::spec::{DatabaseUse, Databases, Group, Handler, Maintenance, Spec, Support, first_key, flag};
use crate::engine::scope::Scope;
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

/// `PERSIST key` and `PERSIST collection`
pub const PERSIST: Spec = Spec {
    since: "2.2.0",
    flags: flag::WRITE | flag::FAST,
    acl: &["keyspace"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Removes the expiry of a key; or persists the collection of that name, if there is no such key",
    complexity: "O(1) for a key, O(N) for a collection of N keys.",
    // What is no key may be a collection.
    databases: Databases::SelectedAnd(|_, uses| uses.push(DatabaseUse::IfAnyAt(1))),
    syntax: "key",
    support: Support::Partial("where there is no such key, but a collection of that name, the collection is persisted"),
    ..Spec::new(
        "persist",
        Group::Generic,
        2,
        Handler::Maintenance(Maintenance {
            run: persist,
            in_multi: Some(|_| Some(persist_key)),
        }),
    )
};

fn persist(cx: &mut MaintenanceCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let name = args.at(1);
    if let Some(had_expiry) = cx.as_session(|cx| remove_expiry(cx, name))? {
        reply.int(i64::from(had_expiry));
        return Ok(Flow::Done);
    }
    if let Some(name) = collections::persistable(cx.server, name) {
        return Ok(collections::persist_then(cx.server, name, |reply| reply.int(1)));
    }
    reply.int(0);
    Ok(Flow::Done)
}

/// Inside a transaction only keys are meant.
fn persist_key(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let name = args.at(1);
    let had_expiry = remove_expiry(cx, name)?;
    if had_expiry.is_none() && collections::persistable(cx.server, name).is_some() {
        return Err(CmdError::text(
            "ERR a collection cannot be persisted inside a transaction",
        ));
    }
    reply.int(i64::from(had_expiry == Some(true)));
    Ok(Flow::Done)
}

/// Whether the key had an expiry, which is now removed; `None` when there is no such key.
fn remove_expiry(cx: &mut SessionCx<'_>, key: &[u8]) -> Result<Option<bool>, CmdError> {
    let engine = Arc::clone(&cx.server.engine);
    let collection = collections::selected(cx)?.collection;
    let mut scope = Scope::for_key(&engine, cx.kit, &collection, collection.key(key));
    let mut txn = Txn::new(&mut scope, &collection, false);
    let had_expiry = txn.old(key).map(|entry| entry.expire_at_ms().is_some());
    if had_expiry == Some(true) {
        txn.set_expiry(key, None);
    }
    Ok(had_expiry)
}
