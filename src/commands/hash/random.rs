//! Fields by chance: HRANDFIELD.

use super::common::hash_of;
use crate::commands::chance::{self, Form, Pick, Urn, Wanted};
use crate::commands::spec::{Group, first_key};
use crate::commands::value::reply_item;
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::page::hash::{Field, HashRef};
use crate::resp::{Args, Proto, Reply};

pub(super) const HRANDFIELD: Spec = Spec {
    since: "6.2.0",
    acl: &["hash"],
    keys: &[first_key(&["RO", "access"])],
    tips: &["nondeterministic_output"],
    summary: "Returns fields by chance: one, so many different ones, or (negative) so many that may repeat",
    complexity: "O(N) where N is the number of fields returned",
    syntax: "key [count [WITHVALUES]]",
    ..Spec::new("hrandfield", Group::Hash, -2, Handler::Read(hrandfield))
};

fn hrandfield(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (now_ms, mut dice) = (txn.now_ms(), txn.dice());
    let (wanted, is_full) = Wanted::parse_with(args, b"withvalues")?;
    let hash = txn.get(args.at(1)).map(hash_of).transpose()?;
    let form = Form {
        header,
        element,
        is_full,
    };
    let alive = hash.map(|hash| Alive { hash, now_ms });
    chance::answer(alive, wanted, &mut dice, &form, reply)
}

/// The fields of a hash that are alive.
#[derive(Clone, Copy)]
struct Alive<'a> {
    hash: HashRef<'a>,
    now_ms: u64,
}

impl<'a> Urn for Alive<'a> {
    type Item = Field<'a>;

    fn one(self, pick: Pick<'_>) -> Option<Field<'a>> {
        if self.hash.may_have_dead(self.now_ms) {
            return self.sample(1, pick).pop();
        }
        self.hash.random(pick)
    }

    fn sample(self, count: usize, pick: Pick<'_>) -> Vec<Field<'a>> {
        self.hash.sample(count, self.now_ms, pick)
    }

    fn is_walked(self) -> bool {
        matches!(self.hash, HashRef::Packed(_)) || self.hash.may_have_dead(self.now_ms)
    }
}

fn header(reply: &mut Reply, count: usize, with_values: bool) {
    let is_flat = with_values && reply.proto() == Proto::Resp2;
    reply.array(if is_flat { count * 2 } else { count });
}

fn element(reply: &mut Reply, field: Field<'_>, with_values: bool) {
    if with_values && reply.proto() == Proto::Resp3 {
        reply.array(2);
    }
    reply_item(reply, field.name);
    if with_values {
        reply_item(reply, field.value);
    }
}
