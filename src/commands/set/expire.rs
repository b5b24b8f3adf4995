//! Giving members a time to die: SEXPIRE, SEXPIREAT, SPEXPIRE, SPEXPIREAT.

use crate::commands::mortal::{MEMBERS, set_expiry};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::support::expire::{TimeBase, TimeUnit};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

pub(super) const SEXPIRE: Spec = Spec {
    since: "8.12.0",
    flags: flag::FAST,
    acl: &["set"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Sets how many seconds members of a set have left to live",
    complexity: "O(N) where N is the number of specified members",
    syntax: "key seconds [NX | XX | GT | LT] MEMBERS nummembers member [member ...]",
    ..Spec::new("sexpire", Group::Set, -6, Handler::Write(sexpire))
};

fn sexpire(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let time = (TimeUnit::Seconds, TimeBase::Now);
    set_expiry(&MEMBERS, txn, args, SEXPIRE.name, time, reply)
}

pub(super) const SEXPIREAT: Spec = Spec {
    summary: "Sets the Unix time, in seconds, at which members of a set die",
    syntax: "key unix-time-seconds [NX | XX | GT | LT] MEMBERS nummembers member [member ...]",
    ..Spec {
        name: "sexpireat",
        handler: Handler::Write(sexpireat),
        ..SEXPIRE
    }
};

fn sexpireat(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let time = (TimeUnit::Seconds, TimeBase::Epoch);
    set_expiry(&MEMBERS, txn, args, SEXPIREAT.name, time, reply)
}

pub(super) const SPEXPIRE: Spec = Spec {
    summary: "Sets how many milliseconds members of a set have left to live",
    syntax: "key milliseconds [NX | XX | GT | LT] MEMBERS nummembers member [member ...]",
    ..Spec {
        name: "spexpire",
        handler: Handler::Write(spexpire),
        ..SEXPIRE
    }
};

fn spexpire(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let time = (TimeUnit::Milliseconds, TimeBase::Now);
    set_expiry(&MEMBERS, txn, args, SPEXPIRE.name, time, reply)
}

pub(super) const SPEXPIREAT: Spec = Spec {
    summary: "Sets the Unix time, in milliseconds, at which members of a set die",
    syntax: "key unix-time-milliseconds [NX | XX | GT | LT] MEMBERS nummembers member [member ...]",
    ..Spec {
        name: "spexpireat",
        handler: Handler::Write(spexpireat),
        ..SEXPIRE
    }
};

fn spexpireat(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let time = (TimeUnit::Milliseconds, TimeBase::Epoch);
    set_expiry(&MEMBERS, txn, args, SPEXPIREAT.name, time, reply)
}
