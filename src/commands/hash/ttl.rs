//! When fields die, and letting them live for ever: HEXPIRETIME, HPERSIST, HPEXPIRETIME, HPTTL, HTTL.

use crate::commands::mortal::{FIELDS, expire_time, persist, time_left};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::support::expire::TimeUnit;
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::{ReadTxn, Txn};
use crate::resp::{Args, Reply};

pub(super) const HTTL: Spec = Spec {
    since: "7.4.0",
    flags: flag::FAST,
    acl: &["hash"],
    keys: &[first_key(&["RO", "access"])],
    tips: &["nondeterministic_output"],
    summary: "Tells how many seconds fields have left to live",
    complexity: "O(N) where N is the number of specified fields",
    syntax: "key FIELDS numfields field [field ...]",
    ..Spec::new("httl", Group::Hash, -5, Handler::Read(httl))
};

fn httl(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    time_left(&FIELDS, txn, args, TimeUnit::Seconds, reply)
}

pub(super) const HPTTL: Spec = Spec {
    summary: "Tells how many milliseconds fields have left to live",
    ..Spec {
        name: "hpttl",
        handler: Handler::Read(hpttl),
        ..HTTL
    }
};

fn hpttl(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    time_left(&FIELDS, txn, args, TimeUnit::Milliseconds, reply)
}

pub(super) const HEXPIRETIME: Spec = Spec {
    tips: &[],
    summary: "Tells the Unix time, in seconds, at which fields die",
    ..Spec {
        name: "hexpiretime",
        handler: Handler::Read(hexpiretime),
        ..HTTL
    }
};

fn hexpiretime(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    expire_time(&FIELDS, txn, args, TimeUnit::Seconds, reply)
}

pub(super) const HPEXPIRETIME: Spec = Spec {
    tips: &[],
    summary: "Tells the Unix time, in milliseconds, at which fields die",
    ..Spec {
        name: "hpexpiretime",
        handler: Handler::Read(hpexpiretime),
        ..HTTL
    }
};

fn hpexpiretime(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    expire_time(&FIELDS, txn, args, TimeUnit::Milliseconds, reply)
}

pub(super) const HPERSIST: Spec = Spec {
    since: "7.4.0",
    flags: flag::FAST,
    acl: &["hash"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Lets fields live for ever",
    complexity: "O(N) where N is the number of specified fields",
    syntax: "key FIELDS numfields field [field ...]",
    ..Spec::new("hpersist", Group::Hash, -5, Handler::Write(hpersist))
};

fn hpersist(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    persist(&FIELDS, txn, args, reply)
}
