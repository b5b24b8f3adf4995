//! Giving keys another name: `RENAME`, `RENAMENX`.
//!
//! **Invariant:** the value appears under its new name and goes from the old one in a single WAL record. So a big one
//! keeps the names of its parts, and the next checkpoint need not write them.

use super::transfer::Taken;
use crate::commands::error::CmdError;
use crate::commands::spec::{Access, Begin, CmdResult, Find, Group, Handler, KeySpec, Spec, first_key, flag};
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

/// The second argument as a single key.
pub(super) const fn second_key(flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        access: Access::of(flags),
        begin: Begin::Index(2),
        find: Find::Range {
            last: 0,
            step: 1,
            limit: 0,
        },
        notes: None,
        access_of: None,
    }
}

/// `RENAME key newkey`
pub const RENAME: Spec = Spec {
    acl: &["keyspace"],
    keys: &[first_key(&["RW", "access", "delete"]), second_key(&["OW", "update"])],
    summary: "Renames a key; a key that had the new name is overwritten",
    syntax: "key newkey",
    ..Spec::new("rename", Group::Generic, 3, Handler::Write(rename))
};

/// `RENAMENX key newkey`
pub const RENAMENX: Spec = Spec {
    flags: flag::FAST,
    acl: &["keyspace"],
    keys: &[first_key(&["RW", "access", "delete"]), second_key(&["OW", "insert"])],
    summary: "Renames a key if the new name is free",
    syntax: "key newkey",
    ..Spec::new("renamenx", Group::Generic, 3, Handler::Write(renamenx))
};

fn rename(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (from, to) = (args.at(1), args.at(2));
    let taken = txn.peek(from).map(Taken::from).ok_or(CmdError::NoSuchKey)?;
    if from != to {
        move_to(txn, from, to, &taken);
    }
    reply.ok();
    Ok(())
}

fn renamenx(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (from, to) = (args.at(1), args.at(2));
    let taken = txn.peek(from).map(Taken::from).ok_or(CmdError::NoSuchKey)?;
    // Also when both are the same key: it exists.
    let free = !txn.exists(to);
    if free {
        move_to(txn, from, to, &taken);
    }
    reply.int(i64::from(free));
    Ok(())
}

fn move_to(txn: &mut Txn<'_, '_>, from: &[u8], to: &[u8], taken: &Taken) {
    let had = txn.type_at(to);
    let source = txn.leaving(from, to);
    taken.put(txn, to, source);
    txn.delete(from);
    if had.is_some() {
        // What was there has been deleted first.
        txn.notify(Classes::NEW, "new", to);
    }
    txn.notify(Classes::GENERIC, "rename_from", from);
    txn.notify(Classes::GENERIC, "rename_to", to);
    txn.notify_replaced(to, had, taken.value_type());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::commands::testing::Harness;
    use crate::engine::ids::DatabaseId;
    use crate::page::parts::PartRef;
    use crate::page::{StrRef, ValueRef};

    /// The parts of what is at a key.
    fn parts(server: &Harness, key: &str) -> Vec<PartRef> {
        let registry = server.engine().registry();
        let collection = Arc::clone(&registry.slot(DatabaseId::DEFAULT).unwrap().collection);
        let key = collection.key(key.as_bytes());
        let shard = collection.shard(collection.shard_of(key.hash)).lock();
        let found = match shard.index.get(key).map(|entry| entry.value()) {
            Some(ValueRef::Big(big)) => big.parts(),
            Some(ValueRef::Str(StrRef::Chunked(text))) => text.parts(),
            other => panic!("{other:?} is in no parts"),
        };
        assert!(found.len() > 1, "{found:?}");
        found
    }

    #[test]
    fn what_gets_another_name_keeps_its_parts() {
        let mut server = Harness::new();
        for field in 0..3000 {
            server.say(&format!("HSET k field:{field} {}", "v".repeat(50)));
        }
        server.say("SETRANGE text 300000 x");
        for key in ["k", "text"] {
            let before = parts(&server, key);
            assert_eq!(server.say(&format!("RENAME {key} moved")), "+OK");
            assert_eq!(parts(&server, "moved"), before);
            assert_eq!(server.say("RENAME moved moved"), "+OK");
            assert_eq!(server.say(&format!("RENAMENX moved {key}")), ":1");
            assert_eq!(parts(&server, key), before);
            server.as_transaction(|server| {
                server.say(&format!("RENAME {key} other"));
                server.say(&format!("RENAME other {key}"));
            });
            assert_eq!(parts(&server, key), before);
            // A copy cannot have the same.
            assert_eq!(server.say(&format!("COPY {key} other REPLACE")), ":1");
            let copied = parts(&server, "other");
            assert_eq!(copied.len(), before.len());
            assert!(copied.iter().all(|part| before.iter().all(|other| other.id != part.id)));
            assert_eq!(parts(&server, key), before);
        }
        let before = parts(&server, "k");
        server.say("RENAME k moved");
        server.say("HSET moved field:7 w");
        let changed = parts(&server, "moved");
        let kept = changed.iter().filter(|part| before.contains(part)).count();
        assert_eq!(kept, before.len() - 1);
    }
}
