//! When members die, and letting them live for ever: SEXPIRETIME, SPERSIST, SPEXPIRETIME, SPTTL, STTL.

use crate::commands::mortal::{MEMBERS, expire_time, persist, time_left};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::support::expire::TimeUnit;
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::{ReadTxn, Txn};
use crate::resp::{Args, Reply};

pub(super) const STTL: Spec = Spec {
    since: "8.12.0",
    flags: flag::FAST,
    acl: &["set"],
    keys: &[first_key(&["RO", "access"])],
    tips: &["nondeterministic_output"],
    summary: "Tells how many seconds members of a set have left to live",
    complexity: "O(N) where N is the number of specified members",
    syntax: "key MEMBERS nummembers member [member ...]",
    ..Spec::new("sttl", Group::Set, -5, Handler::Read(sttl))
};

fn sttl(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    time_left(&MEMBERS, txn, args, TimeUnit::Seconds, reply)
}

pub(super) const SPTTL: Spec = Spec {
    summary: "Tells how many milliseconds members of a set have left to live",
    ..Spec {
        name: "spttl",
        handler: Handler::Read(spttl),
        ..STTL
    }
};

fn spttl(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    time_left(&MEMBERS, txn, args, TimeUnit::Milliseconds, reply)
}

pub(super) const SEXPIRETIME: Spec = Spec {
    tips: &[],
    summary: "Tells the Unix time, in seconds, at which members of a set die",
    ..Spec {
        name: "sexpiretime",
        handler: Handler::Read(sexpiretime),
        ..STTL
    }
};

fn sexpiretime(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    expire_time(&MEMBERS, txn, args, TimeUnit::Seconds, reply)
}

pub(super) const SPEXPIRETIME: Spec = Spec {
    tips: &[],
    summary: "Tells the Unix time, in milliseconds, at which members of a set die",
    ..Spec {
        name: "spexpiretime",
        handler: Handler::Read(spexpiretime),
        ..STTL
    }
};

fn spexpiretime(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    expire_time(&MEMBERS, txn, args, TimeUnit::Milliseconds, reply)
}

pub(super) const SPERSIST: Spec = Spec {
    since: "8.12.0",
    flags: flag::FAST,
    acl: &["set"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Lets members of a set live for ever",
    complexity: "O(N) where N is the number of specified members",
    syntax: "key MEMBERS nummembers member [member ...]",
    ..Spec::new("spersist", Group::Set, -5, Handler::Write(spersist))
};

fn spersist(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    persist(&MEMBERS, txn, args, reply)
}
