//! The spellings of the first LokiKV, each doing what its `COLLECTION …` counterpart does.

use super::{inspect, manage, select};
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{CmdResult, Databases, Group, Handler, Spec, flag};
use crate::engine::index::Kind;
use crate::engine::keyspace::ExclusiveTxn;
use crate::resp::{Args, Reply};

/// `/c_bcol name`
pub const C_BCOL: Spec = Spec {
    databases: Databases::At(&[1]),
    since: "0.1.0",
    flags: flag::WRITE | flag::DENY_OOM,
    acl: &["keyspace"],
    summary: "Makes an empty ordered collection (bdef), as COLLECTION CREATE",
    syntax: "name",
    ..Spec::new("/c_bcol", Group::Collection, 2, Handler::Exclusive(create_bdef))
};

/// `/c_bcust name`
pub const C_BCUST: Spec = Spec {
    databases: Databases::At(&[1]),
    since: "0.1.0",
    flags: flag::WRITE | flag::DENY_OOM,
    acl: &["keyspace"],
    summary: "Makes an empty ordered collection (bcust), as COLLECTION CREATE",
    syntax: "name",
    ..Spec::new("/c_bcust", Group::Collection, 2, Handler::Exclusive(create_bcust))
};

/// `/c_hcol name`
pub const C_HCOL: Spec = Spec {
    databases: Databases::At(&[1]),
    since: "0.1.0",
    flags: flag::WRITE | flag::DENY_OOM,
    acl: &["keyspace"],
    summary: "Makes an empty hashed collection, as COLLECTION CREATE",
    syntax: "name",
    ..Spec::new("/c_hcol", Group::Collection, 2, Handler::Exclusive(create_hmap))
};

/// `/getcur_colname`
pub const GETCUR_COLNAME: Spec = Spec {
    databases: Databases::None,
    since: "0.1.0",
    flags: flag::FAST | flag::STALE,
    acl: &["connection"],
    summary: "Tells the name of the selected collection, as COLLECTION CURRENT",
    ..Spec::new(
        "/getcur_colname",
        Group::Collection,
        1,
        Handler::Session(select::current),
    )
};

/// `/listcolnames`
pub const LISTCOLNAMES: Spec = Spec {
    since: "0.1.0",
    flags: flag::READONLY,
    acl: &["keyspace"],
    summary: "Lists the names of collections, as COLLECTION LIST",
    complexity: "O(N) where N is the number of collections.",
    ..Spec::new("/listcolnames", Group::Collection, 1, Handler::Session(inspect::list))
};

/// `/selectcol name`
pub const SELECTCOL: Spec = Spec {
    databases: Databases::At(&[1]),
    since: "0.1.0",
    flags: flag::FAST | flag::STALE,
    acl: &["connection"],
    summary: "Selects a collection for this connection, as COLLECTION USE",
    syntax: "name",
    ..Spec::new("/selectcol", Group::Collection, 2, Handler::Session(select_named))
};

fn create_bdef(txn: &mut ExclusiveTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    create(txn, args, Kind::Bdef, reply)
}

fn create_bcust(txn: &mut ExclusiveTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    create(txn, args, Kind::Bcust, reply)
}

fn create_hmap(txn: &mut ExclusiveTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    create(txn, args, Kind::Hmap, reply)
}

fn create(txn: &mut ExclusiveTxn<'_, '_>, args: Args<'_>, kind: Kind, reply: &mut Reply) -> CmdResult {
    manage::create_named(txn, args.at(1), kind)?;
    reply.ok();
    Ok(())
}

fn select_named(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    select::use_named(cx, args.at(1), reply)
}
