//! `OBJECT`: how a value is kept.

use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Access, Begin, CmdResult, Find, Group, Handler, KeySpec, Spec, flag};
use crate::commands::support::number::is_canonical_int;
use crate::engine::eviction::Noting;
use crate::engine::txn::ReadTxn;
use crate::page::container::Kind;
use crate::page::hash::HashRef;
use crate::page::list::ListRef;
use crate::page::naming::Naming;
use crate::page::set::SetRef;
use crate::page::value::ValueType;
use crate::page::{Entry, StrRef, ValueRef};
use crate::resp::{Args, Reply};

/// Longest text that Redis tries to read as an integer.
const INT_BYTES_MAX: usize = 20;
/// Integers below this are one shared object in Redis, whose count of references says so.
const SHARED_INTEGERS: i64 = 10_000;

const KEY: &[KeySpec] = &[KeySpec {
    access: Access::of(&["RO"]),
    begin: Begin::Index(2),
    find: Find::Range {
        last: 0,
        step: 1,
        limit: 0,
    },
    notes: None,
    access_of: None,
}];
const TIPS: &[&str] = &["nondeterministic_output"];

/// `OBJECT subcommand …`
pub const OBJECT: Spec = Spec {
    since: "2.2.3",
    summary: "Contains commands that tell how a value is kept",
    complexity: "Depends on subcommand.",
    subcommands: &[ENCODING, FREQ, HELP, IDLETIME, REFCOUNT],
    ..Spec::new("object", Group::Generic, -2, Handler::Container)
};

const ENCODING: Spec = Spec {
    since: "2.2.3",
    acl: &["keyspace"],
    keys: KEY,
    tips: TIPS,
    summary: "Tells the encoding of a value",
    syntax: "key",
    ..Spec::new("encoding", Group::Generic, 3, Handler::Read(encoding))
};

const FREQ: Spec = Spec {
    since: "4.0.0",
    acl: &["keyspace"],
    keys: KEY,
    tips: TIPS,
    summary: "Tells how often a key was used, under an LFU eviction policy",
    syntax: "key",
    ..Spec::new("freq", Group::Generic, 3, Handler::Read(freq))
};

const HELP: Spec = Spec {
    since: "6.2.0",
    flags: flag::LOADING | flag::STALE,
    acl: &["keyspace"],
    summary: "Describes the subcommands",
    ..Spec::new("help", Group::Generic, 2, Handler::Session(help))
};

const IDLETIME: Spec = Spec {
    since: "2.2.3",
    acl: &["keyspace"],
    keys: KEY,
    tips: TIPS,
    summary: "Tells how many seconds ago a key was last used",
    syntax: "key",
    ..Spec::new("idletime", Group::Generic, 3, Handler::Read(idletime))
};

const REFCOUNT: Spec = Spec {
    since: "2.2.3",
    acl: &["keyspace"],
    keys: KEY,
    tips: TIPS,
    summary: "Tells how many references a value has; 1, or a huge number for small integers",
    syntax: "key",
    ..Spec::new("refcount", Group::Generic, 3, Handler::Read(refcount))
};

const HELP_LINES: &[&str] = &[
    "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ENCODING <key>",
    "    Return the kind of internal representation used in order to store the value",
    "    associated with a <key>.",
    "FREQ <key>",
    "    Return the access frequency index of the <key>. The returned integer is",
    "    proportional to the logarithm of the recent access frequency of the key.",
    "IDLETIME <key>",
    "    Return the idle time of the <key>, that is the approximated number of",
    "    seconds elapsed since the last access to the key.",
    "REFCOUNT <key>",
    "    Return the number of references of the value associated with the specified",
    "    <key>.",
    "HELP",
    "    Prints this help.",
];

fn help(_: &mut SessionCx<'_>, _: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    reply.array(HELP_LINES.len());
    HELP_LINES.iter().for_each(|line| reply.simple(line));
    Ok(Flow::Done)
}

fn encoding(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let naming = txn.naming();
    match txn.examine(args.at(2)) {
        Some(entry) => reply.bulk(encoding_of(&entry, naming).as_bytes()),
        None => reply.null(),
    }
    Ok(())
}

/// What Redis would answer for a string set and changed by the same commands.
pub fn encoding_of(entry: &Entry, naming: &Naming) -> &'static str {
    match entry.value() {
        ValueRef::Str(StrRef::Shared(_) | StrRef::Chunked(_)) => "raw",
        ValueRef::Str(_) if entry.is_raw() => "raw",
        ValueRef::Str(StrRef::Inline(text)) if integer(text).is_some() => "int",
        ValueRef::Str(StrRef::Inline(text)) if is_embedded(entry, text) => "embstr",
        ValueRef::Str(StrRef::Inline(_)) => "raw",
        container @ (ValueRef::Packed(..) | ValueRef::Big(_)) => container_encoding(container, naming),
    }
}

