//! BITFIELD and BITFIELD_RO: integers of any width at any bit of a string.
//!
//! **Invariants**
//! - All operations are read before the first one runs: a bad one changes nothing.
//! - The string grows at once to what all operations need, even if overflow control then keeps them from writing.

use std::ops::Range;

use crate::commands::spec::{Access, Group, KeySpec, first_key, flag};
use crate::commands::support::bitfield::{BAD_OVERFLOW, BAD_TYPE, FieldType, Overflow};
use crate::commands::support::bits::BAD_BIT_OFFSET;
use crate::commands::support::number::parse_i64;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::{ReadTxn, Txn};
use crate::page::StrRef;
use crate::resp::{Args, Reply};

pub(super) const BITFIELD: Spec = Spec {
    since: "3.2.0",
    flags: flag::DENY_OOM,
    acl: &["bitmap"],
    keys: &[KeySpec {
        notes: Some("This command allows both access and modification of the key"),
        access_of: Some(key_access),
        ..first_key(&["RW", "access", "update", "variable_flags"])
    }],
    summary: "Reads and changes integers of any width within the string at a key",
    complexity: "O(1) for each subcommand specified",
    syntax: "key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | \
             INCRBY encoding offset increment> ...]",
    ..Spec::new("bitfield", Group::Bitmap, -2, Handler::Write(bitfield))
};

/// Reading, if there are only subcommands that read.
fn key_access(args: Args<'_>) -> Access {
    let mut rest = args.skip(2);
    while let Some(word) = rest.get(0) {
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        rest = match rest.len() - 1 {
            2.. if is(b"GET") => rest.skip(3),
            1.. if is(b"OVERFLOW") => rest.skip(2),
            _ => return const { Access::of(&["RW", "access", "update"]) },
        };
    }
    const { Access::of(&["RO", "access"]) }
}

fn bitfield(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let steps = parse(args, txn.string_bytes_max())?;
    let Some(bytes_needed) = steps.iter().filter_map(Step::bytes_needed).max() else {
        return answer(txn, key, &steps, reply);
    };
    let len = txn.old_str(key)?.map_or(0, |text| text.len());
    if len < bytes_needed {
        txn.write_range_or_create(key, bytes_needed - 1, &[0]);
    }
    let mut has_changed = len < bytes_needed;
    reply.array(steps.len());
    for step in &steps {
        match change(txn, key, step, &mut has_changed)? {
            Some(value) => reply.int(value),
            None => reply.null(),
        }
    }
    if has_changed {
        txn.notify(Classes::STRING, "setbit", key);
    }
    Ok(())
}

pub(super) const BITFIELD_RO: Spec = Spec {
    since: "6.0.0",
    flags: flag::FAST,
    acl: &["bitmap"],
    keys: &[first_key(&["RO", "access"])],
    summary: "Reads integers of any width within the string at a key",
    complexity: "O(1) for each subcommand specified",
    syntax: "key [GET encoding offset [GET encoding offset ...]]",
    ..Spec::new("bitfield_ro", Group::Bitmap, -2, Handler::Read(bitfield_ro))
};

fn bitfield_ro(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let steps = parse(args, txn.string_bytes_max())?;
    if steps.iter().any(|step| step.operation != Operation::Get) {
        return Err(CmdError::text("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    answer(txn, args.at(1), &steps, reply)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Get,
    Set(i64),
    IncrBy(i64),
}

struct Step {
    operation: Operation,
    field: FieldType,
    offset: u64,
    overflow: Overflow,
}

impl Step {
    /// How long the string has to be for this step to write.
    fn bytes_needed(&self) -> Option<usize> {
        (self.operation != Operation::Get).then(|| self.touched().end)
    }

    /// The bytes that the field is in.
    fn touched(&self) -> Range<usize> {
        let first = usize::try_from(self.offset >> 3).unwrap_or(usize::MAX);
        first..self.field.bytes_needed(self.offset)
    }
}

fn parse(args: Args<'_>, bytes_max: u64) -> Result<Vec<Step>, CmdError> {
    let mut steps = Vec::new();
    let mut overflow = Overflow::default();
    let mut rest = args.skip(2);
    while let Some(word) = rest.get(0) {
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        let given = rest.len() - 1;
        let taken = if is(b"GET") && given >= 2 {
            2
        } else if (is(b"SET") || is(b"INCRBY")) && given >= 3 {
            3
        } else if is(b"OVERFLOW") && given >= 1 {
            overflow = Overflow::parse(rest.at(1)).ok_or(CmdError::text(BAD_OVERFLOW))?;
            rest = rest.skip(2);
            continue;
        } else {
            return Err(CmdError::Syntax);
        };
        let field = FieldType::parse(rest.at(1)).ok_or(CmdError::text(BAD_TYPE))?;
        let offset = field
            .parse_offset(rest.at(2), bytes_max)
            .ok_or(CmdError::text(BAD_BIT_OFFSET))?;
        let operation = match rest.get(3).filter(|_| taken == 3) {
            None => Operation::Get,
            Some(number) => {
                let number = parse_i64(number).ok_or(CmdError::NotInteger)?;
                if is(b"SET") {
                    Operation::Set(number)
                } else {
                    Operation::IncrBy(number)
                }
            }
        };
        steps.push(Step {
            operation,
            field,
            offset,
            overflow,
        });
        rest = rest.skip(1 + taken);
    }
    Ok(steps)
}

/// Answers steps that only read.
fn answer(txn: &mut ReadTxn<'_, '_>, key: &[u8], steps: &[Step], reply: &mut Reply) -> CmdResult {
    let text = txn.get_str(key)?.unwrap_or(StrRef::Inline(b""));
    reply.array(steps.len());
    for step in steps {
        reply.int(step.field.get(&text.part(step.touched()), step.offset & 7));
    }
    Ok(())
}

/// Runs one step on a string that is long enough; what it answers.
fn change(txn: &mut Txn<'_, '_>, key: &[u8], step: &Step, has_changed: &mut bool) -> Result<Option<i64>, CmdError> {
    let touched = step.touched();
    let text = txn.old_str(key)?.unwrap_or(StrRef::Inline(b""));
    let mut part = text.part(touched.clone()).into_owned();
    let old = step.field.get(&part, step.offset & 7);
    let (new, shows_old) = match step.operation {
        Operation::Get => return Ok(Some(old)),
        Operation::Set(value) => (step.field.fit(value, step.overflow), true),
        Operation::IncrBy(by) => (step.field.increment(old, by, step.overflow), false),
    };
    let Some(new) = new else { return Ok(None) };
    let shown = Ok(Some(if shows_old { old } else { new }));
    // What stays as it is is no change: nobody who watches the key hears of it.
    if new == old {
        return shown;
    }
    step.field.set(&mut part, step.offset & 7, new);
    txn.write_range(key, touched.start, &part);
    *has_changed = true;
    shown
}
