//! Members by chance: ZRANDMEMBER.

use super::common::{read_zset, reply_header, reply_member};
use crate::commands::chance::{self, Form, Pick, Urn, Wanted};
use crate::commands::spec::{Group, first_key};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::page::zset::{Member, ZsetRef};
use crate::resp::{Args, Reply};

pub(super) const ZRANDMEMBER: Spec = Spec {
    since: "6.2.0",
    acl: &["sortedset"],
    keys: &[first_key(&["RO", "access"])],
    tips: &["nondeterministic_output"],
    summary: "Returns members by chance: one, so many different ones, or (negative) so many that may repeat",
    complexity: "O(N) where N is the number of elements returned",
    syntax: "key [count [WITHSCORES]]",
    ..Spec::new("zrandmember", Group::SortedSet, -2, Handler::Read(zrandmember))
};

fn zrandmember(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let mut dice = txn.dice();
    let (wanted, is_full) = Wanted::parse_with(args, b"withscores")?;
    let form = Form {
        header: reply_header,
        element,
        is_full,
    };
    chance::answer(read_zset(txn, args.at(1))?, wanted, &mut dice, &form, reply)
}

impl<'a> Urn for ZsetRef<'a> {
    type Item = Member<'a>;

    fn one(self, pick: Pick<'_>) -> Option<Member<'a>> {
        self.get(pick(self.len() as usize) as u64)
    }

    fn sample(self, count: usize, pick: Pick<'_>) -> Vec<Member<'a>> {
        ZsetRef::sample(&self, count, pick)
    }

    fn is_walked(self) -> bool {
        matches!(self, ZsetRef::Packed(_))
    }
}

fn element(reply: &mut Reply, member: Member<'_>, with_scores: bool) {
    reply_member(reply, member.name, member.score, with_scores);
}
