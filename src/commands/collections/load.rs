//! `LOAD_HMAP`, `LOAD_BDEF`, `LOAD_BCUST`: a persisted collection back into memory, under its own or another name.

use std::sync::Arc;

use super::checkpoint::error;
use super::name;
use crate::commands::context::MaintenanceCx;
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting, late_ok};
use crate::commands::spec::{DatabaseUse, DatabaseUses, Databases, Group, Handler, Maintenance, Spec, flag};
use crate::engine::index::Kind;
use crate::resp::{Args, Reply};

const FLAGS: u32 = flag::WRITE | flag::DENY_OOM | flag::ADMIN | flag::NO_SCRIPT | flag::NO_MULTI;

/// `LOAD_BCUST name [AS other] [REPLACE]`
pub const LOAD_BCUST: Spec = Spec {
    databases: Databases::Told(loaded),
    since: "0.1.0",
    flags: FLAGS,
    acl: &["keyspace"],
    summary: "Loads a persisted collection into an ordered one (bcust)",
    complexity: "O(N log N) where N is the number of keys.",
    syntax: "name [AS other] [REPLACE]",
    ..Spec::new(
        "load_bcust",
        Group::Collection,
        -2,
        Handler::Maintenance(Maintenance::new(load_bcust)),
    )
};

/// `LOAD_BDEF name [AS other] [REPLACE]`
pub const LOAD_BDEF: Spec = Spec {
    databases: Databases::Told(loaded),
    since: "0.1.0",
    flags: FLAGS,
    acl: &["keyspace"],
    summary: "Loads a persisted collection into an ordered one (bdef)",
    complexity: "O(N log N) where N is the number of keys.",
    syntax: "name [AS other] [REPLACE]",
    ..Spec::new(
        "load_bdef",
        Group::Collection,
        -2,
        Handler::Maintenance(Maintenance::new(load_bdef)),
    )
};

/// `LOAD_HMAP name [AS other] [REPLACE]`
pub const LOAD_HMAP: Spec = Spec {
    databases: Databases::Told(loaded),
    since: "0.1.0",
    flags: FLAGS,
    acl: &["keyspace"],
    summary: "Loads a persisted collection into a hashed one",
    complexity: "O(N) where N is the number of keys.",
    syntax: "name [AS other] [REPLACE]",
    ..Spec::new(
        "load_hmap",
        Group::Collection,
        -2,
        Handler::Maintenance(Maintenance::new(load_hmap)),
    )
};

/// What is loaded, and as what. Wrong arguments load nothing.
fn loaded(args: Args<'_>, uses: &mut DatabaseUses) {
    uses.push(DatabaseUse::At(1));
    let mut at = 2;
    while let Some(option) = args.get(at) {
        if option.eq_ignore_ascii_case(b"as") {
            at += 1;
            uses.push(DatabaseUse::At(at));
        }
        at += 1;
    }
}

struct Options {
    name: String,
    as_name: String,
    replace: bool,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Self, CmdError> {
        let name = name::any(args.at(1))?;
        let mut options = Self {
            as_name: name.clone(),
            name,
            replace: false,
        };
        let mut rest = args.skip(2).iter();
        while let Some(option) = rest.next() {
            match option.to_ascii_lowercase().as_slice() {
                b"replace" => options.replace = true,
                b"as" => options.as_name = name::any(rest.next().ok_or(CmdError::Syntax)?)?,
                _ => return Err(CmdError::Syntax),
            }
        }
        Ok(options)
    }
}

fn load_bcust(cx: &mut MaintenanceCx<'_>, args: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    load(cx, args, Kind::Bcust)
}

fn load_bdef(cx: &mut MaintenanceCx<'_>, args: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    load(cx, args, Kind::Bdef)
}

fn load_hmap(cx: &mut MaintenanceCx<'_>, args: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    load(cx, args, Kind::Hmap)
}

fn load(cx: &mut MaintenanceCx<'_>, args: Args<'_>, kind: Kind) -> Result<Flow<Waiting>, CmdError> {
    let Options { name, as_name, replace } = Options::parse(args)?;
    let checkpoints = Arc::clone(&cx.server.checkpoints);
    Ok(Flow::Later(Box::pin(async move {
        checkpoints.load(&name, &as_name, kind, replace).await.map_err(error)?;
        Ok(Box::new(late_ok) as LateReply)
    })))
}