/// Whether Redis 8.2 would keep key, value and expiry in one small object.
fn is_embedded(entry: &Entry, text: &[u8]) -> bool {
    const EMBEDDED_BYTES_MAX: usize = 41;
    const EXPIRY_BYTES: usize = 8;
    let expiry = entry.expire_at_ms().map_or(0, |_| EXPIRY_BYTES);
    entry.key().len() + text.len() + expiry <= EMBEDDED_BYTES_MAX
}

fn integer(text: &[u8]) -> Option<i64> {
    if text.len() > INT_BYTES_MAX {
        return None;
    }
    is_canonical_int(text)
}

fn freq(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let is_counted = txn.policy().noting() == Noting::Counts;
    match txn.examine(args.at(2)).map(|entry| entry.access()) {
        Some(access) if is_counted => reply.int(txn.counter(access).into()),
        Some(_) => {
            return Err(CmdError::text(
                "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
                 switching between policies at runtime LRU and LFU data will take some time to adjust.",
            ));
        }
        None => reply.null(),
    }
    Ok(())
}

fn idletime(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (now_ms, is_counted) = (txn.now_ms(), txn.policy().noting() == Noting::Counts);
    match txn.examine(args.at(2)) {
        Some(_) if is_counted => {
            return Err(CmdError::text(
                "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching \
                 between policies at runtime LRU and LFU data will take some time to adjust.",
            ));
        }
        Some(entry) => reply.int(entry.access().idle_s(now_ms).into()),
        None => reply.null(),
    }
    Ok(())
}

fn refcount(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    match txn.examine(args.at(2)) {
        Some(entry) => reply.int(references(&entry)),
        None => reply.null(),
    }
    Ok(())
}

/// The name that Redis 8.2 gives to how it would keep this container.
fn container_encoding(value: ValueRef<'_>, naming: &Naming) -> &'static str {
    match (value.value_type(), value.is_wide()) {
        (ValueType::Str, _) => "raw",
        (ValueType::Container(Kind::List), _) => ListRef::of(value).map_or("quicklist", |list| naming.list(list)),
        (ValueType::Container(Kind::Set), false) => "intset",
        (ValueType::Container(Kind::Set), true) => SetRef::of(value).map_or("hashtable", |set| naming.set(set)),
        (ValueType::Container(Kind::Zset), true) => "skiplist",
        (ValueType::Container(Kind::Hash), false) if is_timed(value) => "listpackex",
        (ValueType::Container(Kind::Zset | Kind::Hash), false) => "listpack",
        (ValueType::Container(Kind::Hash), true) => "hashtable",
        (ValueType::Container(Kind::Stream), _) => "stream",
        // What all types of modules have in Redis.
        (ValueType::Container(Kind::Vectors), _) => "raw",
    }
}

/// Whether fields of a hash expire.
fn is_timed(value: ValueRef<'_>) -> bool {
    HashRef::of(value).is_some_and(|hash| hash.expire_min_ms().is_some())
}

fn references(entry: &Entry) -> i64 {
    match entry.value() {
        ValueRef::Str(StrRef::Inline(text))
            if !entry.is_raw() && integer(text).is_some_and(|value| (0..SHARED_INTEGERS).contains(&value)) =>
        {
            i64::from(i32::MAX)
        }
        ValueRef::Str(_) | ValueRef::Packed(..) | ValueRef::Big(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &[u8]) -> Entry {
        Entry::new(b"k", ValueRef::Str(StrRef::Inline(text)), None, 0)
    }

    fn name(entry: &Entry) -> &'static str {
        encoding_of(entry, &Naming::new())
    }

    #[test]
    fn encodings_of_fresh_strings() {
        for (text, expected) in [
            ("", "embstr"),
            ("0", "int"),
            ("-9223372036854775808", "int"),
            ("9223372036854775808", "embstr"),
            ("+1", "embstr"),
            ("01", "embstr"),
            ("12 ", "embstr"),
        ] {
            assert_eq!(name(&entry(text.as_bytes())), expected, "{text}");
        }
        assert_eq!(name(&entry(&[b'x'; 40])), "embstr");
        assert_eq!(name(&entry(&[b'x'; 41])), "raw");
        let expiring = |text| Entry::new(b"k", ValueRef::Str(StrRef::Inline(text)), Some(1), 0);
        assert_eq!(
            (name(&expiring(&[b'x'; 32])), name(&expiring(&[b'x'; 33]))),
            ("embstr", "raw")
        );
        assert_eq!(name(&entry(&[b'x'; 100_000])), "raw");
    }

    #[test]
    fn strings_changed_in_place_are_raw() {
        let mut changed = entry(b"12");
        assert_eq!(references(&changed), i64::from(i32::MAX));
        changed.set_raw();
        assert_eq!((name(&changed), references(&changed)), ("raw", 1));
        assert_eq!(references(&entry(b"10000")), 1);
    }
}
