//! Walking over keys: `KEYS`, `RANDOMKEY`, `SCAN`.

use std::ops::ControlFlow;

use crate::commands::error::CmdError;
use crate::commands::spec::{CmdResult, Group, Handler, Spec};
use crate::commands::support::number::{parse_i64, parse_u64_lenient};
use crate::engine::keyspace::KeyspaceTxn;
use crate::glob::{Case, glob_match};
use crate::page::entry::EntryRef;
use crate::resp::{Args, Reply};

const COUNT_DEFAULT: usize = 10;

/// `KEYS pattern`
pub const KEYS: Spec = Spec {
    acl: &["keyspace", "dangerous"],
    tips: &["request_policy:all_shards", "nondeterministic_output_order"],
    summary: "Lists all keys that match a pattern",
    complexity: "O(N) with N being the number of keys in the database, under the assumption that the key names in \
                 the database and the given pattern have limited length.",
    syntax: "pattern",
    ..Spec::new("keys", Group::Generic, 2, Handler::Keyspace(keys))
};

/// `RANDOMKEY`
pub const RANDOMKEY: Spec = Spec {
    acl: &["keyspace"],
    tips: &[
        "request_policy:all_shards",
        "response_policy:special",
        "nondeterministic_output",
    ],
    summary: "Gives a key, each with the same chance",
    ..Spec::new("randomkey", Group::Generic, 1, Handler::Keyspace(randomkey))
};

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`
pub const SCAN: Spec = Spec {
    since: "2.8.0",
    acl: &["keyspace"],
    tips: &[
        "nondeterministic_output",
        "request_policy:special",
        "response_policy:special",
    ],
    summary: "Walks over the keys, some with each call",
    complexity: "O(M) for every call, where M is the count asked for and the pages on the way that deletions have left \
                 empty. O(N) for a complete iteration, including enough command calls for the cursor to return back to \
                 0. N is the number of elements inside the collection.",
    syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
    ..Spec::new("scan", Group::Generic, -2, Handler::Keyspace(scan))
};

/// A pattern, or none where it would match everything.
fn filter(pattern: &[u8]) -> Option<&[u8]> {
    (pattern != b"*").then_some(pattern)
}

fn matches(pattern: Option<&[u8]>, key: &[u8]) -> bool {
    pattern.is_none_or(|pattern| glob_match(pattern, key, Case::Sensitive))
}

fn keys(txn: &mut KeyspaceTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let pattern = filter(args.at(1));
    let header = reply.deferred_array();
    let mut found = 0;
    txn.for_each(|entry| {
        if matches(pattern, entry.key()) {
            reply.bulk(entry.key());
            found += 1;
        }
        ControlFlow::Continue(())
    });
    reply.finish_array(header, found);
    Ok(())
}

fn randomkey(txn: &mut KeyspaceTxn<'_, '_>, _: Args<'_>, reply: &mut Reply) -> CmdResult {
    match txn.random_key() {
        Some(key) => reply.bulk(&key),
        None => reply.null(),
    }
    Ok(())
}

const NO_VALUES: CmdError = CmdError::text("ERR NOVALUES option can only be used in HSCAN");

/// The options of HSCAN, SSCAN and ZSCAN.
pub struct WalkOptions<'a> {
    /// About how many elements to visit.
    pub count: usize,
    /// Whether the flag that the command knows was given.
    pub has_flag: bool,
    pattern: Option<&'a [u8]>,
}

impl<'a> WalkOptions<'a> {
    /// `MATCH pattern`, `COUNT count`, and a word of its own that the command knows (lower case; empty: none).
    ///
    /// # Errors
    /// As Redis.
    fn parse(options: Args<'a>, flag: &[u8]) -> Result<Self, CmdError> {
        let mut parsed = Self {
            count: COUNT_DEFAULT,
            has_flag: false,
            pattern: None,
        };
        let mut rest = options.iter();
        while let Some(option) = rest.next() {
            let option = option.to_ascii_lowercase();
            if !flag.is_empty() && option == flag {
                parsed.has_flag = true;
                continue;
            }
            if option == b"novalues" {
                return Err(NO_VALUES);
            }
            let value = rest.next().ok_or(CmdError::Syntax)?;
            match option.as_slice() {
                b"count" => parsed.count = parse_count(value)?,
                b"match" => parsed.pattern = filter(value),
                _ => return Err(CmdError::Syntax),
            }
        }
        Ok(parsed)
    }

    /// Whether a name is wanted.
    pub fn matches(&self, name: &[u8]) -> bool {
        matches(self.pattern, name)
    }
}

/// What HSCAN, SSCAN and ZSCAN have in common.
pub struct Walk<'a> {
    args: Args<'a>,
    cursor: u64,
}

impl<'a> Walk<'a> {
    /// A walk for `key cursor option…`, before the key is looked at.
    ///
    /// # Errors
    /// When the cursor is none.
    pub fn begin(args: Args<'a>) -> Result<Self, CmdError> {
        let cursor = parse_u64_lenient(args.at(2)).ok_or(CmdError::text("ERR invalid cursor"))?;
        Ok(Self { args, cursor })
    }

    /// Answers with what `visit` finds in the container, if there is one: it is given the cursor and a reply for the
    /// elements, and tells where to go on and how many it has written. `flag`: see `WalkOptions::parse`.
    ///
    /// # Errors
    /// When an option is wrong, of which nothing is said where there is no container.
    pub fn answer<C>(
        self,
        container: Option<C>,
        flag: &[u8],
        reply: &mut Reply,
        visit: impl FnOnce(&C, u64, &WalkOptions<'a>, &mut Reply) -> (u64, usize),
    ) -> CmdResult {
        // The cursor comes first in the reply and is known last.
        let mut elements = Reply::new(reply.proto());
        let (next, found) = match container {
            None => (0, 0),
            Some(container) => {
                let options = WalkOptions::parse(self.args.skip(3), flag)?;
                visit(&container, self.cursor, &options, &mut elements)
            }
        };
        reply_walk(reply, next, found, elements);
        Ok(())
    }
}

fn parse_count(value: &[u8]) -> Result<usize, CmdError> {
    let count = parse_i64(value).ok_or(CmdError::NotInteger)?;
    usize::try_from(count).ok().filter(|n| *n > 0).ok_or(CmdError::Syntax)
}

struct ScanOptions<'a> {
    count: usize,
    pattern: Option<&'a [u8]>,
    type_name: Option<&'a [u8]>,
}

impl<'a> ScanOptions<'a> {
    fn parse(options: Args<'a>) -> Result<Self, CmdError> {
        let mut parsed = Self {
            count: COUNT_DEFAULT,
            pattern: None,
            type_name: None,
        };
        let mut rest = options.iter();
        while let Some(option) = rest.next() {
            let option = option.to_ascii_lowercase();
            if option == b"novalues" {
                return Err(NO_VALUES);
            }
            let value = rest.next().ok_or(CmdError::Syntax)?;
            match option.as_slice() {
                b"count" => parsed.count = parse_count(value)?,
                b"match" => parsed.pattern = filter(value),
                b"type" => parsed.type_name = Some(value),
                _ => return Err(CmdError::Syntax),
            }
        }
        Ok(parsed)
    }

    fn accepts(&self, entry: EntryRef<'_>) -> bool {
        let type_name = || entry.value().value_type().name().as_bytes();
        matches(self.pattern, entry.key())
            && self
                .type_name
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(type_name()))
    }
}

fn scan(txn: &mut KeyspaceTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let cursor = parse_u64_lenient(args.at(1)).ok_or(CmdError::text("ERR invalid cursor"))?;
    let options = ScanOptions::parse(args.skip(2))?;
    // The cursor comes first in the reply and is known last.
    let mut keys = Reply::new(reply.proto());
    let mut found = 0;
    let next = txn.scan(cursor, options.count, |entry| {
        if options.accepts(entry) {
            keys.bulk(entry.key());
            found += 1;
        }
    });
    reply_walk(reply, next, found, keys);
    Ok(())
}

/// Answers a walk: where it goes on, and the `found` replies of this call.
fn reply_walk(reply: &mut Reply, next: u64, found: usize, elements: Reply) {
    reply.array(2);
    reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    reply.array(found);
    reply.extend(elements);
}
