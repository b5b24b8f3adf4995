//! Members by chance: SPOP, SRANDMEMBER.

use super::common::{old_set, read_set, remove};
use crate::commands::chance::{self, Form, Pick, Urn, Wanted};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::value::{count_arg, reply_item};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::{ReadTxn, Txn};
use crate::page::packed::Item;
use crate::page::set::SetRef;
use crate::resp::{Args, Reply};

pub(super) const SPOP: Spec = Spec {
    flags: flag::FAST,
    acl: &["set"],
    keys: &[first_key(&["RW", "access", "delete"])],
    tips: &["nondeterministic_output"],
    summary: "Takes members out by chance and returns them",
    complexity: "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
    syntax: "key [count]",
    ..Spec::new("spop", Group::Set, -2, Handler::Write(spop))
};

fn spop(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    if args.len() > 3 {
        return Err(CmdError::Syntax);
    }
    let count = args.get(2).map(count_arg).transpose()?;
    let mut dice = txn.dice();
    let key = args.at(1);
    let set = old_set(txn, key)?;
    let Some(count) = count else {
        let member = set.and_then(|set| set.random(&mut |n| dice.below(n)));
        let Some(member) = member.map(|member| member.bytes().into_owned()) else {
            reply.null();
            return Ok(());
        };
        reply.bulk(&member);
        remove(txn, key, [member.as_slice()].into_iter());
        txn.notify_taken(Classes::SET, "spop", key);
        return Ok(());
    };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let members = set.map_or_else(Vec::new, |set| set.sample(count, &mut |n| dice.below(n)));
    let members: Vec<Vec<u8>> = members.into_iter().map(|member| member.bytes().into_owned()).collect();
    reply.set(members.len());
    members.iter().for_each(|member| reply.bulk(member));
    if !members.is_empty() {
        remove(txn, key, members.iter().map(Vec::as_slice));
        txn.notify_taken(Classes::SET, "spop", key);
    }
    Ok(())
}

pub(super) const SRANDMEMBER: Spec = Spec {
    acl: &["set"],
    keys: &[first_key(&["RO", "access"])],
    tips: &["nondeterministic_output"],
    summary: "Returns members by chance: one, so many different ones, or (negative) so many that may repeat",
    complexity: "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
    syntax: "key [count]",
    ..Spec::new("srandmember", Group::Set, -2, Handler::Read(srandmember))
};

fn srandmember(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    if args.len() > 3 {
        return Err(CmdError::Syntax);
    }
    let wanted = Wanted::parse(args)?;
    let mut dice = txn.dice();
    let form = Form {
        header: |reply, count, _| reply.array(count),
        element: |reply, member, _| reply_item(reply, member),
        is_full: false,
    };
    chance::answer(read_set(txn, args.at(1))?, wanted, &mut dice, &form, reply)
}

impl<'a> Urn for SetRef<'a> {
    type Item = Item<'a>;

    fn one(self, pick: Pick<'_>) -> Option<Item<'a>> {
        self.random(pick)
    }

    fn sample(self, count: usize, pick: Pick<'_>) -> Vec<Item<'a>> {
        SetRef::sample(&self, count, pick)
    }

    fn is_walked(self) -> bool {
        matches!(self, SetRef::Packed(_))
    }
}
