//! Searches within a circle, a rectangle or a polygon: GEOSEARCH, GEOSEARCHSTORE.

use super::options::Form;
use super::search::{answer, answer_or_store};
use crate::commands::spec::{Group, first_key, flag, key_at};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::{ReadTxn, Txn};
use crate::resp::{Args, Reply};

pub(super) const GEOSEARCH: Spec = Spec {
    since: "6.2.0",
    acl: &["geo"],
    keys: &[first_key(&["RO", "access"])],
    summary: "Finds members within a circle, a rectangle or a polygon",
    complexity: "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape \
                 provided as the filter and M is the number of items inside the shape",
    syntax: "key [FROMMEMBER member | FROMLONLAT longitude latitude] <BYRADIUS radius <M | KM | FT | MI> | BYBOX width \
             height <M | KM | FT | MI> | BYPOLYGON num-vertices <longitude latitude [longitude latitude ...]>> [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
    ..Spec::new("geosearch", Group::Geo, -7, Handler::Read(geosearch))
};

fn geosearch(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, Form::Search, reply)
}

pub(super) const GEOSEARCHSTORE: Spec = Spec {
    flags: flag::DENY_OOM,
    keys: &[first_key(&["OW", "update"]), key_at(2, &["RO", "access"])],
    summary: "Finds members within a circle, a rectangle or a polygon and stores them",
    syntax: "destination source [FROMMEMBER member | FROMLONLAT longitude latitude] <BYRADIUS radius <M | KM | FT | MI> \
             | BYBOX width height <M | KM | FT | MI> | BYPOLYGON num-vertices <longitude latitude [longitude latitude \
             ...]>> [ASC | DESC] [COUNT count [ANY]] [STOREDIST]",
    ..Spec {
        name: "geosearchstore",
        arity: -8,
        handler: Handler::Write(geosearchstore),
        ..GEOSEARCH
    }
};

fn geosearchstore(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer_or_store(txn, args, 2, Form::SearchStore, reply)
}
