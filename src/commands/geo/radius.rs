//! Searches within a circle, as older clients write them: GEORADIUS, GEORADIUSBYMEMBER and their read-only forms.

use super::options::Form;
use super::search::{answer, answer_or_store};
use crate::commands::spec::{Group, KeySpec, first_key, flag, key_behind};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::{ReadTxn, Txn};
use crate::resp::{Args, Reply};

const COMPLEXITY: &str = "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area \
                          delimited by center and radius and M is the number of items inside the index.";
const SOURCE: KeySpec = first_key(&["RO", "access"]);
const TARGET: &[&str] = &["OW", "update"];

pub(super) const GEORADIUS: Spec = Spec {
    since: "3.2.0",
    flags: flag::DENY_OOM | flag::MOVABLE_KEYS,
    acl: &["geo"],
    keys: &[
        SOURCE,
        key_behind("STORE", 6, TARGET),
        key_behind("STOREDIST", 6, TARGET),
    ],
    summary: "Finds members within a distance of a point, or stores them",
    complexity: COMPLEXITY,
    syntax: "key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] \
             [ASC | DESC] [STORE key] [STOREDIST key]",
    ..Spec::new("georadius", Group::Geo, -6, Handler::Write(georadius))
};

fn georadius(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer_or_store(txn, args, 1, Form::AroundPoint { may_store: true }, reply)
}

pub(super) const GEORADIUS_RO: Spec = Spec {
    since: "3.2.10",
    acl: &["geo"],
    keys: &[SOURCE],
    summary: "Finds members within a distance of a point",
    complexity: COMPLEXITY,
    syntax: "key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] \
             [ASC | DESC]",
    ..Spec::new("georadius_ro", Group::Geo, -6, Handler::Read(georadius_ro))
};

fn georadius_ro(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, Form::AroundPoint { may_store: false }, reply)
}

pub(super) const GEORADIUSBYMEMBER: Spec = Spec {
    keys: &[
        SOURCE,
        key_behind("STORE", 5, TARGET),
        key_behind("STOREDIST", 5, TARGET),
    ],
    summary: "Finds members within a distance of a member, or stores them",
    syntax: "key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] \
             [STORE key] [STOREDIST key]",
    ..Spec {
        name: "georadiusbymember",
        arity: -5,
        handler: Handler::Write(georadiusbymember),
        ..GEORADIUS
    }
};

fn georadiusbymember(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer_or_store(txn, args, 1, Form::AroundMember { may_store: true }, reply)
}

pub(super) const GEORADIUSBYMEMBER_RO: Spec = Spec {
    summary: "Finds members within a distance of a member",
    syntax: "key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]",
    ..Spec {
        name: "georadiusbymember_ro",
        arity: -5,
        handler: Handler::Read(georadiusbymember_ro),
        ..GEORADIUS_RO
    }
};

fn georadiusbymember_ro(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, Form::AroundMember { may_store: false }, reply)
}
