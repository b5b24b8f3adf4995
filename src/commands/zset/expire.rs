//! Giving members a time to die: ZEXPIRE, ZEXPIREAT, ZPEXPIRE, ZPEXPIREAT.

use crate::commands::mortal::{SCORED_MEMBERS, set_expiry};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::support::expire::{TimeBase, TimeUnit};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

pub(super) const ZEXPIRE: Spec = Spec {
    since: "0.1.0",
    flags: flag::FAST,
    acl: &["sortedset"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Sets how many seconds members of a sorted set have left to live",
    complexity: "O(N) where N is the number of specified members",
    syntax: "key seconds [NX | XX | GT | LT] MEMBERS nummembers member [member ...]",
    ..Spec::new("zexpire", Group::SortedSet, -6, Handler::Write(zexpire))
};

fn zexpire(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let time = (TimeUnit::Seconds, TimeBase::Now);
    set_expiry(&SCORED_MEMBERS, txn, args, ZEXPIRE.name, time, reply)
}

pub(super) const ZEXPIREAT: Spec = Spec {
    summary: "Sets the Unix time, in seconds, at which members of a sorted set die",
    syntax: "key unix-time-seconds [NX | XX | GT | LT] MEMBERS nummembers member [member ...]",
    ..Spec {
        name: "zexpireat",
        handler: Handler::Write(zexpireat),
        ..ZEXPIRE
    }
};

fn zexpireat(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let time = (TimeUnit::Seconds, TimeBase::Epoch);
    set_expiry(&SCORED_MEMBERS, txn, args, ZEXPIREAT.name, time, reply)
}

pub(super) const ZPEXPIRE: Spec = Spec {
    summary: "Sets how many milliseconds members of a sorted set have left to live",
    syntax: "key milliseconds [NX | XX | GT | LT] MEMBERS nummembers member [member ...]",
    ..Spec {
        name: "zpexpire",
        handler: Handler::Write(zpexpire),
        ..ZEXPIRE
    }
};

fn zpexpire(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let time = (TimeUnit::Milliseconds, TimeBase::Now);
    set_expiry(&SCORED_MEMBERS, txn, args, ZPEXPIRE.name, time, reply)
}

pub(super) const ZPEXPIREAT: Spec = Spec {
    summary: "Sets the Unix time, in milliseconds, at which members of a sorted set die",
    syntax: "key unix-time-milliseconds [NX | XX | GT | LT] MEMBERS nummembers member [member ...]",
    ..Spec {
        name: "zpexpireat",
        handler: Handler::Write(zpexpireat),
        ..ZEXPIRE
    }
};

fn zpexpireat(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let time = (TimeUnit::Milliseconds, TimeBase::Epoch);
    set_expiry(&SCORED_MEMBERS, txn, args, ZPEXPIREAT.name, time, reply)
}
