//! When members die, and letting them live for ever: ZEXPIRETIME, ZPERSIST, ZPEXPIRETIME, ZPTTL, ZTTL.

use crate::commands::mortal::{SCORED_MEMBERS, expire_time, persist, time_left};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::support::expire::TimeUnit;
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::{ReadTxn, Txn};
use crate::resp::{Args, Reply};

pub(super) const ZTTL: Spec = Spec {
    since: "0.1.0",
    flags: flag::FAST,
    acl: &["sortedset"],
    keys: &[first_key(&["RO", "access"])],
    tips: &["nondeterministic_output"],
    summary: "Tells how many seconds members of a sorted set have left to live",
    complexity: "O(N) where N is the number of specified members",
    syntax: "key MEMBERS nummembers member [member ...]",
    ..Spec::new("zttl", Group::SortedSet, -5, Handler::Read(zttl))
};

fn zttl(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    time_left(&SCORED_MEMBERS, txn, args, TimeUnit::Seconds, reply)
}

pub(super) const ZPTTL: Spec = Spec {
    summary: "Tells how many milliseconds members of a sorted set have left to live",
    ..Spec {
        name: "zpttl",
        handler: Handler::Read(zpttl),
        ..ZTTL
    }
};

fn zpttl(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    time_left(&SCORED_MEMBERS, txn, args, TimeUnit::Milliseconds, reply)
}

pub(super) const ZEXPIRETIME: Spec = Spec {
    tips: &[],
    summary: "Tells the Unix time, in seconds, at which members of a sorted set die",
    ..Spec {
        name: "zexpiretime",
        handler: Handler::Read(zexpiretime),
        ..ZTTL
    }
};

fn zexpiretime(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    expire_time(&SCORED_MEMBERS, txn, args, TimeUnit::Seconds, reply)
}

pub(super) const ZPEXPIRETIME: Spec = Spec {
    tips: &[],
    summary: "Tells the Unix time, in milliseconds, at which members of a sorted set die",
    ..Spec {
        name: "zpexpiretime",
        handler: Handler::Read(zpexpiretime),
        ..ZTTL
    }
};

fn zpexpiretime(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    expire_time(&SCORED_MEMBERS, txn, args, TimeUnit::Milliseconds, reply)
}

pub(super) const ZPERSIST: Spec = Spec {
    since: "0.1.0",
    flags: flag::FAST,
    acl: &["sortedset"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Lets members of a sorted set live for ever",
    complexity: "O(N) where N is the number of specified members",
    syntax: "key MEMBERS nummembers member [member ...]",
    ..Spec::new("zpersist", Group::SortedSet, -5, Handler::Write(zpersist))
};

fn zpersist(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    persist(&SCORED_MEMBERS, txn, args, reply)
}
