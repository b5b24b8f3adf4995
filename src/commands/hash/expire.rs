//! Giving fields a time to die: HEXPIRE, HEXPIREAT, HPEXPIRE, HPEXPIREAT.

use crate::commands::mortal::{FIELDS, set_expiry};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::support::expire::{TimeBase, TimeUnit};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

pub(super) const HEXPIRE: Spec = Spec {
    since: "7.4.0",
    flags: flag::FAST,
    acl: &["hash"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Sets how many seconds fields have left to live",
    complexity: "O(N) where N is the number of specified fields",
    syntax: "key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    ..Spec::new("hexpire", Group::Hash, -6, Handler::Write(hexpire))
};

fn hexpire(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let time = (TimeUnit::Seconds, TimeBase::Now);
    set_expiry(&FIELDS, txn, args, HEXPIRE.name, time, reply)
}

pub(super) const HEXPIREAT: Spec = Spec {
    summary: "Sets the Unix time, in seconds, at which fields die",
    syntax: "key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    ..Spec {
        name: "hexpireat",
        handler: Handler::Write(hexpireat),
        ..HEXPIRE
    }
};

fn hexpireat(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let time = (TimeUnit::Seconds, TimeBase::Epoch);
    set_expiry(&FIELDS, txn, args, HEXPIREAT.name, time, reply)
}

pub(super) const HPEXPIRE: Spec = Spec {
    summary: "Sets how many milliseconds fields have left to live",
    syntax: "key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    ..Spec {
        name: "hpexpire",
        handler: Handler::Write(hpexpire),
        ..HEXPIRE
    }
};

fn hpexpire(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let time = (TimeUnit::Milliseconds, TimeBase::Now);
    set_expiry(&FIELDS, txn, args, HPEXPIRE.name, time, reply)
}

pub(super) const HPEXPIREAT: Spec = Spec {
    summary: "Sets the Unix time, in milliseconds, at which fields die",
    syntax: "key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    ..Spec {
        name: "hpexpireat",
        handler: Handler::Write(hpexpireat),
        ..HEXPIRE
    }
};

fn hpexpireat(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let time = (TimeUnit::Milliseconds, TimeBase::Epoch);
    set_expiry(&FIELDS, txn, args, HPEXPIREAT.name, time, reply)
}
